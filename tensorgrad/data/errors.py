"""What goes wrong with data."""


class DataError(ValueError):
    """A data file or a data set is not what it should be. The message names the file and says what to do."""


class DownloadError(OSError):
    """A file could not be had. The message has each mirror with what went wrong there, and what to do."""
