"""Padding in all its forms, in layers and functions: against PyTorch, and what is refused or warned of."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import CNN
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d

PAIRS = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(image=st.tuples(st.integers(1, 12), st.integers(1, 12)), kernel=PAIRS, stride=PAIRS, dilation=PAIRS)
def test_keep_gives_the_input_over_the_stride_rounded_up(image: Any, kernel: Any, stride: Any, dilation: Any) -> None:
    wanted = tuple(-(-n // s) for n, s in zip(image, stride, strict=True))
    x = np.zeros((1, *image, 2), np.float32)
    layer = Conv2d(filters=3, kernel_size=kernel, stride=stride, dilation=dilation, padding="keep")
    assert layer(x).shape == (1, *wanted, 3)
    assert layer.output_shape == (*wanted, 3)
    assert Pool2d(kernel, stride, padding="keep")(x).shape == (1, *wanted, 2)


def test_keep_with_a_stride_puts_more_at_the_bottom_and_right() -> None:
    """As Keras: 28 pixels, kernels of 3 and a stride of 2 need one pixel, after the image."""
    layer = Conv2d(input_shape=(28, 27, 1), kernel_size=3, stride=2, padding="keep")
    assert layer.frame == ((0, 1), (1, 1))
    assert layer.output_shape == (14, 14, 1)


def test_pools_with_more_than_half_a_window_of_padding() -> None:
    """ONNX's maxpool_2d_pads: a window of 3, two pixels of padding on each side; an average counts real pixels."""
    x = np.random.default_rng(0).standard_normal((1, 6, 6, 1))
    framed = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), axis=(1, 2))
    for kind, join in (("max", np.nanmax), ("min", np.nanmin), ("average", np.nanmean)):
        np.testing.assert_allclose(tg.pool2d(kind, x, 3, 1, 2).numpy(), join(windows, axis=(-2, -1)))
    lopsided = tg.pool2d("average", x, 3, 1, ((2, 0), (0, 1))).numpy()
    np.testing.assert_allclose(lopsided, np.nanmean(windows, axis=(-2, -1))[:, :6, 2:7])


def test_valid_and_none_are_no_padding() -> None:
    x = np.zeros((1, 5, 5, 1), np.float32)
    for padding in ("valid", None, 0, (0, 0), ((0, 0), (0, 0))):
        assert Conv2d(padding=padding)(x).shape == (1, 3, 3, 1)
        assert Pool2d(3, padding=padding)(x).shape == (1, 1, 1, 1)
        assert tg.conv2d(x, np.ones((3, 3, 1, 1)), padding=padding).shape == (1, 3, 3, 1)


def test_each_side_has_a_padding_of_its_own() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 5, 6, 2)), rng.standard_normal((3, 2, 2, 4))
    framed = np.pad(x, ((0, 0), (2, 0), (1, 3), (0, 0)))
    padding = ((2, 0), (1, 3))
    np.testing.assert_allclose(tg.conv2d(x, w, padding=padding).numpy(), tg.conv2d(framed, w).numpy(), atol=1e-12)
    layer = Conv2d(filters=4, kernel_size=(3, 2), padding=[[2, 0], [1, 3]], kernel=w)
    np.testing.assert_allclose(layer(x).numpy(), tg.conv2d(framed, w).numpy(), atol=1e-6)


@pytest.mark.parametrize("padding", ["valid", "keep", ((0, 2), (1, 0)), (2, 1), 2, "same", None])
def test_paddings_are_saved(padding: Any, tmp_path: Path) -> None:
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(9, 8, 1), filters=3, kernel_size=3, stride=2, padding=padding, activation="relu"))
    model.add(Pool2d(3, 2, padding=padding if padding != "same" else "keep", ceil_mode=True, kind="average"))
    model.add(Flatten())
    model.add(FFL(neurons=2))
    path = tmp_path / "model.tgrad"
    tg.save_model(model, path)
    again = tg.load_model(path)
    x = np.random.default_rng(0).standard_normal((3, 9, 8, 1))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_same_warns_where_the_size_changes() -> None:
    for size, kernel in ((8, 3), (9, 2), (6, 5)):
        layer = Conv2d(kernel_size=kernel, padding="same")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(2):
                assert layer(np.zeros((1, 8, 8, 1), np.float32)).shape == (1, size, size, 1)
        texts = [str(w.message) for w in caught]
        expected = f"Conv2d: padding='same' is the tutorial's, .* {kernel} x {kernel} make {size} x {size} .*'keep'"
        assert len(texts) == (kernel != 3)
        assert all(re.match(expected, text) for text in texts)
        assert all(w.filename == __file__ for w in caught)


def test_a_warning_of_add_points_at_the_line_that_calls_it() -> None:
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(8, 8, 1)))
    with pytest.warns(UserWarning, match="padding='same' is the tutorial's") as told:
        model.add(Conv2d(kernel_size=5, padding="same"))
    assert told[0].filename == __file__


BAD = [
    (lambda: Conv2d(padding="Same"), "Conv2d: unknown padding 'Same'; known are 'zero', 'same', 'valid', 'keep'"),
    (
        lambda: Conv2d(padding=((1, 1), 1)),
        "Conv2d: padding must be ((top, bottom), (left, right)), received",
    ),
    (lambda: Conv2d(padding=((1, 1), (0, -1))), "Conv2d: padding must be an int of at least 0"),
    (lambda: Pool2d(2, padding=((0, 2), (0, 0))), "Pool2d: padding=((0, 2), 0) must be smaller than the window (2, 2)"),
    (lambda: tg.max_pool2d(np.ones((1, 4, 4, 1)), 1, padding=1), "or a window would have no pixel of the image"),
    (
        lambda: tg.conv2d(np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 1)), padding="full"),
        "known are 'valid', 'keep'",
    ),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_paddings(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
