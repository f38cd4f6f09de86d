"""What other libraries call things, and what they are called here: one table, which everything by name looks into.

Where the meaning is the same, their word works. Where it differs, an error says what to write, and why.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher, get_close_matches
from functools import wraps
from typing import Any, TypeVar

__all__ = [
    "VALUES", "WORDS", "Word", "called", "did_you_mean", "find", "instead", "layer", "missing", "speaks", "translated",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Word:
    """A word of another library.

    Attributes
    ----------
    theirs, of : str
        The word, and whose it is.
    ours : str
        Our word for it; of one that does not work, what to write instead.
    where : str
        "layers", "model" (an attribute), the argument that it is a value of, as "loss", or the function or class that
        it is an argument of, as "Conv2d".
    differs : str
        What is different here.
    works : bool
        Whether it may be used.
    order : tuple of str
        Of a layer: our arguments for what they pass by position.
    given : mapping
        Of a layer: our arguments that follow from their name or their defaults.
    values : mapping
        Of a layer: for an argument of ours, what their values are here.
    """

    theirs: str
    of: str
    ours: str
    where: str
    differs: str = ""
    works: bool = True
    order: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)


K, T, S = "Keras", "PyTorch", "scikit-learn"
_PADDING = {"padding": {"valid": None, "same": "keep"}}
_LINEAR = "the input's size may be left out"
_PYTORCHS_2D = "data is channels-last; channels of the input are found out"

WORDS: tuple[Word, ...] = (
    # -- layers
    Word("Dense", K, "FFL", "layers", order=("neurons", "activation", "is_bias")),
    Word("Linear", T, "FFL", "layers", _LINEAR, order=("input_shape", "neurons", "is_bias")),
    Word("Conv2D", K, "Conv2d", "layers", "its own words; Conv2d frames the image with one pixel unless told otherwise",
         order=("filters", "kernel_size", "stride", "padding"), given={"padding": None}, values=_PADDING),
    Word("MaxPooling2D", K, "Pool2d", "layers", order=("kernel_size", "stride", "padding"), given={"kind": "max"},
         values=_PADDING),
    Word("AveragePooling2D", K, "Pool2d", "layers", order=("kernel_size", "stride", "padding"),
         given={"kind": "average"}, values=_PADDING),
    Word("MaxPool2d", T, "Pool2d", "layers", _PYTORCHS_2D, order=("kernel_size", "stride", "padding"),
         given={"kind": "max"}),
    Word("AvgPool2d", T, "Pool2d", "layers", "an average does not count the padding",
         order=("kernel_size", "stride", "padding"), given={"kind": "average"}),
    Word("GlobalAveragePooling2D", K, "GlobalPool", "layers", given={"kind": "average"}),
    Word("GlobalMaxPooling2D", K, "GlobalPool", "layers", given={"kind": "max"}),
    Word("BatchNormalization", K, "BatchNorm", "layers", "momentum is the share of the new: 1 minus Keras's"),
    Word("BatchNorm2d", T, "BatchNorm()", "layers", "the number of channels is found out: BatchNorm()", works=False),
    Word("LayerNormalization", K, "LayerNorm", "layers", "over all but the batch axis"),
    Word("UpSampling2D", K, "Upsample", "layers", order=("kernel_size",)),
    Word("ReLU", f"{K}, {T}", "Activation", "layers", given={"activation": "relu"}),
    Word("Sigmoid", T, "Activation", "layers", given={"activation": "sigmoid"}),
    Word("Tanh", T, "Activation", "layers", given={"activation": "tanh"}),
    Word("Softmax", f"{K}, {T}", "Activation", "layers", given={"activation": "softmax"}),
    Word("GELU", T, "Activation", "layers", given={"activation": "gelu"}),
    Word("SiLU", T, "Activation", "layers", given={"activation": "swish"}),
    Word("Input", K, "input_shape=", "layers", "the first layer says it: Conv2d(input_shape=(28, 28, 1), ...)",
         works=False),
    Word("LSTM", f"{K}, {T}", "nothing", "layers", "there are no recurrent layers", works=False),
    Word("Embedding", f"{K}, {T}", "nothing", "layers", "there are no layers for text", works=False),
    # -- their arguments
    Word("units", K, "neurons", "FFL"),
    Word("use_bias", K, "is_bias", "FFL"),
    Word("isbias", "Conv2d here", "is_bias", "FFL"),
    Word("in_features", T, "input_shape", "FFL"),
    Word("out_features", T, "neurons", "FFL"),
    Word("strides", K, "stride", "Conv2d"),
    Word("use_bias", K, "isbias", "Conv2d"),
    Word("is_bias", "FFL here", "isbias", "Conv2d"),
    Word("dilation_rate", K, "dilation", "Conv2d"),
    Word("out_channels", T, "filters", "Conv2d"),
    Word("in_channels", T, "input_shape=(height, width, channels)", "Conv2d",
         "the channels are the last of input_shape, or found out when the layer is added to a model", works=False),
    Word("kernel_initializer", K, "initializer", "Conv2d", "a name or a function of shape and generator", works=False),
    Word("data_format", K, "nothing", "Conv2d", "images are (height, width, channels), channels last", works=False),
    Word("pool_size", K, "kernel_size", "Pool2d"),
    Word("strides", K, "stride", "Pool2d"),
    Word("size", K, "kernel_size", "Upsample"),
    Word("scale_factor", T, "kernel_size", "Upsample"),
    Word("rate", K, "prob", "Dropout"),
    Word("p", T, "prob", "Dropout"),
    Word("epsilon", K, "eps", "BatchNorm"),
    Word("epsilon", K, "eps", "LayerNorm"),
    Word("num_features", T, "BatchNorm()", "BatchNorm", "the number of channels is found out", works=False),
    # -- activations, losses, optimizers, metrics
    Word("ReLU", T, "relu", "activation"),
    Word("LeakyReLU", T, "leaky_relu", "activation"),
    Word("ELU", T, "elu", "activation"),
    Word("GELU", T, "gelu", "activation", "exactly, as theirs unless told otherwise"),
    Word("Sigmoid", T, "sigmoid", "activation"),
    Word("Tanh", T, "tanh", "activation"),
    Word("Softmax", T, "softmax", "activation"),
    Word("silu", f"{K}, {T}", "swish", "activation"),
    Word("categorical_crossentropy", K, "cse", "loss"),
    Word("sparse_categorical_crossentropy", K, "cse", "loss", "integer labels and one-hot rows are told apart"),
    Word("cross_entropy", T, "cse", "loss", "the last layer has activation='softmax'; it is computed from logits"),
    Word("CrossEntropyLoss", T, "cse", "loss",
         "theirs takes logits, ours comes after a last layer with activation='softmax' (computed from its logits)",
         works=False),
    Word("NLLLoss", T, "cse", "loss", "after a last layer with activation='softmax'", works=False),
    Word("binary_crossentropy", K, "bce", "loss"),
    Word("BCELoss", T, "bce", "loss"),
    Word("BCEWithLogitsLoss", T, "bce", "loss",
         "theirs takes logits, ours comes after a last layer with activation='sigmoid' (computed from its logits)",
         works=False),
    Word("mean_squared_error", K, "mse", "loss"),
    Word("squared_error", S, "mse", "loss"),
    Word("MSELoss", T, "mse", "loss"),
    Word("mean_absolute_error", K, "mae", "loss"),
    Word("L1Loss", T, "mae", "loss"),
    Word("HuberLoss", T, "huber", "loss"),
    Word("Adam", f"{K}, {T}", "adam", "opt"),
    Word("AdamW", f"{K}, {T}", "adamw", "opt"),
    Word("SGD", f"{K}, {T}", "sgd", "opt", "with the tutorial's momentum, mr=0.001; 'iterative' has none"),
    Word("RMSprop", f"{K}, {T}", "rmsprop", "opt"),
    Word("Adagrad", f"{K}, {T}", "adagrad", "opt"),
    Word("Adadelta", f"{K}, {T}", "adadelta", "opt"),
    Word("Adamax", f"{K}, {T}", "adamax", "opt"),
    Word("Nadam", f"{K}, {T}", "nadam", "opt"),
    Word("acc", K, "accuracy", "metrics"),
    Word("mean_squared_error", K, "mse", "metrics"),
    Word("f1_score", S, "f1", "metrics", "the mean over the classes"),
    Word("avg", "short", "average", "kind"),
    Word("mean", "short", "average", "kind"),
    # -- arguments of models
    Word("optimizer", K, "opt", "compile_model"),
    Word("learning_rate", K, "lr", "compile_model"),
    Word("momentum", K, "mr", "compile_model"),
    Word("x", K, "X", "train"),
    Word("y", K, "Y", "train"),
    Word("validation_split", K, "val_split", "train", "set aside at random; the last ones if shuffle=False"),
    Word("validation_data", K, "val_x=, val_y=", "train", "a pair (x, y), which is taken apart, or a Dataset"),
    Word("max_iter", S, "epochs", "train"),
    Word("x", K, "X", "evaluate"),
    Word("y", K, "Y", "evaluate"),
    Word("x", K, "X", "predict"),
    Word("random_state", S, "seed", "CNN"),
    # -- attributes of models
    Word("predict_proba", S, "predict(X)", "model", "predict gives the outputs, which are probabilities after softmax",
         works=False),
    Word("score", S, "evaluate(X, Y)['accuracy']", "model", works=False),
    Word("zero_grad", T, "zerograd()", "model", works=False),
    Word("build", K, "add(layer)", "model", "a layer is built when it is added", works=False),
)  # fmt: skip
VALUES = {"activation", "kind", "loss", "opt", "metrics"}  # arguments whose values are words


def find(theirs: Any, where: str) -> Word | None:
    """The word of a table for a place; upper and lower case, and underscores, make no difference for values."""
    same = _folded if where in VALUES else str
    return next((w for w in WORDS if w.where == where and same(w.theirs) == same(str(theirs))), None)


def _folded(text: str) -> str:
    return text.lower().replace("_", "")


def instead(word: Word) -> str:
    """What to write in place of a word that does not work, and why."""
    why = f" ({word.differs})" if word.differs else ""
    return f"{word.theirs!r} of {word.of} is {word.ours} here{why}"


def did_you_mean(given: Any, known: Iterable[str]) -> str:
    """A word for the end of a message, ``"; did you mean 'relu'?"``, or nothing if no name is near."""
    if not isinstance(given, str):
        return ""
    names = {name.lower(): name for name in known}
    word = given.lower()
    near = get_close_matches(word, names, n=3)
    best = max(near, key=lambda name: _likeness(word, name), default="")
    return f"; did you mean {names[best]!r}?" if best and _likeness(word, best) > 0.65 else ""


def _likeness(given: str, name: str) -> float:
    """How alike two words are: the share of common letters, and rather a name of the same length."""
    return SequenceMatcher(None, given, name).ratio() - 0.03 * abs(len(name) - len(given))


def translated(value: Any, argument: str, name: str) -> Any:
    """A value in our words: a name, or a sequence of names."""
    if isinstance(value, list | tuple):
        return type(value)(translated(each, argument, name) for each in value)
    word = find(value, argument) if isinstance(value, str) else None
    if word is None or word.ours == value:
        return value
    if not word.works:
        raise ValueError(f"{name}: {argument} {instead(word)}")
    return word.ours


def speaks(name: str) -> Callable[[F], F]:
    """Decorate a function so that it takes other libraries' words for its arguments, and says so of unknown ones."""

    def decorate(function: F) -> F:
        parameters = inspect.signature(function).parameters
        known = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        known = [each for each in known if each != "self"]
        valued = VALUES & set(known)
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        places = {each: place for place, each in enumerate(parameters) if each in valued}

        @wraps(function)
        def speaking(*args: Any, **kwargs: Any) -> Any:
            if not (takes_any or kwargs.keys() <= parameters.keys()):
                kwargs = _in_our_words(kwargs, known, name)
            for argument in valued:
                if argument in kwargs:
                    kwargs[argument] = translated(kwargs[argument], argument, name)
                elif len(args) > places[argument]:
                    place = places[argument]
                    args = (*args[:place], translated(args[place], argument, name), *args[place + 1 :])
            return function(*args, **kwargs)

        return speaking  # type: ignore[return-value]

    return decorate


