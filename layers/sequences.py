"""Conv1d and Pool1d: layers of sequences ``(length, channels)``, which are images one pixel wide."""

from __future__ import annotations

from typing import Any

from tensorgrad import functional
from tensorgrad.checks import flag, one_of, whole
from tensorgrad.functional.padding import explicit, frame
from tensorgrad.functional.pooling import POOLINGS, pool2d, pooling_frame
from tensorgrad.initializers import Draw
from tensorgrad.kernels.lowering import Frame, Pair, output_sizes
from tensorgrad.layers.convolutional import Convolutional
from tensorgrad.layers.geometry import windows_see
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.receptive_field import Field
from tensorgrad.layers.shapes import Shape, as_tuple, check_shape, phrase
from tensorgrad.tensor import Tensor, TensorLike

Sides = int | str | tuple[int, int] | None  # of padding: "valid", "keep", both sides or (before, after)


class Conv1d(Convolutional):
    """A convolution over sequences: ``activation(conv1d(x, weights) + biases)``.

    Parameters
    ----------
    input_shape : (length, channels), optional
        Of one sequence; found out when the layer is added to a model.
    filters : int
        How many kernels, and so how many channels the output has.
    kernel_size : int
        Steps of a kernel.
    isbias : bool
        Whether each filter has a bias.
    activation : str, optional
        A name from ``tensorgrad.functional.ACTIVATIONS``.
    stride : int
        Steps from one window to the next.
    padding : None, "valid", "keep", int or (before, after)
        Zeros around the sequence: none, as many as give ``ceil(length / stride)`` steps, or a number. With
        ``(dilation * (kernel_size - 1), 0)`` no output sees what comes later.
    kernel : array_like, shape=(K, channels / groups, filters), optional
        The weights to start with, instead of random ones.
    bias : array_like, shape=(filters,), optional
        The biases to start with, instead of zeros.
    dilation : int
        Steps from one tap of the kernel to the next.
    groups : int
        Cut channels and filters into that many groups, each convolved on its own.
    initializer : str or callable, optional
        How weights and biases start: a name of ``tensorgrad.initializers.INITIALIZERS``, such as "he", "glorot" or
        "torch", or a function ``f(shape, rng)`` that returns the weights. Default: by the activation, see
        docs/initialization.md.
    """

    rank = 2
    kernel_size: int
    stride: int

    def __init__(
        self,
        input_shape: Shape | None = None,
        filters: int = 1,
        kernel_size: int = 3,
        isbias: bool = True,
        activation: str | None = None,
        stride: int = 1,
        padding: Sides = None,
        kernel: TensorLike | None = None,
        bias: TensorLike | None = None,
        dilation: int = 1,
        groups: int = 1,
        initializer: str | Draw | None = None,
    ) -> None:
        super().__init__(filters, groups, activation, isbias, kernel, bias, initializer)
        self.kernel_size = whole(kernel_size, "Conv1d", "kernel_size")
        self.stride = whole(stride, "Conv1d", "stride")
        self.dilation = whole(dilation, "Conv1d", "dilation")
        self.padding = padding
        explicit(_rows(padding), "Conv1d")
        if input_shape is not None:
            self.input_shape = check_shape(input_shape, "Conv1d")
            self.output_shape = self.infer_shape(self.input_shape)

    def weight_shape(self, input_shape: Shape) -> tuple[int, ...]:
        """``(K, channels / groups, filters)``."""
        return (self.kernel_size, as_tuple(input_shape)[1] // self.groups, self.filters)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(length, filters)``; samples must be sequences that hold at least one window."""
        length, channels = _sequence(input_shape, self.title)
        self.check_channels(channels)
        size, stride, dilation = self._as_images()
        steps, _ = output_sizes((length, 1), size, stride, self.frame_of(length), dilation)
        _check_fit(self.title, self.dilation * (self.kernel_size - 1) + 1, length, steps)
        return steps, self.filters

    def affine(self, x: Tensor, activation: str | None) -> Tensor:
        """Convolve, add the biases, and apply the activation."""
        n, length, channels = x.shape
        size, stride, dilation = self._as_images()
        y = functional.conv2d(
            x.reshape((n, length, 1, channels)),
            self._weights.reshape((*size, *self._weights.shape[1:])),
            self._biases,
            stride=stride,
            padding=self.frame_of(length),
            dilation=dilation,
            groups=self.groups,
            activation=activation,
        )
        return y.reshape((n, y.shape[1], self.filters))

    def see(self, field: Field) -> Field:
        """What the windows see."""
        size, stride, dilation = self._as_images()
        return windows_see(field, size, stride, self.frame_of(len(field.rows.first)), dilation)

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output and of the padded input, and the window's geometry."""
        geometry = (self.kernel_size, self.stride, self.dilation)
        return (*super().extents(), _padded_extent(self), *geometry)

    def _as_images(self) -> tuple[Pair, Pair, Pair]:
        return (self.kernel_size, 1), (self.stride, 1), (self.dilation, 1)

    def frame_of(self, length: int) -> Frame:
        """The steps before and after a sequence of this length, as of an image of one column."""
        size, stride, dilation = self._as_images()
        return frame(_rows(self.padding), self.title, (length, 1), size, stride, dilation)


class Pool1d(Layer):
    """Shorten sequences: one step for each window, channel by channel.

    Parameters
    ----------
    kernel_size : int
        The window.
    stride : int, optional
        Steps from one window to the next; by default the window's size.
    kind : "max", "min", "average" or another name from ``tensorgrad.functional.POOLINGS``
    padding : None, "valid", "keep", int or (before, after)
        Steps around the sequence, fewer than the window has. They never win a max or min, and an average does not count
        them.
    ceil_mode : bool
        Whether to add a last window for steps that would be dropped.
    """

    rank = 2
    family = "resampling"
    changeable = ("kind",)

    def __init__(
        self,
        kernel_size: int = 2,
        stride: int | None = None,
        kind: str = "max",
        padding: Sides = None,
        ceil_mode: bool = False,
    ) -> None:
        one_of(kind, POOLINGS, "Pool1d", "kind")
        self.kind = kind
        self.kernel_size = whole(kernel_size, "Pool1d", "kernel_size")
        self.stride = self.kernel_size if stride is None else whole(stride, "Pool1d", "stride")
        self.padding = padding
        self.ceil_mode = flag(ceil_mode, "Pool1d", "ceil_mode")
        if explicit(_rows(padding), "Pool1d") is not None:
            self.frame_of(self.kernel_size)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(length, channels)``; samples must be sequences that hold at least one window."""
        length, channels = _sequence(input_shape, self.title)
        steps, _ = output_sizes((length, 1), (self.kernel_size, 1), (self.stride, 1), self.frame_of(length), (1, 1))
        _check_fit(self.title, self.kernel_size, length, steps)
        return steps, channels

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Pool each window."""
        n, length, channels = x.shape
        images = x.reshape((n, length, 1, channels))
        y = pool2d(self.kind, images, (self.kernel_size, 1), (self.stride, 1), self.frame_of(length))
        return y.reshape((n, y.shape[1], channels))

    def describe(self) -> str:
        """Such as ``"max of 3, stride 2"``; the stride is left out where windows neither overlap nor gap."""
        return phrase(
            f"{self.kind} of {self.kernel_size}", "" if self.stride == self.kernel_size else f"stride {self.stride}"
        )

    def see(self, field: Field) -> Field:
        """What the windows see."""
        return windows_see(field, (self.kernel_size, 1), (self.stride, 1), self.frame_of(len(field.rows.first)))

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output and of the padded input, and the window's geometry."""
        return (*super().extents(), _padded_extent(self), self.kernel_size, self.stride)

    def frame_of(self, length: int) -> Frame:
        """The steps before and after a sequence of this length, as of an image of one column."""
        size, stride = (self.kernel_size, 1), (self.stride, 1)
        return pooling_frame(_rows(self.padding), self.title, (length, 1), size, stride, self.ceil_mode)


def _rows(padding: Sides) -> Any:
    """A sequence's padding as an image's."""
    if isinstance(padding, int) and not isinstance(padding, bool):
        padding = (padding, padding)
    return padding if padding is None or isinstance(padding, str) else (padding, (0, 0))


def _sequence(shape: Shape, title: str) -> tuple[int, int]:
    items = as_tuple(shape)
    if len(items) != 2:
        raise ValueError(f"{title}: expected sequences (length, channels), received samples of shape {items}")
    return items[0], items[1]


def _check_fit(title: str, size: int, length: int, steps: int) -> None:
    if steps < 1:
        raise ValueError(
            f"{title}: a window of {size} steps does not fit the sequence of {length} that it receives; use a smaller "
            "kernel or stride, or more padding"
        )


def _padded_extent(layer: Conv1d | Pool1d) -> int:
    """How many numbers a padded sequence has."""
    items = as_tuple(layer.input_shape or ())
    length, channels = items if len(items) == 2 else (1, 1)
    return (length + sum(layer.frame_of(length)[0])) * channels
