"""Convolution and pooling on plain arrays: ndarray in, ndarray out. Nothing here knows of gradients or tensors.

Shapes throughout: images ``(N, H, W, C)``, kernels ``(KH, KW, C / groups, F)``, results ``(N, OH, OW, F)``.
Sizes, strides, paddings and dilations are pairs (rows, columns). The dtype that comes in goes out; inputs are never
written to; loops in Python go over the taps of a kernel and the tiles of a batch, and over nothing else.

- ``plan``: which lowering a convolution gets, and why; :func:`explain` says it in words, ``docs/kernels.md`` draws it
- ``convolution``: the three maps, tile by tile, by the lowering that was planned
- ``pixels``, ``strips``, ``winograd``, ``depthwise``, ``full``: the lowerings; ``lowering``: what they share
- ``matrix``: products of matrices; ``channels``: numbers for each channel; ``batch_norm``, ``layer_norm``
- ``pooling``, ``elementwise``: passes over images; ``classes``: cross-entropy
- ``memory``: arrays from memory that is used again; ``threads``: slices of a batch on all cores;
  ``blas``: the library behind NumPy's matrix products
"""

from tensorgrad.kernels.explanation import explain

__all__ = ["explain"]


def __dir__() -> list[str]:
    return sorted(__all__)
