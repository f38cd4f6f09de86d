"""Errors about data."""


class DataError(ValueError):
    """A data file or data set is invalid. The message names the file and says what to do."""


class DownloadError(OSError):
    """A file could not be downloaded. The message lists what went wrong at each mirror, and what to do."""
