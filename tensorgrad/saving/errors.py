"""What goes wrong with the files of models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ModelFileError(ValueError):
    """A file is not a model that can be loaded. The message names the file, and what in it is wrong."""


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Whatever is found wrong while a file is read becomes a ModelFileError that names the file.

    An OSError, such as of a file that does not exist, is left as it is, and so is a package that is missing.
    """
    try:
        yield
    except (OSError, ImportError):
        raise
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {_short(error)}") from error.__cause__
    except RecursionError:
        raise ModelFileError(f"{path}: it is nested too deeply to be a model") from None
    except MemoryError:
        raise ModelFileError(f"{path}: what it describes does not fit into memory") from None
    except Exception as error:
        raise ModelFileError(f"{path}: {type(error).__name__}: {_short(error)}") from error


def _short(error: Exception) -> str:
    """What an error says, but for the most of what a file may have put into it."""
    said = str(error)
    return said if len(said) <= 4000 else f"{said[:2000]} ... {said[-100:]}"
