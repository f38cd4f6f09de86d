"""The native file: everything comes back, nothing is lost, what cannot be kept is refused before a byte is written."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import tensorgrad
from tensorgrad import CNN, Tensor, atomic_file, losses
from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool2d,
    Sequential,
    Upsample,
)
from tensorgrad.optim import Adam, Cosine, Optimizer, WarmUp
from tensorgrad.saving import ModelFileError, register, registry
from tensorgrad.training import metrics

Array = npt.NDArray[Any]
X = np.random.default_rng(0).standard_normal((12, 8, 8, 2)).astype(np.float32)
Y = np.arange(12) % 3


@register
class Scale(Layer):
    """A layer of one's own: a parameter of no axes, a buffer, arguments of many kinds, and layers within."""

    buffers = ("seen",)

    def __init__(
        self,
        inner: Layer,
        *,
        more: tuple[Any, ...] = (),
        options: dict[str, Any] | None = None,
        bias: bool = True,
        limit: float = float("inf"),
    ) -> None:
        self.inner, self.more, self.options, self.bias, self.limit = inner, more, options, bias, limit
        self.factor = Tensor(np.float32(1.5), requires_grad=True)
        self.seen = np.zeros(2, np.int64)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        if training:
            self.seen += 1
        return self.inner(x, training) * self.factor


@register
class Halves(Layer):
    """Another, whose arguments are a list without a fixed length."""

    def __init__(self, *parts: Layer) -> None:
        self.parts = parts

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return sum((part(x, training) for part in self.parts), start=x * 0.5)


@register(name="sign descent")
class Signed(Optimizer):
    name = "sign descent"

    def update(self, g: Array, slots: Any, scratch: Array, t: int) -> None:
        np.sign(g, out=g)
        g *= self.lr


@register
@dataclasses.dataclass
class Halving:
    """A schedule of one's own."""

    lr: float

    def __call__(self, n: int) -> float:
        return self.lr / 2**n


class Stranger(Layer):
    def forward(self, x: Tensor, training: bool) -> Tensor:
        return x


def every_layer() -> CNN:
    model = CNN(seed=3)
    model.add(Conv2d((8, 8, 2), filters=4, padding=(2, 1), activation="leaky_relu", dilation=(2, 1), groups=2))
    model.add(BatchNorm(momentum=0.2, synchronized=True))
    model.add(Pool2d((2, 3), stride=(1, 2), kind="min", padding="zero"))
    model.add(Add([[Conv2d(filters=4), BatchNorm(), Activation("swish"), Dropout(0.1)], []]))
    model.add(Scale(Conv2d(filters=3, kernel_size=2), more=(1, [2.5, "a"], None), options={"b": (True,)}, bias=False))
    model.add(Upsample((1, 2)))
    model.add(Halves(Dropout(0.2), Sequential([LayerNorm()])))
    model.add(Add([GlobalPool(), Sequential([Flatten(), FFL(neurons=3, is_bias=False)])]))
    model.add(FFL(neurons=3, activation="softmax"))
    return model


def trained(**compiled: Any) -> CNN:
    model = every_layer()
    model.compile_model(**({"lr": 0.01, "opt": "adam", "loss": "cse", "metrics": ["accuracy", "f1"]} | compiled))
    model.train(X, Y, epochs=2, batch_size=5, verbose=0)
    return model


def contents(model: CNN) -> dict[str, Any]:
    from tensorgrad.saving.weights import arrays

    return {name: array.copy() for name, array in arrays(model).items()}


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a
    )


# -- a round trip ------------------------------------------------------------------------------------------------


