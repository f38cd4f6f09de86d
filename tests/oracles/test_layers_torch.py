"""Whole networks against PyTorch: values, first and second gradients, and training step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

import tensorgrad
from tensorgrad import CNN, Tensor
from tensorgrad.layers import FFL, Conv2d, Flatten, Layer, Pool2d, Upsample

TORCH_ACTIVATIONS = {
    None: lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": nn.functional.leaky_relu,
    "elu": nn.functional.elu,
    "gelu": nn.functional.gelu,
    "softplus": lambda x: nn.functional.softplus(x, threshold=50),  # its default is a straight line from 20 on
    "swish": nn.functional.silu,
    "softmax": lambda x: torch.softmax(x, 1 if x.ndim == 4 else -1),
}
SMOOTH = ["tanh", "sigmoid", "gelu", "softplus", "swish", None]


def double(layer: Layer, shape: tuple[int, ...], seed: int) -> Layer:
    """Give a layer float64 weights of its own."""
    rng = np.random.default_rng(seed)
    layer.wire(shape if len(shape) > 1 else shape[0], rng)
    for name, parameter in list(layer.named_parameters()):
        setattr(layer, f"_{name}", Tensor(rng.standard_normal(parameter.shape), requires_grad=True))
    return layer


def framed(x: torch.Tensor, frame: Any, constant: float) -> torch.Tensor:
    """Images with the channels first in a frame of a constant."""
    (top, bottom), (left, right) = frame
    return nn.functional.pad(x, (left, right, top, bottom), value=constant)


def torch_forward(layer: Layer, x: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
    """The same layer by PyTorch's functions, on images with the channels first."""
    f = nn.functional
    if isinstance(layer, Conv2d):
        w, b = parameters[0].permute(3, 2, 0, 1), parameters[1] if layer.isbias else None
        if layer.padding == "same":
            x, pad = f.pad(x, (1, 1, 1, 1), mode="replicate"), (0, 0)
        else:
            x, pad = framed(x, layer.frame, 0), (0, 0)
        y = f.conv2d(x, w, b, layer.stride, pad, layer.dilation, layer.groups)
        return TORCH_ACTIVATIONS[layer.activation](y)
    if isinstance(layer, FFL):
        y = x @ parameters[0] + (parameters[1] if layer.isbias else 0)
        return TORCH_ACTIVATIONS[layer.activation](y)
    if isinstance(layer, Pool2d):
        if layer.kind == "average":
            sums, counts = (
                f.avg_pool2d(framed(a, layer.frame, 0), layer.kernel_size, layer.stride)
                for a in (x, torch.ones_like(x))
            )
            return sums / counts
        sign = 1 if layer.kind == "max" else -1
        return sign * f.max_pool2d(framed(sign * x, layer.frame, -np.inf), layer.kernel_size, layer.stride)
    if isinstance(layer, Upsample):
        return x.repeat_interleave(layer.kernel_size[0], 2).repeat_interleave(layer.kernel_size[1], 3)
    return x.permute(0, 2, 3, 1).flatten(1)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
convolutions = st.builds(
    lambda groups, per_group, **rest: Conv2d(filters=groups * per_group, groups=groups, **rest),
    groups=st.integers(1, 2), per_group=st.integers(1, 2), kernel_size=pairs, stride=pairs, dilation=st.integers(1, 2),
    padding=st.sampled_from([None, "zero", "same", (2, 0), "keep", ((0, 2), (1, 0))]),
    isbias=st.booleans(), activation=st.sampled_from(SMOOTH),
)  # fmt: skip
pools = st.builds(
    Pool2d,
    kernel_size=st.tuples(st.integers(2, 3), st.integers(2, 3)),
    stride=st.one_of(st.none(), pairs),
    kind=st.sampled_from(["max", "min", "average"]),
    padding=st.sampled_from([None, "zero", "keep", ((0, 1), (1, 0)), 1]),
    ceil_mode=st.booleans(),
)
image_layers = st.lists(st.one_of(convolutions, pools, st.builds(Upsample, pairs)), max_size=3)


@pytest.mark.filterwarnings("ignore:.*padding='same' is the tutorial's")
@given(layers=image_layers, size=st.tuples(st.integers(4, 9), st.integers(4, 9)), neurons=st.integers(1, 4),
       activation=st.sampled_from(SMOOTH), seed=st.integers(0, 2**32 - 1))  # fmt: skip
