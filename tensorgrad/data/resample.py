"""Resampling of images: where each pixel of the result comes from, and its value there."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def affine_coordinates(height: int, width: int, angle: Floats, zoom: Floats, shift: Floats) -> tuple[Floats, Floats]:
    """Where each pixel comes from when images are zoomed and rotated about their centres and then shifted.

    Parameters
    ----------
    height, width : int
    angle : ndarray, shape=(N,)
        In radians, counter-clockwise as the image is seen.
    zoom : ndarray, shape=(N,)
        More than 1 enlarges.
    shift : ndarray, shape=(N, 2)
        Pixels down and to the right.

    Returns
    -------
    rows, columns : ndarray of float32, shape=(N, H, W)

    """
    angle, zoom = angle[:, np.newaxis, np.newaxis], zoom[:, np.newaxis, np.newaxis]  # (N, 1, 1)
    centre = (np.float32((height - 1) / 2), np.float32((width - 1) / 2))
    down = np.arange(height, dtype=np.float32)[:, np.newaxis] - centre[0] - shift[:, 0, np.newaxis, np.newaxis]
    right = np.arange(width, dtype=np.float32) - centre[1] - shift[:, 1, np.newaxis, np.newaxis]
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    rows = cos * down + (sin * right + centre[0])  # (N, H, 1) + (N, 1, W) = (N, H, W)
    columns = cos * right + (centre[1] - sin * down)
    return rows, columns


def smooth_noise(count: int, height: int, width: int, sigma: float, rng: np.random.Generator) -> Floats:
    """Uniform noise of -1 to 1, smoothed by a Gaussian of standard deviation `sigma` pixels: ``(count, H, W)``.

    Smoothing along an axis is one product with a matrix, which is faster than a filter for images of this size.
    """
    noise = rng.random((count * height, width), dtype=np.float32)
    noise *= 2
    noise -= 1
    across = (noise @ _gaussian(width, sigma).T).reshape(count, height, width)
    smooth: Floats = np.matmul(_gaussian(height, sigma), across)  # (H, H) @ (count, H, W)
    return smooth


def _gaussian(length: int, sigma: float) -> Floats:
    """The weights of the mean around each of `length` pixels, as a matrix; each row adds up to 1."""
    pixel = np.arange(length)
    weights: NDArray[np.float64] = np.exp(-((pixel - pixel[:, np.newaxis]) ** 2) / (2 * sigma**2))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def resample(
    images: NDArray[Any], rows: Floats, columns: Floats, fill: float | Literal["edge"] = "edge"
) -> NDArray[Any]:
    """Images at other coordinates, by bilinear interpolation.

    Parameters
    ----------
    images : ndarray of floats, shape=(N, H, W, C)
    rows, columns : ndarray of float32, shape=(N, H, W)
        The place in its image that each pixel of the result shows.
    fill : "edge" or float
        The pixels outside of an image: its nearest pixel, or this value.

    Returns
    -------
    ndarray, shape=(N, H, W, C)
        Of the dtype of `images`.

    Notes
    -----
    There is one gather per corner, over the whole batch. Where all coordinates are whole, pixels are copied without
    arithmetic, so infinities survive. float16 is interpolated in float32, so that differences of large pixels do not
    overflow.

    """
    count, height, width, channels = images.shape
    border = ((0, 0), (0, 0), (1, 2), (1, 2))  # a pixel around; and one more, so that the last has a neighbour
    planes = np.moveaxis(images, -1, 0)  # (C, N, H, W)
    padded = np.pad(planes, border, mode="edge") if fill == "edge" else np.pad(planes, border, constant_values=fill)
    stride = width + 3
    pixels = padded.reshape(channels, -1)  # (C, N·(H+3)·(W+3))

    rows = np.clip(rows, -1, height) + 1  # now in the padded image
    columns = np.clip(columns, -1, width) + 1
    top, left = np.floor(rows), np.floor(columns)  # (N, H, W)
    down, right = rows - top, columns - left  # 0 to 1: how far on to the next pixel
    first = np.arange(count)[:, np.newaxis, np.newaxis] * ((height + 3) * stride)
    corner = first + top.astype(np.intp) * stride + left.astype(np.intp)  # (N, H, W)

    if not (down.any() or right.any()):
        return np.moveaxis(pixels.take(corner, axis=1), 0, -1)
    if images.dtype.itemsize < 4:
        pixels = pixels.astype(np.float32)
    upper, upper_right, lower, lower_right = (
        pixels[:, offset:].take(corner, axis=1) for offset in (0, 1, stride, stride + 1)
    )  # (C, N, H, W) each
    upper += (upper_right - upper) * right
    lower += (lower_right - lower) * right
    upper += (lower - upper) * down
    result: NDArray[Any] = np.moveaxis(upper, 0, -1).astype(images.dtype, copy=False)
    return result
