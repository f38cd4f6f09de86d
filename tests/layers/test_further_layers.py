"""Transposed convolution, sequences, concatenation, reshaping: against PyTorch, and as members of a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import CNN, Tensor
from tensorgrad.inspection import receptive_fields, to_mermaid
from tensorgrad.layers import (
    FFL,
    Add,
    BatchNorm,
    Concatenate,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    Pool1d,
    Pool2d,
    Reshape,
    Sequential,
    ZeroPadding2d,
)

SIDES = st.integers(1, 3)


def test_concatenate_reshape_and_zero_padding() -> None:
    x = np.random.default_rng(0).standard_normal((2, 4, 6, 3))
    layer = Concatenate([Conv2d(filters=2), [], [Conv2d(filters=1), Conv2d(filters=4)]])
    y = layer(x).numpy()
    np.testing.assert_allclose(y, np.concatenate([branch(x).numpy() for branch in layer.branches], -1), rtol=1e-6)
    assert layer.output_shape == (4, 6, 2 + 3 + 4)
    assert Concatenate([FFL(neurons=2), []])(np.ones((5, 3))).shape == (5, 5)
    for shape in ((6, 4, 3), (3, -1), -1, 72, (1, 72)):
        wanted = x.reshape(2, *(shape if isinstance(shape, tuple) else (shape,)))
        reshaped = Reshape(shape)
        np.testing.assert_array_equal(reshaped(x).numpy(), wanted)
        assert reshaped.output_shape == (wanted.shape[1] if wanted.ndim == 2 else wanted.shape[1:])
    for padding, widths in ((1, ((1, 1), (1, 1))), ((2, 0), ((2, 2), (0, 0))), (((0, 1), (2, 0)), ((0, 1), (2, 0)))):
        framed = ZeroPadding2d(padding)
        np.testing.assert_array_equal(framed(x).numpy(), np.pad(x, ((0, 0), *widths, (0, 0))))
        assert framed.output_shape == framed(x).shape[1:]


IMAGES: list[Layer] = [
    ZeroPadding2d(((0, 1), (2, 0))),
    Concatenate([Conv2d(filters=2), []]),
    ConvTranspose2d(filters=3, kernel_size=2, stride=2, activation="relu"),
    Reshape((4, -1, 6)),
]


SEQUENCES: list[Layer] = [Conv1d(filters=3, stride=2, padding="keep", activation="relu"), Pool1d(2, padding=(1, 0))]


@pytest.mark.parametrize(("layers", "shape"), [(IMAGES, (5, 4, 1)), (SEQUENCES, (9, 2))], ids=["images", "sequences"])
def test_they_are_trained_saved_summarized_and_drawn(layers: list[Layer], shape: Any, tmp_path: Path) -> None:
    model = CNN(seed=0)
    first, *rest = (eval(repr(layer)) for layer in layers)
    first.input_shape = shape
    for layer in (first, *rest, Flatten(), FFL(neurons=3, activation="softmax")):
        model.add(layer)
    model.compile_model(opt="adam", loss="cse")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12, *shape)), rng.integers(0, 3, 12)
    model.train(x, y, epochs=2, verbose=0)
    tg.save_model(model, tmp_path / "model.tgrad")
    again = tg.load_model(tmp_path / "model.tgrad")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    table = str(model.summary())
    assert all(layer.name in table for layer in model.layers)
    drawing = to_mermaid(model)
    assert all((layer.joined_by or type(layer).__name__) in drawing for layer in layers)


def test_receptive_fields() -> None:
    model = CNN(seed=0)
    for layer in (Conv1d(input_shape=(20, 2), filters=3), Pool1d(2), Conv1d(filters=2, kernel_size=2, dilation=2)):
        model.add(layer)
    sizes = [field.size for field in receptive_fields(model).values()]
    assert sizes == [(3, 1), (4, 1), (8, 1)]
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(12, 12, 1), filters=2, padding=None))
    model.add(ZeroPadding2d())
    model.add(Concatenate([Conv2d(filters=2, kernel_size=5, padding="keep"), Conv2d(filters=1)]))
    model.add(ConvTranspose2d(filters=2, kernel_size=2, stride=2))
    fields = receptive_fields(model)
    assert [fields[layer.name].size for layer in model.layers] == [(3, 3), (3, 3), (7, 7), (7, 7)]


def test_initial_weights_of_a_transposed_convolution_have_the_variance_of_he() -> None:
    layer = ConvTranspose2d((5, 5, 40), filters=60, kernel_size=5, activation="relu")
    assert layer.weights.shape == (5, 5, 60, 40)
    assert layer.biases.shape == (60,)
    assert layer.weights.numpy().std() == pytest.approx(np.sqrt(2 / (25 * 60)), rel=0.02)


def test_a_layer_that_holds_itself_is_refused() -> None:
    chain: Any
    block: Any
    chain, block = Sequential([FFL(neurons=2)]), Add([[FFL(neurons=2)], []])
    chain.layers.append(chain)
    block.branches[1].layers.append(block)
    for layer in (chain, block, chain):
        with pytest.raises(ValueError, match="it stands among the layers that it is made of, so it would never end"):
            layer(np.ones((3, 2)))
    del chain.layers[1]
    assert chain(np.ones((3, 2))).shape == (3, 2)
    for change in (lambda: chain.layers.append(chain), lambda: chain.layers.insert(0, block)):
        with pytest.raises(AttributeError, match="the layers inside of a layer cannot change once it knows its input"):
            change()
    with pytest.raises(AttributeError, match="Sequential: layers cannot change any more"):
        chain.layers = [chain]


class Rounds(Layer):
    """A layer of a user's own, with a list of layers."""

    def __init__(self) -> None:
        self.parts: list[Layer] = [FFL(neurons=2)]

    def forward(self, x: Tensor, training: bool) -> Tensor:
        for part in self.parts:
            x = part(x, training)
        return x