def test_everything_comes_back(tmp_path: Path) -> None:
    model = trained(label_smoothing=0.1, clip_norm=1.0, clip_value=0.5)
    path = tmp_path / "model.tgrad"
    model.save_model(path)
    again = tensorgrad.load_model(os.fspath(path))
    assert [repr(layer) for layer in again.layers] == [repr(layer) for layer in model.layers]
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [layer.output_shape for layer in again.layers] == [layer.output_shape for layer in model.layers]
    assert same(contents(again), contents(model))
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.evaluate(X, Y) == model.evaluate(X, Y)
    assert (again.clip_norm, again.clip_value, again.objective.label_smoothing) == (1.0, 0.5, 0.1)
    assert again.metrics == model.metrics
    assert vars(again.history) == vars(model.history)
    for name in ("train_loss", "val_loss", "train_acc", "val_acc"):
        assert getattr(again, name) == getattr(model, name)
    scale = again.layers[4]
    assert isinstance(scale, Scale)
    assert (scale.more, scale.options, scale.bias, scale.limit) == (
        (1, [2.5, "a"], None),
        {"b": (True,)},
        False,
        np.inf,
    )
    assert scale.seen.tolist() == [6, 6]
    kept, before = again.optimizer.state_dict(), model.optimizer.state_dict()
    assert {k: v for k, v in kept.items() if k != "slots"} == {k: v for k, v in before.items() if k != "slots"}
    for slot, arrays in before["slots"].items():
        assert all(np.array_equal(a, b) for a, b in zip(arrays, kept["slots"][slot], strict=True))
    again.save_model(tmp_path / "again.tgrad")
    assert (tmp_path / "again.tgrad").read_bytes() == path.read_bytes()


def test_a_model_that_is_not_compiled(tmp_path: Path) -> None:
    model = every_layer()
    model.save_model(tmp_path / "model")
    again = tensorgrad.load_model(tmp_path / "model")
    assert not again.iscompiled
    assert np.array_equal(again.predict(X), model.predict(X))


def test_a_model_without_parameters(tmp_path: Path) -> None:
    model = CNN(seed=0)
    pool = Pool2d()
    pool.input_shape = (8, 8, 2)
    model.add(pool)
    model.save_model(tmp_path / "model.tgrad")
    assert np.array_equal(tensorgrad.load_model(tmp_path / "model.tgrad").predict(X), model.predict(X))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_of_any_layout_and_dtype(tmp_path: Path, dtype: type) -> None:
    values: Array = np.random.default_rng(0).standard_normal((6, 8)).astype(dtype)
    layouts = [values[:, :4], values[::2, ::2], values[:4, :3].T, np.asfortranarray(values[:3, :4]), values[::-1, ::-2]]
    for weights in layouts:
        model = CNN(seed=0)
        model.add(
            FFL(input_shape=weights.shape[0], neurons=weights.shape[1], bias=np.ones(8, dtype)[::2][: weights.shape[1]])
        )
        parameter = model.layers[0].weights
        parameter.array = weights  # a view, as it is
        for name in ("a.tgrad", "a.safetensors"):
            (model.save_model if name == "a.tgrad" else model.save_weights)(tmp_path / name)
            other = CNN(seed=1)
            other.add(
                FFL(input_shape=weights.shape[0], neurons=weights.shape[1], bias=np.zeros(weights.shape[1], dtype))
            )
            other.layers[0].weights.array = np.zeros(weights.shape, dtype)
            other.load_weights(tmp_path / name)
            assert np.array_equal(other.layers[0].weights.array, weights)
        again = tensorgrad.load_model(tmp_path / "a.tgrad")
        assert same(contents(again), contents(model))


def test_frozen_layers_stay_frozen(tmp_path: Path) -> None:
    model = every_layer()
    model.layers[0].weights.requires_grad = False
    model.compile_model(opt="momentum", loss="cse")
    model.train(X, Y, epochs=1, verbose=0)
    for later in (False, True):
        if later:  # frozen after the model was compiled: it is still the optimizer's
            model.layers[-1].biases.requires_grad = False
        model.save_model(tmp_path / "model.tgrad")
        again = tensorgrad.load_model(tmp_path / "model.tgrad")
        assert [name for name, _ in again.named_parameters()] == [name for name, _ in model.named_parameters()]
        assert len(again.optimizer.params) == len(model.optimizer.params)
        assert same(contents(again), contents(model))


def test_an_optimizer_over_the_parameters_in_another_order(tmp_path: Path) -> None:
    model = every_layer()
    model.compile_model(opt=Adam(model.parameters()[::-1], lr=0.02, beta1=0.8), loss="cse")
    model.train(X, Y, epochs=1, verbose=0)
    model.save_model(tmp_path / "model.tgrad")
    again = tensorgrad.load_model(tmp_path / "model.tgrad")
    assert repr(again.optimizer) == repr(model.optimizer)
    for m in (model, again):
        m.resume(X, Y, epochs=2, verbose=0)
    assert same(contents(again), contents(model))


