"""The network in JavaScript gives what Python's gives, layer by layer, on random architectures."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad.functional.activations import ACTIVATIONS
from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Concatenate,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool2d,
    Rescale,
    Reshape,
    Sequential,
    Standardize,
    Upsample,
    ZeroPadding2d,
)
from tensorgrad.network import Network
from tensorgrad.page.description import describe
from tensorgrad.page.export import STATIC
from tests.page import nodejs

pytestmark = pytest.mark.filterwarnings("ignore:.*'same' is the tutorial's")  # of kernels that are drawn

NAMES = sorted(ACTIVATIONS)
KINDS = ["conv", "depthwise", "pool", "norm", "batch", "upsample", "activation", "add", "dropout",
         "transpose", "concatenate", "frame", "reshape"]  # fmt: skip
PADDINGS = st.sampled_from([None, "zero", "same", "keep", 0, 2, (0, 1), ((0, 1), (2, 0))])


@st.composite
def image_layers(draw: st.DrawFn) -> Layer:
    """A layer from images to images."""
    kind = draw(
        st.sampled_from(["conv", "depthwise", "pool", "norm", "batch", "upsample", "activation", "add", "dropout"])
    )
    channels = draw(st.integers(1, 4))
    if kind == "conv":
        return Conv2d(
            filters=channels,
            kernel_size=draw(st.sampled_from([1, 2, 3, (3, 1)])),
            stride=draw(st.sampled_from([1, 2, (1, 2)])),
            padding=draw(PADDINGS),
            dilation=draw(st.sampled_from([1, 1, 2])),
            activation=draw(st.sampled_from([None, *NAMES])),
            isbias=draw(st.booleans()),
        )
    if kind == "depthwise":
        return Sequential(
            [Conv2d(filters=4), Conv2d(filters=8, groups=draw(st.sampled_from([2, 4])), activation="relu")]
        )
    if kind == "pool":
        size = draw(st.integers(2, 3))
        padding = draw(st.sampled_from([None, 1]))
        return Pool2d(
            size, draw(st.sampled_from([None, 1, 2])), draw(st.sampled_from(["max", "min", "average"])), padding
        )
    if kind == "transpose":
        groups = draw(st.sampled_from([1, 2]))
        stride, window = draw(st.sampled_from([1, 2, (1, 2)])), draw(st.sampled_from([2, 3, (3, 2)]))
        up = ConvTranspose2d(
            filters=2 * channels,
            kernel_size=window,
            stride=stride,
            groups=groups,
            padding=draw(st.sampled_from([None, 1])),
            activation=draw(st.sampled_from([None, "relu"])),
        )
        return Sequential([Conv2d(filters=4), up])  # fmt: skip
    if kind == "concatenate":
        return Concatenate([[Conv2d(filters=channels)], [], [Conv2d(filters=2, activation="relu"), BatchNorm()]])
    if kind == "frame":
        return ZeroPadding2d(draw(st.sampled_from([1, (2, 0), ((0, 1), (2, 0))])))
    if kind == "reshape":
        return Sequential([GlobalPool(), FFL(neurons=12), Reshape((2, 3, 2)), Upsample(3)])
    if kind == "activation":
        return Activation(draw(st.sampled_from(NAMES)))
    if kind == "add":
        block = [Conv2d(filters=channels, activation="tanh"), Conv2d(filters=channels)]
        return Sequential([Conv2d(filters=channels), Add([block, []])])
    return {"norm": LayerNorm(), "batch": BatchNorm(), "upsample": Upsample((2, 1)), "dropout": Dropout(0.3)}[kind]


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A network of small images with up to five layers, and statistics and scales that are not what they start as."""
    network = Network(seed=draw(st.integers(0, 1000)))
    channels = draw(st.sampled_from([1, 3]))
    shape = (draw(st.integers(6, 9)), draw(st.integers(6, 9)), channels)
    network.add(
        draw(
            st.sampled_from(
                [Standardize(shape), Rescale(1 / 255, -0.5, shape), Rescale((0.01,) * channels, 0.1, shape)]
            )
        )
    )
    for layer in draw(st.lists(image_layers(), min_size=1, max_size=5)):
        try:
            network.add(layer)
        except ValueError:  # a window that does not fit
            continue
    network.add(draw(st.sampled_from([Flatten(), GlobalPool(), GlobalPool("max")])))
    network.add(FFL(neurons=3, activation=draw(st.sampled_from(["softmax", "sigmoid", None]))))
    rng = np.random.default_rng(0)
    network.load_state_dict(
        {name: a + np.float32(0.3) * rng.random(a.shape, np.float32) for name, a in network.state_dict().items()}
    )
    return network


def outputs(cases: list[tuple[Network, np.ndarray[Any, Any]]]) -> list[list[dict[str, Any]]]:
    """What JavaScript gives for networks and pictures."""
    lines = "".join(
        json.dumps({"model": describe(network), "picture": picture.ravel().tolist()}) + "\n"
        for network, picture in cases
    )
    runner = Path(__file__).with_name("run.js")
    ran = subprocess.run(
        [nodejs(), str(runner), str(STATIC / "network.js")], input=lines, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def held(network: Network, picture: np.ndarray[Any, Any], found: list[dict[str, Any]]) -> None:
    out = network.feedforward(picture, train=False)
    assert len(found) == len(network.layers)
    for layer, value in zip(network.layers, found, strict=True):
        assert layer.out is not None
        assert tuple(value["shape"]) == layer.out.shape, layer
        scale = max(1.0, float(np.abs(layer.out).max()))
        np.testing.assert_allclose(
            np.reshape(value["data"], layer.out.shape), layer.out, atol=1e-5 * scale, err_msg=str(layer)
        )
    assert out.shape == (3,)


@settings(max_examples=settings().max_examples // 3)
@given(st.lists(networks(), min_size=8, max_size=8), st.integers(0, 100))
def test_random_architectures(drawn: list[Network], seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = [(network, rng.integers(0, 256, network.input_shape).astype(np.float32)) for network in drawn]
    for (network, picture), found in zip(cases, outputs(cases), strict=True):
        held(network, picture, found)


def test_the_page_has_every_layer_that_python_describes() -> None:
    listed = subprocess.run(
        [nodejs(), "-p", f"require({json.dumps(str(STATIC / 'network.js'))}).kinds.join(' ')"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    told = set(re.findall(r'"type": "(\w+)"', (STATIC.parent / "description.py").read_text()))
    assert told == set(listed)


@pytest.mark.parametrize("x", [-9.0, -3.0, -2.0, -1.0, -1e-3, 0.0, 0.5, 1.9, 2.1, 5.0])
def test_activations_far_from_zero(x: float) -> None:
    network = Network(seed=0)
    network.add(Rescale(1.0, 0.0, (1, 1, 1)))
    for name in NAMES:
        network.add(Sequential([Activation("linear"), Activation(name)]))
    network.add(Flatten())
    network.add(FFL(neurons=3))
    picture = np.full((1, 1, 1), x, np.float32)
    held(network, picture, outputs([(network, picture)])[0])
