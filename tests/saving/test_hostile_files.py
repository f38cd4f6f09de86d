"""Files that somebody made to do harm, or that were damaged: each is refused, or loads as a model that predicts.

Refused means: with a ModelFileError, in bounded time and memory, with nothing run and nothing written.
"""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tensorgrad
from tensorgrad import CNN
from tensorgrad.layers import FFL, Add, BatchNorm, Conv2d, Dropout, Flatten, Pool2d, Sequential, Upsample
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.optim import Cosine
from tensorgrad.saving import ModelFileError
from tensorgrad.saving.weights import arrays

THOROUGH = settings().max_examples >= 100
SECONDS = 5.0  # for one file; nearly all take milliseconds


def examples(count: int) -> Any:
    """Of 5,000 files in the thorough profile, this test's share; an eighth of it otherwise."""
    return settings(
        max_examples=count if THOROUGH else count // 8,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


# -- good files, to start from ---------------------------------------------------------------------------------


def text_model() -> CNN:
    model = CNN(seed=0)
    model.add(Conv2d((6, 6, 1), filters=2, activation="relu"))
    model.add(Pool2d())
    model.add(Upsample())
    kernel = np.random.default_rng(0).standard_normal((2, 2, 2, 2)).astype(np.float32)
    model.add(Conv2d(filters=2, padding="same", kernel_size=2, stride=2, isbias=False, kernel=kernel))
    model.add(Dropout(0.2))
    model.add(Flatten())
    model.add(FFL(neurons=3, activation="softmax"))
    return model


def native_model_untrained() -> CNN:
    model = CNN(seed=0)
    model.add(Conv2d((6, 6, 1), filters=2, activation="relu", padding=1))
    model.add(BatchNorm())
    shared = Conv2d(filters=2)
    model.add(Add([[shared, Dropout(0.1)], Sequential([]), shared]))
    model.add(Pool2d(padding=1))
    model.add(Flatten())
    model.add(FFL(neurons=3, activation="softmax"))
    return model


def native_model() -> CNN:
    model = native_model_untrained()
    model.compile_model(opt="momentum", lr=Cosine(0.1, 9), loss="cse", metrics=["accuracy"], clip_norm=1.0)
    x = np.random.default_rng(0).standard_normal((10, 6, 6, 1))
    model.train(x, np.arange(10) % 3, epochs=2, verbose=0)
    model.layers[1].trainable = False
    return model


def saved(model: CNN, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(f"{folder}/{name}")
        return Path(f"{folder}/{name}").read_bytes()


NATIVE, TEXT = saved(native_model(), "m.tgrad"), saved(text_model(), "m.json")


def members(data: bytes = NATIVE) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


MEMBERS = members()
HEADER: dict[str, Any] = json.loads(MEMBERS["header.json"])
ARRAYS = [name for name in MEMBERS if name.endswith(".npy")]


def packed(contents: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method, compresslevel=1) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return stream.getvalue()


def with_header(header: Any) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return packed(MEMBERS | {"header.json": text})


# -- the watch: what happens while a file is loaded --------------------------------------------------------------

_watched: list[str] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Note whatever would run or write something."""
    if _watched is None:
        return
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    others = ("exec", "compile", "import", "pickle.", "marshal.", "subprocess.", "socket.", "os.", "shutil.", "ctypes.")
    harmless = ("os.listdir", "os.scandir")
    if writes or (event.startswith(others) and event not in harmless):
        _watched.append(f"{event} {arguments}"[:200])


sys.addaudithook(_audit)


@contextmanager
def watch() -> Iterator[None]:
    """Fail if anything is run or written, or if it takes too long."""
    global _watched

    def too_long(*arguments: Any) -> None:
        raise AssertionError(f"it took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    events: list[str] = []
    _watched = events
    try:
        yield
    finally:
        _watched = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not events


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("hostile")
    for name, data in (("m.tgrad", NATIVE), ("m.json", TEXT)):  # all that is imported late, is imported here
        assert attempt(place, name, data) == "loads"
        assert attempt(place, name, data[:100]) == "refused"
    yield place
    assert {path.name for path in place.iterdir()} <= {"m.tgrad", "m.json"}


def attempt(place: Path, name: str, data: bytes) -> str:
    """Load a file and predict with it. Returns what came of it: "loads" or "refused"."""
    (place / name).write_bytes(data)
    before = sorted(os.listdir(place))
    watching = place.name.startswith("hostile") and _warm
    try:
        if watching:
            with watch():
                model = tensorgrad.load_model(place / name)
        else:
            model = tensorgrad.load_model(place / name)
    except ModelFileError as error:
        said = str(error)
    else:
        said = ""
    finally:
        assert sorted(os.listdir(place)) == before
    if said:
        assert said.startswith(f"{place / name}: ")
        assert len(said) < 5000
        return "refused"
    shape = as_tuple(model.layers[0].input_shape or ())
    sizes = [int(np.prod(as_tuple(layer.output_shape or ()))) for layer in model.layers]
    if max(sizes) < 1e6:
        with np.errstate(all="ignore"):
            out = model.predict(np.ones((2, *shape)))
        assert out.shape == (2, *as_tuple(model.layers[-1].output_shape or ()))
    return "loads"


_warm = False


@pytest.fixture(autouse=True, scope="module")
def warm(folder: Path) -> Iterator[None]:
    global _warm
    _warm = True
    yield
    _warm = False


# -- bytes -----------------------------------------------------------------------------------------------------


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """A file that was cut, flipped, overwritten, shifted."""
    data = bytearray(good)
    ends = st.integers(0, 600).map(lambda n: len(good) - 1 - n)  # where a zip has its directory
    places = st.integers(0, len(good) - 1) | st.integers(0, 2000).map(lambda n: min(n, len(good) - 1)) | ends
    kind = draw(st.sampled_from(["cut", "flip", "flip", "overwrite", "insert", "delete", "repeat", "append"]))
    at = draw(places)
    if kind == "cut":
        return good[:at]
    if kind == "flip":
        for _ in range(draw(st.integers(1, 3))):
            data[draw(places)] ^= 1 << draw(st.integers(0, 7))
    elif kind == "overwrite":
        new = draw(st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 4, bytes(4), b"\xff" * 8]))
        data[at : at + len(new)] = new
    elif kind == "insert":
        data[at:at] = draw(st.binary(min_size=1, max_size=50))
    elif kind == "delete":
        del data[at : at + draw(st.integers(1, 500))]
    elif kind == "repeat":
        data[at:at] = data[at : at + draw(st.integers(1, 2000))]
    else:
        data += draw(st.binary(min_size=1, max_size=100) | st.just(good))
    return bytes(data)


@examples(1000)
@given(damaged(NATIVE))
def test_damaged_native_files(folder: Path, data: bytes) -> None:
    attempt(folder, "m.tgrad", data)


@examples(600)
@given(damaged(TEXT))
def test_damaged_json(folder: Path, data: bytes) -> None:
    attempt(folder, "m.json", data)


# -- JSON --------------------------------------------------------------------------------------------------------


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def values() -> list[Any]:
    """What to put somewhere: made anew each time, so that a change in one place is not one in another."""
    return [
        None, True, False, 0, -1, 1, 2, 3, 4, 7, 2**31 - 1, 2**31, 2**63, 10**12, 10**400, 0.0, -0.5, 0.5, 1.5,
        1e300, 1e-300, float("nan"), float("inf"), -float("inf"), "", "1", "3", "x" * 5000, "\0", "../../etc/passwd",
        "__import__('os')", "__class__", "adam", "Conv2d", "FFL", "Add", "Upsample", "Cosine", "softmax", "eval",
        "os.system", "zero", "average", "nan", "inf", [], [[]], {}, [1], [2, 2], [1, 2, 3], [10**9, 10**9],
        [1, 1, 1, 1], [True, True], [None], [1.0, 2.5],
        {"layer": "FFL", "config": {"neurons": 10**12}}, {"layer": "Upsample", "config": {"kernel_size": 10**9}},
        {"layer": "Layer", "config": {}}, {"tuple": [1, 2]}, {"tuple": 3}, {"dict": {}}, {"float": "inf"}, {"x": 1},
        {"tuple": [1], "dict": {}}, {"schedule": "Constant", "config": {"lr": 0.1}}, deep(100), deep(5000),
    ]  # fmt: skip


NEW_VALUES = st.integers(0, len(values()) - 1).map(lambda i: values()[i])


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a JSON value something stands; of long lists of numbers only the ends."""
    found = [path]
    if isinstance(value, dict):
        for key, item in value.items():
            found += paths(item, (*path, key))
    elif isinstance(value, list):
        for i in range(len(value)) if len(value) < 8 else (0, 1, len(value) - 1):
            found += paths(value[i], (*path, i))
    return found


def change(tree: Any, path: tuple[Any, ...], action: str, value: Any) -> Any:
    """The tree with one place changed."""
    if not path:
        return value if action == "replace" else tree
    place = tree
    try:
        for key in path[:-1]:
            place = place[key]
        last = path[-1]
        if action == "replace":
            place[last] = value
        elif action == "remove":
            del place[last]
        elif action == "add":
            place[last][value if isinstance(value, str) else "new"] = 1
        elif action == "repeat":
            place.insert(last, place[last])
        elif action == "rename":
            place[value if isinstance(value, str) else "new"] = place.pop(last)
    except (KeyError, IndexError, TypeError, AttributeError):
        pass  # the place is gone, or of another type, after an earlier change
    return tree


@st.composite
def mangled(draw: st.DrawFn, good: Any, heavy: list[tuple[Any, ...]]) -> bytes:
    """JSON in which a few values were replaced, removed, added, doubled, renamed."""
    tree = copy.deepcopy(good)
    everywhere = paths(good)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(everywhere) | st.sampled_from(heavy))
        action = draw(st.sampled_from(["replace"] * 5 + ["remove", "add", "repeat", "rename"]))
        tree = change(tree, path, action, draw(NEW_VALUES | st.sampled_from(everywhere).map(str)))
    try:
        text = json.dumps(tree)
    except RecursionError:
        text = "[" * 5000 + "]" * 5000
    if draw(st.integers(0, 9)) == 0 and isinstance(tree, dict) and tree:  # a key twice
        text = text[:-1] + ", " + json.dumps(draw(st.sampled_from(sorted(tree)))) + ": 1}"
    return text.encode()


@examples(1300)
@given(mangled(HEADER, [p for p in paths(HEADER) if p and p[0] in ("layers", "training")]))
def test_mangled_headers(folder: Path, header: bytes) -> None:
    attempt(folder, "m.tgrad", with_header(header))


@examples(1000)
@given(mangled(json.loads(TEXT), [p for p in paths(json.loads(TEXT)) if len(p) == 2]))
def test_mangled_json(folder: Path, data: bytes) -> None:
    attempt(folder, "m.json", data)


# -- the zip and its arrays --------------------------------------------------------------------------------------


def npy(header: str, data: bytes = bytes(16), version: int = 1) -> bytes:
    text = header.encode("latin1") + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) + text + data


