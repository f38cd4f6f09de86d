"""Which lowering a convolution gets: decided once, by its shape, its dtype, the threads and the BLAS.

The lowerings themselves choose nothing: each is handed a :class:`Plan`. Each branch has the measurement that justifies
it beside it: milliseconds on one thread, for 32 images in float32 unless it says otherwise. ``docs/kernels.md`` draws
the lowerings; :func:`tensorgrad.kernels.explain` says which one a convolution gets.

Infinities and NaN are the one matter that data decides and not a plan: they would spread beyond their own windows in
Winograd's sums and in blocks of windows. Such a plan has another one with it, ``if_not_finite``, and
:func:`tensorgrad.kernels.convolution.conv2d` looks at each tile of images and takes that one where it must.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np

from tensorgrad.kernels import blas
from tensorgrad.kernels.lowering import NO_FRAME, Pair, output_sizes
from tensorgrad.kernels.threads import PASS, get_num_threads, share_out

ONE: Pair = (1, 1)
KEPT = 1024  # plans; a network needs up to three per convolution and size of batch
TILE = 3 << 20  # bytes of lowered images and results in one tile: more is no faster, a third of it 10 % slower
VECTOR = 64  # bytes of a vector register
PAIRS = 384  # of windows in a tile: at 392, Winograd takes 0.8 of the time of strips; at 256, with 64 channels, 1.1
NARROW = 2  # times fewer channels than images have: a gradient that is lowered in their place, for that by the weights
FEW_CHANNELS = 2  # up to which full im2col is written tap by tap, that is transposed
FEW_FILTERS = 4  # up to which products of pixels and taps are shifted
PIXELS = 512  # of the result in one product, for the weights' gradient; adding up more products costs a few percent
SMALL_PRODUCT = 1_000_000  # multiply-adds up to which OpenBLAS multiplies without packing, where it can

Lowering = Literal["pixels", "strips", "winograd", "shifted", "depthwise", "full", "groups"]


class Geometry(NamedTuple):
    """A convolution, apart from its batch."""

    image: tuple[int, int, int]  # (H, W, C), with the frame around it
    size: Pair  # of a kernel, (KH, KW)
    filters: int
    stride: Pair
    dilation: Pair
    groups: int
    dtype: np.dtype[Any]

    @property
    def out(self) -> Pair:
        """Windows along (rows, columns): ``(OH, OW)``."""
        return output_sizes(self.image[:2], self.size, self.stride, NO_FRAME, self.dilation)


class Pieces(NamedTuple):
    """How the result of a matrix product is cut, so that BLAS need not pack the operands of a piece."""

    rows: int
    columns: int


class Columns(NamedTuple):
    """Columns of the result that are computed by the same kind of matrix product."""

    first: int
    stop: int
    block: int  # windows side by side that share a row of a matrix
    together: bool  # whether the windows of all images of a tile make one matrix, or those of each image
    pieces: Pieces | None  # of each product; None where it stays whole
    pixels: int = 0  # of the result, that one product adds up for the weights' gradient, image by image


class Plan(NamedTuple):
    """How to compute a convolution, or its gradient by the weights."""

    lowering: Lowering
    why: str
    geometry: Geometry
    images: int  # in a tile
    work: float  # for one image, in multiply-adds
    out: Pair  # windows along (rows, columns): (OH, OW)
    columns: tuple[Columns, ...] = ()  # where the lowering makes matrices of a tile's rows
    if_not_finite: Plan | None = None  # the plan for a tile with an infinity or NaN in it
    each: Plan | None = None  # of groups: the plan for one of them

    @property
    def of_group(self) -> Plan:
        """The plan for one group of channels: this one, where all channels are one group."""
        return self.each or self


def plan(n: int, geometry: Geometry, by_weights: bool = False, in_place: bool = True) -> Plan:
    """How to convolve ``n`` images.

    Parameters
    ----------
    n : images in the batch.
    geometry : the convolution.
    by_weights : whether the gradient by the weights is wanted, and not the result.
    in_place : whether the result is one piece of memory, so that products can be written to it.

    """
    small = blas.multiplies_small_matrices_as_they_are()
    return _plan(n, geometry, by_weights, in_place, get_num_threads(), small)


@lru_cache(KEPT)
def _plan(n: int, geometry: Geometry, by_weights: bool, in_place: bool, _threads: int, small: bool) -> Plan:
    (_, _, c), (kh, kw), filters, stride, dilation, groups, dtype = geometry
    oh, ow = geometry.out
    depthwise = groups == c == filters and groups > 1 and dilation == ONE
    block = _block(kw * c, filters, dtype.itemsize, small) if ow > 1 and (in_place or by_weights) else 1
    why_full = _why_full(geometry, in_place, block, small)
    # Depthwise tiles hold no copies, so they are larger than strips': 32 x 32 x 32 by the weights takes 2.8, not 4.1.
    copied = prod(geometry.image) * (1 if depthwise else kw)  # numbers, for one image
    shifted = why_full is None and not by_weights and _shifting_pays(geometry, small)
    if shifted:
        copied = prod(geometry.image[:2]) * kh * kw * filters
    lowered, results = copied if why_full is None else oh * ow * kh * kw * c, oh * ow * filters
    work = results * kh * kw * (c // groups) + (lowered + results) * PASS
    _, images = share_out(n, TILE // max((lowered + results) * dtype.itemsize, 1), work)

    def planned(lowering: Lowering, why: str, columns: tuple[Columns, ...] = (), other: Plan | None = None) -> Plan:
        return Plan(lowering, why, geometry, images, work, (oh, ow), columns, other)

    if depthwise:
        # 32 x 32 x 32, 3 x 3: 1.4; 3.7 in passes of np.multiply and np.add, 17 as a stack of matrix products.
        return planned("depthwise", "each channel has a kernel of its own, so there is nothing for a matrix product")
    tile = -(-n // max(-(-n // max(images, 1)), 1))  # images in the largest tile
    if groups > 1:
        # 32 x 32 x 32 in 4 groups, 3 x 3: 9; 15 over full im2col, 12 in one group, with 4 times the arithmetic.
        part = geometry._replace(image=(*geometry.image[:2], c // groups), filters=filters // groups, groups=1)
        made = planned("groups", "groups share no channel, so each is a convolution of its own")
        each = plan(tile, part, by_weights)
        other = each.if_not_finite and made._replace(each=each.if_not_finite)
        return made._replace(each=each, if_not_finite=other)

    if (kh, kw) == stride == dilation == ONE and (in_place or by_weights):
        together = not small
        pieces = None if by_weights else pieces_of((tile if together else 1) * oh * ow, c, filters)
        return planned(
            "pixels", "a window is one pixel, so images are matrices already", (Columns(0, ow, 1, together, pieces),)
        )

    if why_full is not None:
        return planned("full", why_full)
    if shifted:
        return planned("shifted", "few filters: products of pixels and taps are fewer numbers than windows")

    def columns(first: int, stop: int, block: int) -> Columns:
        blocks, k, width = (stop - first) // block, kh * ((block - 1) * stride[1] + kw) * c, block * filters
        together = _together(blocks, k, width * dtype.itemsize, small)
        if not by_weights:
            return Columns(first, stop, block, together, pieces_of((tile if together else 1) * blocks, k, width))
        rows, pixels = k // kh, oh * blocks
        if not _is_small(rows, pixels, width):
            pixels = min(pixels, PIXELS)
        return Columns(first, stop, block, together, None if together else pieces_of(rows, pixels, width), pixels)

    plain = planned("strips", "an image is copied KW times, and not KH KW times", (columns(0, ow, 1),))
    if block > 1:
        cut = ow - ow % block
        parts = (columns(0, cut, block), *((columns(cut, ow, 1),) if cut < ow else ()))
        why = f"few numbers meet in a window, so {block} of them share a row of a matrix"
        return planned("strips", why, parts, None if by_weights else plain)
    pairs = -(-ow // 2)
    if _winograd_pays(c, filters, tile * oh * pairs, small) and kw == 3 and stride == ONE and dtype.char in "fd":
        pieces = pieces_of(tile * pairs, kh * c, filters)
        why = "many channels meet many filters: products save a third of their work, and sums cost less"
        return planned("winograd", why, (Columns(0, ow, 2, True, pieces),), plain)
    return plain


def gradient_is_narrow(image: tuple[int, ...], result: tuple[int, ...]) -> bool:
    """Whether to lower the gradient of the result, and not the images, for the gradient by the weights.

    A lowering copies what it lowers, and BLAS packs the windows once more. So the narrower of the two is lowered, if it
    is narrower by so much that the larger frame around it does not matter. Images and results are (H, W, C). With AVX2,
    that takes this part of the time of windows of the images::

        32 x 32 x 24 to 8; 16 x 16 x 48 to 16               0.73  0.80
        16 x 16 x 64 to 3; 32 x 32 x 16 to 1                0.40  0.38
        16 x 16 x 32 to 16; 8 x 8 x 64 to 32                0.83  0.90
        without padding, 26 x 26 x 16 to 8; 8 to 4          1.01  1.07
    """
    (h, w, c), (oh, ow, f) = image, result
    return c * oh * ow >= NARROW * f * h * w and not blas.multiplies_small_matrices_as_they_are()


def gradient_suits_both(image: tuple[int, ...], result: tuple[int, ...]) -> bool:
    """Whether windows of the gradient of the result serve for both gradients, by the images and by the weights.

    Those by the images need them in any case; those by the weights then need no windows of the images. It pays where
    the result has no fewer pixels, in its larger frame, and not many more channels. With AVX2, both gradients of 32
    images take this part of the time of windows of each::

        32 x 32 x 16 to 16; 16 x 16 x 32 to 32; 8 x 8 x 64 to 64    0.93  0.93  0.90
        32 x 32 x 8 to 8; 32 x 32 x 24 to 8; 12 x 12 x 24 to 24     0.91  0.92  0.94
        16 x 16 x 16 to 32; 14 x 14 x 6 to 16, kernel 5 x 5         1.01  1.17
        without padding, 26 x 26 x 8 to 16; 26 x 26 x 4 to 8        1.13  1.03
    """
    (h, w, c), (oh, ow, f) = image, result
    return oh * ow >= h * w and f < 2 * c and not blas.multiplies_small_matrices_as_they_are()


def _why_full(geometry: Geometry, in_place: bool, block: int, small: bool) -> str | None:
    """Why to take full im2col; None where it does not pay.

    Dilated taps leave no choice: a convolution of every second pixel, four times, takes as long. Otherwise strips copy
    less, but make a product for each row of the result, whose operands most BLAS copy once more. With AVX2, full im2col
    takes this part of their time, for the result and by the weights::

        20 x 24 x 1 to 24; 40 x 40 x 1 to 16                0.75  0.67; 0.65  0.58
        32 x 32 x 2 to 16                                   0.86  0.69
        32 x 32 x 16 to 32, kernel 1 x 1, stride 2          0.71  0.61
        1 x 128 x 8 to 16, kernel 1 x 3                     0.68  0.55

    With three channels, or kernels of 3 x 3 and stride 2, it is 0.9 to 1.1, and so it is with blocks of windows.
    """
    if geometry.dilation != ONE:
        return "its taps are dilated"
    if small or not in_place:
        return None
    if geometry.size[0] == 1:
        return "a window is one run of pixels, so strips would copy as much"
    if geometry.image[2] <= FEW_CHANNELS and block == 1:
        return "few channels make short runs, so windows are copied tap by tap"
    return None


def _shifting_pays(geometry: Geometry, small: bool) -> bool:
    """Whether to add up products of pixels and taps, which are F numbers for each tap where a window has C.

    With AVX2 and kernels of 3 x 3, that takes this part of the time of strips::

        32 x 32 x 16 to 1; 28 x 28 x 8 to 1                 0.39  0.49
        16 x 16 x 64 to 3; 32 x 32 x 16 to 3                0.46  0.71
        32 x 32 x 32 to 4; 14 x 14 x 32 to 4                0.80  0.78
        32 x 32 x 16 to 4; 16 x 16 x 40 to 8                1.02  0.90
        32 x 32 x 8 to 8; 10 x 12 x 24 to 24                1.6   1.9
    """
    channels, filters = geometry.image[2], geometry.filters
    plain = geometry.stride == geometry.dilation == ONE and geometry.groups == 1 and geometry.size != ONE
    return plain and not small and filters <= FEW_FILTERS and channels >= 5 * filters


def _block(run: int, filters: int, itemsize: int, small: bool) -> int:
    """How many windows to take side by side: two where filters are few, or both sides of the product short, else one.

    28 x 28 x 1 to 8 filters: 0.05 against 0.10. 26 x 26 x 4 to 8: 0.11 against 0.22. A whole step of training takes
    1.04 to 1.28 times as long without blocks in the four experiments, and 1.2 in LeNet-5, with AVX2. With longer runs,
    26 x 26 x 16 to 8 filters, two by two are no faster than one by one: 0.92 against 0.88.
    """
    short = max(run, 2 * filters) * itemsize <= VECTOR
    few = filters * itemsize < VECTOR // (3 if small else 2)
    return 2 if short or few else 1


def _together(blocks: int, k: int, width: int, small: bool) -> bool:
    """Whether to multiply the windows of all images at once; ``width`` is that of a product, in bytes.

    Where BLAS has kernels for small matrices, that pays for products that are low (10 x 10 windows of 5 x 5 x 6, 16
    filters: 0.10 against 0.15) or narrow (26 x 26 x 8 to 4 filters: 0.12 against 0.19). Otherwise it always does:
    16 x 16 x 64 to 64 filters run at 112 GFLOP/s against 90.
    """
    low, narrow = blocks < 16 and k >= 64, 2 * width <= VECTOR
    return low or narrow or not small


def _winograd_pays(channels: int, filters: int, pairs: int, small: bool) -> bool:
    """Whether Winograd is faster than strips.

    It takes this part of their time, forward and by the weights::

                                            AVX-512         AVX2
        16 x 32 x 32 x 64 to 64             0.85  0.87      0.77  0.76
        32 x 14 x 14 x 128 to 128           0.86  0.73      0.79  0.70
        32 x 32 x 32 x 32 to 32             0.96  0.96      0.84  0.81

    A step of training of the VGG-like net takes 1.07 times as long without it (AVX2). Products save the more, the more
    channels meet the more filters; sums cost the same for each channel and filter.
    """
    return channels * filters >= (32 if small else 15) * (channels + filters) and pairs >= PAIRS


def pieces_of(m: int, k: int, n: int, left_in_order: bool = True, right_in_order: bool = True) -> Pieces | None:
    """How to cut the product of m x k by k x n; None if it is faster whole. An operand not in order is a transpose.

    With AVX-512, OpenBLAS multiplies matrices as they are in products of up to a million multiply-adds; of others it
    makes copies first. So pieces of that size are faster, if they have enough rows::

                                               whole     in pieces
            16 x 1152 by 1152 x 128            0.064     0.045    64 columns by 13 rows
            9216 x 256 by 256 x 10             0.88      0.47     all columns by 390 rows
            256 x 2304 by 2304 x 256           1.5       2.2      64 columns by 6 rows: too few, so it stays whole
            256 x 10 by the transpose of 9216 x 10
                                               1.34      0.54     390 columns by 256 rows
    """
    if _is_small(m, k, n) or not blas.multiplies_small_matrices_as_they_are():
        return None
    if right_in_order:
        rows, columns = SMALL_PRODUCT // (k * min(n, 64)), 64
        worth_it = rows >= (8 if m <= 64 else 16) and (left_in_order or k <= 512)  # else each goes over all of the left
    else:  # as in the gradient of a fully connected layer's input
        rows = min(m, 256)
        columns = SMALL_PRODUCT // (rows * k)
        worth_it = k <= 16
    return Pieces(rows, columns) if worth_it else None


def _is_small(m: int, k: int, n: int) -> bool:
    return m * k * n <= SMALL_PRODUCT