SCHEDULES = [Cosine(0.1, 10), WarmUp(2, then=Cosine(0.1, 10, 0.01)), Halving(0.25)]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedules(tmp_path: Path, schedule: Any) -> None:
    model = trained(lr=schedule)
    model.save_model(tmp_path / "model.tgrad")
    assert tensorgrad.load_model(tmp_path / "model.tgrad").schedule == schedule


def test_an_optimizer_of_one_s_own(tmp_path: Path) -> None:
    model = every_layer()
    model.compile_model(opt=Signed(model.parameters(), lr=0.5), loss="cse")
    model.save_model(tmp_path / "model.tgrad")
    again = tensorgrad.load_model(tmp_path / "model.tgrad")
    assert isinstance(again.optimizer, Signed)
    assert again.optimizer.lr == 0.5


def test_what_is_in_the_file(tmp_path: Path) -> None:
    trained().save_model(tmp_path / "model.tgrad")
    with zipfile.ZipFile(tmp_path / "model.tgrad") as archive:
        assert archive.testzip() is None
        header = json.loads(archive.read("header.json"))
        assert header["format"] == "tensorgrad model"
        assert header["tensorgrad"] == tensorgrad.__version__
        weights = np.load(io.BytesIO(archive.read("state/8.weights.npy")), allow_pickle=False)
        assert weights.shape == (3, 3)
        assert "optimizer/m/8.weights.npy" in archive.namelist()


# -- weights alone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.safetensors", "w.tgrad", "w.weights"])
def test_weights_alone(tmp_path: Path, name: str) -> None:
    model, other = trained(), every_layer()
    held = other.parameters()
    model.save_weights(tmp_path / name)
    other.load_weights(tmp_path / name)
    assert same(contents(other), contents(model))
    assert all(a is b for a, b in zip(held, other.parameters(), strict=True))  # an optimizer keeps hold of them
    with pytest.raises(ModelFileError, match=r"weights alone.*load_weights"):
        tensorgrad.load_model(tmp_path / name)


def test_weights_from_the_file_of_a_model(tmp_path: Path) -> None:
    model, other = trained(), every_layer()
    model.save_model(tmp_path / "model.tgrad")
    other.load_weights(tmp_path / "model.tgrad")
    assert same(contents(other), contents(model))
    model, other = CNN(seed=0), CNN(seed=1)
    for m in (model, other):
        m.add(FFL(input_shape=3, neurons=2))
    model.save_model(tmp_path / "model.json")
    other.load_weights(tmp_path / "model.json")
    assert same(contents(other), contents(model))


@pytest.mark.parametrize("name", ["w.safetensors", "w.tgrad"])
def test_weights_of_another_model_change_nothing(tmp_path: Path, name: str) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=3, neurons=4))
    model.add(BatchNorm())
    model.add(FFL(neurons=2, bias=np.zeros(2)))
    model.save_weights(tmp_path / name)
    other = CNN(seed=1)
    other.add(FFL(input_shape=3, neurons=5))
    other.add(FFL(neurons=2))
    other.add(FFL(neurons=2))
    before = contents(other)
    with pytest.raises(ModelFileError) as caught:
        other.load_weights(tmp_path / name)
    said = str(caught.value)
    assert str(tmp_path / name) in said
    assert "unexpected: 1.running_mean, float32 of shape (4,)" in said
    assert "different: 0.weights is float32 of shape (3, 5) in the model, float32 of shape (3, 4) in the file" in said
    assert "different: 2.biases is float32 of shape (2,) in the model, float64 of shape (2,) in the file" in said
    assert same(contents(other), before)
    less = CNN(seed=1)
    less.add(FFL(input_shape=3, neurons=4))
    less.save_weights(tmp_path / name)
    with pytest.raises(ModelFileError, match=r"missing: 1.weights, float32 of shape \(4,\)"):
        model.load_weights(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 100, b"8" * 7])
def test_a_damaged_safetensors_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(data)
    with pytest.raises(ModelFileError):
        every_layer().load_weights(tmp_path / "w.safetensors")


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    model = every_layer()
    with pytest.raises(ImportError, match="the extra 'safetensors'"):
        model.save_weights(tmp_path / "w.safetensors")
    with pytest.raises(ImportError, match="the extra 'safetensors'"):
        model.load_weights(tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())


# -- the registry ------------------------------------------------------------------------------------------------


@pytest.fixture
def registered() -> Iterator[dict[str, Any]]:
    before = dict(registry._kinds)
    yield registry._kinds
    registry._kinds.clear()
    registry._kinds.update(before)


