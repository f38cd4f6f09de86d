"""The estimators: scikit-learn's own checks, and what its users do with an estimator."""

from __future__ import annotations

import pickle
import sys
from typing import Any, cast

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d
from tensorgrad.sklearn import CNNClassifier, CNNRegressor

DIGITS, LABELS = load_digits(return_X_y=True)
X, Y = DIGITS[:300] / 16, LABELS[:300]
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
QUICK: dict[str, Any] = {"image_shape": (8, 8), "epochs": 8, "random_state": 0}


def test_string_labels_and_probabilities() -> None:
    model = CNNClassifier("conv 8, pool, dense 32", **{**QUICK, "epochs": 12}).fit(X, NAMES[Y])
    assert model.classes_.tolist() == sorted(NAMES)
    shares = model.predict_proba(X)
    assert shares.shape == (300, 10)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.predict(X), model.classes_[shares.argmax(1)])
    assert model.score(X, NAMES[Y]) > 0.95
    assert model.n_iter_ == len(model.history_) == 12


@pytest.mark.parametrize(
    "samples",
    [DIGITS[:60] / 16, DIGITS[:60].reshape(-1, 8, 8) / 16, DIGITS[:60].reshape(-1, 8, 8, 1) / 16],
    ids=["flat", "grey images", "images with a channel"],
)
def test_images_are_the_same_flat_or_not(samples: Any) -> None:
    shape = {"image_shape": (8, 8)} if samples.ndim == 2 else {}
    model = CNNClassifier("conv 4, dense 8", epochs=2, random_state=0, **shape).fit(samples, LABELS[:60])
    flat = CNNClassifier("conv 4, dense 8", epochs=2, random_state=0, image_shape=(8, 8, 1))
    expected = flat.fit(DIGITS[:60] / 16, LABELS[:60]).predict_proba(DIGITS[:60] / 16)
    np.testing.assert_array_equal(model.predict_proba(samples), expected)


def as_function(shape: tuple[int, ...]) -> list[Any]:
    assert shape == (8, 8, 1)
    return [Conv2d(filters=4, activation="relu"), Pool2d(), Flatten()]


@pytest.mark.parametrize(
    "layers", [None, "conv 4, pool", as_function, [Conv2d(filters=4, activation="relu"), Pool2d(), Flatten()]]
)
def test_layers_by_text_function_or_list(layers: Any) -> None:
    model = CNNClassifier(layers, **QUICK)
    first = model.fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict_proba(X), first)  # and the list was not used up
    assert model.model_.layers[0].activation == "relu"
    assert len(model.model_.layers) == (5 if layers is None else 4)