@pytest.mark.parametrize("indirect", [False, True])
def test_a_layer_that_comes_to_hold_itself_later_is_refused(indirect: bool) -> None:
    layer = Rounds()
    layer(np.ones((3, 2)))
    layer.parts.append(Sequential([layer]) if indirect else layer)
    with pytest.raises(ValueError, match="it stands among the layers that it is made of, so it would never end"):
        layer(np.ones((3, 2)))


@pytest.mark.parametrize("kind", [Add, Concatenate])
def test_a_frozen_branch_stays_as_it_is(kind: type[Add | Concatenate]) -> None:
    layer = kind([BatchNorm(), FFL(neurons=4)])
    layer.wire(4)
    layer.trainable = False
    x = np.random.default_rng(0).normal(3, 2, (8, 4)).astype("f4")
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
    assert not layer.branches[0].running_mean.any()  # type: ignore[attr-defined]


def test_what_is_a_batch() -> None:
    """A chain takes for a batch what its first layer does; rows of numbers and images are batches for all others."""
    assert Sequential([FFL(neurons=5), BatchNorm(), FFL(neurons=2)])(np.ones((6, 4))).shape == (6, 2)
    assert Flatten()(np.ones((5, 7))).shape == (5, 7)
    assert Add([FFL(neurons=3), FFL(neurons=3)])(np.ones(4)).shape == (3,)
    assert Conv1d(filters=2)(np.ones((7, 3))).shape == (5, 2)


BAD = [
    (lambda: ConvTranspose2d(padding="same"), "ConvTranspose2d: unknown padding 'same'"),
    (
        lambda: ConvTranspose2d((2, 2, 1), padding=4),
        "ConvTranspose2d: padding=(4, 4) leaves nothing of the 2 x 2",
    ),
    (lambda: ConvTranspose2d((2, 2, 1), output_padding=1), "output_padding=(1, 1) must be smaller than the stride"),
    (lambda: ConvTranspose2d((2, 2, 1), stride=2, padding="keep", output_padding=1), "no meaning with padding='keep'"),
    (lambda: Reshape((4, 0)), "Reshape: shape must be an int or a tuple of positive ints, one of which may be -1"),
    (lambda: Reshape((-1, -1)), "Reshape: shape must be"),
    (lambda: Reshape((4, 2))(np.ones((1, 7))), "Reshape: samples of shape 7 have 7 numbers, and no shape (4, 2)"),
    (lambda: Concatenate([]), "Concatenate: expected at least one branch"),
    (lambda: Concatenate([Conv2d(), Pool2d()])(np.ones((4, 4, 1))), "the same shape but for the last axis; they give"),
    (lambda: ZeroPadding2d("keep"), "ZeroPadding2d: padding must be an int, a pair or ((top, bottom), (left, right))"),
    (lambda: Conv1d((9, 2), kernel_size=10), "Conv1d: a window of 10 steps does not fit the sequence of 9"),
    (lambda: Conv1d((9, 2, 1)), "Conv1d: expected sequences (length, channels), received samples of shape (9, 2, 1)"),
    (lambda: Pool1d(2, padding=2), "Pool1d: padding=(2, 0) must be smaller than the window (2, 1)"),
    (lambda: Conv2d(32, 3), "for 32 filters write Conv2d(filters=32, kernel_size=3)"),
    (lambda: Sequential([Flatten(), Conv2d()])(np.ones((1, 4, 4, 1))), "put it before Flatten(), or Reshape("),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_a_shape_with_the_channels_first_is_asked_about() -> None:
    with pytest.warns(UserWarning, match=re.escape("for images of 28 x 28 pixels write (28, 28, 1)")) as told:
        Conv2d(input_shape=(1, 28, 28), filters=2)
    assert told[0].filename == __file__
    Conv2d(input_shape=(3, 7, 9), filters=2)
