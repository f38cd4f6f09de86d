"""The native container: an uncompressed zip of a JSON header and of arrays as .npy members.

Reading trusts nothing. A size that a file declares counts only after it was compared with what is there, so the file's
length bounds memory and time.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from tensorgrad.atomic_file import replacing
from tensorgrad.saving import validation
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.tensor import Array

HEADER = "header.json"
MODEL, WEIGHTS = "tensorgrad model", "tensorgrad weights"  # the header's "format"
VERSION = 2  # the newest version of the format; each file states the oldest one that has what it needs
MAX_BYTES = 2**31 - 1  # a larger zip would need the ZIP64 extensions
MAX_HEADER = 2**24  # bytes of JSON
MAX_LISTS, MAX_COMMAS = 2**21, 2**22  # in JSON, whose Python objects can take 20 times its length
MAX_MEMBERS = 10_000
MAX_DIMENSIONS = 32

# The header of a .npy member as NumPy writes it in version 1.0: numbers alone, little-endian, in C order.
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<|][fiub][1248])', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,19}, ?)*(?:\d{1,19})?)\), \} *\n",
    re.DOTALL,
)


def write(path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a file, whole or not at all. Equal contents give equal bytes."""
    import json  # these two take longer to import than all of this package
    import zipfile

    text = json.dumps(header, allow_nan=False).encode()
    size = len(text) + sum(array.nbytes + 1000 for array in arrays.values())
    excess = too_long(text, MAX_HEADER)
    if excess or size > MAX_BYTES or len(arrays) >= MAX_MEMBERS:
        raise ValueError(
            f"save: the model is too large for one file: {size} bytes (at most {MAX_BYTES}), {len(arrays)} arrays (at "
            f"most {MAX_MEMBERS - 1}); its description and history: {excess or 'fits'}"
        )
    members = {HEADER: text} | {f"{name}.npy": _npy(name, array) for name, array in arrays.items()}
    with replacing(path) as file, zipfile.ZipFile(file, "w", allowZip64=False) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)  # its date is 1980 in every file
            info.external_attr = 0o644 << 16  # the permissions of unpacked files
            archive.writestr(info, data)


