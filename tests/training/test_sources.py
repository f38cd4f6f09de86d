"""Training on data sets and on iterables of batches: as on arrays, to the bit, where they hold the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas
import pytest

import tensorgrad
from tensorgrad import CNN
from tensorgrad.data import Dataset
from tensorgrad.layers import FFL
from tests.test_rows import Lazy

X = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
Y = np.arange(40) % 3
W = np.linspace(0.5, 2, 40)


def model(neurons: int = 3, activation: str | None = "softmax", loss: str = "cse") -> CNN:
    made = CNN(seed=0)
    made.add(FFL(input_shape=4, neurons=neurons, activation=activation))
    made.compile_model(opt="adam", loss=loss, lr=0.01)
    return made


def state(made: CNN) -> list[Any]:
    """All that the training has left: weights, figures, random state."""
    figures = {name: values for name, values in made.history.history.items() if name != "time"}
    return [[w.tolist() for w in made.get_weights()], figures, made.rng.bit_generator.state]


def batches(size: int = 8, weights: bool = False, passes: int = 1) -> Iterator[tuple[np.ndarray, ...]]:
    for _ in range(passes):
        for start in range(0, 40, size):
            part = slice(start, start + size)
            yield (X[part], Y[part], W[part]) if weights else (X[part], Y[part])


OPTIONS: dict[str, Any] = {"epochs": 3, "batch_size": 8, "verbose": 0}


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("options", [{}, {"val_split": 0}, {"shuffle": False, "val_split": 0}, {"val_split": 0.25}])
def test_a_data_set_trains_as_its_arrays_do(ahead: bool, lazy: bool, options: dict[str, Any]) -> None:
    expected, made = model(), model()
    expected.train(X, Y, **OPTIONS | options)
    data = Dataset(Lazy(X) if lazy else X, Y)
    made.train(data.prefetch() if ahead else data, **OPTIONS | options)
    (weights, figures, random), (theirs, other, their_random) = state(made), state(expected)
    assert (weights, random) == (theirs, their_random)
    assert figures.keys() == other.keys()
    for name, values in figures.items():  # the validation is added up in other blocks
        np.testing.assert_allclose(values, other[name], rtol=1e-6 if name.startswith("val") else 0)


def test_weights_and_maps_of_a_data_set() -> None:
    expected, made = model(), model()
    expected.train(X / 2, Y, sample_weight=W, val_split=0, **OPTIONS)
    made.train(Dataset(X, Y, W).map(lambda x, y, w: (x / 2, y, w)).batch(8), val_split=0, epochs=3, verbose=0)
    assert state(made) == state(expected)


@pytest.mark.parametrize("weights", [False, True])
def test_an_iterable_of_batches_trains_as_arrays_in_order_do(weights: bool) -> None:
    expected = model()
    expected.train(X, Y, shuffle=False, val_split=0, sample_weight=W if weights else None, **OPTIONS)
    for given, steps in (
        (list(batches(8, weights)), None),
        (batches(8, weights, 3), 5),
        (list(batches(8, weights)), 5),
    ):
        made = model()
        made.train(given, epochs=3, verbose=0, steps_per_epoch=steps)
        assert state(made) == state(expected)


def test_steps_go_on_where_the_last_epoch_stopped() -> None:
    seen: list[int] = []

    def watched() -> Iterator[Any]:
        for x, y in batches(8):
            seen.append(int(Y[0]))
            yield x, y

    class Again:
        def __iter__(self) -> Iterator[Any]:
            return watched()

    made = model()
    made.train(Again(), steps_per_epoch=3, epochs=4, verbose=0)
    assert made.optimizer.steps == 12
    assert len(seen) == 12  # the second and the third pass begin within an epoch


def test_validation_on_data_sets_and_iterables() -> None:
    expected = model()
    expected.train(X, Y, val_x=X[:20], val_y=Y[:20], **OPTIONS)
    for given in (Dataset(X[:20], Y[:20]), [(X[:20], Y[:20])], Dataset(X[:20], Y[:20]).shuffle().batch(20)):
        made = model()
        made.train(X, Y, val_x=given, **OPTIONS)
        np.testing.assert_allclose(made.history["val_loss"], expected.history["val_loss"], rtol=1e-6)
        assert made.history["val_accuracy"] == expected.history["val_accuracy"]


def test_evaluate_and_predict_take_them_too() -> None:
    made = model()
    expected = made.evaluate(X, Y)
    for given in (Dataset(X, Y), Dataset(X, Y).shuffle().batch(7), list(batches()), batches()):
        found = made.evaluate(given)
        assert found.keys() == expected.keys()
        np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-6)
        np.testing.assert_array_equal(found.confusion, expected.confusion)
    np.testing.assert_array_equal(made.predict(Dataset(X, Y).shuffle().batch(40)), made.predict(X))


class Batches:
    """What can be iterated over, and nothing more."""

    def __iter__(self) -> Iterator[Any]:
        return iter([[X[:30], Y[:30]], [X[30:], Y[30:]]])


PREDICTED: dict[str, Any] = {
    "an iterator of (x, y)": lambda: batches(),
    "with weights": lambda: batches(weights=True),
    "of x alone": lambda: (x for x, _ in batches(7)),
    "of lists": lambda: (x.tolist() for x, _ in batches()),
    "a list of (x, y)": lambda: list(batches()),
    "an iterable of [x, y]": Batches,
    "of frames": lambda: (pandas.DataFrame(x) for x, _ in batches()),
    "a list, which is an array": lambda: X.tolist(),
    "a list of samples": lambda: list(X),
}


@pytest.mark.parametrize("name", PREDICTED)
def test_predictions_of_batches_are_those_of_their_samples(name: str) -> None:
    made = model()
    np.testing.assert_allclose(made.predict(PREDICTED[name]()), made.predict(X), rtol=1e-6)


def test_resuming_on_a_data_set_is_exact(tmp_path) -> None:
    data = Dataset(X, Y).shuffle(12).batch(8)
    whole, begun = model(), model()
    whole.train(data, epochs=4, verbose=0)
    begun.train(data, epochs=2, verbose=0)
    begun.save_model(tmp_path / "m.tgrad")
    loaded = tensorgrad.load_model(tmp_path / "m.tgrad")
    loaded.resume(data.prefetch(), epochs=4, verbose=0)
    assert state(loaded) == state(whole)


def test_class_weights_and_augmentation_of_batches() -> None:
    expected, made = model(), model()
    options: dict[str, Any] = {"class_weight": {1: 3.0}, "augment": lambda x, rng: x + rng.random(x.shape)}
    expected.train(X, Y, batch_size=8, shuffle=False, val_split=0, verbose=0, **options)
    made.train(list(batches()), verbose=0, **options)
    assert state(made) == state(expected)


def test_an_unknown_number_of_batches_is_shown(capsys) -> None:
    model().train(batches(), verbose=1)
    said = capsys.readouterr().out
    assert "Total an unknown number of batches." in said
    assert "Epoch 1/1 batch 1  loss" in said
    model().train(batches(), steps_per_epoch=5, verbose=2)
    assert "Total 5 batches." in capsys.readouterr().out


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "no Y": (lambda m: m.train(X), TypeError, "train: Y is missing; give the labels, or batches (x, y) as an iterable"),
    "lazy, no Y": (lambda m: m.evaluate(Lazy(X)), TypeError, "evaluate: Y is missing; give the labels"),
    "rows": (lambda m: m.train(list(X)), TypeError, "train, batch 0: expected a tuple (x, y) or (x, y, weights)"),
    "empty": (lambda m: m.train([]), ValueError, "train: expected batches, received an iterable that gives none"),
    "shape": (
        lambda m: m.train([(X, Y), (X[:, :3], Y)]), ValueError,
        "train, batch 1: FFL 'Input Layer' expects samples of shape (4,), but X has shape (40, 3)",
    ),
    "labels": (lambda m: m.train([(X, Y + 1)]), ValueError, "train, batch 0: Y: "),
    "NaN": (lambda m: m.train([(X * np.nan, Y)]), ValueError, "train, batch 0: X holds NaN or infinity"),
    "ends": (
        lambda m: m.train(batches(), steps_per_epoch=4, epochs=2), ValueError,
        "train: the iterable ended after 1 of 4 batches of an epoch; give it more batches",
    ),
    "once": (lambda m: m.train(batches(), epochs=2), ValueError, "train: an iterator can be gone over once, received"),
    "steps": (lambda m: m.train(X, Y, steps_per_epoch=3), ValueError, "train: steps_per_epoch goes with an iterable"),
    "no steps": (lambda m: m.train([(X, Y)], steps_per_epoch=0), ValueError, "steps_per_epoch must be an int of at"),
    "weights": (lambda m: m.train([(X, Y)], sample_weight=W), ValueError, "train: sample_weight goes with X and Y"),
    "balanced": (lambda m: m.train([(X, Y)], class_weight="balanced"), ValueError, "class_weight='balanced' needs all"),
    "val_y": (lambda m: m.train(X, Y, val_y=Y), ValueError, "train: val_y goes with val_x; received only val_y"),
    "predict nothing": (lambda m: m.predict(iter([])), ValueError, "predict: expected batches, received an iterable"),
    "predict, shape": (
        lambda m: m.predict(x for x in (X, X[:, :3])), ValueError,
        "predict, batch 1: FFL 'Input Layer' expects samples of shape (4,), but X has shape (40, 3)",
    ),
    "predict a set": (lambda m: m.predict({1.0}), TypeError, "predict: X must be an array of numbers, received set"),
    "val_x": (lambda m: m.train(X, Y, val_x=X), TypeError, "train, validation: Y is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_trained_on(name: str) -> None:
    call, kind, text = WRONG[name]
    made = model()
    with pytest.raises(kind) as caught:
        call(made)
    assert text in str(caught.value)
