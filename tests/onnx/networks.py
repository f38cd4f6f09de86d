"""Networks that hypothesis draws: each layer fits what the one before gives."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad import CNN
from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Concatenate,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool1d,
    Pool2d,
    Rescale,
    Reshape,
    Standardize,
    Upsample,
    ZeroPadding2d,
)
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.onnx.forms import ACTIVATIONS

ACTIVE = st.sampled_from([None, *ACTIVATIONS])
PREPARING = st.builds(Standardize) | st.builds(Rescale, st.just(1 / 255))
CONV_PADDING: tuple[Any, ...] = ("zero", "same", None, 2, (1, 0), "keep", ((0, 1), (2, 0)))


@st.composite
def convolutions(draw: Any, shape: tuple[int, ...]) -> Layer:
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if shape[2] % g == 0]))
    padding = draw(st.sampled_from(CONV_PADDING))
    plain = padding == "same"  # others are warned of
    size = 3 if plain else (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return Conv2d(
        filters=groups * draw(st.integers(1, 3)),
        kernel_size=size,
        stride=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        dilation=1 if plain else draw(st.sampled_from([1, (2, 1)])),
        padding=padding,
        groups=groups,
        isbias=draw(st.booleans()),
        activation=draw(ACTIVE),
    )


@st.composite
def pools(draw: Any, shape: tuple[int, ...]) -> Layer:
    return Pool2d(
        kernel_size=(draw(st.integers(2, 3)), draw(st.integers(2, 3))),
        stride=draw(st.sampled_from([None, 1, (2, 1)])),
        padding=draw(st.sampled_from([None, "zero", (0, 1)])),
        kind=draw(st.sampled_from(["max", "min", "average"])),
    )


def anywhere(shape: tuple[int, ...]) -> list[st.SearchStrategy[Layer]]:
    """What takes samples of any shape, and does not blow up the rounding errors of what came before."""
    channels = st.lists(st.floats(0.5, 2, width=32), min_size=shape[-1], max_size=shape[-1])
    return [
        st.builds(Activation, st.sampled_from(list(ACTIVATIONS))),
        st.builds(Dropout, st.sampled_from([0.0, 0.5])),
        st.builds(BatchNorm, eps=st.sampled_from([1e-5, 1e-3])),
        st.builds(LayerNorm, eps=st.sampled_from([0.5, 0.1])),
        st.builds(Rescale, channels, channels),
    ]


def fitting(shape: tuple[int, ...]) -> st.SearchStrategy[Layer]:
    """A layer that may take samples of a shape; a window may still be too large."""
    if len(shape) == 1:
        return st.one_of(
            *anywhere(shape),
            st.builds(FFL, neurons=st.integers(1, 5), activation=ACTIVE, is_bias=st.booleans()),
        )
    if len(shape) == 2:
        sizes = {"kernel_size": st.integers(1, 3), "stride": st.integers(1, 2)}
        return st.one_of(
            st.builds(Conv1d, filters=st.integers(1, 4), padding=st.sampled_from([None, "keep", 1]), **sizes),
            st.builds(Pool1d, kind=st.sampled_from(["max", "min", "average"]), **sizes),
            st.builds(BatchNorm),
            st.builds(LayerNorm, eps=st.just(0.5)),
            st.just(Flatten()),
            st.just(Reshape((shape[0], 1, shape[1]))),
        )
    same = st.builds(Conv2d, filters=st.just(shape[2]), padding=st.just("zero"), activation=ACTIVE)
    return st.one_of(
        *anywhere(shape),
        convolutions(shape),
        convolutions(shape),
        pools(shape),
        st.builds(Upsample, st.sampled_from([2, (1, 3)])),
        st.builds(lambda first, second: Add([[first, BatchNorm()], [], second]), same, same),
        st.builds(lambda layer: Add([[layer], []]), st.one_of(*anywhere(shape))),
        st.just(Add([Flatten(), [Flatten(), BatchNorm()]])),
        st.just(Flatten()),
        st.just(Reshape((shape[0] * shape[1], shape[2]))),
        st.just(Reshape((shape[1], shape[2], shape[0]))),
        st.just(ZeroPadding2d(((1, 0), (0, 2)))),
        st.builds(
            ConvTranspose2d,
            filters=st.integers(1, 3),
            kernel_size=st.sampled_from([2, (3, 1)]),
            stride=st.sampled_from([1, 2]),
            padding=st.sampled_from([None, "keep", ((0, 1), (0, 0))]),
            activation=ACTIVE,
        ),
        st.builds(lambda layer: Concatenate([layer, []]), same),
        st.builds(GlobalPool, st.sampled_from(["average", "max"])),
    )


@st.composite
def networks(draw: Any, longest: int = 6) -> CNN:
    """A network with parameters and statistics that are not those of the start."""
    shape: tuple[int, ...] = draw(
        st.sampled_from([(6,)]) | st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(1, 6))
    )
    model = CNN(seed=draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, longest))):
        layer = draw(fitting(shape) if model.layers else fitting(shape) | PREPARING)
        if not model.layers:
            layer.input_shape = shape if len(shape) > 1 else shape[0]
        try:
            model.add(layer)
        except ValueError:  # the window does not fit
            continue
        shape = as_tuple(layer.output_shape or ())
        if prod(shape) > 2000:
            break
    if not model.layers:
        model.add(Activation("tanh"))
    shake(model)
    return model


def shake(model: CNN) -> None:
    """Give every bias, scale and running statistic a value of its own."""
    rng = np.random.default_rng(7)
    for layer in model.layers:
        for name, item in layer.named_state():
            array = np.asarray(getattr(item, "array", item))
            if "weights" not in name or array.ndim == 1:
                array[...] = rng.uniform(0.5, 1.5, array.shape)


def samples(model: CNN, count: int = 3) -> np.ndarray[Any, Any]:
    shape = as_tuple(model.layers[0].input_shape or ())
    return np.random.default_rng(1).normal(size=(count, *shape)).astype(np.float32)
