"""Files that are either written whole or not at all, and those that grow line by line."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

__all__ = ["appending", "check_target", "remove_leftovers", "replacing"]


def check_target(path: str | os.PathLike[str]) -> Path:
    """Raise unless a file can take the place of `path`; return it, through a symbolic link the file that it names.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError, OSError
        If the folder does not exist or is read-only, or `path` is a folder, a device or a pipe.
    """
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path.name!r}: there is no folder {str(path.parent)!r}; make it first")
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {str(path)!r}: it is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {str(path)!r}: it is a device or a pipe, which no file can take the place of")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"cannot write {path.name!r}: the folder {str(path.parent)!r} is read-only")
    return path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that takes the place of `path` when the block ends, and never before.

    What is written goes to a temporary file in the same folder, which is forced to the disk and renamed. If the
    block raises, the temporary file is removed and what was at `path` before is still there. What a process that was
    killed has left behind is removed by the next one that writes to the same path. The new file has the permissions
    of the one before.

    Raises
    ------
    OSError
        As :func:`check_target` has it; the block is not entered then.
    """
    path = check_target(path)
    remove_leftovers(path)
    temporary, file = _temporary(path)
    try:
        with suppress(OSError):  # there is none yet, or the file system has no permissions
            os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                os.replace(temporary, path)  # while it is locked, so that no process takes it for a leftover
        if fcntl is None:
            os.replace(temporary, path)  # while it is closed: Windows renames no open file
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _name_file(error, path)
        raise
    _force_folder(path.parent)


@contextmanager
def appending(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a text file to write at its end."""
    try:
        with open(path, "a", newline="", encoding="utf-8") as file:
            yield file
    except OSError as error:
        _name_file(error, path)
        raise


def _name_file(error: BaseException, path: str | os.PathLike[str]) -> None:
    """Let an error that there is no room say for which file, which the system does not tell."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM and error.filename is None:
        error.filename = os.fspath(path)


def remove_leftovers(path: Path) -> None:
    """Remove temporary files for `path` that no process is writing any more, where that can be known."""
    if fcntl is None:
        return
    for leftover in path.parent.glob(f".{_escaped(path.name)}.????????.part"):
        with suppress(OSError), open(leftover, "rb") as file:  # somebody else's, locked, or gone: let it be
            _lock(file)
            leftover.unlink()


def _temporary(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `path`, locked for as long as it is open."""
    while True:
        temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
        file = open(temporary, "xb")  # noqa: SIM115 - the caller closes it
        try:
            _lock(file)
        except BlockingIOError:  # somebody takes it for a leftover, and is about to remove it
            file.close()
            continue
        except OSError:  # a file system without locks
            return temporary, file
        if temporary.exists():  # no process removed it as a leftover before it was locked
            return temporary, file
        file.close()


def _lock(file: BinaryIO) -> None:
    """Lock a file until it is closed, or its process ends; an OSError if somebody else has locked it."""
    if fcntl is not None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _force_folder(folder: Path) -> None:
    """Force a folder's entries to the disk, where folders can be opened: a rename lasts only from then on."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _escaped(name: str) -> str:
    """A file name as a pattern that matches only itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