def with_layer(layer: Layer) -> CNN:
    model = CNN(seed=0)
    model.add(Conv2d((8, 8, 2)))
    model.add(layer)
    return model


def test_a_layer_that_nobody_registered(tmp_path: Path, registered: dict[str, Any]) -> None:
    path = tmp_path / "model.tgrad"
    for layer in (Stranger(), Sequential([Stranger()]), Scale(Flatten(), more=(Stranger(),))):
        with pytest.raises(ValueError, match=r"Stranger, which is not registered.*@tensorgrad\.saving\.register"):
            with_layer(layer).save_model(path)
        assert not list(tmp_path.iterdir())
    register(Stranger)
    with_layer(Stranger()).save_model(path)
    del registered["Stranger"]
    with pytest.raises(ModelFileError, match=r"layer 1: unknown layer 'Stranger'.*register"):
        tensorgrad.load_model(path)


def test_names_in_the_registry_are_taken_once(registered: dict[str, Any]) -> None:
    fake = type("Conv2d", (Layer,), {"__module__": "tensorgrad.layers.conv2d"})
    for kind in (fake, type("Scale", (Layer,), {"__qualname__": "f.Scale"})):
        with pytest.raises(ValueError, match=r"already stands for .*; give another name"):
            register(kind)
    again = type("Scale", (Layer,), {"__module__": Scale.__module__, "__qualname__": Scale.__qualname__})
    assert register(again) is again  # a cell that is run a second time
    for nothing in (object, Scale(Flatten()), 3, len, Layer, dataclasses.make_dataclass("D", ["a"])):
        with pytest.raises(TypeError, match="expected a subclass of Layer or Optimizer"):
            register(nothing)  # type: ignore[type-var]


def test_one_category_does_not_stand_for_another(tmp_path: Path) -> None:
    trained(lr=Cosine(0.1, 3)).save_model(tmp_path / "model.tgrad")
    for old, new in (('"schedule": "Cosine"', '"schedule": "Flatten"'), ('"layer": "FFL"', '"layer": "adam"')):
        with pytest.raises(ModelFileError, match=r"unknown (schedule|layer) '(Flatten|adam)'"):
            tensorgrad.load_model(rewritten(tmp_path, old, new))


# -- what cannot be kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["tgrad", "json"])
@pytest.mark.parametrize("name", ["x" * 1001, "half of a pair: \ud83d"])
def test_names_that_would_not_be_read(tmp_path: Path, suffix: str, name: str) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=3, neurons=2))
    model.layers[0].name = name
    with pytest.raises(ValueError, match="save: the name of FFL: expected a short string of Unicode"):
        model.save_model(tmp_path / f"model.{suffix}")
    assert not list(tmp_path.iterdir())


def uneven() -> CNN:
    model = trained()
    model.history.history["mine"] = [1.0]
    return model


@register
class Forgetful(Layer):
    def __init__(self, size: int = 3) -> None:
        self.width = size

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return x


@register
class Holds(Layer):
    def __init__(self, value: Any) -> None:
        self.value = value

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return x


UNKEPT: list[tuple[Callable[[], CNN], str]] = [
    (CNN, "no layers yet"),
    (lambda: with_layer(Forgetful()), r"config\(\) must give the constructor's arguments, but lacks \['size'\]"),
    (lambda: with_layer(Holds(len)), "Holds.*value.*type builtin_function_or_method, which a file cannot hold"),
    (lambda: with_layer(Holds(np.ones(3))), "type ndarray, which a file cannot hold"),
    (lambda: with_layer(Holds({1: 2})), "type dict, which a file cannot hold"),
    (lambda: with_layer(Holds(2**70)), "which a file cannot hold"),
    (lambda: with_layer(Upsample(10**9)), "turns one sample"),
    (uneven, "the history has 2 epochs but 1 figures of 'mine'"),
    (lambda: trained(lr=lambda n: 0.1), "learning-rate schedule is .*, which a file cannot hold"),
]


@pytest.mark.parametrize(("make", "says"), UNKEPT, ids=[says for _, says in UNKEPT])
def test_what_cannot_be_kept_is_refused_and_nothing_is_written(
    tmp_path: Path, make: Callable[[], CNN], says: str
) -> None:
    (tmp_path / "model.tgrad").write_text("before")
    with pytest.raises(ValueError, match=says):
        make().save_model(tmp_path / "model.tgrad")
    assert (tmp_path / "model.tgrad").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["model.tgrad"]


