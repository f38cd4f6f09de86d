"""ModelFileError, and the context that turns other errors into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ModelFileError(ValueError):
    """A file is not a model that can be loaded. The message names the file and what is wrong in it."""


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Turn every error inside the block into a ModelFileError that names the file.

    An OSError, such as that of a missing file, passes through unchanged; so does the error of a missing package.
    """
    try:
        yield
    except (OSError, ImportError):
        raise
    except ModelFileError as error:
        text = _truncated(error)
        named = text if text.startswith(f"{path}: ") else f"{path}: {text}"  # by a block inside of this one
        raise ModelFileError(named) from error.__cause__
    except RecursionError:
        raise ModelFileError(f"{path}: it is nested too deeply to be a model") from None
    except MemoryError:
        raise ModelFileError(f"{path}: what it describes does not fit into memory") from None
    except Exception as error:
        raise ModelFileError(f"{path}: {type(error).__name__}: {_truncated(error)}") from error


def _truncated(error: Exception) -> str:
    """The error text, truncated so that a file's contents cannot flood it."""
    text = str(error)
    return text if len(text) <= 4000 else f"{text[:2000]} ... {text[-100:]}"
