"""From pixels to a network's input."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK = 256  # images; in float64 they fit a core's cache, and 60,000 images never exist in float64


def standardize(images: ArrayLike) -> NDArray[np.float32]:
    """Give each image, by itself, the mean 0 and the standard deviation 1: ``(x - mean) / std``.

    Computed in float64, a block of images at a time. An image of one colour throughout becomes zeros.

    Parameters
    ----------
    images : array_like, shape=(N, H, W) or (N, H, W, C)
        Of integers or floats. The mean and the standard deviation are over all of an image's numbers.

    Returns
    -------
    ndarray of float32, shape=(N, H, W, 1) or (N, H, W, C)

    Raises
    ------
    ValueError
        If the shape is wrong, or an image contains NaN, infinities, or numbers whose squares overflow.

    Examples
    --------
    >>> standardize([[[0, 255], [0, 255]]])[0, :, :, 0]
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)

    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or images.dtype.kind not in "biuf":
        raise ValueError(
            "standardize: expected numbers of shape (N, H, W) or (N, H, W, C), "
            f"received {images.dtype} of shape {images.shape}; one image alone is images[np.newaxis]"
        )
    shape = images.shape if images.ndim == 4 else (*images.shape, 1)
    result = np.empty(shape, np.float32)
    if not result.size:
        return result
    flat = images.reshape(len(images), -1)  # (N, H·W·C)
    flat_result = result.reshape(flat.shape)
    for start in range(0, len(images), _BLOCK):
        part = slice(start, start + _BLOCK)
        block = flat[part].astype(np.float64)
        with np.errstate(all="ignore"):  # what is not finite is reported below, by number
            block -= block[:, :1].copy()  # exactly zero where all pixels are equal, whatever the rounding of a mean
            block -= block.mean(axis=1, keepdims=True)
            std = np.sqrt(np.einsum("np,np->n", block, block) / block.shape[1])
        if not np.isfinite(std).all():
            wrong = start + int(np.argmin(np.isfinite(std)))
            raise ValueError(
                f"standardize: image {wrong} contains NaN, infinities, or numbers too large to square; "
                "find such images by ~np.isfinite(images).all(axis=(1, 2)) and drop or repair them"
            )
        np.divide(block, np.where(std > 0, std, 1.0)[:, np.newaxis], out=flat_result[part], casting="same_kind")
    return result
