"""Augmentation: every batch of training images is shifted, turned, zoomed and bent a little, at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tensorgrad.checks import brief, is_number
from tensorgrad.data.resample import affine_coordinates, resample, smooth_noise

_BLOCK = 64  # images whose transformations are drawn at once
_PIECE_BYTES = 100_000  # of pixels that are resampled at once: larger arrays come from the system, zeroed page by page


@dataclass(frozen=True)
class Augment:
    """Shift, rotate, zoom and bend each image of a batch at random, all in one interpolation.

    Pass it to ``train`` or :class:`batches` as ``augment=``, or call it: ``Augment(rotate=10)(images, rng)``. Without
    arguments it changes nothing, and shifts alone change no pixel's value. Pixels that are integers become float32.

    Parameters
    ----------
    shift : int
        The farthest shift in whole pixels, up, down, left and right.
    rotate : float
        The largest angle in degrees, to either side.
    zoom : (float, float)
        The smallest and the largest factor; more than 1 enlarges.
    elastic : (float, float), optional
        `alpha` and `sigma` of an elastic distortion (Simard, Steinkraus and Platt 2003): each pixel is displaced by
        up to `alpha` pixels, and the displacements are smoothed by a Gaussian of `sigma` pixels, which leaves about
        ``0.16 alpha / sigma`` pixels. For handwritten digits, (34, 4) is strong and (20, 4) is gentle.
    fill : "edge" or float
        What appears from outside of the image: its nearest pixel, or this value.

    Raises
    ------
    ValueError
        If an argument is out of its range; when called, if the images are no numbers of shape (N, H, W, C).

    Examples
    --------
    >>> import numpy as np
    >>> image = np.eye(4, dtype=np.float32).reshape(1, 4, 4, 1)
    >>> Augment(shift=1)(image, np.random.default_rng(1))[0, :, :, 0]  # up and to the left
    array([[1., 0., 0., 0.],
           [0., 1., 0., 0.],
           [0., 0., 1., 1.],
           [0., 0., 1., 1.]], dtype=float32)

    """

    shift: int = 0
    rotate: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    elastic: tuple[float, float] | None = None
    fill: float | Literal["edge"] = "edge"

    def __post_init__(self) -> None:
        _check(
            isinstance(self.shift, int | np.integer) and not isinstance(self.shift, bool) and self.shift >= 0,
            f"shift must be a whole number of pixels, at least 0, received {brief(self.shift)}",
        )
        _check(
            _is_number(self.rotate) and 0 <= self.rotate <= 180,
            f"rotate must be an angle of 0 to 180 degrees, received {brief(self.rotate)}",
        )
        _check(
            _is_pair(self.zoom) and 0 < self.zoom[0] <= self.zoom[1],
            f"zoom must be a pair (smallest, largest) of positive factors, received {brief(self.zoom)}",
        )
        _check(
            self.elastic is None or (_is_pair(self.elastic) and self.elastic[0] >= 0 and self.elastic[1] > 0),
            f"elastic must be None or a pair (alpha >= 0, sigma > 0), received {brief(self.elastic)}",
        )
        _check(
            self.fill == "edge" or _is_number(self.fill),
            f"fill must be 'edge' or a number, received {brief(self.fill)}",
        )

    def __call__(self, images: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Return augmented copies.

        Parameters
        ----------
        images : ndarray of floats or integers, shape=(N, H, W, C)
        rng : Generator

        Returns
        -------
        ndarray, shape=(N, H, W, C)
            With the same dtype, or float32 for integers. The given images are not changed.

        """
        if not isinstance(images, np.ndarray) or images.ndim != 4 or images.dtype.kind not in "fui":
            received = f"{images.dtype} of shape {images.shape}" if isinstance(images, np.ndarray) else repr(images)
            raise ValueError(
                f"Augment: expected an array of numbers of shape (N, H, W, C), received {received}; "
                "standardize makes that of raw images"
            )
        if 0 in images.shape[1:]:
            raise ValueError(f"Augment: expected images that have pixels, received shape {images.shape}")
        if images.dtype.kind != "f":  # pictures whose pixels the network's first layer prepares
            images = images.astype(np.float32)
        result = np.empty(images.shape, images.dtype)
        for start in range(0, len(images), _BLOCK):
            part = slice(start, start + _BLOCK)
            self._block(images[part], rng, result[part])
        return result

    def _block(self, images: NDArray[Any], rng: np.random.Generator, result: NDArray[Any]) -> None:
        count, height, width, _ = images.shape
        largest, (low, high) = math.radians(self.rotate), self.zoom
        angle = rng.uniform(-largest, largest, size=(count,)).astype(np.float32)
        zoom = rng.uniform(low, high, size=(count,)).astype(np.float32)
        shift = rng.integers(-self.shift, self.shift, (count, 2), endpoint=True).astype(np.float32)
        rows, columns = affine_coordinates(height, width, angle, zoom, shift)
        if self.elastic is not None:
            alpha, sigma = self.elastic
            displacement = smooth_noise(2 * count, height, width, sigma, rng)
            displacement *= alpha
            rows += displacement[:count]
            columns += displacement[count:]
        piece = max(1, _PIECE_BYTES // (height * width * 4))
        for start in range(0, count, piece):
            part = slice(start, start + piece)
            result[part] = resample(images[part], rows[part], columns[part], self.fill)


def _is_number(value: object) -> bool:
    return is_number(value) and math.isfinite(value)  # type: ignore[arg-type]


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))


def _check(right: bool, complaint: str) -> None:
    if not right:
        raise ValueError(f"Augment: {complaint}")