def described(descr: str = "'<f4'", order: str = "False", shape: str = "(2, 2)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch harm",)


def pickled() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()], dtype=object), allow_pickle=True)
    return stream.getvalue()


def array(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()


DESCRIPTIONS = st.sampled_from([
    "'|O'", "'<f8'", "'>f4'", "'<f2'", "'<i4'", "'|b1'", "'<c8'", "'<U9999999'", "'|V8'", "[('a', '<f4')]", "'<f3'",
    "'x'", "__import__('os').system('touch harm')", "'<M8[s]'", "'<f4", "('<f4', (2,))",
])  # fmt: skip
SHAPES = st.sampled_from([
    "()", "(0,)", "(4,)", "(-1,)", "(2, 2)", "(1000000000000,)", "(1000000000, 1000000000)", "(9999999999999999999,)",
    "(2.0, 2)", "(True, 4)", "[4]", "4", "(2,) * 100", "(" + "1, " * 40 + ")", "('4',)", "(" * 90 + ")" * 90, "(2, 2",
    "",
])  # fmt: skip
CONTENTS = (
    st.builds(npy, st.builds(described, DESCRIPTIONS, st.sampled_from(["False", "True", "0", "None"]), SHAPES))
    | st.builds(npy, st.builds(described, shape=SHAPES), st.binary(max_size=64), st.integers(0, 4))
    | st.sampled_from([b"", b"\x93NUMPY", pickled(), pickle.dumps(Bomb()), npy("{}"), npy("x" * 60000), b"PK\x05\x06"])
    | st.sampled_from([np.float32([np.nan, np.inf]), np.arange(4), np.zeros((3, 3, 1, 2)), np.float64(1)]).map(array)
)
NAMES = st.sampled_from([
    "../harm.npy", "/tmp/harm.npy", "state/../../harm.npy", "state/0.weights.npy\0.npy", "C:\\harm.npy", "state/",
    "x.npy", "harm.py", "state/9.weights.npy", "optimizer/v/9.weights.npy", "header.json", "HEADER.JSON", "",
    "é" * 300 + ".npy",
    "state/0.activation.npy", "state/0.__class__.npy", "state/0.kernel_size.npy", "__init__.py", ".npy",
])  # fmt: skip


@st.composite
def repacked(draw: st.DrawFn) -> bytes:
    """A zip with members missing, doubled, renamed, exchanged, of other contents, with lies in its directory."""
    stream = io.BytesIO()
    entries = list(MEMBERS.items())
    for _ in range(draw(st.integers(1, 2))):
        i = draw(st.integers(0, len(entries) - 1))
        kind = draw(
            st.sampled_from(["remove", "double", "rename", "exchange", "contents", "contents", "contents", "more"])
        )
        name, data = entries[i]
        if kind == "remove" and len(entries) > 1:
            del entries[i]
        elif kind == "double":
            entries.insert(draw(st.integers(0, len(entries))), (name, draw(st.just(data) | CONTENTS)))
        elif kind == "rename":
            entries[i] = (draw(NAMES), data)
        elif kind == "exchange":
            j = draw(st.integers(0, len(entries) - 1))
            entries[i], entries[j] = (name, entries[j][1]), (entries[j][0], data)
        elif kind == "contents":
            entries[i] = (name, draw(CONTENTS))
        else:
            entries.append((draw(NAMES), draw(CONTENTS)))
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # as it is, also with NUL
            if draw(st.integers(0, 30)) == 0:
                info.compress_type = draw(st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
            with warnings.catch_warnings(action="ignore"):  # of names that are there twice
                archive.writestr(info, data)
    return lied(draw, stream.getvalue()) if draw(st.integers(0, 3)) == 0 else stream.getvalue()


def lied(draw: st.DrawFn, data: bytes) -> bytes:
    """Change a field of an entry in the directory: flags, method, checksum, sizes, lengths, offset."""
    changed = bytearray(data)
    found = [i for i in range(len(data) - 4) if data[i : i + 4] == b"PK\x01\x02"]
    start = draw(st.sampled_from(found))
    offset, form = draw(
        st.sampled_from([(8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H"), (42, "<I")])
    )
    limit = 2 ** (8 * struct.calcsize(form)) - 1
    values = st.sampled_from([0, 1, 2, 8, 9, 64, 99, 100_000, limit, limit - 1]) | st.integers(0, limit)
    struct.pack_into(form, changed, start + offset, min(draw(values), limit))
    return bytes(changed)


@examples(1100)
@given(repacked())
def test_repacked_files(folder: Path, data: bytes) -> None:
    attempt(folder, "m.tgrad", data)
    model = native_model_untrained()
    before = {name: values.copy() for name, values in arrays(model).items()}
    try:
        model.load_weights(folder / "m.tgrad")
    except ModelFileError:
        after = arrays(model)
        assert all(before[name].tobytes() == after[name].tobytes() for name in before)  # all or nothing


# -- by hand: each of these must be refused ----------------------------------------------------------------------


def layers_changed(index: int, **config: Any) -> bytes:
    header = copy.deepcopy(HEADER)
    header["layers"][index]["config"].update(config)
    return with_header(header)


def chain(length: int) -> Any:
    """A shared layer that holds a shared one twice, that holds a shared one twice ..."""
    layer: Any = {"layer": "BatchNorm", "config": {}, "shared": 0}
    for i in range(length):
        layer = {"layer": "Sequential", "config": {"layers": [layer, {"shared": i}]}, "shared": i + 1}
    return layer


def flagged() -> bytes:
    data = bytearray(NATIVE)
    struct.pack_into("<H", data, data.rindex(b"PK\x01\x02") + 8, 1)
    return bytes(data)


HUGE: dict[str, Callable[[], bytes]] = {
    "a shape of a terabyte": lambda: packed(MEMBERS | {ARRAYS[0]: npy(described(shape="(1000000000, 250)"))}),
    "a shape that overflows": lambda: packed(MEMBERS | {ARRAYS[0]: npy(described(shape="(4294967296, 4294967296)"))}),
    "a bomb": lambda: packed(MEMBERS | {ARRAYS[0]: bytes(300_000_000)}, zipfile.ZIP_DEFLATED),
    "a bomb for a header": lambda: packed(MEMBERS | {"header.json": b" " * 300_000_000}, zipfile.ZIP_DEFLATED),
    "neurons": lambda: layers_changed(5, neurons=10**12),
    "neurons and their input": lambda: layers_changed(5, neurons=2**30, input_shape=2**30),
    "filters": lambda: layers_changed(0, filters=10**12),
    "a kernel": lambda: layers_changed(0, kernel_size={"tuple": [10**6, 10**6]}),
    "padding": lambda: layers_changed(0, padding=10**7, stride={"tuple": [10**7, 10**7]}),
    "pool padding": lambda: layers_changed(3, kernel_size=10**7, padding=10**6, stride=10**7),
    "stride": lambda: layers_changed(0, stride={"tuple": [2**62, 2**62]}),
    "dilation": lambda: layers_changed(0, kernel_size=1, dilation=2**62),
    "an image": lambda: layers_changed(0, input_shape={"tuple": [10**6, 10**6, 1]}),
    "steps": lambda: with_header(HEADER | {"training": HEADER["training"] | {
        "optimizer": HEADER["training"]["optimizer"] | {"step": 10**18}}}),
    "seed": lambda: with_header(HEADER | {"seed": 2**300}),
    "enlargement within": lambda: layers_changed(2, branches=[
        {"layer": "Sequential", "config": {"layers": [{"layer": "Upsample", "config": {"kernel_size": 2**20}}] * 2}},
    ]),
    "weights within that are missing": lambda: layers_changed(2, branches=[
        {"layer": "Conv2d", "config": {"filters": 2, "kernel_size": 3}},
        {"layer": "Conv2d", "config": {"filters": 10**9, "kernel_size": 3}},
    ]),
    "channels to normalize": lambda: with_header(HEADER | {"training": None, "layers": [
        {"layer": "BatchNorm", "config": {}, "name": "", "input_shape": 2**25},
    ]}),
    "layers": lambda: with_header(HEADER | {"layers": [HEADER["layers"][4]] * 50_000}),
    "layers within": lambda: layers_changed(2, branches=[{"layer": "Flatten", "config": {}}] * 100_000),
    "shared layers of shared layers": lambda: layers_changed(2, branches=[chain(100)]),
    "slots": lambda: with_header(HEADER | {"training": HEADER["training"] | {
        "slots": [str(i) for i in range(500_000)]}}),
    "frozen": lambda: with_header(HEADER | {"frozen": [str(i) for i in range(900_000)], "training": None}),
    "untrainable": lambda: with_header(HEADER | {"untrainable": [str(i) for i in range(900_000)], "training": None}),
    "parameters": lambda: with_header(HEADER | {"training": HEADER["training"] | {
        "parameters": [str(i) for i in range(900_000)]}}),
    "updates": lambda: with_header(HEADER | {"training": HEADER["training"] | {
        "optimizer": HEADER["training"]["optimizer"] | {"updates": [1] * 2_000_000}}}),
    "epochs": lambda: with_header(HEADER | {"history": {"epoch": list(range(1_000_000, 0, -1)), "figures": {}}}),
    "brackets": lambda: with_header(b"[" * 10_000_000),
    "empty lists": lambda: with_header(b"[" + b"[]," * 5_000_000 + b"1]"),
    "a long header": lambda: with_header(b" " * (2**24 + 1)),
    "members": lambda: packed({str(i): b"" for i in range(30_000)}),
    "encrypted": flagged,
    "nothing but a directory's end": lambda: b"PK\x05\x06" + bytes(18),
    "endless names": lambda: packed({"header.json": b"{}", "a" * 65_000: b""}),
}  # fmt: skip

FFLAST = "Out Layer(FFL)"


def json_changed(layer: str, **fields: Any) -> bytes:
    tree = json.loads(TEXT)
    tree[layer].update(fields)
    return json.dumps(tree).encode()


HUGE_JSON: dict[str, Callable[[], bytes]] = {
    "neurons": lambda: json_changed(FFLAST, neurons=10**12, output_shape=10**12),
    "layers": lambda: json.dumps(
        {"model": "CNN"} | {str(i): json.loads(TEXT)["Flatten5"] for i in range(2000)}
    ).encode(),
    "neurons that fit an int": lambda: json_changed(FFLAST, neurons=10**9, output_shape=10**9),
    "filters": lambda: json_changed("Input Layer", filters=10**9, kernel_size=[3, 3, 1, 10**9]),
    "a kernel": lambda: json_changed("Input Layer", kernel_size=[10**9, 10**9, 1, 2]),
    "enlargement": lambda: json_changed("Upsample2", kernel_size=[10**9, 10**9]),
    "enlargement that fits an int": lambda: json_changed("Upsample2", kernel_size=[2**14, 2**14]),
    "an image": lambda: json_changed("Input Layer", input_shape=[10**9, 10**9, 1]),
    "stride": lambda: json_changed("Conv2d3", stride=[2**31 - 1, 2**31 - 1]),
    "brackets": lambda: b"[" * 30_000_000,
    "closed brackets": lambda: b'{"model": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "empty lists": lambda: b'{"model": [' + b"[]," * 10_000_000 + b"1]}",
    "objects": lambda: b'{"model": [' + b"{}," * 10_000_000 + b"1]}",
    "small numbers": lambda: b'{"model": [' + b"1," * 30_000_000 + b"1]}",
    "strings": lambda: b'{"model": [' + b'"",' * 20_000_000 + b"1]}",
    "digits": lambda: b'{"model": ' + b"9" * 10_000_000 + b"}",
    "digits of a float": lambda: b'{"model": ' + b"9" * 10_000_000 + b".0}",
    "a long name": lambda: b'{"model": "CNN", "' + b"x" * 10_000_000 + b'": {}}',
    "too long": lambda: b" " * (2**26 + 1),
    "keys": lambda: json.dumps({f"{i}": 0 for i in range(500_000)}).encode(),
}

LIMITED = """
import resource, sys, time
import numpy, tensorgrad
from tensorgrad.saving import ModelFileError
for path in sys.argv[2:]:  # once, for what is imported late
    try:
        tensorgrad.load_model(path)
    except ModelFileError:
        pass
    break
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]), -1))
for path in sys.argv[2:]:
    since = time.process_time()
    try:
        tensorgrad.load_model(path)
        print(path, "was loaded")
    except ModelFileError as error:
        if "memory" in str(error) or len(str(error)) > 2000:
            print(path, error)
    except BaseException as error:
        print(path, type(error), error)
    if time.process_time() - since > 5:
        print(path, "took", time.process_time() - since)
print("done")
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux to know how much memory is in use")
def test_huge_declarations_take_little_memory(tmp_path: Path) -> None:
    made = []
    for suffix, table in ((".tgrad", HUGE), (".json", HUGE_JSON)):
        for name, make in table.items():
            made.append(tmp_path / f"{name}{suffix}")
            made[-1].write_bytes(make())
    sparse = tmp_path / "sparse.tgrad"
    with sparse.open("wb") as file:
        file.write(b"PK")
        file.truncate(2**32)
    made.append(sparse)
    limit = 300_000_000  # the largest of these files is 68 MB long
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *map(str, made)], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "done\n", ran.stdout + ran.stderr[-3000:]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_what_is_no_regular_file(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tgrad")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.tgrad").symlink_to("/dev/zero")
    for path in sorted(tmp_path.iterdir()):
        with watch(), pytest.raises(ModelFileError, match="not a regular file"):
            tensorgrad.load_model(path)


def test_a_pickle_in_a_file_is_not_run(folder: Path) -> None:
    for name in ARRAYS:
        assert attempt(folder, "m.tgrad", packed(MEMBERS | {name: pickled()})) == "refused"
        assert attempt(folder, "m.tgrad", packed(MEMBERS | {name: pickle.dumps(Bomb())})) == "refused"
    assert not Path("harm").exists()


def test_names_can_be_printed(folder: Path) -> None:
    layers = [HEADER["layers"][0] | {"name": "\ud800"}, *HEADER["layers"][1:]]
    assert attempt(folder, "m.tgrad", with_header(HEADER | {"layers": layers})) == "refused"
    history = {"epoch": [0], "figures": {"\ud800": [1.0]}}
    assert attempt(folder, "m.tgrad", with_header(HEADER | {"history": history})) == "refused"
    assert attempt(folder, "m.json", TEXT.replace(b'"Flatten5": {', b'"\\ud800": {')) == "refused"


@pytest.mark.parametrize("then", ["Sequential", "FFL", "Flatten"])
def test_a_schedule_gives_numbers(folder: Path, then: str) -> None:
    inner = {"layer": then, "config": {"layers": []} if then == "Sequential" else {}}
    schedule = {"schedule": "WarmUp", "config": {"steps": 99, "then": inner}}
    training = HEADER["training"] | {"schedule": schedule}
    assert attempt(folder, "m.tgrad", with_header(HEADER | {"training": training})) == "refused"


FLATTEN = {"layer": "Flatten", "config": {}}


@pytest.mark.parametrize("branches", [
    [{"shared": 0}],
    [{"shared": 0}, FLATTEN | {"shared": 0}],
    [FLATTEN | {"shared": 0}, {"shared": 1}],
    [FLATTEN | {"shared": 0}, FLATTEN | {"shared": 0}],
    [{"layer": "Sequential", "config": {"layers": [{"shared": 0}]}, "shared": 0}],
    [FLATTEN | {"shared": 0}, {"shared": 0, "config": {}}],
    [FLATTEN | {"shared": -1}],
    [FLATTEN | {"shared": True}],
    [FLATTEN | {"shared": None}],
    [FLATTEN | {"shared": {"layer": "Flatten", "config": {}}}],
    [FLATTEN | {"shared": 0}, {"shared": 0.5}],
    [FLATTEN | {"shared": 0}, {"layer": "Sequential", "config": {"layers": {"shared": 0}}}],
])  # fmt: skip
def test_a_shared_layer_comes_before_where_it_is_shared(folder: Path, branches: Any) -> None:
    header = copy.deepcopy(HEADER) | {"training": None}
    header["layers"][2]["config"]["branches"] = branches
    assert attempt(folder, "m.tgrad", with_header(header)) == "refused"


@pytest.mark.parametrize("paths", ["1", None, ["6"], ["1.weights"], ["2.branches.2"], [1], [["1"]], {"1": 1}])
def test_what_is_frozen_are_layers_of_the_model(folder: Path, paths: Any) -> None:
    assert HEADER["untrainable"] == ["1"]
    assert attempt(folder, "m.tgrad", with_header(HEADER | {"untrainable": paths})) == "refused"


def test_every_epoch_has_every_figure(folder: Path) -> None:
    for figures in ([], [1.0], [1.0] * 3):
        history = {"epoch": [0, 1], "figures": {"loss": figures}}
        assert attempt(folder, "m.tgrad", with_header(HEADER | {"history": history})) == "refused"


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_is_needed(folder: Path, name: str) -> None:
    less = {key: value for key, value in MEMBERS.items() if key != name}
    assert attempt(folder, "m.tgrad", packed(less)) == "refused"
    assert attempt(folder, "m.tgrad", packed(less | {f"{name}x": MEMBERS[name]})) == "refused"
    assert attempt(folder, "m.tgrad", packed(MEMBERS | {name.replace(".", "9."): MEMBERS[name]})) == "refused"


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_has_its_shape_and_dtype(folder: Path, name: str) -> None:
    good = np.load(io.BytesIO(MEMBERS[name]))
    for other in (good[None], good[..., :-1], good.ravel()[:0], good.astype("i4"), good.astype("c8"), good > 0):
        data = packed(MEMBERS | {name: array(other)})
        assert attempt(folder, "m.tgrad", data) == ("loads" if other.shape == good.shape == 0 else "refused")


@pytest.mark.parametrize("step", [1, 7])
def test_every_truncation_is_refused(folder: Path, step: int) -> None:
    for data, name in ((NATIVE, "m.tgrad"), (TEXT, "m.json")):
        for length in range(step - 1, len(data), 97 * step if not THOROUGH else 11 * step):
            assert attempt(folder, name, data[:length]) == "refused"


def test_every_flipped_bit_of_an_array_is_noticed(folder: Path) -> None:
    start = NATIVE.index(MEMBERS[ARRAYS[0]])
    for i in range(start, start + len(MEMBERS[ARRAYS[0]]), 1 if THOROUGH else 11):
        data = bytearray(NATIVE)
        data[i] ^= 1 << i % 8
        assert attempt(folder, "m.tgrad", bytes(data)) == "refused"


def test_not_finite_weights(folder: Path) -> None:
    good = np.load(io.BytesIO(MEMBERS[ARRAYS[0]]))
    for value in (np.nan, np.inf, -np.inf):
        data = packed(MEMBERS | {ARRAYS[0]: array(np.full_like(good, value))})
        assert attempt(folder, "m.tgrad", data) == "loads"  # of a training that went wrong: to look at
        for text in ("NaN", "Infinity", "-Infinity", "1e999"):
            tree = TEXT.replace(b'"prob": 0.2', b'"prob": ' + text.encode())
            assert attempt(folder, "m.json", tree) == "refused"