def test_other_things_that_cannot_be_kept(tmp_path: Path) -> None:
    shared = every_layer()
    shared.layers[8]._weights = shared.layers[7].branches[1].layers[1]._weights  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="are one array"):
        shared.save_model(tmp_path / "model.tgrad")
    odd = every_layer()
    odd.rng = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(ValueError, match="MT19937; a file holds the state of PCG64"):
        odd.save_model(tmp_path / "model.tgrad")
    long = every_layer()
    long.layers[4].seen = np.zeros(2, np.longdouble)
    with pytest.raises(ValueError, match=r"'state/4.seen' has dtype (float128|longdouble)"):
        long.save_model(tmp_path / "model.tgrad")
    with pytest.raises(ValueError, match="use save_weights"):
        every_layer().save_model(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="no layers yet"):
        CNN().save_weights(tmp_path / "w.tgrad")
    assert not list(tmp_path.iterdir())


# -- the disk ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.tgrad", "model.json"])
@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, failing: str) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=100, neurons=100))
    path = tmp_path / name
    model.save_model(path)
    before = path.read_bytes()

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            if self.tell() > 5000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(bytes(data)[:3000])

    def fail(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        if failing == "write":
            patched.setattr(atomic_file, "open", lambda p, mode: io.BufferedWriter(Full(p, "x")), raising=False)
        else:
            patched.setattr(os, failing, fail)
        with pytest.raises(OSError, match="No space left on device: .*" + name):
            model.save_model(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["model.tgrad", "model.json", "w.safetensors"])
def test_a_folder_that_does_not_exist(tmp_path: Path, name: str) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=1))
    save = model.save_weights if name == "w.safetensors" else model.save_model
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*nowhere'; make it first"):
        save(tmp_path / "nowhere" / name)
    (tmp_path / name).mkdir()
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert not list((tmp_path / name).iterdir())


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    for name in ("model.tgrad", "model.json"):
        with pytest.raises(FileNotFoundError):
            tensorgrad.load_model(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        tensorgrad.load_model(tmp_path)


def test_a_link_keeps_pointing_to_the_file(tmp_path: Path) -> None:
    model = every_layer()
    (tmp_path / "latest.tgrad").symlink_to("model.tgrad")
    model.save_model(tmp_path / "latest.tgrad")
    assert (tmp_path / "latest.tgrad").is_symlink()
    assert np.array_equal(tensorgrad.load_model(tmp_path / "model.tgrad").predict(X), model.predict(X))


@pytest.mark.skipif(os.name != "posix", reason="needs permissions for owner, group and others")
def test_a_private_file_stays_private(tmp_path: Path) -> None:
    path, model = tmp_path / "model.tgrad", every_layer()
    model.save_model(path)
    for mode in (0o600, 0o664):
        path.chmod(mode)
        model.save_model(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    path = tmp_path / "model[1].tgrad"
    left = tmp_path / f".{path.name}.0123abcd.part"
    left.write_bytes(b"half")
    (tmp_path / ".other.tgrad.0123abcd.part").write_bytes(b"half")
    with atomic_file.replacing(path) as first:
        assert not left.exists()
        with atomic_file.replacing(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
        first.write(b"first")
    assert path.read_bytes() == b"first"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.tgrad.0123abcd.part", path.name]


def test_a_temporary_file_that_somebody_takes_for_a_leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, lock = tmp_path / "model.tgrad", atomic_file._lock
    others: list[Any] = []

    def too_late(file: Any) -> None:
        if not others:
            others.append(open(file.name, "rb"))  # noqa: SIM115 - it is closed below
            lock(others[0])
        lock(file)

    monkeypatch.setattr(atomic_file, "_lock", too_late)
    with atomic_file.replacing(path) as file:
        Path(others[0].name).unlink()
        others[0].close()
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tgrad")
    with pytest.raises(OSError, match="it is a device or a pipe"):
        every_layer().save_model(tmp_path / "pipe.tgrad")
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe.tgrad").st_mode)
    assert len(list(tmp_path.iterdir())) == 1


def test_where_files_cannot_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_file, "fcntl", None)
    path = tmp_path / "model.tgrad"
    left = tmp_path / f".{path.name}.0123abcd.part"
    left.write_bytes(b"half")
    model = every_layer()
    model.save_model(path)
    assert np.array_equal(tensorgrad.load_model(path).predict(X), model.predict(X))
    assert sorted(p.name for p in tmp_path.iterdir()) == [left.name, path.name]  # nobody knows whose it is


def test_threads_that_save_to_one_path(tmp_path: Path) -> None:
    models = [every_layer(), trained()]
    expected = [model.predict(X) for model in models]
    failed: list[BaseException] = []

    def save(model: CNN) -> None:
        try:
            for _ in range(10):
                model.save_model(tmp_path / "model.tgrad")
                found = tensorgrad.load_model(tmp_path / "model.tgrad").predict(X)
                if not any(np.array_equal(found, one) for one in expected):
                    raise AssertionError("neither model")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=save, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert [path.name for path in tmp_path.iterdir()] == ["model.tgrad"]


# -- other files -------------------------------------------------------------------------------------------------


def rewritten(folder: Path, old: str, new: str) -> Path:
    """The file model.tgrad with another header."""
    path = folder / "changed.tgrad"
    with zipfile.ZipFile(folder / "model.tgrad") as good, zipfile.ZipFile(path, "w") as bad:
        for info in good.infolist():
            data = good.read(info)
            if info.filename == "header.json":
                text = data.decode()
                assert old in text
                data = text.replace(old, new, 1).encode()
            bad.writestr(info, data)
    return path


def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    trained().save_model(tmp_path / "model.tgrad")
    path = rewritten(tmp_path, '"version": 1, "tensorgrad": "', '"version": 3, "tensorgrad": "9.')
    with pytest.raises(
        ModelFileError, match=r"version 3 of the format, written by tensorgrad 9\..*reads up to version 2"
    ):
        tensorgrad.load_model(path)
    model = every_layer()
    before = contents(model)
    with pytest.raises(ModelFileError, match="version 3 of the format"):
        model.load_weights(path)
    model.save_weights(tmp_path / "model.tgrad")
    for old, new, says in (
        ('"version": 1', '"version": 3', "version 3 of the format, written by tensorgrad"),
        ("tensorgrad weights", "other", "expected 'tensorgrad model' or 'tensorgrad weights', received 'other'"),
    ):
        with pytest.raises(ModelFileError, match=says):
            model.load_weights(rewritten(tmp_path, old, new))
    assert same(contents(model), before)


OTHERS = [
    (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5, as Keras"),
    (b"\x80\x04\x95" + bytes(100), "a pickle, which is never loaded"),
    (b"\x93NUMPY\x01\x00", "a single NumPy array"),
    (b'{"model": "CNN"}', "rename it to .json"),
    (b"\x08\x0a\x12\x0atensorgrad", "ONNX: use tensorgrad.onnx.load"),
    (b"\x1f\x8b\x08" + bytes(20), "gzip: unpack it first"),
    (b"<!DOCTYPE html>", "a web page"),
    (b"", "not a model of tensorgrad"),
]


@pytest.mark.parametrize(("data", "says"), OTHERS)
def test_files_of_others(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "m.tgrad").write_bytes(data)
    with pytest.raises(ModelFileError, match=says):
        tensorgrad.load_model(tmp_path / "m.tgrad")


def test_archives_of_others(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", a=np.ones(3))
    with pytest.raises(ModelFileError, match=r"has no header.json"):
        tensorgrad.load_model(tmp_path / "m.npz")
    np.savez_compressed(tmp_path / "m.npz", a=np.ones(3))
    with pytest.raises(ModelFileError, match="is compressed"):
        tensorgrad.load_model(tmp_path / "m.npz")
    (tmp_path / "m.json").write_bytes((tmp_path / "m.npz").read_bytes())
    with pytest.raises(ModelFileError, match=r"looks like a zip|not JSON"):
        tensorgrad.load_model(tmp_path / "m.json")
    with pytest.raises(ModelFileError, match="weights alone"):
        tensorgrad.load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("member", "says"), [("net/data.pkl", "PyTorch's, which holds a pickle"), ("model.weights.h5", "Keras's")]
)
def test_zips_of_others(tmp_path: Path, member: str, says: str) -> None:
    path = tmp_path / "m.tgrad"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/version", "3")
        archive.writestr(member, b"")
    with pytest.raises(ModelFileError, match=says) as caught:
        tensorgrad.load_model(path)
    assert str(caught.value).count("m.tgrad") == 1


def test_an_error_names_the_file_once(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("[1, 2]")
    model = CNN(seed=0)
    model.add(FFL(2, neurons=2))
    with pytest.raises(ModelFileError) as caught:
        model.load_weights(path)
    assert str(caught.value) == f"{path}: JSON: expected an object, received [1, 2]"


def test_loading_needs_numpy_alone(tmp_path: Path) -> None:
    model = CNN(seed=0)
    model.add(Conv2d((8, 8, 2), filters=2, activation="relu"))
    model.add(Flatten())
    model.add(FFL(neurons=3, activation="softmax"))
    for name in ("model.tgrad", "model.json"):
        model.save_model(tmp_path / name)
        program = (
            "import sys, numpy, tensorgrad\n"
            "modules = {'tensorgrad.saving.native', 'tensorgrad.saving.tutorial', 'safetensors'}\n"
            "late = modules & set(sys.modules)\n"
            f"tensorgrad.load_model({str(tmp_path / name)!r}).predict(numpy.ones((8, 8, 2)))\n"
            "print(sorted(late), sorted({'scipy', 'safetensors', 'matplotlib'} & set(sys.modules)))"
        )
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert ran.stdout == "[] []\n"


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda folder: tensorgrad.save_model(Sequential([Dropout()]), folder / "m.tgrad"), TypeError,
         r"save_model: expected a CNN, received Sequential; add it to a CNN: model\.add\(\.\.\.\)"),
        (lambda folder: tensorgrad.save_model("m.tgrad", trained()), TypeError, "expected a CNN, received str"),
        (lambda folder: trained().save_model(folder / "m.safetensors"), ValueError,
         "save_model: a .safetensors file holds weights alone; use save_weights"),
        (lambda folder: trained().save_weights(folder / "m.json"), ValueError,
         "save_weights: a .json file holds a whole model; use save_model"),
    ],
)  # fmt: skip
def test_what_a_file_is_not_for(tmp_path: Path, call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(tmp_path)
    assert not list(tmp_path.iterdir())


def own_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return abs(outputs - targets) * 2


def own_metric(outputs: Array, targets: Array) -> float:
    return float(np.abs(outputs - targets).max())


@pytest.mark.parametrize(("given", "says"), [
    ({"loss": own_loss}, "the loss or metric 'own_loss' is a function that no file"),
    ({"loss": "mse", "metrics": [own_metric]}, "the loss or metric 'own_metric' is a function that no file"),
])  # fmt: skip
def test_losses_and_metrics_of_one_s_own_are_registered_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr("tensorgrad.losses.LOSSES", dict(losses.LOSSES))
    monkeypatch.setattr("tensorgrad.training.metrics.METRICS", dict(metrics.METRICS))

    def made() -> CNN:
        model = CNN(seed=0)
        model.add(FFL(input_shape=4, neurons=2))
        model.compile_model(opt="iterative", **given)
        model.train(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
        return model

    with pytest.raises(ValueError, match=says):
        made().save_model(tmp_path / "model.tgrad")
    assert not (tmp_path / "model.tgrad").exists()
    losses.register(own_loss)
    metrics.register(own_metric)
    model = made()
    model.save_model(tmp_path / "model.tgrad")
    again = tensorgrad.load_model(tmp_path / "model.tgrad")
    assert again.evaluate(np.ones((8, 4)), np.ones((8, 2))) == model.evaluate(np.ones((8, 4)), np.ones((8, 2)))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("opt", ["adam", "rmsprop"])
def test_a_model_of_another_dtype_with_running_statistics(tmp_path: Path, dtype: str, opt: str) -> None:
    model = CNN(seed=0)
    for layer in (FFL(input_shape=4, neurons=4), BatchNorm(), Add([[FFL(neurons=4), BatchNorm()], []])):
        model.add(layer)
    model.add(FFL(neurons=3, activation="softmax"))
    model.astype(dtype)
    model.compile_model(loss="cse", opt=opt)
    x, y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
    model.train(x, y, verbose=0)
    model.save_model(tmp_path / "model.tgrad")
    again = tensorgrad.load_model(tmp_path / "model.tgrad")
    for each in (model, again):
        each.train(x, y, verbose=0)
    for expected, found in zip(model.get_weights(), again.get_weights(), strict=True):
        assert found.dtype == dtype
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found, expected)
