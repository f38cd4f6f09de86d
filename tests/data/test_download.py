"""Downloads, from servers on this machine that behave in all the wrong ways."""

import errno
import hashlib
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tensorgrad.data import DownloadError, TrainTest, fashion_mnist, mnist, write_idx
from tensorgrad.data.download import FILES, MIRRORS, Remote, cache_folder, fetch

Handler = http.server.BaseHTTPRequestHandler

SIZE = 300_000
CONTENT = np.random.default_rng(0).bytes(SIZE)
REMOTE = Remote("file.gz", SIZE, hashlib.sha256(CONTENT).hexdigest())


class Server:
    """A web server in a thread: what it does is decided by the first part of the address."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        self.stopped = threading.Event()
        server = self

        class Behaving(Handler):
            def do_GET(self) -> None:
                server.requests.append(self.path)
                getattr(server, self.path.split("/")[1].partition("?")[0])(self)

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:  # clients that give up are what is tested here
                pass

        self.http = Quiet(("127.0.0.1", 0), Behaving)
        if context is not None:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.stopped.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def address(self, behaviour: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.http.server_port}/{behaviour}/"

    @staticmethod
    def begin(request: Handler, status: int = 200, length: int | None = SIZE, **headers: str) -> None:
        request.send_response(status)
        for name, text in headers.items():
            request.send_header(name, text)
        if length is not None:
            request.send_header("Content-Length", str(length))
        request.end_headers()

    def good(self, request: Handler) -> None:
        self.begin(request)
        request.wfile.write(CONTENT)

    def unannounced(
        self, request: Handler
    ) -> None:  # without Content-Length: the end of the connection is the end of the file
        self.begin(request, length=None)
        request.wfile.write(CONTENT)

    def missing(self, request: Handler) -> None:
        request.send_error(404)

    def broken(self, request: Handler) -> None:
        request.send_error(503)

    def breaks_off(self, request: Handler) -> None:
        self.begin(request)
        request.wfile.write(CONTENT[:100_000])

    def breaks_off_unannounced(self, request: Handler) -> None:
        self.begin(request, length=None)
        request.wfile.write(CONTENT[:100_000])

    def altered(self, request: Handler) -> None:
        self.begin(request)
        request.wfile.write(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))

    def endless(self, request: Handler) -> None:
        self.begin(request, length=None)
        while not self.stopped.is_set():
            request.wfile.write(CONTENT)

    def silent(self, request: Handler) -> None:
        self.begin(request)
        request.wfile.write(CONTENT[:10])
        request.wfile.flush()
        self.stopped.wait()

    def slow(self, request: Handler) -> None:
        self.begin(request)
        for byte in CONTENT:
            if self.stopped.wait(0.02):
                return
            request.wfile.write(bytes([byte]))
            request.wfile.flush()

    def nonsense(self, request: Handler) -> None:
        request.wfile.write(b"\0\1\2\3 this is not HTTP\r\n\r\n")

    def hangs_up(self, request: Handler) -> None:
        request.connection.close()

    def moved(self, request: Handler) -> None:
        self.begin(request, 302, 0, Location=self.address("good") + REMOTE.name)

    def moved_in_a_circle(self, request: Handler) -> None:
        self.begin(request, 302, 0, Location=self.address("moved_in_a_circle") + REMOTE.name)

    def moved_to_ftp(self, request: Handler) -> None:
        self.begin(request, 302, 0, Location="ftp://127.0.0.1/file.gz")

    def moved_to_a_file(self, request: Handler) -> None:
        self.begin(request, 302, 0, Location="file:///etc/hostname")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.close()


def have(server: Server, folder: Path, *behaviours: str, timeout: float = 5.0, total_timeout: float = 60.0) -> Path:
    mirrors = [server.address(behaviour) for behaviour in behaviours]
    return fetch(REMOTE, mirrors, folder, timeout=timeout, total_timeout=total_timeout, schemes=["http"])


@pytest.mark.parametrize("behaviour", ["good", "unannounced", "moved"])
def test_a_good_file_is_kept_under_its_name_and_nothing_else(server: Server, tmp_path: Path, behaviour: str) -> None:
    path = have(server, tmp_path / "new" / "folder", behaviour)
    assert path == tmp_path / "new" / "folder" / "file.gz"
    assert path.read_bytes() == CONTENT
    assert os.listdir(path.parent) == ["file.gz"]


WRONG = {  # behaviour: what the error says
    "missing": "404",
    "broken": "503",
    "breaks_off": "broke off after 100000 of 300000 bytes",
    "breaks_off_unannounced": "broke off after 100000 of 300000 bytes",
    "altered": "sent other contents, with SHA-256 [0-9a-f]{64}",
    "endless": "sent more than the expected 300000 bytes",
    "silent": "timed out",
    "slow": r"sent [0-9]+ of 300000 bytes in 0\.3 seconds; too slow",
    "nonsense": "BadStatusLine: this is not HTTP",
    "hangs_up": "Remote end closed connection",
    "moved_in_a_circle": "infinite loop",
    "moved_to_ftp": "refused to fetch ftp://127.0.0.1/file.gz: expected an address that begins with http",
    "moved_to_a_file": "Redirection to url 'file:///etc/hostname' is not allowed|refused to fetch file:",
}


@pytest.mark.parametrize("behaviour", WRONG)
def test_a_mirror_that_fails_leaves_nothing_and_the_next_one_is_asked(
    server: Server, tmp_path: Path, behaviour: str
) -> None:
    options = {"timeout": 0.3, "total_timeout": 0.3 if behaviour == "slow" else 60.0}
    with pytest.raises(DownloadError, match=WRONG[behaviour]) as caught:
        have(server, tmp_path, behaviour, **options)
    assert os.listdir(tmp_path) == []
    message = str(caught.value)
    assert f"{server.address(behaviour)}file.gz: " in message
    assert f"Expected 300000 bytes with SHA-256 {REMOTE.sha256}" in message
    assert "get the four files by other means and pass the folder" in message

    path = have(server, tmp_path, behaviour, "missing", "good", "unannounced", **options)
    assert path.read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["file.gz"]
    assert server.requests[-1] == "/good/file.gz"  # and no further


def test_no_server_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    server.close()
    with pytest.raises(DownloadError, match="no mirror delivered this file") as caught:
        have(server, tmp_path, "good", "missing")
    assert str(caught.value).count("refused") == 2
    assert os.listdir(tmp_path) == []


def test_what_is_in_the_cache_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(CONTENT)
    assert have(server, tmp_path, "good") == tmp_path / "file.gz"
    assert server.requests == []


@pytest.mark.parametrize("damaged", [CONTENT[:-1], CONTENT + b"\0", b"", CONTENT[:-1] + b"\0"])
def test_a_damaged_cache_is_replaced_or_removed(server: Server, tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(damaged)
    have(server, tmp_path, "good")
    assert path.read_bytes() == CONTENT
    path.write_bytes(damaged)
    with pytest.raises(DownloadError):
        have(server, tmp_path, "missing")
    assert os.listdir(tmp_path) == []


def test_a_disk_that_is_full(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DownloadError, match=r"cannot be written .*No space left.* set .* TENSORGRAD_CACHE"):
        have(server, tmp_path, "good", "good")
    assert os.listdir(tmp_path) == []
    assert len(server.requests) == 1  # another mirror would not help


def test_a_cache_that_cannot_be_made_is_found_out_before_the_network_is_asked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(DownloadError, match=r"cannot be written .* TENSORGRAD_CACHE"):
        have(server, tmp_path / "taken", "good")
    assert server.requests == []


def test_an_interrupted_download_leaves_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        have(server, tmp_path, "good")
    assert os.listdir(tmp_path) == []


def test_only_https_unless_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"refused to fetch http://.*expected an address that begins with https"):
        fetch(REMOTE, [server.address("good")], tmp_path)
    assert server.requests == []


# --- https ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody but this test trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, signed = folder / "key.pem", folder / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {signed} -subj /CN=test"
    subprocess.run([*command.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return key, signed


@pytest.fixture
def secure_server(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    key, signed = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed, key)
    server = Server(context)
    yield server
    server.close()


def test_https_with_a_trusted_certificate(
    secure_server: Server, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    trusted = ssl.create_default_context(cafile=certificate[1])
    path = fetch(REMOTE, [secure_server.address("good", "https")], tmp_path, timeout=5.0, context=trusted)
    assert path.read_bytes() == CONTENT


def test_https_with_a_certificate_that_nobody_vouches_for(secure_server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(REMOTE, [secure_server.address("good", "https")], tmp_path, timeout=5.0)
    assert secure_server.requests == []


def test_a_redirect_from_https_to_http_is_refused(
    secure_server: Server, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    trusted = ssl.create_default_context(cafile=certificate[1])
    with pytest.raises(DownloadError, match="refused to fetch http://"):  # where `moved` points to
        fetch(REMOTE, [secure_server.address("moved", "https")], tmp_path, timeout=5.0, context=trusted)
    assert secure_server.requests == ["/moved/file.gz"]
    assert os.listdir(tmp_path) == []


# --- the cache and the data sets --------------------------------------------------------------------------------------


def test_every_file_is_named_checked_and_fetched_over_https() -> None:
    assert FILES.keys() == MIRRORS.keys() == {"mnist", "fashion_mnist"}
    for name, files in FILES.items():
        assert {file.name for file in files} == {
            f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
        }
        assert all(len(bytes.fromhex(file.sha256)) == 32 for file in files)
        assert len(MIRRORS[name]) >= 2
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in MIRRORS[name])


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_a_data_set_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Callable[..., TrainTest]
) -> None:
    name: str = load.__name__
    folder = tmp_path / name
    folder.mkdir()
    arrays = {
        "images-idx3": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        "labels-idx1": np.arange(2, dtype=np.uint8),
    }
    remotes = []
    for part in ("train", "t10k"):
        for kind, array in arrays.items():
            path = folder / f"{part}-{kind}-ubyte.gz"
            write_idx(path, array)
            content = path.read_bytes()
            remotes.append(Remote(path.name, len(content), hashlib.sha256(content).hexdigest()))
    monkeypatch.setenv("TENSORGRAD_CACHE", str(tmp_path))
    monkeypatch.setitem(FILES, name, tuple(remotes))
    monkeypatch.setitem(MIRRORS, name, ())
    (x_train, _), (_, y_test) = load(download=True)
    assert_array_equal(x_train, arrays["images-idx3"])
    assert_array_equal(y_test, arrays["labels-idx1"])

    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(DownloadError, match=r"t10k-labels-idx1-ubyte\.gz: no mirror delivered this file"):
        load(download=True)
    assert len(os.listdir(folder)) == 3


CACHES = [  # platform, environment, folder
    ("linux", {"TENSORGRAD_CACHE": "/somewhere"}, "/somewhere"),
    ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/tensorgrad"),
    ("linux", {"XDG_CACHE_HOME": "relative"}, "~/.cache/tensorgrad"),
    ("linux", {}, "~/.cache/tensorgrad"),
    ("darwin", {"XDG_CACHE_HOME": "/xdg"}, "~/Library/Caches/tensorgrad"),
    ("win32", {"LOCALAPPDATA": "/local"}, "/local/tensorgrad"),
    ("win32", {}, "~/AppData/Local/tensorgrad"),
]


@pytest.mark.parametrize(("platform", "environment", "folder"), CACHES)
def test_where_the_cache_is(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], folder: str
) -> None:
    for name in ("TENSORGRAD_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(folder).expanduser()


@pytest.mark.parametrize("name", ["../other.bin", "/other.bin", "a/b", "C:\\other.bin", "..\\other.bin", "..", ".", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused(server: Server, tmp_path: Path, name: str) -> None:
    remote = Remote(name, 3, "")
    with pytest.raises(ValueError, match="fetch: expected the plain name of a file, without a folder, received"):
        fetch(remote, [server.address("good")], tmp_path / "folder", schemes=["http"])
    assert not any(tmp_path.iterdir())


def test_two_at_once_do_not_disturb_each_other(server: Server, tmp_path: Path) -> None:
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(have(server, tmp_path, "good"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["file.gz"]
