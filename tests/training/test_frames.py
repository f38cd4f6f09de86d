"""Data frames, series and names as samples and labels: as the arrays that they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import pytest

import tensorgrad
from tensorgrad import CNN
from tensorgrad.data import Dataset
from tensorgrad.layers import FFL

X = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
Y = np.arange(40) % 3
NAMES = ("ape", "bee", "cow")
SAID = [NAMES[i] for i in Y]


def model(classes: tuple[str, ...] = NAMES) -> CNN:
    made = CNN(seed=0)
    made.add(FFL(input_shape=4, neurons=3, activation="softmax"))
    made.compile_model(opt="adam", loss="cse", lr=0.01)
    made.classes = classes
    return made


def polars(kind: str) -> Any:
    """A frame of the samples, or a series of the labels."""
    library = pytest.importorskip("polars")
    if kind == "frame":
        return library.DataFrame(X)
    return library.Series(SAID, dtype=getattr(library, kind)(NAMES) if kind == "Enum" else getattr(library, kind))


SAMPLES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pandas.DataFrame(X, columns=list("abcd"), index=np.arange(40)[::-1]),
    "polars": lambda: polars("frame"),
}
LABELS: dict[str, Callable[[], Any]] = {
    "numbers": lambda: pandas.Series(Y),
    "nullable numbers": lambda: pandas.Series(Y, dtype="Int64"),
    "a list": lambda: SAID,
    "an array": lambda: np.array(SAID),
    "objects": lambda: np.array(SAID, object),
    "StringDType": lambda: np.array(SAID, np.dtypes.StringDType()),
    "a series": lambda: pandas.Series(SAID, index=np.arange(40)[::-1]),
    "strings": lambda: pandas.Series(SAID, dtype="string"),
    "categories": lambda: pandas.Series(SAID, dtype=pandas.CategoricalDtype(["cow", "bee", "ape"])),  # another order
    "polars' strings": lambda: polars("String"),
    "polars' categories": lambda: polars("Categorical"),
    "polars' enumeration": lambda: polars("Enum"),
}


@pytest.mark.parametrize(("samples", "labels"), [("pandas", name) for name in LABELS] + [("polars", "a list")])
def test_they_train_and_evaluate_as_arrays_do(samples: str, labels: str) -> None:
    expected, made = model(), model()
    expected.train(X, Y, epochs=2, val_x=X, val_y=Y, verbose=0)
    x, y = SAMPLES[samples](), LABELS[labels]()
    made.train(x, y, epochs=2, val_x=x, val_y=y, verbose=0)
    for mine, theirs in zip(made.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert made.history["val_loss"] == expected.history["val_loss"]
    assert list(made.evaluate(x, y)) == list(expected.evaluate(X, Y))
    np.testing.assert_array_equal(made.predict(x), expected.predict(X))


def test_batches_and_data_sets_have_names_too() -> None:
    expected = list(model().evaluate(X, Y))
    np.testing.assert_allclose(list(model().evaluate(Dataset(X, SAID).batch(7))), expected, rtol=1e-6)
    np.testing.assert_allclose(list(model().evaluate([(X, SAID)])), expected, rtol=1e-6)
    made = model()
    assert made.apply_loss(SAID, made.feedforward(X))[1] == made.apply_loss(Y, made.feedforward(X))[1]


def test_yes_or_no_by_name() -> None:
    made = CNN(seed=0)
    made.add(FFL(input_shape=4, neurons=1, activation="sigmoid"))
    made.compile_model(loss="bce")
    made.classes = ("no", "yes")
    assert list(made.evaluate(X, np.array(["no", "yes"])[Y % 2])) == list(made.evaluate(X, Y % 2))


def test_names_of_a_saved_model_are_still_known(tmp_path: Any) -> None:
    made = model()
    made.save_model(tmp_path / "m.tgrad")
    assert list(tensorgrad.load_model(tmp_path / "m.tgrad").evaluate(X, SAID)) == list(made.evaluate(X, Y))


WRONG: dict[str, tuple[tuple[str, ...], Any, type[Exception], str]] = {
    "no classes": ((), SAID, TypeError, "Y must be numbers, received names such as 'ape'; set model.classes to the"),
    "another name": (
        NAMES, [*SAID[:-1], "dog"], ValueError,
        "Y holds 'dog' at sample 39, which is not among model.classes: ape, bee, cow; leave such samples out",
    ),
    "missing": (NAMES, pandas.Series([*SAID[:-1], None]), TypeError, "Y has missing values, first at sample 39"),
    "mixed": (NAMES, np.array([*SAID[:-1], 2.0], object), TypeError, "train: Y must be numbers, received dtype object"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_labels_that_are_refused(name: str) -> None:
    classes, labels, kind, text = WRONG[name]
    with pytest.raises(kind) as caught:
        model(classes).train(X, labels, verbose=0)
    assert text in str(caught.value)
    with pytest.raises(kind, match="train, batch 0: Y"):
        model(classes).train([(X, labels)], verbose=0)
