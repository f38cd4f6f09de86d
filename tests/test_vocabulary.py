"""Other libraries' words: each row of the table does what it says, and misspelt names get a suggestion."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, layers
from tensorgrad.vocabulary import WORDS, Word, did_you_mean

X, Y = np.random.default_rng(0).random((12, 6, 6, 1)), np.arange(12) % 3
VALUES: dict[str, Any] = {  # something to give each of our arguments
    "neurons": 4, "is_bias": False, "input_shape": 3, "stride": 2, "isbias": False, "dilation": 2, "filters": 5,
    "kernel_size": 3, "prob": 0.25, "eps": 0.5, "opt": "adam", "lr": 0.5, "mr": 0.25, "val_split": 0.5, "epochs": 2,
    "seed": 3, "X": X, "Y": Y,
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
}


def model(activation: str = "softmax", neurons: int = 3) -> CNN:
    made = CNN(seed=0)
    made.add(layers.Flatten(input_shape=(6, 6, 1)))
    made.add(layers.FFL(neurons=neurons, activation=activation))
    return made


def config(layer: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(layer).items() if isinstance(value, str | int | float | tuple | None)}


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{word.where}-{word.theirs}")
def test_every_row_is_true(word: Word) -> None:
    if not word.works:
        refused(word)
    elif word.where == "layers":
        args, ours = THEIRS.get(word.theirs, ((), dict(word.given)))
        assert config(getattr(layers, word.theirs)(*args)) == config(getattr(layers, word.ours)(**ours))
    elif word.where in ("activation", "kind"):
        owner = layers.Activation if word.where == "activation" else layers.Pool2d
        assert config(owner(**{word.where: word.theirs})) == config(owner(**{word.where: word.ours}))
    elif word.where in ("loss", "opt", "metrics"):
        value = [word.theirs] if word.where == "metrics" else word.theirs
        our_value = [word.ours] if word.where == "metrics" else word.ours
        activation = "sigmoid" if word.ours == "bce" else "softmax"
        theirs, same = model(activation), model(activation)
        theirs.compile(**{"loss": "cse" if activation == "softmax" else "bce", word.where: value})
        same.compile_model(**{"loss": "cse" if activation == "softmax" else "bce", word.where: our_value})
        assert theirs.objective.loss == same.objective.loss
        assert type(theirs.optimizer) is type(same.optimizer)
        assert theirs.metrics == same.metrics
    elif hasattr(layers, word.where):
        owner = getattr(layers, word.where)
        value = VALUES[word.ours]
        assert config(owner(**{word.theirs: value})) == config(owner(**{word.ours: value}))
    else:
        of_a_model(word)


def refused(word: Word) -> None:
    told = rf"{word.theirs!r} of .* is {word.ours} here".replace("(", r"\(").replace(")", r"\)").replace("[", r"\[")
    with pytest.raises((ImportError, TypeError, ValueError, AttributeError), match=told):
        use(word)


def use(word: Word) -> Any:
    if word.where in ("layers", "model"):
        return getattr(layers if word.where == "layers" else model(), word.theirs)
    if word.where in ("loss", "opt"):
        return model().compile(**{word.where: word.theirs})
    return getattr(layers, word.where)(**{word.theirs: 1})


def of_a_model(word: Word) -> None:
    runs = []
    for key in (word.theirs, word.ours):
        made = CNN(**{key: 3}) if word.where == "CNN" else model()
        if word.where == "CNN":
            made.add(layers.FFL(input_shape=3, neurons=2))
            runs.append(made.layers[0].weights.numpy().tolist())
            continue
        if word.where == "compile_model":
            made.compile(**{key: VALUES[word.ours]}, loss="cse")
            runs.append([type(made.optimizer), made.optimizer.lr, getattr(made.optimizer, "mr", None)])
            continue
        made.compile(opt="adam", loss="cse")
        data: dict[str, Any] = {"X": X, "Y": Y}
        if word.where == "predict":
            runs.append(made.predict(**{key: X}).tolist())
            continue
        data.pop(word.ours, None)
        if word.theirs == "validation_data":
            given = {"validation_data": (X, Y)} if key == word.theirs else {"val_x": X, "val_y": Y}
        else:
            given = {key: VALUES[word.ours]}
        if word.where == "evaluate":
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
