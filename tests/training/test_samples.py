"""What is said of samples, labels and weights that cannot be used: each message names what works."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from tensorgrad import CNN
from tensorgrad.layers import FFL, BatchNorm, Conv2d, Flatten, GlobalPool, Layer, Rescale, Standardize


def flat(outputs: int, activation: str | None, **compiled: Any) -> CNN:
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=outputs, activation=activation))
    usual = {"softmax": "cse", "sigmoid": "bce"}.get(str(activation), "mse")
    model.compile_model(**({"loss": usual, "opt": "iterative", "lr": 0.1} | compiled))
    return model


def objects(items: list[Any]) -> Any:
    made = np.empty(len(items), object)
    made[:] = items
    return made


X, Y = np.ones((3, 4)), [0, 1, 2]
MISSING = pd.DataFrame({name: pd.array([1, 2, None], dtype="Int64") for name in "abcd"})

# outputs, activation, X, Y, what is said, and X and Y that the advice leads to
REMEDIES = [
    (3, "softmax", scipy.sparse.csr_matrix(np.eye(3, 4)), Y, "make it dense with X.toarray()",
     lambda x, y: (x.toarray(), y)),
    (3, "softmax", objects([np.ones(4)] * 3), Y, "received dtype object; make one array with np.stack(X)",
     lambda x, y: (np.stack(x), y)),
    (3, "softmax", X + 1j, Y, "X must be real, received complex128; use X.real or np.abs(X), or",
     lambda x, y: (np.abs(x), y)),
    (3, "softmax", MISSING, Y, "X has missing values, first at sample 2; fill them in or leave those samples out",
     lambda x, y: (x.fillna(0).to_numpy(float), y)),
    (3, "softmax", X, pd.DataFrame({"y": Y}), "integer labels of shape (3,): use np.asarray(Y).reshape(3)",
     lambda x, y: (x, np.asarray(y).reshape(3))),
    (3, "softmax", X, pd.Series([0, 1, None], dtype="Int64"), "Y holds NaN or infinity, first at sample 2",
     lambda x, y: (x, y.fillna(0).astype(int))),
    (3, "softmax", X, np.array([0.0, np.nan, 2.0]), "Y holds NaN or infinity, first at sample 1; clean the data first",
     lambda x, y: (x, np.nan_to_num(y).astype(int))),
    (1, "softmax", X, [0, 1, 1], "softmax over a single output is always 1; for yes or no give",
     None),
    (3, "sigmoid", X, np.array(Y), "use activation='softmax' with loss='cse', or tensorgrad.one_hot(Y, 3)",
     lambda x, y: (x, np.eye(3)[y])),
    (3, "softmax", X, [0, 1, 255], "labels that do not count need compile_model(..., ignore_index=...)", None),
]  # fmt: skip


@pytest.mark.parametrize(("outputs", "activation", "x", "y", "message", "remedy"), REMEDIES)
def test_the_remedy_is_named_and_works(
    outputs: int, activation: str, x: Any, y: Any, message: str, remedy: Any
) -> None:
    model = flat(outputs, activation)
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        model.train(x, y, verbose=0)
    if remedy is not None:
        x, y = remedy(x, y)
        model.train(x, y, verbose=0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            np.ones((3, 2)),
            "finite numbers of at least 0, one per sample; received shape (3, 2)",
        ),
        (["a"] * 3, "sample_weight must be numbers, received dtype <U1"),
        (
            [1, -1, 1],
            "finite numbers of at least 0, one per sample; received shape (3,), from -1",
        ),
    ],
)
def test_weights_that_are_refused(weights: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        flat(3, "softmax").train(X, Y, verbose=0, sample_weight=weights)


def test_checks_take_little_memory() -> None:
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(64, 64, 3), filters=2, kernel_size=1, stride=32, padding=None))
    model.add(GlobalPool())
    model.add(FFL(neurons=2, activation="softmax"))
    model.compile_model(opt="adam", loss="cse")
    for dtype in (np.uint8, np.float64):
        x = np.zeros((2000, 64, 64, 3), dtype)
        tracemalloc.start()
        model.check_trainnable(x, np.zeros(len(x), int))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 30e6


@pytest.mark.parametrize(
    ("x", "compiled", "message"),
    [
        (
            np.full((3, 4), 255, np.uint8),
            {},
            "Note: X reaches 255; networks learn faster from inputs near -1 to 1:",
        ),
        (np.full((3, 4), 200.0), {}, "Note: X reaches 200"),
        (X, {"lr": 1000}, "Note: the learning rate 1000 is very large; 0.0001 to 0.1 are usual"),
    ],
)
def test_hints_are_printed(capsys: Any, x: Any, compiled: dict[str, Any], message: str) -> None:
    model = flat(3, None, loss="mae", **compiled)
    model.train(x, np.zeros((3, 3)), val_split=0, verbose=2)
    assert message in capsys.readouterr().out
    model.train(x, np.zeros((3, 3)), val_split=0, verbose=0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("first", [Rescale(1 / 255), Standardize(), BatchNorm()])
def test_a_model_that_scales_its_input_gets_no_hint(capsys: Any, first: Layer) -> None:
    model = CNN(seed=0)
    first.input_shape = (4, 4, 1)
    for layer in (first, Flatten(), FFL(neurons=3)):
        model.add(layer)
    model.compile_model()
    model.train(np.full((4, 4, 4, 1), 255, np.uint8), np.zeros((4, 3)), val_split=0, verbose=2)
    assert "Note:" not in capsys.readouterr().out
