"""How a picture in a file becomes an array. Needs the extra "images" (Pillow)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorgrad.checks import brief, one_of, pair, without
from tensorgrad.data.errors import DataError, check_regular
from tensorgrad.rows import MAX_SAMPLE

FITS = ("stretch", "crop", "pad")

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Reader:
    """How a picture in a file becomes an array.

    Parameters
    ----------
    size : (height, width)
        In pixels.
    channels : 1 or 3
        Grey, or red, green and blue.
    fit : "stretch", "crop" or "pad"
        What to do with a picture of other proportions: stretch it, crop both sides, or pad them with black bars.
    """

    size: tuple[int, int]
    channels: int = 3
    fit: str = "stretch"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", pair(self.size, "images", "size", 1))
        if type(self.channels) is not int or self.channels not in (1, 3):
            raise ValueError(f"images: channels must be 1 (grey) or 3 (colour), received {brief(self.channels)}")
        one_of(self.fit, FITS, "images", "fit")
        if prod(self.shape) > MAX_SAMPLE:
            raise ValueError(
                f"images: size={self.size} makes {prod(self.shape)} numbers of a picture; {MAX_SAMPLE} are the most"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)``."""
        return (*self.size, self.channels)

    def read(self, source: Any) -> Pictures:
        """A picture from a path or a binary file, as uint8 of shape ``(height, width, channels)``.

        The picture is rotated as its EXIF orientation says. Transparent pixels become white, animations their first
        frame, and 16-bit pictures are scaled to 8 bits.

        Raises
        ------
        DataError
            If it is not a picture, or broken. The message names it.
        """
        image_module = pillow()
        from PIL import ImageOps

        if isinstance(source, str | os.PathLike):
            check_regular(source)
        try:
            with image_module.open(source) as opened:
                most = image_module.MAX_IMAGE_PIXELS  # beyond it Pillow warns; 160 kB can unpack to a gigabyte
                if most is not None and opened.width * opened.height > most:
                    raise ValueError(f"it has {opened.width} x {opened.height} pixels, {most} are the most")
                picture = _eight_bits(ImageOps.exif_transpose(opened), "L" if self.channels == 1 else "RGB")
                return self._fitted(picture)
        except FileNotFoundError:
            raise
        except (
            OSError,
            ValueError,
            SyntaxError,
            EOFError,
            image_module.DecompressionBombError,
            image_module.DecompressionBombWarning,
        ) as error:
            raise DataError(f"{_name(source)}: expected a picture that can be read; {error}") from None

    def of_array(self, image: ArrayLike) -> Pictures:
        """A picture given as an array, uint8 of shape ``(H, W)`` or ``(H, W, C)``, made to fit."""
        array = np.asarray(image)
        if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
            raise ValueError(
                f"images: expected a picture as uint8 of shape (H, W) or (H, W, 1, 3 or 4), received {array.dtype} of "
                f"shape {array.shape}"
            )
        picture = pillow().fromarray(array[..., 0] if array.shape[2:] == (1,) else array)
        return self._fitted(_eight_bits(picture, "L" if self.channels == 1 else "RGB"))

    def _fitted(self, picture: Any) -> Pictures:
        from PIL import ImageOps

        image_module = pillow()
        height, width = self.size
        if picture.size != (width, height):
            how = image_module.Resampling.BILINEAR
            if self.fit == "stretch":
                picture = picture.resize((width, height), how)
            else:
                fitted = ImageOps.fit if self.fit == "crop" else ImageOps.pad
                picture = fitted(picture, (width, height), how)
        return np.asarray(picture, np.uint8).reshape(self.shape)


def _eight_bits(picture: Any, mode: str) -> Any:
    """A picture of any mode in grey or colour, 8 bits a channel."""
    image_module = pillow()
    if picture.mode.startswith(("I", "F")):  # 16 bits and more
        values = np.asarray(picture, np.float64)
        top = 65535.0 if picture.mode.startswith("I") else max(float(values.max(initial=0)), 1.0)
        picture = image_module.fromarray(np.rint(values.clip(0, top) * (255 / top)).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = image_module.new("RGBA", picture.size, "white")
        picture = image_module.alpha_composite(white, picture)
    return picture.convert(mode)


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else str(getattr(source, "name", "the file"))


def pillow() -> Any:
    """Pillow's module of images, or the error that names the extra."""
    try:
        from PIL import Image
    except ImportError:
        raise without("a picture in a file", "the package Pillow", "images") from None
    return Image
