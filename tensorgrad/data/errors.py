"""Errors about data."""

from __future__ import annotations

import os


class DataError(ValueError):
    """A data file or data set is invalid. The message names the file and says what to do."""


class DownloadError(OSError):
    """A file could not be downloaded. The message lists what went wrong at each mirror, and what to do."""


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise if there is something else than a file: a named pipe would be waited for, a device has no end."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise DataError(
            f"{os.fspath(path)}: expected a file, received a {'folder' if os.path.isdir(path) else 'device'}"
        )
