"""Pictures in files: a folder for each class, or a table of paths and labels. Needs the extra "images" (Pillow).

Pictures are decoded batch by batch. All are decoded once at the start, to find broken ones before training; if they fit
into :data:`MEMORY`, they are kept and not decoded again.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorgrad.atomic_file import replacing
from tensorgrad.checks import told
from tensorgrad.data.errors import DataError, check_regular
from tensorgrad.data.reader import Pictures, Reader, pillow

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MEMORY = 1 << 28  # bytes of decoded pictures that are kept
LISTED = 20  # broken files that an error names, before it says how many more there are


class ImageFiles:
    """Pictures in files, as one array that is read on indexing: ``files[[3, 1, 4]]`` reads three of them.

    Attributes
    ----------
    shape : (N, height, width, channels)
    dtype : dtype
        uint8.
    paths : sequence of Path
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, paths: Sequence[Path], reader: Reader, kept: Pictures | None = None) -> None:
        self.paths = tuple(paths)
        self.reader = reader
        self._kept = kept  # decoded already, in memory or in a file

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, height, width, channels)``."""
        return (len(self.paths), *self.reader.shape)

    @property
    def ndim(self) -> int:
        """4."""
        return 4

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Pictures:
        """The pictures at an index, a slice or an array of indices."""
        if self._kept is not None:
            return np.asarray(self._kept[index])
        chosen = np.arange(len(self))[index]
        if not chosen.ndim:
            return self.reader.read(self.paths[int(chosen)])
        pictures = np.empty((len(chosen), *self.reader.shape), np.uint8)
        for place, i in enumerate(chosen):
            pictures[place] = self.reader.read(self.paths[i])
        return pictures

    def __repr__(self) -> str:
        where = "read when asked for" if self._kept is None else "decoded"
        return f"ImageFiles({len(self)} pictures of {'x'.join(map(str, self.reader.shape))}, {where})"


@dataclass(frozen=True)
class LabelledImages:
    """Pictures with their classes: ``x, y = folder`` to train on them.

    Attributes
    ----------
    images : ImageFiles, shape=(N, height, width, channels)
        uint8, 0 to 255.
    labels : ndarray of int64, shape=(N,)
        Indices into `classes`.
    classes : tuple of str
        The names of the classes, sorted.
    """

    images: ImageFiles
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __iter__(self) -> Any:
        return iter((self.images, self.labels))

    def __len__(self) -> int:
        return len(self.labels)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder and the folders inside of it, by their suffixes, sorted; hidden ones are left out."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    )


def image_folder(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] = (32, 32),
    channels: int = 3,
    fit: str = "stretch",
    *,
    classes: Sequence[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> LabelledImages:
    """Pictures from a folder with a subfolder for each class.

    Parameters
    ----------
    path : path
        Files and folders whose names begin with a dot, files that are not pictures by their suffix, and files beside
        the subfolders are left out. Pictures may lie deeper inside of a subfolder.
    size : int or (height, width)
        Of all pictures.
    channels : 1 or 3
        Grey, or red, green and blue.
    fit : "stretch", "crop" or "pad"
        What to do with a picture of other proportions (see :class:`Reader`).
    classes : sequence of str, optional
        The names of the classes in the order of their numbers, such as those of a model to test. By default the
        subfolders' names, sorted.
    cache : path, optional
        A folder to keep the decoded pictures in, which are then read from there, in this run and the next. The
        pictures are decoded again when files, their times, or the arguments have changed.

    Raises
    ------
    DataError
        If there is no picture or only one class, a subfolder is not among `classes`, or pictures are broken: all of
        these are named.
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    OSError
        If the disk is full; the cache then holds nothing of it.
    """
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(f"image_folder: there is no folder {str(folder)!r}")
    if not folder.is_dir():
        raise NotADirectoryError(f"image_folder: {str(folder)!r} is a file; name the folder that holds the classes")
    found = {
        child.name: pictures_in(child)
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith(".")
    }
    if not any(found.values()):
        hint = "" if found else "; make one subfolder for each class, with its pictures in it"
        raise DataError(f"{folder}: expected pictures ({', '.join(SUFFIXES)}) in subfolders, found none{hint}")
    empty = [name for name, files in found.items() if not files]
    if empty:
        raise DataError(f"{folder}: the classes {', '.join(empty)} have no pictures; add some, or remove the folders")
    rows = [(file, name) for name, files in found.items() for file in files]
    return _labelled(str(folder), rows, Reader(_pair_of(size), channels, fit), classes, cache)


def image_table(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] = (32, 32),
    channels: int = 3,
    fit: str = "stretch",
    *,
    classes: Sequence[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> LabelledImages:
    """Pictures from a CSV file with the columns ``path`` and ``label``.

    Paths count from the CSV file's folder. Spaces around names, paths and labels do not count. The other arguments and
    the errors are those of :func:`image_folder`.
    """
    table = Path(path)
    check_regular(table)
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            columns = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: expected a table as text in UTF-8, columns separated by commas; {error}") from None
    if [columns.count("path"), columns.count("label")] != [1, 1]:
        found = ", ".join(columns[:9]) + (f" and {len(columns) - 9} more" if len(columns) > 9 else "")
        raise DataError(
            f"{table}: expected the columns path and label, once each, in its first line, received {found or 'none'}"
        )
    if not lines:
        raise DataError(f"{table}: expected a line for each picture, found none after the first")
    rows = []
    for number, cells in lines:
        if any(cells[len(columns) :]):
            raise DataError(
                f"{table}: line {number} has {len(cells)} cells for {len(columns)} columns; put quotes around "
                "what has a comma in it"
            )
        line = dict(zip(columns, map(str.strip, cells), strict=False))
        if not (line.get("path") and line.get("label")):
            raise DataError(f"{table}: line {number} has no path or no label; give it one, or remove the line")
        rows.append((table.parent / line["path"], line["label"]))
    return _labelled(str(table), rows, Reader(_pair_of(size), channels, fit), classes, cache)


def _pair_of(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _labelled(
    where: str,
    rows: Sequence[tuple[Path, str]],
    reader: Reader,
    classes: Sequence[str] | None,
    cache: str | os.PathLike[str] | None,
) -> LabelledImages:
    """Pictures and labels of rows (path, class); all pictures are decoded once, to find those that are broken."""
    names = sorted({name for _, name in rows})
    known = tuple(names if classes is None else classes)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f"{where}: expected the classes {', '.join(known)}; found {', '.join(unknown)} too")
    if len(known) < 2:
        raise DataError(f"{where}: expected at least two classes, found only {', '.join(known)!r}")
    paths = [file for file, _ in rows]
    kept = _decoded(where, paths, reader) if cache is None else _cached(where, paths, reader, Path(cache))
    number = {name: i for i, name in enumerate(known)}
    labels = np.array([number[name] for _, name in rows], np.int64)
    return LabelledImages(ImageFiles(paths, reader, kept), labels, known)


def _decoded(where: str, paths: Sequence[Path], reader: Reader, into: Pictures | None = None) -> Pictures | None:
    """Decode all pictures, into an array if one is given or they fit into memory; raise if any are broken."""
    if into is None and len(paths) * int(np.prod(reader.shape)) <= MEMORY:
        into = np.empty((len(paths), *reader.shape), np.uint8)
    pictures = into

    def decode(i: int) -> str | None:
        try:
            picture = reader.read(paths[i])
        except (DataError, OSError) as error:
            return told(error)
        if pictures is not None:
            pictures[i] = picture
        return None

    from concurrent.futures import ThreadPoolExecutor  # here, since it takes long to import

    pillow()  # for its error, if it is missing
    with ThreadPoolExecutor() as threads:  # Pillow decodes without holding Python's lock
        broken = [complaint for complaint in threads.map(decode, range(len(paths))) if complaint]
    if broken:
        more = [f"and {len(broken) - LISTED} more"] if len(broken) > LISTED else []
        listed = "".join(f"\n  {line}" for line in broken[:LISTED] + more)
        raise DataError(
            f"{where}: {len(broken)} of {len(paths)} pictures cannot be read; repair or remove them:{listed}"
        )
    return pictures


def _cached(where: str, paths: Sequence[Path], reader: Reader, folder: Path) -> Pictures:
    """Decoded pictures from a file in a folder; the file is written, whole or not at all, if it is missing."""
    import hashlib  # here, since it takes long to import

    digest = hashlib.sha256(repr(reader).encode())
    for file in paths:
        if not file.is_file():
            raise DataError(f"{where}: there is no picture {str(file)!r}")
        state = file.stat()
        digest.update(f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"images-{digest.hexdigest()[:16]}.npy"
    if not target.is_file():
        header = np.lib.format.header_data_from_array_1_0(np.empty(0, np.uint8)) | {
            "shape": (len(paths), *reader.shape)
        }
        block = max(1, MEMORY // int(np.prod(reader.shape)))
        with replacing(target) as file_:
            np.lib.format.write_array_header_1_0(file_, header)
            for start in range(0, len(paths), block):
                some = paths[start : start + block]
                part = _decoded(where, some, reader, np.empty((len(some), *reader.shape), np.uint8))
                file_.write(np.asarray(part).tobytes())
    return np.load(target, mmap_mode="r")  # type: ignore[no-any-return]
