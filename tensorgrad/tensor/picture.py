"""Small arrays as pictures that a notebook shows: PNG files, made without any other package."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 2**20  # numbers in all pictures together
WIDTH = 320  # pixels on the screen that small pictures are enlarged to
GAP = 1  # pixels between the pictures of a batch


@dataclass(frozen=True)
class Picture:
    """A PNG file in memory. A notebook shows it, enlarged without smoothing where it is small.

    Attributes
    ----------
    png : bytes
    width, height : int
        In pixels.
    """

    png: bytes
    width: int
    height: int

    def _repr_html_(self) -> str:
        width = self.width * max(1, WIDTH // self.width)
        shown = f'alt="{self!r}" style="image-rendering: pixelated" width="{width}"'
        return f'<img {shown} src="data:image/png;base64,{b64encode(self.png).decode("ascii")}">'

    def __repr__(self) -> str:
        return f"Picture({self.width}x{self.height} pixels)"


def picture(values: NDArray[Any]) -> Picture:
    """A picture of an image ``(H, W)`` or ``(H, W, 1 or 3)``, or of a batch ``(N, H, W, 1 or 3)`` side by side.

    Integers of 8 bits stay as they are. Of others the smallest becomes black and the largest white.

    Raises
    ------
    ValueError
        If the shape is another, there is nothing or too much to show, or values are not finite.
    """
    shape = values.shape
    if not (len(shape) == 2 or (len(shape) in (3, 4) and shape[-1] in (1, 3))) or not 0 < values.size <= MOST:
        raise ValueError(
            f"picture: expected an image (H, W) or (H, W, 1 or 3), or a batch (N, H, W, 1 or 3), of 1 to {MOST} "
            f"numbers, received shape {shape}; choose what to show, such as one channel: t[..., 0]"
        )
    if values.dtype != np.uint8 and not np.isfinite(values).all():
        raise ValueError("picture: expected finite numbers, received NaN or infinity; find them by np.isfinite")
    height, width, channels = (*shape, 1) if len(shape) == 2 else shape[-3:]
    return _encoded(_side_by_side(_bytes(values).reshape(-1, height, width, channels)))


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Values from 0 to 255; what is the same everywhere becomes black."""
    if values.dtype == np.uint8:
        return values
    numbers = values.astype(np.float64)
    low, high = numbers.min(), numbers.max()
    levels: NDArray[np.uint8] = np.rint((numbers - low) * (255 / (high - low or 1))).astype(np.uint8)
    return levels


def _side_by_side(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images in the rows and columns of a square, on white: ``(N, H, W, C)`` to ``(height, width, C)``."""
    count, height, width, channels = images.shape
    columns = ceil(sqrt(count))
    rows = ceil(count / columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    return sheet


def _encoded(pixels: NDArray[np.uint8]) -> Picture:
    """The PNG file of pixels ``(H, W, 1 or 3)``, by its specification (ISO/IEC 15948), without filters of its lines."""
    height, width, channels = pixels.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with 0: not filtered
    lines[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    parts = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks)
    return Picture(b"\x89PNG\r\n\x1a\n" + b"".join(parts), width, height)
