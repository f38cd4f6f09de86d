"""Data sets from the network: over https, checked, kept in a cache, and never half-written.

Imported only when something is to be downloaded: the network modules take longer to import than the library.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tensorgrad.atomic_file import replacing
from tensorgrad.checks import brief
from tensorgrad.data.errors import DownloadError


class Remote(NamedTuple):
    """A file that mirrors offer: its name below a mirror's address, and what identifies it."""

    name: str
    size: int  # bytes
    sha256: str


# The published files, as their mirrors serve them. The checksums are of the compressed files.
FILES = {
    "mnist": (
        Remote(
            "train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        Remote("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        Remote(
            "t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        Remote("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    "fashion_mnist": (
        Remote(
            "train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        Remote("train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        Remote(
            "t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        Remote("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
}

MIRRORS = {
    "mnist": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    "fashion_mnist": (
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}


def cache_folder() -> Path:
    """Where downloads are kept: TENSORGRAD_CACHE if it is set, else the platform's place for caches."""
    if chosen := os.environ.get("TENSORGRAD_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not base.is_absolute():  # such a value is to be ignored, says the XDG specification
            base = Path.home() / ".cache"
    return base / "tensorgrad"


def download_dataset(name: str) -> Path:
    """Make sure that all files of a data set are in the cache, checked; return their folder."""
    folder = cache_folder() / name
    for remote in FILES[name]:
        fetch(remote, MIRRORS[name], folder)
    return folder


def fetch(
    remote: Remote,
    mirrors: Sequence[str],
    folder: Path,
    *,
    timeout: float = 30.0,
    total_timeout: float = 1800.0,
    schemes: Sequence[str] = ("https",),
    context: ssl.SSLContext | None = None,
) -> Path:
    """Return a file in the folder with the right checksum; download it from the first mirror that delivers it.

    The file is held in memory until its checksum is verified; then it is written under a temporary name and renamed. So
    an interruption leaves nothing behind.

    Parameters
    ----------
    remote : Remote
    mirrors : sequence of str
        Addresses that end in a slash, to be tried in order.
    folder : Path
        Made if it does not exist.
    timeout, total_timeout : float
        Seconds to wait for data, and for the whole file from one mirror.
    schemes : sequence of str
        What an address may begin with, after a redirect too.
    context : ssl.SSLContext, optional
        Whose certificates to trust, if not the system's.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the name of the file would lead out of the folder.
    DownloadError
        If no mirror delivers the file, or it cannot be written.

    """
    if {PurePosixPath(remote.name).name, PureWindowsPath(remote.name).name} != {remote.name} or not remote.name.strip(
        "."
    ):
        raise ValueError(f"fetch: expected the plain name of a file, without a folder, received {brief(remote.name)}")
    path = folder / remote.name
    try:
        if path.is_file():
            if path.stat().st_size == remote.size and _sha256(path.read_bytes()) == remote.sha256:
                return path
            path.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)  # before the network is asked: it may be the thing that fails
    except OSError as error:
        raise _unwritable(path, error) from error
    opener = urllib.request.build_opener(_Redirects(schemes), urllib.request.HTTPSHandler(context=context))
    failures = []
    for mirror in mirrors:
        address = mirror + remote.name
        try:
            content = _receive(address, remote, opener, schemes, timeout, total_timeout)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            failures.append(f"  {address}: {type(error).__name__}: {_one_line(str(error))}")
            continue
        try:
            with replacing(path) as file:
                file.write(content)
        except OSError as error:
            raise _unwritable(path, error) from error
        return path
    raise DownloadError(
        "\n".join([f"{remote.name}: no mirror delivered this file. Nothing was kept.", *failures])
        + f"\nExpected {remote.size} bytes with SHA-256 {remote.sha256}."
        "\nTry again later, check the network and the proxy (HTTPS_PROXY), or get the four files by other means "
        "and pass the folder that they are in."
    )


def _receive(
    address: str,
    remote: Remote,
    opener: urllib.request.OpenerDirector,
    schemes: Sequence[str],
    timeout: float,
    total_timeout: float,
) -> bytes:
    """Download one file from one address: all of its bytes, checked. Raises OSError or HTTPException."""
    _check_scheme(address, schemes)
    deadline = time.monotonic() + total_timeout
    request = urllib.request.Request(address, headers={"User-Agent": "tensorgrad"})
    content = bytearray()
    with opener.open(request, timeout=timeout) as response:
        while piece := response.read1(2**16):  # what has come so far: read would wait, past the deadline, for all of it
            content += piece
            if len(content) > remote.size:
                raise DownloadError(f"sent more than the expected {remote.size} bytes")
            if time.monotonic() > deadline:
                raise DownloadError(
                    f"sent {len(content)} of {remote.size} bytes in {total_timeout:g} seconds; too slow"
                )
    if len(content) < remote.size:
        raise DownloadError(f"broke off after {len(content)} of {remote.size} bytes")
    if (received := _sha256(content)) != remote.sha256:
        raise DownloadError(f"sent other contents, with SHA-256 {received}")
    return bytes(content)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to addresses of the allowed schemes."""

    def __init__(self, schemes: Sequence[str]) -> None:
        self.schemes = schemes

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        try:
            _check_scheme(newurl, self.schemes)
        except DownloadError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(address: str, schemes: Sequence[str]) -> None:
    if urlsplit(address).scheme not in schemes:
        raise DownloadError(f"refused to fetch {address}: expected an address that begins with {' or '.join(schemes)}")


def _one_line(text: str) -> str:
    """The text without line breaks and control characters: some of it may come from a server."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _sha256(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()


def _unwritable(path: Path, error: OSError) -> DownloadError:
    return DownloadError(
        f"{path}: cannot be written ({error}); set the environment variable TENSORGRAD_CACHE to a folder that can, "
        "or get the files by other means and pass the folder that they are in"
    )