def test_pickled_estimators_predict_the_same() -> None:
    model = CNNClassifier("conv 4", **QUICK).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_search_and_a_pipeline() -> None:
    search = GridSearchCV(CNNClassifier("conv 4, dense 16", **QUICK), {"lr": [1e-6, 0.01]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"lr": 0.01}
    pipeline = make_pipeline(StandardScaler(), CNNClassifier("conv 8, dense 32", **QUICK))
    assert cross_val_score(pipeline, X, Y, cv=3).mean() > 0.8


def test_data_frames_in_and_through_a_pipeline() -> None:
    frame = pandas.DataFrame(X, columns=[f"p{i}" for i in range(64)])
    labels = pandas.Series(NAMES[Y], dtype="category")
    model = make_pipeline(StandardScaler(), CNNClassifier("dense 32", epochs=5, random_state=0))
    model.set_output(transform="pandas").fit(frame, labels)
    assert list(model[-1].feature_names_in_) == list(frame.columns)
    assert model.score(frame, labels) > 0.9
    with pytest.raises(ValueError, match="feature names should match"):
        model[-1].predict(frame.iloc[:, ::-1])


def test_partial_fit_sees_all_samples_once_more() -> None:
    model = CNNClassifier("conv 8, dense 32", **(QUICK | {"epochs": 1}))
    for _ in range(8):
        model.partial_fit(X, Y, classes=range(10))
    assert model.n_iter_ == 8
    assert model.score(X, Y) > 0.9
    small = CNNClassifier(epochs=1, random_state=0).partial_fit(X[Y < 2], Y[Y < 2], classes=[0, 1, 2])
    assert small.predict_proba(X[:3]).shape == (3, 3)
    with pytest.raises(ValueError, match=r"partial_fit: y holds \[7\], which are not among the classes \[0 1 2\]"):
        small.partial_fit(X[Y == 7], Y[Y == 7])
    with pytest.raises(ValueError, match="differ from those of the first call"):
        small.partial_fit(X, Y, classes=[0, 1])


def test_warm_start_goes_on() -> None:
    model = CNNClassifier("conv 8, dense 32", warm_start=True, **(QUICK | {"epochs": 2}))
    first = model.fit(X, Y).history_["loss"][-1]
    assert model.fit(X, Y).history_["loss"][0] < first
    assert model.n_iter_ == 4
    with pytest.raises(ValueError, match="warm_start goes on with the classes"):
        model.fit(X[Y < 3], Y[Y < 3])


def test_early_stopping_keeps_the_best() -> None:
    model = CNNClassifier("dense 64", **(QUICK | {"epochs": 200}), early_stopping=True, n_iter_no_change=3, lr=0.02)
    model.fit(X, Y)
    losses = model.history_["val_loss"]
    assert len(losses) < 200
    assert len(losses) - 1 - int(np.argmin(losses)) == 4


def test_class_weight_and_sample_weight() -> None:
    rare = np.concatenate([np.flatnonzero(Y == 1), np.flatnonzero(Y == 8)[:3]])
    plain, weighted, counted = (CNNClassifier("dense 4", epochs=3, random_state=0, **more)
                                for more in ({}, {"class_weight": "balanced"}, {}))  # fmt: skip
    x, y = X[rare], Y[rare]
    share = (y == 1).mean()
    by_hand = np.where(y == 1, 1 / (2 * share), 1 / (2 * (1 - share)))
    plain.fit(x, y), weighted.fit(x, y), counted.fit(x, y, sample_weight=by_hand)
    np.testing.assert_allclose(weighted.predict_proba(x), counted.predict_proba(x), rtol=1e-5)
    assert weighted.predict_proba(x)[:, 1].mean() > plain.predict_proba(x)[:, 1].mean()


def test_regression_of_one_and_of_several_targets() -> None:
    x, y = make_regression(300, 10, n_targets=2, noise=1.0, random_state=0)
    model = CNNRegressor("dense 32", epochs=60, random_state=0).fit(x, y)
    assert model.predict(x).shape == (300, 2)
    assert model.score(x, y) > 0.95
    one = CNNRegressor("dense 32", epochs=60, random_state=0).fit(x, y[:, 0])
    assert one.predict(x).shape == (300,)
    assert one.score(x, y[:, 0]) > 0.95


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: CNNClassifier().predict(X), NotFittedError, "not fitted yet"),
        (lambda: CNNClassifier().fit(X, np.zeros(300)), ValueError, "y has 1 class, 0.0; it takes two"),
        (
            lambda: CNNClassifier(cast("Any", [3])).fit(X, Y),
            TypeError,
            r"layers must be a design as text, .* received \[3\]",
        ),
        (lambda: CNNClassifier(cast("Any", 3)).fit(X, Y), TypeError, "layers must be a design as text, .* received 3"),
        (lambda: CNNClassifier(cast("Any", lambda _: None)).fit(X, Y), TypeError, "layers must be a .* received None"),
        (lambda: CNNClassifier(image_shape=(9, 9)).fit(X, Y), ValueError, "has 81 numbers, but a sample of X has 64"),
        (lambda: CNNClassifier("cnov 4").fit(X, Y), ValueError, "unknown item 'cnov'"),
        (lambda: CNNClassifier(optimizer="adamm").fit(X, Y), ValueError, "'adamm'"),
        (lambda: CNNClassifier().fit(X, Y, np.zeros(300)), ValueError, "at least one non-zero"),
        (lambda: CNNClassifier().fit(X, Y, -np.ones(300)), ValueError, "[Nn]egative"),
        (lambda: CNNClassifier().fit(X, np.linspace(0, 1, 300)), ValueError, "Unknown label type"),
        (lambda: CNNRegressor().fit(X * np.nan, Y), ValueError, "NaN"),
    ],
)
def test_what_is_refused(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_failed_fit_leaves_the_estimator_as_it_was() -> None:
    model = CNNClassifier("dense 4", epochs=1, random_state=0).fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="unknown item"):
        model.set_params(layers="dence 4").fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sklearn", "sklearn.base"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "tensorgrad.sklearn")
    with pytest.raises(ImportError, match=r"needs scikit-learn 1.6 or newer, which the extra 'sklearn' installs"):
        import tensorgrad.sklearn  # noqa: F401


def test_hidden_layers_may_be_given_with_their_own_settings() -> None:
    model = CNNClassifier([Flatten(), FFL(neurons=7, activation="tanh")], **(QUICK | {"epochs": 1})).fit(X, Y)
    assert [layer.output_shape for layer in model.model_.layers] == [64, 7, 10]