def test_networks_of_random_layers_to_the_second_order(layers, size, neurons, activation, seed) -> None:
    rng = np.random.default_rng(seed)
    shape: tuple[int, ...] = (*size, 2)
    network = [*layers, Flatten(), FFL(neurons=neurons, activation=activation)]
    assume(len({id(layer) for layer in network}) == len(network))
    for layer in network:
        try:
            double(layer, shape, seed)
        except ValueError:  # the window does not fit, or the groups do not divide the channels
            assume(False)
        shape = layer.output_shape if isinstance(layer.output_shape, tuple) else (layer.output_shape,)
    data = rng.standard_normal((2, *size, 2))

    x = Tensor(data, requires_grad=True)
    y = x
    for layer in network:
        y = layer(y)
    parameters = [p for layer in network for p in layer.parameters()]
    first = tensorgrad.grad((y * y).sum(), [x, *parameters], create_graph=True, allow_unused=True)
    norm = sum(((g * g).sum() for g in first), Tensor(0.0, dtype="float64"))
    second = tensorgrad.grad(norm, [x, *parameters], allow_unused=True)

    tx = torch.tensor(data.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    tps = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in parameters]
    ty, rest = tx, list(tps)
    for layer in network:
        count = len(layer.parameters())
        ty, rest = torch_forward(layer, ty, rest[:count]), rest[count:]
    tfirst = torch.autograd.grad((ty * ty).sum(), [tx, *tps], create_graph=True, allow_unused=True)
    tnorm = sum((g * g).sum() for g in tfirst if g is not None)
    tsecond = torch.autograd.grad(tnorm, [tx, *tps], allow_unused=True)

    np.testing.assert_allclose(y.numpy(), ty.detach().numpy(), rtol=1e-9, atol=1e-11)
    for ours, theirs in ((first, tfirst), (second, tsecond)):
        for mine, other in zip(ours, theirs, strict=True):
            expected = np.zeros(mine.shape) if other is None else other.detach().numpy()
            if expected.ndim == 4 and mine is ours[0]:
                expected = expected.transpose(0, 2, 3, 1)
            scale = max(1.0, float(np.abs(expected).max(initial=0)))
            np.testing.assert_allclose(mine.numpy() / scale, expected / scale, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", TORCH_ACTIVATIONS)
def test_activations(name) -> None:
    data = np.random.default_rng(0).standard_normal((3, 4, 5, 6)) * 3
    x = Tensor(data, requires_grad=True)
    y = x if name is None else tensorgrad.functional.ACTIVATIONS[name](x)
    weights = np.random.default_rng(1).standard_normal(y.shape)
    (y * weights).sum().backward()
    tx = torch.tensor(data.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    ty = TORCH_ACTIVATIONS[name](tx)
    (ty * torch.tensor(weights.transpose(0, 3, 1, 2).copy())).sum().backward()
    np.testing.assert_allclose(y.numpy().transpose(0, 3, 1, 2), ty.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(x.grad.numpy().transpose(0, 3, 1, 2), tx.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_training_gives_pytorch_s_weights_step_by_step() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((96, 12, 12, 1)).astype(np.float32)
    labels = rng.integers(0, 5, 96)
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(12, 12, 1), filters=4, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Conv2d(filters=6, activation="relu"))
    model.add(Flatten())
    model.add(FFL(neurons=5, activation="softmax"))
    model.compile_model(lr=0.01, opt="adam", loss="cse")

    parameters = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in model.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    images, targets = torch.tensor(x.transpose(0, 3, 1, 2).copy()), torch.tensor(labels)
    losses = []
    for start in range(0, 96, 32):
        w1, b1, w2, b2, w3, b3 = parameters
        h = torch.relu(nn.functional.conv2d(images[start : start + 32], w1.permute(3, 2, 0, 1), b1))
        h = nn.functional.max_pool2d(h, 2)
        h = torch.relu(nn.functional.conv2d(h, w2.permute(3, 2, 0, 1), b2, padding=1))
        loss = nn.functional.cross_entropy(h.permute(0, 2, 3, 1).flatten(1) @ w3 + b3, targets[start : start + 32])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    history = model.train(x, labels, epochs=1, batch_size=32, shuffle=False, val_split=0, verbose=0)
    assert history["loss"][0] == pytest.approx(np.mean(losses), rel=1e-5)
    for ours, theirs in zip(model.parameters(), parameters, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=2e-3, atol=2e-5)


def test_every_layer_of_torch_is_answered() -> None:
    from tensorgrad import layers
    from tensorgrad.vocabulary import find

    kinds = [name for name, kind in vars(torch.nn).items() if isinstance(kind, type)]
    unknown = [name for name in kinds if not (name in vars(layers) or find(name, "layers") or find(name, "loss"))]
    assert set(unknown) <= {"LinearCrossEntropyOptions"}
