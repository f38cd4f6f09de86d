"""Layers from a line of text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, designs
from tensorgrad.layers import FFL, Layer


def built(text: str, shape: Any) -> CNN:
    model = CNN(seed=0)
    layers = designs.from_text(text, shape, FFL(neurons=3, activation="softmax"))
    layers[0].input_shape = shape
    for layer in layers:
        model.add(layer)
    return model


def kinds(layers: list[Layer]) -> list[str]:
    return [type(layer).__name__ for layer in layers]


def test_every_word() -> None:
    text = "conv 4, norm, conv 6 5, conv 8 3 2, pool, average 2, dropout 0.3, flatten, dense 5"
    model = built(text, (32, 24, 3))
    shapes = [layer.output_shape for layer in model.layers]
    assert shapes == [(32, 24, 4)] * 2 + [(32, 24, 6), (16, 12, 8), (8, 6, 8)] + [(4, 3, 8)] * 2 + [96, 5, 3]
    assert [layer.activation for layer in model.layers] == [
        "relu", None, "relu", "relu", None, None, None, None, "relu", "softmax"
    ]  # fmt: skip
    assert kinds(built("conv 4, global", (8, 8, 1)).layers) == ["Conv2d", "GlobalPool", "FFL"]
    assert set(designs.WORDS) == {word for word in text.replace(",", " ").split() if word.isalpha()} | {"global"}


def test_flattening_is_added_where_it_is_needed() -> None:
    assert kinds(built("conv 4, dense 5", (8, 8, 1)).layers) == ["Conv2d", "Flatten", "FFL", "FFL"]
    assert kinds(built("conv 4", (8, 8, 1)).layers) == ["Conv2d", "Flatten", "FFL"]
    assert kinds(built("", (8, 8, 1)).layers) == ["Flatten", "FFL"]
    assert kinds(built("dense 5", 7).layers) == ["FFL", "FFL"]


@pytest.mark.parametrize(
    "shape", [4, (1, 1, 3), (5, 7, 1), (28, 28, 1), (64, 48, 3), (224, 224, 3), (40, 2, 1), (6, 4)]
)
def test_what_is_suggested_can_be_built(shape: Any) -> None:
    model = built(designs.suggested(shape), shape)
    x = np.ones((2, *(shape if isinstance(shape, tuple) else (shape,))), np.float32)
    np.testing.assert_allclose(model.predict(x).sum(1), 1, rtol=1e-5)
    assert sum(p.size for p in model.parameters()) < 1_000_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cnov 4", r"layers: unknown item 'cnov'.*'conv'"),
        ("conv", r"layers: item 1, 'conv': expected 1 to 3 numbers after 'conv', received 0"),
        ("norm 3", r"item 1, 'norm 3': expected 0 numbers after 'norm', received 1"),
        ("conv 4, , pool", r"item 2, '': expected a word such as 'conv 16' between two commas"),
        ("conv four", r"item 1, 'conv four': invalid literal"),
        ("dropout 2", r"item 1, 'dropout 2': Dropout: prob is the share"),
        ("pool, pool, pool, pool", r"item 4, 'pool': .*2x2 window does not fit the 1x1 input"),
        ("dense 4, conv 4", r"item 2, 'conv 4': .*expected images"),
    ],
)
def test_what_is_not_understood(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        designs.from_text(text, (8, 8, 1), FFL(neurons=2))
