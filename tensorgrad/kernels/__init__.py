"""Convolution and pooling on plain arrays: ndarray in, ndarray out. Nothing here knows of gradients or tensors.

Shapes throughout: images ``(N, H, W, C)``, kernels ``(KH, KW, C / groups, F)``, results ``(N, OH, OW, F)``.
Sizes, strides, paddings and dilations are pairs (rows, columns). The dtype that comes in goes out; inputs are never
written to; loops in Python go over the taps of a kernel and the tiles of a batch, and over nothing else.

- ``convolution``: the three maps, and the choice between ``strips``, ``depthwise`` and ``full``, which do the work
- ``lowering``: from images to matrices, drawn
- ``pooling``, ``elementwise``: passes over images
- ``memory``: arrays from memory that is used again; ``threads``: slices of a batch on all cores;
  ``blas``: the library behind NumPy's matrix products
"""
