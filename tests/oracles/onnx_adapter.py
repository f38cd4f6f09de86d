"""ONNX's operators in terms of ours: channels first becomes channels last, attributes become arguments.

Each function takes the node's attributes and its inputs (None for one that is left out) and returns what the
operator returns, or a tuple of it. What an operator does is ours throughout; here are only layouts and names.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.engine import value

Attributes = dict[str, Any]
Operator = Callable[..., Any]

OPERATORS: dict[str, Operator] = {}


def operator(f: Operator) -> Operator:
    OPERATORS[f.__name__] = f
    return f


def elementwise(**functions: Callable[..., Any]) -> None:
    for name, f in functions.items():
        OPERATORS[name] = lambda a, *xs, f=f: f(*xs)


elementwise(
    Abs=tg.abs, Acos=tg.arccos, Add=lambda x, y: x + y, And=np.logical_and, Asin=tg.arcsin, Atan=tg.arctan, Cos=tg.cos,
    Cosh=tg.cosh, Equal=lambda x, y: x == y, Erf=tg.erf, Exp=tg.exp, Greater=lambda x, y: x > y, Log=tg.log,
    GreaterOrEqual=lambda x, y: x >= y, Identity=lambda x: x.copy(), IsNaN=np.isnan, Less=lambda x, y: x < y,
    LessOrEqual=lambda x, y: x <= y, MatMul=tg.matmul, Mul=lambda x, y: x * y, Neg=lambda x: -x, Not=np.logical_not,
    Or=np.logical_or, Reciprocal=lambda x: 1 / x, Relu=tg.relu, Sigmoid=tg.sigmoid, Sign=tg.sign, Sin=tg.sin,
    Sinh=tg.sinh, Softplus=tg.softplus, Softsign=lambda x: x / (1 + x.abs()), Sqrt=tg.sqrt, Sub=lambda x, y: x - y,
    Tan=tg.tan, Tanh=tg.tanh, Where=tg.where, Xor=np.logical_xor, Mish=lambda x: x * tg.tanh(tg.softplus(x)),
    HardSwish=lambda x: x * (x / 6 + 0.5).clip(0.0, 1.0), Acosh=lambda x: tg.log(x + tg.sqrt(x * x - 1)),
    Asinh=lambda x: tg.log(x + tg.sqrt(x * x + 1)), Atanh=lambda x: 0.5 * tg.log((1 + x) / (1 - x)),
    PRelu=lambda x, slope: tg.where(x > 0, x, slope * x), Size=lambda x: Tensor(np.array(x.size)),
    Floor=np.floor, Ceil=np.ceil, Round=np.rint,
)  # fmt: skip


@operator
def Div(a: Attributes, x: Any, y: Any) -> Any:
    return x / y if x.dtype.kind == "f" else np.trunc(value(x) / value(y)).astype(x.dtype)


@operator
def Pow(a: Attributes, x: Any, y: Any) -> Any:
    return (x**y).astype(x.dtype)


def folded(f: Callable[[Any, Any], Any]) -> Operator:
    def fold(a: Attributes, first: Any, *rest: Any) -> Any:
        for x in rest:
            first = f(first, x)
        return first

    return fold


OPERATORS["Max"], OPERATORS["Min"] = folded(tg.maximum), folded(tg.minimum)
OPERATORS["Sum"] = folded(lambda x, y: x + y)
OPERATORS["Mean"] = lambda a, *xs: OPERATORS["Sum"](a, *xs) / len(xs)


@operator
def Clip(a: Attributes, x: Any, low: Any = None, high: Any = None) -> Any:
    if low is not None and high is not None and low.item() > high.item():  # ONNX: then the upper bound wins
        return tg.minimum(tg.maximum(x, low), high)
    return x.clip(None if low is None else low.item(), None if high is None else high.item())


@operator
def Celu(a: Attributes, x: Any) -> Any:
    alpha = a.get("alpha", 1.0)
    return tg.relu(x) + tg.minimum(0.0, alpha * tg.expm1(x / alpha))


@operator
def Elu(a: Attributes, x: Any) -> Any:
    return tg.elu(x, a.get("alpha", 1.0))


@operator
def LeakyRelu(a: Attributes, x: Any) -> Any:
    return tg.leaky_relu(x, a.get("alpha", 0.01))


@operator
def Selu(a: Attributes, x: Any) -> Any:
    return a.get("gamma", 1.05070102214813232421875) * tg.elu(x, a.get("alpha", 1.67326319217681884765625))


@operator
def ThresholdedRelu(a: Attributes, x: Any) -> Any:
    return tg.where(x > a.get("alpha", 1.0), x, 0.0)


@operator
def HardSigmoid(a: Attributes, x: Any) -> Any:
    return (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clip(0.0, 1.0)


@operator
def Shrink(a: Attributes, x: Any) -> Any:
    bound, bias = a.get("lambd", 0.5), a.get("bias", 0.0)
    return tg.where(x < -bound, x + bias, tg.where(x > bound, x - bias, 0.0))


@operator
def Swish(a: Attributes, x: Any) -> Any:
    return x * tg.sigmoid(a.get("alpha", 1.0) * x)


@operator
def Gelu(a: Attributes, x: Any) -> Any:
    if a.get("approximate", b"none") == b"tanh":
        return 0.5 * x * (1 + tg.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))
    return tg.gelu(x)


@operator
def Softmax(a: Attributes, x: Any) -> Any:
    return tg.softmax(x, a.get("axis", -1))


@operator
def LogSoftmax(a: Attributes, x: Any) -> Any:
    return tg.log_softmax(x, a.get("axis", -1))


# -- reductions -----------------------------------------------------------------------------------------------------


def reduction(f: Callable[..., Any]) -> Operator:
    def reduce(a: Attributes, x: Any, axes: Any = None) -> Any:
        given = a.get("axes") if axes is None else axes.tolist()
        if given is None or len(given) == 0:
            if a.get("noop_with_empty_axes", 0):
                return f(x, (), True)
            given = range(x.ndim)
        return f(x, tuple(given), bool(a.get("keepdims", 1)))

    return reduce


OPERATORS |= {
    "ReduceSum": reduction(tg.sum),
    "ReduceMean": reduction(tg.mean),
    "ReduceMax": reduction(lambda x, *o: x.max(*o) if x.dtype != bool else x.any(*o)),
    "ReduceMin": reduction(lambda x, *o: x.min(*o) if x.dtype != bool else x.all(*o)),
    "ReduceProd": reduction(tg.prod),
    "ReduceL1": reduction(lambda x, axes, keep: tg.norm(x, 1, axes, keep)),
    "ReduceL2": reduction(lambda x, axes, keep: tg.norm(x, 2, axes, keep)),
    "ReduceLogSum": reduction(lambda x, *o: tg.log(tg.sum(x, *o))),
    "ReduceLogSumExp": reduction(tg.logsumexp),
    "ReduceSumSquare": reduction(lambda x, *o: tg.sum(tg.square(x), *o)),
}


def arg(find: Callable[..., Any]) -> Operator:
    def extreme(a: Attributes, x: Any) -> Any:
        axis = a.get("axis", 0)
        found = find(x, axis)
        if a.get("select_last_index", 0):
            found = x.shape[axis] - 1 - find(tg.flip(x, axis), axis)
        return np.expand_dims(found, axis) if a.get("keepdims", 1) else found

    return extreme


OPERATORS["ArgMax"], OPERATORS["ArgMin"] = arg(tg.argmax), arg(tg.argmin)


@operator
def CumSum(a: Attributes, x: Any, axis: Any) -> Any:
    along = int(axis.item()) % x.ndim
    if a.get("reverse", 0):
        x = tg.flip(x, along)
    y = tg.cumsum(x, along)
    if a.get("exclusive", 0):
        y = y - x
    return tg.flip(y, along) if a.get("reverse", 0) else y


@operator
def LpNormalization(a: Attributes, x: Any) -> Any:
    length = tg.norm(x, a.get("p", 2), a.get("axis", -1), keepdims=True)
    return tg.where(length == 0, 0.0, x / tg.where(length == 0, 1.0, length))


@operator
def MeanVarianceNormalization(a: Attributes, x: Any) -> Any:
    axes = tuple(a.get("axes", (0, 2, 3)))
    return (x - x.mean(axes, True)) / (x.std(axes, keepdims=True) + 1e-9)


@operator
def LayerNormalization(a: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    over = tuple(range(a.get("axis", -1) % x.ndim, x.ndim))
    mean, var = x.mean(over, True), x.var(over, keepdims=True)
    y = tg.layer_norm(x, weight, bias, axis=over, eps=a.get("epsilon", 1e-5))
    return y, mean, 1 / (var + a.get("epsilon", 1e-5)).sqrt()


@operator
def RMSNormalization(a: Attributes, x: Any, weight: Any) -> Any:
    over = tuple(range(a.get("axis", -1) % x.ndim, x.ndim))
    return x / (tg.square(x).mean(over, True) + a.get("epsilon", 1e-5)).sqrt() * weight


@operator
def InstanceNormalization(a: Attributes, x: Any, weight: Any, bias: Any) -> Any:
    shape = (-1, *[1] * (x.ndim - 2))
    y = tg.layer_norm(x, axis=tuple(range(2, x.ndim)), eps=a.get("epsilon", 1e-5))
    return y * weight.reshape(shape) + bias.reshape(shape)


@operator
def GroupNormalization(a: Attributes, x: Any, weight: Any, bias: Any) -> Any:
    groups = x.reshape(x.shape[0], a["num_groups"], -1)
    y = tg.layer_norm(groups, axis=-1, eps=a.get("epsilon", 1e-5)).reshape(x.shape)
    shape = (-1, *[1] * (x.ndim - 2))
    return y * weight.reshape(shape) + bias.reshape(shape)


@operator
def BatchNormalization(a: Attributes, x: Any, weight: Any, bias: Any, mean: Any, var: Any) -> Any:
    y = tg.moveaxis(x, 1, -1) if x.ndim > 1 else x
    means, variances = mean.numpy().copy(), var.numpy().copy()
    training = bool(a.get("training_mode", 0))
    y = tg.batch_norm(
        y, weight, bias, running_mean=means, running_var=variances, training=training,
        momentum=1 - a.get("momentum", 0.9), eps=a.get("epsilon", 1e-5),
    )  # fmt: skip
    y = tg.moveaxis(y, -1, 1)
    if not training:
        return y
    count = x.size // x.shape[1]  # ONNX keeps the biased variance, PyTorch, and so ours, the unbiased one
    share = 1 - a.get("momentum", 0.9)
    kept = var.numpy() * (1 - share)
    return y, means, kept + (variances - kept) * (count - 1) / count


# -- shapes and parts -------------------------------------------------------------------------------------------------


@operator
def Concat(a: Attributes, *xs: Any) -> Any:
    return tg.concatenate(xs, a["axis"])


@operator
def Transpose(a: Attributes, x: Any) -> Any:
    return tg.transpose(x, a.get("perm"))


@operator
def Flatten(a: Attributes, x: Any) -> Any:
    axis = a.get("axis", 1)
    rows = prod(x.shape[: axis + x.ndim if axis < 0 else axis])
    return x.reshape(rows, x.size // rows)


@operator
def Reshape(a: Attributes, x: Any, shape: Any) -> Any:
    wanted = shape.tolist()
    if not a.get("allowzero", 0):
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return x.reshape(tuple(wanted))


@operator
def Squeeze(a: Attributes, x: Any, axes: Any = None) -> Any:
    return tg.squeeze(x, None if axes is None else tuple(axes.tolist()))


@operator
def Unsqueeze(a: Attributes, x: Any, axes: Any) -> Any:
    return tg.expand_dims(x, tuple(axes.tolist()))


@operator
def Expand(a: Attributes, x: Any, shape: Any) -> Any:
    return tg.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.tolist())))


@operator
def Tile(a: Attributes, x: Any, repeats: Any) -> Any:
    return tg.tile(x, repeats.tolist())


@operator
def Gather(a: Attributes, x: Any, indices: Any) -> Any:
    return tg.take(x, indices, a.get("axis", 0))


@operator
def GatherElements(a: Attributes, x: Any, indices: Any) -> Any:
    index = list(np.indices(indices.shape))
    index[a.get("axis", 0)] = indices.numpy()
    return x[tuple(index)]


@operator
def GatherND(a: Attributes, x: Any, indices: Any) -> Any:
    if a.get("batch_dims", 0):
        return tg.stack([x[i][tuple(np.moveaxis(indices.numpy()[i], -1, 0))] for i in range(len(x))])
    return x[tuple(np.moveaxis(indices.numpy(), -1, 0))]


@operator
def Compress(a: Attributes, x: Any, condition: Any) -> Any:
    return tg.take(x, np.flatnonzero(condition.numpy()), a.get("axis"))


@operator
def Slice(a: Attributes, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    index: list[Any] = [slice(None)] * x.ndim
    count = len(starts)
    for axis, start, end, step in zip(
        range(count) if axes is None else axes.tolist(),
        starts.tolist(),
        ends.tolist(),
        [1] * count if steps is None else steps.tolist(),
        strict=True,
    ):
        low = None if step < 0 and end < -x.shape[axis] else end
        index[axis] = slice(start, low, step)
    return x[tuple(index)]


@operator
def Split(a: Attributes, x: Any, sizes: Any = None) -> Any:
    axis, size = a.get("axis", 0), x.shape[a.get("axis", 0)]
    if sizes is None:
        count = int(a.get("num_outputs") or a["outputs"])
        lengths = [-(-size // count)] * (count - 1)
    else:
        lengths = sizes.tolist()[:-1]
    return tuple(tg.split(x, np.cumsum(lengths).tolist(), axis))


@operator
def Pad(a: Attributes, x: Any, pads: Any, constant: Any = None, axes: Any = None) -> Any:
    given = pads.tolist()
    chosen = range(x.ndim) if axes is None else [i % x.ndim for i in axes.tolist()]
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(chosen):
        widths[axis] = given[i], given[i + len(chosen)]
    index = tuple(slice(max(-b, 0), n + min(e, 0)) for (b, e), n in zip(widths, x.shape, strict=True))
    widths = [(max(b, 0), max(e, 0)) for b, e in widths]
    mode = a.get("mode", b"constant").decode()
    if mode == "wrap":
        for axis, (before, after) in enumerate(widths):
            x = tg.take(x, np.arange(-before, x.shape[axis] + after) % x.shape[axis], axis)
        return x
    return tg.pad(x[index], widths, mode, 0.0 if constant is None else constant.item())


@operator
def DepthToSpace(a: Attributes, x: Any) -> Any:
    n, c, h, w = x.shape
    b = a["blocksize"]
    if a.get("mode", b"DCR") == b"DCR":
        return x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c // b**2, h * b, w * b)
    return x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // b**2, h * b, w * b)


@operator
def SpaceToDepth(a: Attributes, x: Any) -> Any:
    n, c, h, w = x.shape
    b = a["blocksize"]
    blocks = x.reshape(n, c, h // b, b, w // b, b)
    order = (0, 1, 3, 5, 2, 4) if a.get("mode") == b"CRD" else (0, 3, 5, 1, 2, 4)
    return blocks.transpose(order).reshape(n, c * b * b, h // b, w // b)


@operator
def Trilu(a: Attributes, x: Any, k: Any = None) -> Any:
    upper, shift = a.get("upper", 1), 0 if k is None else int(k.item())
    ones = np.ones(x.shape[-2:], bool)
    mask = np.triu(ones, shift) if upper else np.tril(ones, shift)
    return tg.where(mask, x, 0)


@operator
def Einsum(a: Attributes, *xs: Any) -> Any:
    return tg.einsum(a["equation"].decode(), *xs)


@operator
def Gemm(a: Attributes, x: Any, y: Any, c: Any = None) -> Any:
    out = a.get("alpha", 1.0) * ((x.T if a.get("transA", 0) else x) @ (y.T if a.get("transB", 0) else y))
    return out if c is None else out + a.get("beta", 1.0) * c


@operator
def OneHot(a: Attributes, indices: Any, depth: Any, values: Any) -> Any:
    classes = int(depth.item())
    rows = tg.one_hot(value(indices).astype(int) % classes, classes, value(values).dtype)
    return np.moveaxis(rows * (values[1].item() - values[0].item()) + values[0].item(), -1, a.get("axis", -1))


@operator
def Dropout(a: Attributes, x: Any, ratio: Any = None, training: Any = None) -> Any:
    y = tg.dropout(x, 0.5 if ratio is None else ratio.item(), training=training is not None and bool(training.item()))
    return y, np.ones(x.shape, bool)


# -- images -----------------------------------------------------------------------------------------------------------


def last(x: Any) -> Any:
    """Channels last: (N, C, H, W) to (N, H, W, C); one axis of pixels becomes two, of which the first has length 1."""
    return tg.moveaxis(x if x.ndim == 4 else tg.expand_dims(x, 2), 1, -1)


def first(y: Any, like: Any) -> Any:
    """Channels first, and as many axes as the input."""
    y = tg.moveaxis(y, -1, 1)
    return y if like.ndim == 4 else tg.squeeze(y, 2)


class Geometry:
    """The window of a node: size, stride, dilation, and the padding that its attributes come down to."""

    def __init__(self, a: Attributes, x: Any, size: Any, transposed: bool = False) -> None:
        axes = x.ndim - 2
        one = [1] * axes
        self.size, self.stride = list(size), list(a.get("strides", one))
        self.dilation, pads = list(a.get("dilations", one)), list(a.get("pads", [0] * 2 * axes))
        reach = [d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True)]
        auto = a.get("auto_pad", b"NOTSET")
        self.before, self.after = pads[:axes], pads[axes:]
        if auto in (b"SAME_UPPER", b"SAME_LOWER"):
            out = [-(-n // s) for n, s in zip(x.shape[2:], self.stride, strict=True)]
            total = [
                max((o - 1) * s + r - n, 0) for o, s, r, n in zip(out, self.stride, reach, x.shape[2:], strict=True)
            ]
            self.before = [t // 2 if auto == b"SAME_UPPER" else -(-t // 2) for t in total]
            self.after = [t - b for t, b in zip(total, self.before, strict=True)]
        self.extra = [0] * axes  # what ceil_mode adds at the end, so that the last window fits
        if a.get("ceil_mode", 0):
            for i, n in enumerate(x.shape[2:]):
                padded = n + self.before[i] + self.after[i]
                missing = -(padded - reach[i]) % self.stride[i]
                starts_inside = padded + missing - reach[i] < n + self.before[i]
                self.extra[i] = missing if starts_inside else 0
        for attribute, fill in (("size", 1), ("stride", 1), ("dilation", 1), ("before", 0), ("after", 0), ("extra", 0)):
            if axes == 1:
                setattr(self, attribute, [fill, *getattr(self, attribute)])

    def frame(self, x: Any, constant: float, extra: float | None = None) -> Any:
        """The images, channels last, in their frame; and what ceil_mode adds, of its own value."""
        x = tg.pad(x, ((0, 0), *zip(self.before, self.after, strict=True), (0, 0)), constant=constant)
        widths = ((0, 0), *((0, e) for e in self.extra), (0, 0))
        return tg.pad(x, widths, constant=constant if extra is None else extra)


@operator
def Conv(a: Attributes, x: Any, w: Any, b: Any = None) -> Any:
    g = Geometry(a, x, w.shape[2:])
    kernels = w.transpose(2, 3, 1, 0)
    y = tg.conv2d(g.frame(last(x), 0.0), kernels, b, stride=g.stride, dilation=g.dilation, groups=a.get("group", 1))
    return first(y, x)


@operator
def ConvTranspose(a: Attributes, x: Any, w: Any, b: Any = None) -> Any:
    g = Geometry({k: v for k, v in a.items() if k != "auto_pad"}, x, w.shape[2:])
    groups = a.get("group", 1)
    w = w if x.ndim == 4 else tg.expand_dims(w, 2)
    kernels = w.transpose(2, 3, 1, 0)  # (F, C / groups, KH, KW), as conv2d's would be
    extra = a.get("output_padding", [0] * (x.ndim - 2))
    images, (before, after) = last(x), (list(g.before), list(g.after))
    full = [
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip(images.shape[1:3], g.stride, g.dilation, g.size, strict=True)
    ]
    y = tg.conv_transpose2d(images, kernels, stride=g.stride, dilation=g.dilation, groups=groups)
    extra = [*[0] * (4 - x.ndim), *extra]
    shape = a.get("output_shape")
    if shape is not None or a.get("auto_pad", b"NOTSET") != b"NOTSET":
        wanted = shape or [n * s for n, s in zip(images.shape[1:3], g.stride, strict=True)]
        extra = [max(e, n - f) for e, n, f in zip(extra, wanted, full, strict=True)]
        total = [f + e - n for f, e, n in zip(full, extra, wanted, strict=True)]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        upper = a.get("auto_pad") == b"SAME_UPPER" or a.get("auto_pad", b"NOTSET") == b"NOTSET"
        before, after = (small, large) if upper else (large, small)
    y = tg.pad(y, ((0, 0), *((0, max(e - p, 0)) for e, p in zip(extra, after, strict=True)), (0, 0)))
    ends = [n - max(p - e, 0) for n, p, e in zip(full, after, extra, strict=True)]
    ends = [max(n, f + e - p) for n, f, e, p in zip(ends, full, extra, after, strict=True)]
    y = y[:, before[0] : ends[0], before[1] : ends[1]]
    return first(y if b is None else y + b, x)


@operator
def MaxPool(a: Attributes, x: Any) -> Any:
    g = Geometry(a, x, a["kernel_shape"])
    framed = g.frame(last(x.astype(np.float32)), -np.inf)
    if g.dilation == [1, 1]:
        return first(tg.max_pool2d(framed, g.size, g.stride), x).astype(x.dtype)
    n, h, w, c = framed.shape
    oh, ow = ((m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip((h, w), g.size, g.stride, g.dilation, strict=True))
    windows = tg.im2col(framed, g.size, g.stride, 0, g.dilation).reshape(n, oh, ow, -1, c)
    return first(windows.max(3), x).astype(x.dtype)


@operator
def AveragePool(a: Attributes, x: Any) -> Any:
    """The sum of each window, and how many of its pixels count, both by our convolution with ones."""
    g = Geometry(a, x, a["kernel_shape"])
    images, c = last(x), x.shape[1]
    ones = np.ones((*g.size, 1, c), np.float32)
    options = {"stride": g.stride, "dilation": g.dilation, "groups": c}
    total = tg.conv2d(g.frame(images, 0.0), ones, **options)
    outside = float(a.get("count_include_pad", 0))
    count = tg.conv2d(g.frame(Tensor(np.ones(images.shape, np.float32)), outside, 0.0), ones, **options)
    mean = total / count
    half = all(2 * p <= k for p, k in zip(g.before, g.size, strict=True))  # more padding than that ours refuses
    plain = g.dilation == [1, 1] and g.before == g.after and not any(g.extra) and (outside == 0 or not any(g.before))
    if plain and half:
        return first(tg.avg_pool2d(images, g.size, g.stride, tuple(g.before)), x)  # where ours has it
    return first(mean, x)


@operator
def LpPool(a: Attributes, x: Any) -> Any:
    p = a.get("p", 2)
    powers = AveragePool({**a, "count_include_pad": 1}, x.abs() ** p)
    g = Geometry(a, x, a["kernel_shape"])
    return (powers * prod(g.size)) ** (1 / p)


@operator
def GlobalAveragePool(a: Attributes, x: Any) -> Any:
    return tg.global_avg_pool2d(last(x)).reshape(*x.shape[:2], 1, 1)


@operator
def GlobalMaxPool(a: Attributes, x: Any) -> Any:
    return tg.global_max_pool2d(last(x)).reshape(*x.shape[:2], 1, 1)


@operator
def Col2Im(a: Attributes, x: Any, image: Any, block: Any) -> Any:
    g = Geometry(a, np.empty((1, 1, *image.tolist())), block.tolist())
    n, kc, positions = x.shape
    taps = prod(g.size)
    c = kc // taps
    columns = x.reshape(n, c, taps, positions).transpose(0, 3, 2, 1).reshape(n * positions, taps * c)
    y = tg.col2im(columns, (n, *image.tolist(), c), g.size, g.stride, tuple(g.before), g.dilation)
    return tg.moveaxis(y, -1, 1)


@operator
def Resize(a: Attributes, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    axes = [i % x.ndim for i in a.get("axes", range(x.ndim))]
    factors = dict.fromkeys(range(x.ndim), 1.0)
    for i, axis in enumerate(axes):
        factors[axis] = scales.tolist()[i] if scales is not None else sizes.tolist()[i] / x.shape[axis]
    return tg.moveaxis(tg.upsample2d(last(x), (int(factors[2]), int(factors[3]))), -1, 1)


@operator
def Upsample(a: Attributes, x: Any, scales: Any) -> Any:
    return Resize(a, x, None, scales)


# -- losses ------------------------------------------------------------------------------------------------------------


def reduced(a: Attributes, logs: Any, labels: Any, weights: Any) -> Any:
    """The loss of log-probabilities (N, C, ...) at labels (N, ...), in which some labels may be ignored."""
    rows, picked = tg.moveaxis(logs, 1, -1), labels.numpy()
    ignored = picked == a["ignore_index"] if "ignore_index" in a else np.zeros(picked.shape, bool)
    picked = np.where(ignored, 0, picked)
    each = -(rows * tg.one_hot(picked, rows.shape[-1])).sum(-1)
    weight = (np.ones(picked.shape, np.float32) if weights is None else weights.numpy()[picked]) * ~ignored
    loss = each * weight
    match a.get("reduction", b"mean"):
        case b"none":
            return loss
        case b"sum":
            return loss.sum()
    return loss.sum() / weight.sum()


@operator
def NegativeLogLikelihoodLoss(a: Attributes, logs: Any, labels: Any, weights: Any = None) -> Any:
    return reduced(a, logs, labels, weights)


@operator
def SoftmaxCrossEntropyLoss(a: Attributes, x: Any, labels: Any, weights: Any = None) -> Any:
    logs = tg.log_softmax(x, 1)
    loss = reduced(a, logs, labels, weights)
    if "ignore_index" not in a:  # our own loss says the same
        own = tg.cross_entropy(
            tg.moveaxis(x, 1, -1), labels, class_weights=weights, reduction=a.get("reduction", b"mean").decode()
        )
        np.testing.assert_allclose(own.numpy(), loss.numpy(), rtol=1e-5)
    return loss, logs