def _npy(name: str, array: Array) -> bytes:
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise ValueError(f"save: {name!r} has dtype {array.dtype}; a file holds floats, integers and bools of 64 bits")
    stream = io.BytesIO()
    little = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    np.lib.format.write_array(stream, little, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read a file: its header and its arrays by name."""
    import zipfile

    data = read_bytes(path, MAX_BYTES)
    if not data.startswith(b"PK"):
        raise ModelFileError("it is not a model of tensorgrad, which is a zip" + _guess(data))
    if data.count(b"PK\x01\x02") > MAX_MEMBERS:  # the signature of an entry in a zip's directory
        raise ModelFileError(f"it has more than {MAX_MEMBERS} members")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: archive.read(info) for info in _checked(archive.infolist(), len(data))}
    except ModelFileError:
        raise
    except Exception as error:  # BadZipFile, EOFError, ValueError, struct.error and others
        raise ModelFileError(f"it is damaged or no zip: {error}; restore it from a copy") from None
    if HEADER not in members:
        raise ModelFileError(f"it has no {HEADER}: it is a zip, but not a model of tensorgrad")
    header = parse_json(members.pop(HEADER), MAX_HEADER, HEADER)
    if not isinstance(header, dict):
        raise ModelFileError(f"{HEADER}: expected an object")
    return header, {name.removesuffix(".npy"): _array(name, member) for name, member in members.items()}


def check_origin(header: dict[str, Any], *formats: str) -> None:
    """Refuse a file of another format, or of a newer version."""
    if header.get("format") not in formats:
        validation.wrong("format", " or ".join(map(repr, formats)), header.get("format"))
    version = validation.whole(header.get("version"), "version", low=1)
    if version > VERSION:
        raise ModelFileError(
            f"it is of version {version} of the format, written by tensorgrad {str(header.get('tensorgrad'))[:20]}; "
            f"this tensorgrad reads up to version {VERSION}: install a newer one"
        )


def _checked(infos: list[Any], length: int) -> list[Any]:
    """The entries of a zip's directory, after checks that all of them can be read safely."""
    seen: set[str] = set()
    for info in infos:
        if info.filename in seen:
            raise ModelFileError(f"it holds {info.filename[:100]!r} more than once")
        seen.add(info.filename)
        if info.flag_bits & 0x1:
            raise ModelFileError(f"{info.filename[:100]!r} is encrypted")
        if info.compress_type or info.compress_size != info.file_size:
            raise ModelFileError(f"{info.filename[:100]!r} is compressed; models are stored without compression")
        if info.filename != info.orig_filename or not (info.filename == HEADER or info.filename.endswith(".npy")):
            raise ModelFileError(f"{info.orig_filename[:100]!r} is not the name of a member of a model{_whose(infos)}")
    if sum(info.file_size for info in infos) > length:
        raise ModelFileError("its members overlap, or are larger than the file")
    return infos


def _array(name: str, member: bytes) -> Array:
    """An array from a .npy member, checked against the member's real size."""
    found = _NPY.match(member, 0, 1000)
    if found is None:
        raise ModelFileError(f"{name!r} is not an array as tensorgrad writes it")
    try:
        dtype = np.dtype(found[1].decode())
    except TypeError:
        raise ModelFileError(f"{name!r} has an unknown dtype, {found[1].decode()!r}") from None
    shape = tuple(int(n) for n in found[2].decode().split(",") if n.strip())
    size = len(member) - found.end()
    if len(shape) > MAX_DIMENSIONS or prod(shape) * dtype.itemsize != size:
        raise ModelFileError(f"{name!r} declares the shape {shape[:8]} of {dtype}, but holds {size} bytes")
    flat = np.frombuffer(member, dtype, offset=found.end())
    return flat.reshape(shape).astype(dtype.newbyteorder("="))


def read_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """All of a regular file that is not too large."""
    with open(path, "rb", opener=_open) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ModelFileError("it is not a regular file")
        if status.st_size > limit:
            raise ModelFileError(f"it has {status.st_size} bytes, a model has at most {limit}")
        return file.read(status.st_size)  # no more, should it grow now


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # do not wait for whoever writes to a pipe


def parse_json(data: bytes, limit: int, where: str) -> Any:
    """Parse strict JSON: each key once per object, no NaN, no infinity."""
    import json

    excess = too_long(data, limit)
    if excess:
        raise ModelFileError(f"{where}: {excess}")
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_object)
    except ModelFileError as error:
        raise ModelFileError(f"{where}: {error}") from None
    except ValueError as error:  # UnicodeDecodeError and integers of thousands of digits too
        raise ModelFileError(f"{where}: it is not JSON: {error}{_guess(data)}") from None


def too_long(data: bytes, limit: int) -> str:
    """Name the limits, which bound the memory of parsing, that JSON exceeds; empty if none."""
    counts = {"bytes": len(data), "lists and objects": data.count(b"[") + data.count(b"{"), "commas": data.count(b",")}
    limits = {"bytes": limit, "lists and objects": MAX_LISTS, "commas": MAX_COMMAS}
    return ", ".join(
        f"it has {n} {what}, more than the limit of {limits[what]}" for what, n in counts.items() if n > limits[what]
    )


def _no_constant(name: str) -> None:
    raise ModelFileError(f"it holds {name}; the numbers of a model are finite")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ModelFileError(f"one object has the key {name[:100]!r} twice")
        found[name] = value
    return found


def _guess(data: bytes) -> str:
    """What a file of another kind may be."""
    starts = {
        b"PK": "; it looks like a zip, as models with other suffixes than .json are",
        b"\x89HDF": "; it looks like HDF5, as Keras writes it",
        b"\x80": "; it looks like a pickle, which is never loaded",
        b"\x93NUMPY": "; it looks like a single NumPy array",
        b"{": "; it looks like JSON: rename it to .json",
        b"\x08": "; it looks like ONNX: use tensorgrad.onnx.load(path)",
        b"\x1f\x8b": "; it looks like gzip: unpack it first",
        b"<": "; it looks like a web page",
    }
    return next((hint for start, hint in starts.items() if data.startswith(start)), "")


def _whose(infos: list[Any]) -> str:
    """Which other library a zip is from."""
    names = {info.filename.rpartition("/")[2] for info in infos}
    if "data.pkl" in names:
        return (
            "; it looks like PyTorch's, which holds a pickle: safetensors.torch.save_file(module.state_dict(), path) "
            "writes what model.load_weights(path, layout='torch') reads"
        )
    return "; it looks like Keras's, which is not read here" if "model.weights.h5" in names else ""
