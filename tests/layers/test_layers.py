"""Layers: shapes, values, gradients' way through them, parameters, and what they say to bad input."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tensorgrad
from tensorgrad import Tensor, grad, ops
from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool2d,
    Sequential,
    Upsample,
)


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


# -- values ----------------------------------------------------------------------------------------------------


def test_ffl_is_an_affine_map_and_an_activation() -> None:
    x, w, b = image(5, 3), image(3, 4), image(4)
    layer = FFL(input_shape=3, neurons=4, weights=w, bias=b, activation="tanh")
    np.testing.assert_allclose(layer(x).numpy(), np.tanh(x @ w + b), rtol=1e-5)
    np.testing.assert_allclose(layer(x[0]).numpy(), np.tanh(x[0] @ w + b), rtol=1e-5)


def test_without_biases_there_are_none() -> None:
    for layer in (FFL(input_shape=3, neurons=2, is_bias=False), Conv2d((5, 5, 1), filters=2, isbias=False)):
        assert layer.weights is not None
        assert layer.biases is None
        assert len(layer.parameters()) == 1
        assert layer.parameter_count == layer.weights.size == layer.get_parameters()


def reference_convolution(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: tuple[int, int], frame: np.ndarray
) -> np.ndarray:
    """The definition, window by window, of one image that is framed already."""
    kh, kw, _, filters = w.shape
    rows = (frame.shape[0] - kh) // stride[0] + 1
    columns = (frame.shape[1] - kw) // stride[1] + 1
    y = np.empty((rows, columns, filters))
    for i in range(rows):
        for j in range(columns):
            window = frame[i * stride[0] : i * stride[0] + kh, j * stride[1] : j * stride[1] + kw]
            y[i, j] = np.tensordot(window, w, 3) + b
    return y


SAME = pytest.mark.filterwarnings("ignore:.*padding='same'", "ignore:.*channels come last")  # shapes are drawn


@pytest.mark.parametrize(
    ("padding", "mode", "width"),
    [
        (None, "constant", ((0, 0), (0, 0))),
        ("zero", "constant", ((1, 1), (1, 1))),
        ("same", "edge", ((1, 1), (1, 1))),
        (2, "constant", ((2, 2), (2, 2))),
        ((0, 2), "constant", ((0, 0), (2, 2))),
    ],
)
@pytest.mark.parametrize(("kernel_size", "stride"), [((3, 3), (1, 1)), ((2, 4), (2, 1)), (3, 2), ((1, 1), (1, 1))])
@SAME
def test_conv2d_equals_its_definition(padding, mode, width, kernel_size, stride) -> None:
    x = image(6, 7, 3)
    layer = Conv2d(
        input_shape=(6, 7, 3), filters=4, kernel_size=kernel_size, stride=stride, padding=padding, bias=image(4)
    )
    framed = np.pad(x, (*width, (0, 0)), mode=mode)
    expected = reference_convolution(x, layer.weights.numpy(), layer.biases.numpy(), layer.stride, framed)
    assert layer.output_shape == expected.shape
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)


@given(
    height=st.integers(1, 12), width=st.integers(1, 12), kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)), padding=st.sampled_from([None, "zero", "same", 2, (1, 0)]),
)  # fmt: skip
@SAME
def test_conv2d_output_size_follows_the_formula(height, width, kernel, stride, padding) -> None:
    p = {None: (0, 0), "zero": (1, 1), "same": (1, 1), 2: (2, 2)}.get(padding, padding)
    expected = tuple((n - f + 2 * q) // s + 1 for n, f, q, s in zip((height, width), kernel, p, stride, strict=True))
    assume(min(expected) >= 1)
    layer = Conv2d(input_shape=(height, width, 2), filters=3, kernel_size=kernel, stride=stride, padding=padding)
    assert layer.output_shape == (*expected, 3)
    assert layer(np.zeros((2, height, width, 2), np.float32)).shape == (2, *expected, 3)


def test_pool2d_kinds_drop_left_over_rows_and_columns() -> None:
    x = np.arange(5 * 5, dtype=np.float32).reshape(5, 5, 1)
    windows = x[:4, :4, 0].reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(2, 2, 4)
    for kind, expected in (("max", windows.max(-1)), ("min", windows.min(-1)), ("average", windows.mean(-1))):
        assert Pool2d(kind=kind)(x).numpy()[..., 0].tolist() == expected.tolist()


def test_pool2d_padding_never_wins_and_is_not_counted() -> None:
    x = np.full((3, 3, 1), -5.0, np.float32)
    for kind in ("max", "min", "average"):
        assert (Pool2d(3, stride=1, kind=kind, padding="zero")(x).numpy() == -5).all()


def test_first_of_equal_pixels_takes_the_gradient() -> None:
    x = Tensor(np.ones((1, 2, 2, 1), np.float32), requires_grad=True)
    Pool2d()(x).sum().backward()
    assert x.grad is not None
    assert x.grad.numpy().ravel().tolist() == [1, 0, 0, 0]


def test_upsample_repeats_and_sums_the_gradient() -> None:
    x = Tensor([[[12.0], [10.0]], [[101.0], [88.0]]], requires_grad=True)
    y = Upsample((2, 3))(x)
    assert y.shape == (4, 6, 1)
    assert y.numpy()[0, :, 0].tolist() == [12, 12, 12, 10, 10, 10]
    y.sum().backward()
    assert x.grad is not None
    assert (x.grad.numpy() == 6).all()


def test_flatten_is_row_major_and_takes_the_text_s_plain_table() -> None:
    x = image(2, 3, 4, 5)
    assert (Flatten()(x).numpy() == x.reshape(2, -1)).all()
    assert (Flatten((3, 4, 5))(x[0]).numpy() == x[0].reshape(-1)).all()
    table = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1], [0, 0, 1]])
    assert Flatten()(table).tolist() == table.tolist()  # a batch
    assert Flatten().apply_activation(table).tolist() == table.ravel().tolist()


def test_dropout_scales_while_training_and_is_the_identity_otherwise() -> None:
    x = np.ones((200, 300), np.float32)
    layer = Dropout(0.2)
    assert (layer(x).numpy() == 1).all()
    y = layer(x, training=True).numpy()
    assert y.dtype == np.float32
    assert np.unique(y) == pytest.approx([0, 1.25])
    assert (y == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert (Dropout(0)(x, training=True).numpy() == 1).all()


@pytest.mark.parametrize("name", tensorgrad.functional.ACTIVATIONS)
def test_every_activation_by_name(name: str) -> None:
    x = image(4, 6)
    expected = tensorgrad.functional.ACTIVATIONS[name](x).numpy()
    identity = np.eye(6, dtype=np.float32)
    for layer in (Activation(name), FFL(input_shape=6, neurons=6, weights=identity, activation=name)):
        np.testing.assert_allclose(np.stack([layer(row).numpy() for row in x]), expected, rtol=1e-5, atol=1e-6)


# -- the text's own checks of its layers, on our side --------------------------------------------------------------


def test_a_kernel_set_by_hand_finds_vertical_edges() -> None:
    picture = np.zeros((8, 8, 1))
    picture[:, 4:] = 1
    conv = Conv2d()
    conv.weights = np.array([[1, 0, -1]] * 3).reshape(3, 3, 1, 1)
    conv.biases = np.zeros(1)
    out = conv.apply_activation(picture)
    assert out.shape == (8, 8, 1)
    assert np.asarray(out)[3, :, 0].tolist() == [0, 0, 0, -3, -3, 0, 0, 3]


def test_pooling_integers() -> None:
    pixels = np.random.default_rng(0).integers(1, 100, (32, 32, 3))
    out = Pool2d(kernel_size=(7, 7), kind="max").apply_activation(pixels)
    assert out.shape == (4, 4, 3)
    assert out.numpy()[0, 0].tolist() == pixels[:7, :7].max((0, 1)).tolist()


# -- parameters and composition --------------------------------------------------------------------------------------


class Residual(Layer):
    """A layer made of layers: x + conv(relu(conv(x)))."""

    def __init__(self) -> None:
        self.scale = Tensor(0.5, requires_grad=True)
        self.steps = [Conv2d(filters=2, activation="relu"), Conv2d(filters=2)]

    def forward(self, x, training):
        y = x
        for layer in self.steps:
            y = layer(y, training)
        return x + self.scale * y


def test_a_layer_of_layers_finds_its_parameters_and_shapes() -> None:
    layer = Residual()
    layer.wire((6, 6, 2), rng=0)
    assert layer.output_shape == (6, 6, 2)
    names = [name for name, _ in layer.named_parameters()]
    assert names == ["scale", "steps.0.weights", "steps.0.biases", "steps.1.weights", "steps.1.biases"]
    layer(image(3, 6, 6, 2)).sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in layer.parameters())


def test_a_layer_without_forward_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match=r"must define forward\(self, x, training\)"):
        Layer()([1.0])


@pytest.mark.parametrize(
    "layer",
    [
        FFL(neurons=3, activation="relu", is_bias=False),
        Conv2d(filters=2, kernel_size=5, stride=2, padding="same", activation="elu", dilation=2),
        Pool2d(3, stride=2, kind="average", padding=1),
        Dropout(0.25),
        Flatten(),
        Upsample((1, 3)),
        Activation("gelu"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_repr_makes_the_layer_again(layer: Layer) -> None:
    again = eval(repr(layer), {type(layer).__name__: type(layer)})
    assert repr(again) == repr(layer)
    assert again.config() == layer.config()


def test_setting_weights_writes_into_the_tensor_that_is_there() -> None:
    layer = FFL(input_shape=2, neurons=2)
    held = layer.weights
    layer.weights = np.ones((2, 2))
    assert layer.weights is held
    assert (held.numpy() == 1).all()
    assert held.dtype == np.float32
    layer.biases = np.zeros((2, 1))  # the text's shape
    assert layer.biases.shape == (2,)


def test_initial_weights_have_the_variance_of_he_and_glorot() -> None:
    he = FFL(input_shape=400, neurons=300, activation="relu").weights.numpy()
    glorot = FFL(input_shape=400, neurons=300, activation="tanh").weights.numpy()
    assert he.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert glorot.std() == pytest.approx(np.sqrt(2 / 700), rel=0.02)
    kernels = Conv2d((9, 9, 40), filters=60, kernel_size=5, activation="relu").weights.numpy()
    assert kernels.std() == pytest.approx(np.sqrt(2 / (25 * 60)), rel=0.02)


def test_float64_weights_compute_in_float64_and_float32_never_becomes_it() -> None:
    wide = FFL(input_shape=3, neurons=2, weights=np.ones((3, 2)), bias=np.zeros(2))
    assert wide(np.ones((1, 3))).dtype == np.float64
    for layer in (FFL(neurons=2), Conv2d(filters=2, activation="sigmoid"), Pool2d(kind="average"), Upsample()):
        x = np.ones((1, 4, 4, 1), np.float32) if layer.rank == 3 else np.ones((1, 4), np.float32)
        assert layer(x).dtype == np.float32


def test_batch_norm_standardizes_by_the_batch_and_then_by_what_ran() -> None:
    x = 3 + 2 * image(64, 5, 5, 3)
    layer = BatchNorm(momentum=0.5)
    y = layer(x, training=True).numpy()
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std((0, 1, 2)), 1, rtol=1e-3)
    np.testing.assert_allclose(layer.running_mean, 0.5 * x.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(layer.running_var, 0.5 + 0.5 * x.var((0, 1, 2), ddof=1), rtol=1e-3)
    before = layer.running_mean.copy()
    expected = (x - layer.running_mean) / np.sqrt(layer.running_var + 1e-5)
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-3, atol=1e-4)
    assert (layer.running_mean == before).all()
    assert layer.parameter_count == 6


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "softplus"])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_normalization_and_the_activation_after_it_are_one_pass_and_compute_the_same(
    activation: str, frozen: bool
) -> None:
    chain = Sequential([BatchNorm(), Activation(activation)])
    x = Tensor(image(8, 5, 5, 3), requires_grad=True)
    chain(x)
    norm, act = chain.layers
    norm.weights.data, norm.biases.data = np.float32([1, -2, 3]), np.float32([0.5, 0, -1])
    norm.trainable = not frozen
    for training in (False, True):
        found, apart = chain(x, training=training), act(norm(x, training=training), training=training)
        np.testing.assert_allclose(found.numpy(), apart.numpy(), rtol=1e-6, atol=1e-6)
        wanted = [x, *chain.parameters()]
        for a, b in zip(grad((found**2).sum(), wanted), grad((apart**2).sum(), wanted), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-5)
    fused = chain(x, training=True).node.primitive is ops.batch_norm_activated
    assert fused is (activation != "softplus" and not frozen)


def test_an_activation_leaves_layers_that_compute_something_else_alone() -> None:
    class Doubled(BatchNorm):
        def forward(self, x: Tensor, training: bool) -> Tensor:
            return 2 * x

    x, act = image(4, 3), Activation("relu")
    expected = 2 * np.maximum(x, 0)
    assigned, ours = BatchNorm(), Activation("relu")
    vars(assigned)["forward"] = lambda x, training: 2 * x
    vars(ours)["forward"] = lambda x, training: -x
    for training in (False, True):
        for layers in ([Doubled(), act], [Doubled(), act, act], [assigned, act]):
            np.testing.assert_array_equal(Sequential(layers)(x, training=training).numpy(), expected)
        np.testing.assert_array_equal(Sequential([Doubled(), ours])(x, training=training).numpy(), -2 * x)


def test_a_wrong_scale_changes_no_running_statistics() -> None:
    mean, var = np.zeros(3), np.ones(3)
    for name in ("weight", "bias"):
        with pytest.raises(
            ValueError, match=rf"batch_norm: a {name} of shape \(2,\) does not go with an input of shape"
        ):
            tensorgrad.functional.batch_norm(
                image(4, 5, 5, 3), running_mean=mean, running_var=var, **{name: np.ones(2)}
            )
    assert (mean == 0).all()
    assert (var == 1).all()


def test_layer_norm_standardizes_each_sample() -> None:
    y = LayerNorm()(5 + image(4, 30)[0]).numpy()
    assert y.mean() == pytest.approx(0, abs=1e-5)
    assert y.std() == pytest.approx(1, rel=1e-3)


def test_global_pool() -> None:
    x = image(2, 4, 5, 3)
    np.testing.assert_allclose(GlobalPool()(x).numpy(), x.mean((1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(GlobalPool("max")(x).numpy(), x.max((1, 2)))


def test_add_sums_its_branches_and_sequential_chains() -> None:
    x = image(2, 6, 6, 2)
    step = Conv2d(filters=2)
    block = Add([[step, Activation("relu")], [], Dropout(0.5)])
    expected = np.maximum(step(x).numpy(), 0) + 2 * x
    np.testing.assert_allclose(block(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert [name for name, _ in block.named_parameters()] == [
        "branches.0.layers.0.weights",
        "branches.0.layers.0.biases",
    ]
    assert Sequential([Conv2d(filters=3), Flatten()])(x).shape == (2, 108)


def test_one_seed_rules_the_layers_inside_of_layers() -> None:
    one, other = Residual(), Residual()
    for layer in (one, other):
        layer.wire((6, 6, 2), rng=4)
    assert all((a.numpy() == b.numpy()).all() for a, b in zip(one.parameters(), other.parameters(), strict=True))


# -- bad input -------------------------------------------------------------------------------------------------------

BAD = [
    (lambda: FFL(neurons=0), "FFL: neurons must be an int of at least 1, received 0"),
    (lambda: FFL(neurons=2.5), "FFL: neurons must be an int of at least 1, received 2.5"),
    (lambda: FFL(neurons=None), "FFL: neurons must be an int of at least 1, received None"),
    (lambda: FFL(neurons="ten"), "FFL: neurons must be an int of at least 1, received 'ten'"),
    (lambda: FFL(neurons=float("inf")), "FFL: neurons must be an int of at least 1, received inf"),
    (lambda: FFL(input_shape=4.0), "FFL: input_shape must be an int or a tuple of positive ints, received 4.0"),
    (lambda: FFL(activation="rleu"), "FFL: unknown activation 'rleu'; did you mean 'relu'? Known are 'relu', "),
    (lambda: FFL(input_shape=(2, 2)), "FFL: expected flat samples, received samples of shape (2, 2); add Flatten()"),
    (
        lambda: Sequential([FFL(neurons=5), FFL(10)])(np.ones((6, 4))),
        "FFL: it was made for input_shape=10, but receives samples of 5 numbers; leave input_shape out "
        "or, if 10 neurons were meant, write FFL(neurons=10)",
    ),
    (lambda: FFL(input_shape=0), "input_shape must be an int or a tuple of positive ints, received 0"),
    (lambda: FFL(input_shape=3)(np.ones((4, 5))), "FFL: expected samples of shape (3,), one or a batch of them"),
    (lambda: Conv2d(filters=0), "Conv2d: filters must be an int of at least 1, received 0"),
    (lambda: Conv2d(filters=None), "Conv2d: filters must be an int of at least 1, received None"),
    (lambda: Conv2d(groups=None), "Conv2d: groups must be an int of at least 1, received None"),
    (lambda: Conv2d(filters=4, groups=3), "Conv2d: groups must divide the 4 filters, received 3"),
    (lambda: Conv2d((8, 8, 3), filters=4, groups=2), "groups=2 must divide the 3 channels of its input"),
    (lambda: Conv2d(kernel_size=(3, 0)), "Conv2d: kernel_size must be an int of at least 1, or a pair"),
    (lambda: Conv2d(stride=0), "Conv2d: stride must be an int of at least 1"),
    (lambda: Conv2d(padding="full"), "Conv2d: unknown padding 'full'; known are 'zero', 'same', 'valid', 'keep', None"),
    (lambda: Conv2d(padding=-1), "Conv2d: padding must be an int of at least 0"),
    (lambda: Conv2d((2, 2, 1), kernel_size=5), "a 5x5 window does not fit the 2x2 input that it receives"),
    (lambda: Conv2d((8, 8, 1), dilation=(5, 4)), "11x9 window does not fit the 8x8 input that it receives"),
    (lambda: Conv2d((28, 28)), "Conv2d: expected images (height, width, channels), received samples of shape (28, 28)"),
    (lambda: Conv2d((8, 8, 3))(np.ones((2, 3, 8, 8))), "the channels come last here: use x.transpose(0, 2, 3, 1)"),
    (lambda: Conv2d((8, 8, 1))(np.ones((2, 8, 8))), "the channel is missing: use x.reshape(-1, 8, 8, 1)"),
    (lambda: Pool2d(kind="median"), "Pool2d: unknown kind 'median'; known are 'max', 'min', 'average'"),
    (lambda: Pool2d(2, padding=2), "Pool2d: padding=(2, 2) must be smaller than the window (2, 2)"),
    (lambda: Pool2d(4)(np.ones((3, 3, 1))), "a 4x4 window does not fit the 3x3 input"),
    (lambda: Dropout(1), "prob is the share that is dropped, 0 <= prob < 1; received 1"),
    (lambda: Dropout("0.5"), "prob is the share that is dropped, 0 <= prob < 1; received '0.5'"),
    (lambda: Dropout(-0.1), "0 <= prob < 1; received -0.1"),
    (lambda: Activation("step"), "Activation: unknown activation 'step'"),
    (lambda: Upsample(0), "Upsample: kernel_size must be an int of at least 1"),
    (lambda: GlobalPool("min"), "GlobalPool: unknown kind 'min'"),
    (lambda: BatchNorm(momentum=0), "BatchNorm: momentum must lie between 0 and 1, received 0"),
    (
        lambda: LayerNorm(eps=0),
        "LayerNorm: eps must be a finite number of at least 1.2e-38 (in float32, less is 0), received 0",
    ),
    (lambda: BatchNorm(eps=1e-50), "(in float32, less is 0), received 1e-50"),
    (lambda: BatchNorm()(np.ones((1, 3)), training=True), "batch_norm: training needs at least two values per channel"),
    (lambda: Add([]), "Add: expected at least one branch"),
    (lambda: Add([[Conv2d(filters=2)], []])(np.ones((4, 4, 1))), "all branches must give the same shape"),
    (lambda: Flatten().set_output_shape(), "Flatten: it has no input_shape yet"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_arguments(call, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_weights_of_another_shape_are_refused_and_change_nothing() -> None:
    layer = FFL(input_shape=3, neurons=2)
    before = layer.weights.numpy().copy()
    with pytest.raises(ValueError, match=re.escape("FFL: expected weights of shape (3, 2), received shape (2, 3)")):
        layer.weights = np.ones((2, 3))
    assert (layer.weights.numpy() == before).all()
    given = FFL(neurons=2, weights=np.ones((2, 3)))
    with pytest.raises(ValueError, match=re.escape("expected weights of shape (3, 2), received shape (2, 3)")):
        given(np.ones((1, 3)))
    assert given.output_shape is None
    with pytest.raises(ValueError, match="made without biases"):
        FFL(input_shape=1, is_bias=False).biases = [1.0]


def test_a_notebook_shows_the_settings_and_shapes() -> None:
    layer = FFL(neurons=2, activation="relu")
    assert "<tr><td>output_shape</td><td>None</td></tr>" in layer._repr_html_()
    layer.input_shape, layer.name = 3, "<first>"
    layer.set_output_shape()
    html = layer._repr_html_()
    for name, value in {"input_shape": 3, "neurons": 2, "activation": "&#x27;relu&#x27;", "output_shape": 2,
                        "parameters": 8}.items():  # fmt: skip
        assert f"<tr><td>{name}</td><td>{value}</td></tr>" in html
    assert html.startswith("<b>FFL &#x27;&lt;first&gt;&#x27;</b>")