def _in_our_words(kwargs: Mapping[str, Any], known: list[str], name: str) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    for key, value in kwargs.items():
        word = find(key, name) if key not in known else None
        if key not in known and word is None:
            near = did_you_mean(key, [*known, *(w.theirs for w in WORDS if w.where == name and w.works)])
            takes = f"{near + ' It' if near else '; it'} takes {', '.join(known)}"
            raise TypeError(f"{name}: there is no argument {key!r}{takes}")
        if word is not None and not word.works:
            raise TypeError(f"{name}: {instead(word)}")
        if word is not None and word.theirs == "validation_data":
            pair = isinstance(value, list | tuple) and len(value) == 2
            new = dict(zip(("val_x", "val_y"), value, strict=True)) if pair else {"val_x": value}
        else:
            new = {key if word is None else word.ours: value}
        twice = [each for each in new if each in ours or (each in kwargs and each != key)]
        if twice:
            raise TypeError(f"{name}: {key!r} is {twice[0]!r} here, and both were given; leave one out")
        ours.update(new)
    return ours


def called(function: F, theirs: str) -> F:
    """A function under another name, which its errors say too: those of ``fit`` begin with it."""

    @wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            text = str(error)
            if text.startswith((f"{function.__name__}:", f"{function.__name__},")):
                error.args = (theirs + text[len(function.__name__) :],)
            raise

    renamed.__name__ = theirs
    return renamed  # type: ignore[return-value]


