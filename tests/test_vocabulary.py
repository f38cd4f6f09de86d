"""Other libraries' words: each row of the table does what it says, and misspelt names get a suggestion."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad
from tensorgrad import CNN, callbacks, functional, layers, optim
from tensorgrad.vocabulary import did_you_mean, find, instead
from tensorgrad.words import WORDS, Word

X, Y = np.random.default_rng(0).random((12, 6, 6, 1)), np.arange(12) % 3
VALUES: dict[str, Any] = {  # something to give each of our arguments
    "neurons": 4, "is_bias": False, "input_shape": 3, "stride": 2, "isbias": False, "dilation": 2, "filters": 5,
    "kernel_size": 3, "prob": 0.25, "eps": 0.5, "opt": "adam", "lr": 0.5, "mr": 0.25, "val_split": 0.5, "epochs": 2,
    "seed": 3, "X": X, "Y": Y, "shape": (3, 4), "initializer": "he", "beta1": 0.5, "beta2": 0.5, "rho": 0.5,
    "path": "file",
}  # fmt: skip
THEIRS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {  # a call as they write it, and ours
    "Dense": ((4, "relu", False), {"neurons": 4, "activation": "relu", "is_bias": False}),
    "Linear": ((3, 4), {"input_shape": 3, "neurons": 4}),
    "Conv2D": ((5, 3, 2), {"filters": 5, "kernel_size": 3, "stride": 2, "padding": None}),
    "MaxPooling2D": ((3, 2, "valid"), {"kernel_size": 3, "stride": 2, "padding": None, "kind": "max"}),
    "AveragePooling2D": ((3,), {"kernel_size": 3, "kind": "average"}),
    "MaxPool2d": ((3, 2, 1), {"kernel_size": 3, "stride": 2, "padding": 1, "kind": "max"}),
    "AvgPool2d": ((3, 2), {"kernel_size": 3, "stride": 2, "kind": "average"}),
    "UpSampling2D": ((3,), {"kernel_size": 3}),
    "LazyLinear": ((4, False), {"neurons": 4, "is_bias": False}),
    "Conv1D": ((5, 3, 2, "same"), {"filters": 5, "kernel_size": 3, "stride": 2, "padding": "keep"}),
    "Conv2DTranspose": ((5, 3, 2, "same"), {"filters": 5, "kernel_size": 3, "stride": 2, "padding": "keep"}),
    "MaxPooling1D": ((3, 2, "valid"), {"kernel_size": 3, "stride": 2, "padding": None, "kind": "max"}),
    "AveragePooling1D": ((3,), {"kernel_size": 3, "kind": "average"}),
    "MaxPool1d": ((3, 2, 1), {"kernel_size": 3, "stride": 2, "padding": 1, "kind": "max"}),
    "AvgPool1d": ((3, 2), {"kernel_size": 3, "stride": 2, "kind": "average"}),
    "ZeroPadding2D": ((2,), {"padding": 2}),
    "Rescaling": ((2.0, 1.0), {"scale": 2.0, "offset": 1.0}),
}


def model(activation: str = "softmax", neurons: int = 3) -> CNN:
    made = CNN(seed=0)
    made.add(layers.Flatten(input_shape=(6, 6, 1)))
    made.add(layers.FFL(neurons=neurons, activation=activation))
    return made


def config(layer: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(layer).items() if isinstance(value, str | int | float | tuple | None)}


WORKING = [(word, place) for word in WORDS if word.works for place in word.where.split(", ")]
REFUSED = [(word, place) for word in WORDS if not word.works for place in word.where.split(", ")]


def is_of_tensors(where: str) -> bool:
    return where in functional.__all__ or hasattr(tensorgrad.Tensor, where)


def of_a_tensor(where: str, named: dict[str, Any]) -> list[Any]:
    """What a function of tensors and a method give, if there are such, with an argument by name."""
    t = tensorgrad.Tensor(X[:2, :1, :1])
    others = (
        {"split": {"parts": 2}, "roll": {"shift": 1}}.get(where, {}) if not named.keys() & {"shift", "shifts"} else {}
    )
    found = []
    if hasattr(tensorgrad.Tensor, where):
        found.append(getattr(t, where)(**others, **named))
    if where in functional.__all__:
        given = t if found else [t, t]
        found.append(getattr(functional, where)(given, **others, **named))
    return [np.asarray(each).tolist() for each in found]


@pytest.mark.parametrize(("word", "where"), WORKING, ids=lambda each: getattr(each, "theirs", each))
def test_every_word_that_works_means_ours(word: Word, where: str) -> None:
    if where == "layers":
        args, ours = THEIRS.get(word.theirs, ((), dict(word.given)))
        assert config(getattr(layers, word.theirs)(*args)) == config(getattr(layers, word.ours)(**ours))
    elif is_of_tensors(where):
        given: dict[str, Any] = {"axis": 1, "keepdims": True, "ord": 1, "shift": 1}
        names = (word.theirs, word.ours)
        found = [each for name in names for each in of_a_tensor(where, {name: given[word.ours]})]
        assert all(each == found[0] for each in found)
    elif where in ("activation", "kind", "initializer"):
        owner: Any = {"activation": layers.Activation, "kind": layers.Pool2d, "initializer": layers.FFL}[where]
        assert config(owner(**{where: word.theirs})) == config(owner(**{where: word.ours}))
    elif where in ("loss", "opt", "metrics"):
        value = [word.theirs] if where == "metrics" else word.theirs
        our_value = [word.ours] if where == "metrics" else word.ours
        activation = "sigmoid" if word.ours == "bce" else "softmax"
        theirs, same = model(activation), model(activation)
        theirs.compile(**{"loss": "cse" if activation == "softmax" else "bce", where: value})
        same.compile_model(**{"loss": "cse" if activation == "softmax" else "bce", where: our_value})
        assert theirs.objective.loss == same.objective.loss
        assert type(theirs.optimizer) is type(same.optimizer)
        assert theirs.metrics == same.metrics
    elif hasattr(callbacks, where):
        owner, value = getattr(callbacks, where), VALUES[word.ours]
        assert config(owner(**{word.theirs: value})) == config(owner(**{word.ours: value}))
    elif where == "Optimizer" or hasattr(optim, where):
        owner, value = getattr(optim, "Adam" if where == "Optimizer" else where), VALUES[word.ours]
        theirs, same = (owner(model().parameters(), **{key: value}) for key in (word.theirs, word.ours))
        assert repr(theirs) == repr(same)
    elif hasattr(layers, where):
        owner, value = getattr(layers, where), VALUES[word.ours]
        assert config(owner(**{word.theirs: value})) == config(owner(**{word.ours: value}))
    else:
        of_a_model(word, where)


@pytest.mark.parametrize(("word", "where"), REFUSED, ids=lambda each: getattr(each, "theirs", each))
def test_every_other_word_is_answered(word: Word, where: str) -> None:
    with pytest.raises((ImportError, TypeError, ValueError, AttributeError)) as caught:
        use(word.theirs, where)
    assert instead(word) in str(caught.value)


def use(theirs: str, where: str) -> Any:
    modules = {"layers": layers, "callbacks": callbacks, "optim": optim, "tensorgrad": tensorgrad}
    if where in (*modules, "model", "Tensor"):
        owners = {**modules, "model": model(), "Tensor": tensorgrad.Tensor([1.0])}
        return getattr(owners[where], theirs)
    if where in ("loss", "opt", "metrics"):
        return model().compile(**{where: theirs})
    if where in ("activation", "initializer"):
        return layers.FFL(**{where: theirs})
    if where in ("train", "evaluate", "predict", "compile_model"):
        return getattr(model(), where)(**{theirs: 1})
    if where == "CNN":
        return CNN(**{theirs: 1})
    if is_of_tensors(where):
        return of_a_tensor(where, {theirs: 1})
    module: Any = next(module for module in (layers, callbacks, optim) if where in vars(module))
    given = {"params": model().parameters()} if module is optim else {}
    owner = optim.Adam if where == "Optimizer" else getattr(module, where)
    return owner(**given, **{theirs: 1})


def of_a_model(word: Word, where: str) -> None:
    runs = []
    for key in (word.theirs, word.ours):
        made = CNN(**{key: 3}) if where == "CNN" else model()
        if where == "CNN":
            made.add(layers.FFL(input_shape=3, neurons=2))
            runs.append(made.layers[0].weights.numpy().tolist())
            continue
        if where == "compile_model":
            made.compile(**{key: VALUES[word.ours]}, loss="cse")
            runs.append([type(made.optimizer), made.optimizer.lr, getattr(made.optimizer, "mr", None)])
            continue
        made.compile(opt="adam", loss="cse")
        data: dict[str, Any] = {"X": X, "Y": Y}
        if where == "predict":
            runs.append(made.predict(**{key: X}).tolist())
            continue
        data.pop(word.ours, None)
        if word.theirs == "validation_data":
            given = {"validation_data": (X, Y)} if key == word.theirs else {"val_x": X, "val_y": Y}
        else:
            given = {key: VALUES[word.ours]}
        if where == "evaluate":
            runs.append(dict(made.evaluate(**data, **given)))
        else:
            history = made.fit(**data, **given, verbose=0)
            runs.append([history["loss"], history["val_loss"]])
    assert str(runs[0]) == str(runs[1])


def test_names_as_they_are_imported() -> None:
    from tensorgrad.layers import Conv2D, Dense  # type: ignore[attr-defined]

    assert Dense.__name__ == "Dense"
    assert Conv2D.__doc__ == "Make a :class:`Conv2d`, under the name that it has in Keras."
    with pytest.raises(ImportError, match="there are no recurrent layers"):
        from tensorgrad.layers import LSTM  # type: ignore[attr-defined]  # noqa: F401


def test_case_and_underscores_make_no_difference() -> None:
    assert layers.Activation("Leaky_ReLU").activation == layers.Activation("leakyrelu").activation == "leaky_relu"


@pytest.mark.parametrize(
    ("given", "known", "near"),
    [
        ("rellu", ["relu", "elu", "gelu"], "relu"), ("adma", ["adamax", "adam"], "adam"), ("ADAM", ["adam"], "adam"),
        ("xyz", ["relu"], ""), (3, ["relu"], ""), (None, ["relu"], ""),
    ],
)  # fmt: skip
def test_did_you_mean(given: Any, known: list[str], near: str) -> None:
    assert did_you_mean(given, known) == (f"; did you mean {near!r}?" if near else "")


def test_the_page_is_made_from_the_table() -> None:
    path = Path(__file__).parents[1] / "docs" / "make_coming_from.py"
    spec = importlib.util.spec_from_file_location("make_coming_from", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run python docs/make_coming_from.py"


def test_names_that_users_add_come_first() -> None:
    functional.register_activation("selu", lambda x: x)
    try:
        assert layers.FFL(activation="selu").activation == "selu"
    finally:
        functional.ACTIVATIONS.pop("selu")
    with pytest.raises(ValueError, match="'silu' is taken, as another name of 'swish'; give another name"):
        functional.register_activation("silu", lambda x: x)


# all that keras.layers 3.15 has
OF_KERAS = """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention
    AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D
    BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
    Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D
    Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CutMix Dense
    DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten
    FlaxLayer GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D
    GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention
    HashedCrossing Hashing Identity Input InputLayer InputSpec IntegerLookup JaxLayer LSTM LSTMCell Lambda Layer
    LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D
    MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute
    Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
    RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale
    RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
    RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding
    STFTSpectrogram SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D SimpleRNN
    SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization
    StackedRNNCells StringLookup Subtract TFSMLayer TextVectorization TimeDistributed TorchModuleWrapper
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""


@pytest.mark.parametrize("name", OF_KERAS.split())
def test_every_layer_of_keras_is_answered(name: str) -> None:
    assert name in vars(layers) or find(name, "layers")
