"""IDX, the file format of MNIST: a short header with type and shape, then the numbers, big-endian.

==========  ==================================================
bytes       meaning
==========  ==================================================
2           zero
1           type code: see `TYPES`
1           number of axes
4 per axis  length of the axis, an unsigned big-endian integer
the rest    the numbers, with the last axis varying fastest
==========  ==================================================

The format is LeCun's, described on the page that MNIST was first published on. A file may be compressed by gzip.
"""

from __future__ import annotations

import io
import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorgrad.atomic_file import replacing
from tensorgrad.data.errors import DataError, check_regular

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_BEST = 1032  # deflate stores at most 258 bytes in 2 bits, so no file unpacks to more than this times its size
_MOST_AXES = 64  # of a NumPy array


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an IDX file, plain or compressed by gzip, as its first bytes say; the name does not matter.

    The declared size is checked against the file before any memory is allocated, and a compressed file is never
    unpacked beyond it.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray
        With the file's shape, in this machine's byte order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If the file is not an IDX file, is damaged, or holds fewer or more numbers than it declares.

    """
    import gzip
    import zlib

    path = Path(path)
    check_regular(path)
    with open(path, "rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if not compressed:
            return _read(file, path, size, exact=True)
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                return _read(unpacked, path, size * _DEFLATE_BEST, exact=False)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{path}: the gzip data are damaged or incomplete ({error}); fetch the file again"
            ) from error


def _read(file: io.BufferedIOBase, path: Path, size: int, exact: bool) -> NDArray[Any]:
    """Read header and numbers from a stream of `size` bytes; of at most `size` bytes if not `exact`."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or magic[3] > _MOST_AXES:
        raise DataError(
            f"{path}: not an IDX file: expected it to begin with two zero bytes, a type code "
            f"({', '.join(f'0x{code:02X}' for code in TYPES)}) and the number of axes (at most {_MOST_AXES}), "
            f"received {magic.hex(' ') or 'an empty file'}; check that this is the file you meant"
        )
    dtype, axes = np.dtype(TYPES[magic[2]]), magic[3]
    lengths = file.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise DataError(f"{path}: the file ends inside its header of {axes} axes; fetch the file again")
    shape = struct.unpack(f">{axes}I", lengths)
    header = 4 + 4 * axes
    wanted = math.prod(shape) * dtype.itemsize
    declared = f"its header declares {shape} numbers of type {dtype.newbyteorder('=').name}, {wanted} bytes"
    # NumPy cannot index a larger array, even where an axis of length 0 leaves it empty
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > np.iinfo(np.intp).max:
        raise DataError(f"{path}: {declared}: too large for any array; the header is damaged, fetch the file again")
    if header + wanted > size or (exact and header + wanted < size):
        received = f"{size - header}" if exact else f"at most {size - header}"
        raise DataError(f"{path}: {declared}, but {received} bytes follow; the file is damaged, fetch it again")
    try:
        numbers = np.empty(shape, dtype)
    except MemoryError as error:
        raise DataError(f"{path}: {declared}: more than this machine's memory") from error
    received_bytes = _fill(file, numbers)
    if received_bytes < wanted or file.read(1):
        received = "more" if received_bytes == wanted else f"{received_bytes}"
        raise DataError(f"{path}: {declared}, but {received} bytes follow; the file is damaged, fetch it again")
    return numbers if dtype.isnative else numbers.byteswap(inplace=True).view(dtype.newbyteorder("="))


def _fill(file: io.BufferedIOBase, numbers: NDArray[Any]) -> int:
    """Read into the array until it is full or the stream ends; return the number of bytes read."""
    room = numbers.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < len(room):
        count = file.readinto(room[filled : filled + 2**20])
        if not count:
            break
        filled += count
    return filled


def write_idx(path: str | os.PathLike[str], array: ArrayLike) -> None:
    """Write an array as an IDX file, compressed if the name ends in ``.gz``.

    The file appears whole or not at all, and the same array always gives the same bytes.

    Parameters
    ----------
    path : path
    array : array_like of uint8, int8, int16, int32, float32 or float64
        With at most 64 axes, each shorter than ``2^32``.

    Raises
    ------
    DataError
        If the format has no type for the array's dtype.

    """
    import gzip

    array = np.asarray(array)
    big_endian = array.dtype.newbyteorder(">")
    codes = [code for code, known in TYPES.items() if np.dtype(known) == big_endian]
    if not codes:
        known = ", ".join(np.dtype(t).newbyteorder("=").name for t in TYPES.values())
        raise DataError(f"{path}: IDX has no type for {array.dtype}; expected {known}: convert it with array.astype")
    if any(length >= 2**32 for length in array.shape):
        raise DataError(f"{path}: IDX stores axes shorter than 2^32, received shape {array.shape}")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[0], array.ndim, *array.shape)
    content = header + array.astype(big_endian).tobytes()
    with replacing(path) as file:
        if Path(path).suffix == ".gz":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:  # no name and no time in the file
                packed.write(content)
        else:
            file.write(content)