def layer(name: str, layers: Mapping[str, Any]) -> Callable[..., Any]:
    """What makes a layer by another library's name, with that library's order of arguments."""
    word = find(name, "layers")
    if word is None:
        known = [each for each, kind in layers.items() if isinstance(kind, type)]
        raise AttributeError(f"tensorgrad.layers has no {name!r}{did_you_mean(name, known)}")
    if not word.works:
        raise ImportError(f"tensorgrad.layers: {instead(word)}")

    def made(*args: Any, **kwargs: Any) -> Any:
        if len(args) > len(word.order):
            raise TypeError(f"{name}: expected at most {len(word.order)} arguments without their name; see {word.ours}")
        for key, value in zip(word.order, args, strict=False):
            if key in kwargs:
                raise TypeError(f"{name}: {key!r} was given twice")
            kwargs[key] = value
        given = {**word.given, **kwargs}
        for key, meanings in word.values.items():
            if isinstance(given.get(key), str):
                given[key] = meanings.get(given[key], given[key])
        return layers[word.ours](**given)

    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"Make a :class:`{word.ours}`, under the name that it has in {word.of}."
    return made


def missing(kind: str, name: str, known: Iterable[str]) -> str:
    """What to say of an attribute that is not there."""
    word = find(name, "model")
    return f"{kind} has no {name!r}: " + instead(word) if word else f"{kind} has no {name!r}{did_you_mean(name, known)}"
