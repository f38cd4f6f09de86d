"""Training that goes on where it stopped, to the bit: in a new process, and after being killed at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

import tensorgrad
from tensorgrad import CNN
from tensorgrad.data import Augment
from tensorgrad.layers import FFL, Activation, Add, BatchNorm, Conv2d, Dropout, Flatten, LayerNorm, Pool2d
from tensorgrad.optim import Cosine, Momentum, StepDecay, WarmUp
from tensorgrad.training.callbacks import Callback, ModelCheckpoint, ReduceLROnPlateau
from tensorgrad.training.history import History
from tests.optim.problems import NAMES

Array = npt.NDArray[Any]

# How to compile, and how to train: every optimizer, and each of the other things that training can remember.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {name: ({"opt": name, "lr": 0.02}, {}) for name in NAMES}
CASES |= {
    "nesterov": ({"opt": "nesterov"}, {}),
    "cosine": ({"lr": WarmUp(5, then=Cosine(0.05, 40)), "opt": "adam"}, {}),
    "steps": ({"lr": StepDecay(0.05, 7), "opt": "sgd", "mr": 0.9}, {}),
    "clipped": ({"opt": "rmsprop", "clip_norm": 0.1, "clip_value": 0.05, "label_smoothing": 0.1}, {}),
    "in order": ({"opt": "adam"}, {"shuffle": False}),
    "augmented": ({"opt": "adam"}, {"augment": Augment(shift=2, rotate=10)}),
    "weighted": ({"opt": "adam"}, {"sample_weight": np.linspace(0, 1, 50), "class_weight": {1: 3.0}}),
    "without validation": ({"opt": "adam"}, {"val_split": 0}),
    "every second shown": ({"opt": "adam", "metrics": ["accuracy", "f1"]}, {"show_every": 2}),
    "float64": ({"opt": "adam"}, {}),
    "uninterrupted": ({"opt": "adam"}, {}),
}


def data() -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    return rng.standard_normal((50, 6, 6, 1)).astype(np.float32), rng.integers(0, 3, 50)


def build(name: str) -> CNN:
    model = CNN(seed=11)
    kernel = np.random.default_rng(0).standard_normal((3, 3, 1, 4)) if name == "float64" else None
    model.add(Conv2d((6, 6, 1), filters=4, kernel=kernel))
    model.add(BatchNorm())
    model.add(Activation("relu"))
    model.add(Add([[Dropout(0.2), Conv2d(filters=4), LayerNorm()], []]))
    model.add(Dropout(0.3))
    model.add(Pool2d())
    model.add(Flatten())
    weights = np.random.default_rng(1).standard_normal((36, 3)) if name == "float64" else None
    model.add(FFL(neurons=3, activation="softmax", weights=weights))
    compiled = dict(CASES[name][0])
    if name == "nesterov":
        compiled["opt"] = Momentum(model.parameters(), lr=0.01, nesterov=True)
    model.compile_model(**(compiled | {"loss": "cse"}))
    return model


def train(model: CNN, name: str, epochs: int) -> History:
    return model.resume(*data(), epochs=epochs, batch_size=8, verbose=0, **({"val_split": 0.2} | CASES[name][1]))


def state(model: CNN) -> dict[str, Array]:
    """All that training changes, as arrays."""
    from tensorgrad.saving.random_state import encode, generators
    from tensorgrad.saving.weights import arrays

    kept = model.optimizer.state_dict()
    found = {f"state {name}": np.asarray(array) for name, array in arrays(model).items()}
    found |= {f"slot {slot} {i}": a for slot, each in kept.pop("slots").items() for i, a in enumerate(each)}
    found |= {f"optimizer {key}": np.array(value) for key, value in kept.items()}
    found |= {f"history {key}": np.array(v) for key, v in model.history.history.items() if key != "time"}
    found["history epoch"] = np.array(model.history.epoch)
    for key in ("train_loss", "val_loss", "train_acc", "val_acc"):
        found[key] = np.array(list(getattr(model, key).items()))
    found["random"] = np.array([str(encode(rng)) for rng in generators(model)])
    return found


def different(a: dict[str, Array], b: dict[str, Array]) -> list[str]:
    """Where two states differ, by even a bit."""
    return sorted(a.keys() ^ b.keys()) + [
        key for key in a if key in b and (a[key].dtype != b[key].dtype or a[key].tobytes() != b[key].tobytes())
    ]


def in_new_process(*arguments: Any) -> None:
    subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each case trained for two epochs here, saved, and for three more in another process."""
    folder = tmp_path_factory.mktemp("resumed")
    for name in CASES:
        model = build(name)
        train(model, name, 2)
        model.save_model(folder / f"{name}.tgrad")
    in_new_process("finish", folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_a_stop_in_a_new_process_makes_no_difference(resumed: Path, name: str) -> None:
    straight = build(name)
    train(straight, name, 5)
    with np.load(resumed / f"{name}.npz") as found:
        assert different(dict(found), state(straight)) == []
    assert straight.history.epoch == [0, 1, 2, 3, 4]


def finish(folder: Path) -> None:
    for name in CASES:
        model = tensorgrad.load_model(folder / f"{name}.tgrad")
        train(model, name, 5)
        np.savez(folder / f"{name}.npz", **state(model))


def test_training_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    model = build("adam")
    train(model, "adam", 2)
    before = state(model)
    assert train(model, "adam", 2) is model.history
    assert train(model, "adam", 1) is model.history
    assert different(state(model), before) == []
    with pytest.raises(ValueError, match="epochs must be an int of at least 1"):
        train(model, "adam", 0)


@pytest.mark.parametrize("name", ["adam", "cosine", "augmented"])
def test_a_checkpoint_of_a_run_that_went_on(tmp_path: Path, name: str) -> None:
    straight = build(name)
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}.tgrad")
    straight.train(*data(), epochs=4, batch_size=8, val_split=0.2, verbose=0, callbacks=[checkpoint], **CASES[name][1])
    for epoch in range(4):
        model = tensorgrad.load_model(tmp_path / f"{epoch}.tgrad")
        assert len(model.history) == epoch + 1
        train(model, name, 4)
        assert different(state(model), state(straight)) == []


def test_checkpoints_hold_what_other_callbacks_did(tmp_path: Path) -> None:
    def callbacks(folder: Path) -> list[Callback]:
        return [ModelCheckpoint(folder / "{epoch}.tgrad"), ReduceLROnPlateau(factor=0.5, patience=1, min_delta=100)]

    def go_on(model: CNN, folder: Path) -> CNN:
        model.resume(*data(), epochs=7, batch_size=8, val_split=0.2, verbose=0, callbacks=callbacks(folder))
        return model

    straight = go_on(build("adam"), tmp_path)
    assert straight.optimizer.lr == 0.02 * 0.5**3
    (tmp_path / "resumed").mkdir()
    for epoch in range(6):
        model = tensorgrad.load_model(tmp_path / f"{epoch}.tgrad")
        assert different(state(go_on(model, tmp_path / "resumed")), state(straight)) == []


def test_figures_that_only_some_epochs_have(tmp_path: Path) -> None:
    model = build("adam")
    train(model, "adam", 1)
    model.resume(*data(), epochs=2, val_split=0, verbose=0)
    model.evaluate(*data())
    model.save_model(tmp_path / "model.tgrad")
    again = tensorgrad.load_model(tmp_path / "model.tgrad").history
    assert again.epoch == [0, 1]
    np.testing.assert_array_equal(again["val_loss"], model.history["val_loss"])
    assert np.isnan(again["val_loss"]).tolist() == [False, True]
    assert str(again) == str(model.history)


def test_training_anew_begins_a_new_history() -> None:
    model = build("adam")
    train(model, "adam", 2)
    assert model.train(*data(), epochs=1, verbose=0).epoch == [0]


# -- killed -----------------------------------------------------------------------------------------------------

EPOCHS = 6


def checkpointing(path: Path) -> None:
    """Train, saving after each epoch; go on from what is there."""
    model = tensorgrad.load_model(path) if path.exists() else build("adam")
    done = len(model.history)
    print("ready", flush=True)
    for epoch in range(done, EPOCHS):
        train(model, "adam", epoch + 1)
        for _ in range(5):  # saving takes much of the time here, so that many kills meet it
            model.save_model(path)


@pytest.mark.slow  # test_killed_during_a_save has the moments that matter
def test_killed_at_random_moments_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    kills = 20 if settings().max_examples >= 100 else 3
    path, rng = tmp_path / "checkpoint.tgrad", random.Random(0)
    died = during_a_save = 0
    while died < kills:
        process = subprocess.Popen([sys.executable, __file__, "checkpoint", str(path)], stdout=subprocess.PIPE)
        with process:
            if process.stdout is not None:
                process.stdout.readline()  # it is loaded: from here on it trains and saves
            time.sleep(rng.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
        died += process.returncode == -signal.SIGKILL
        left = [name for name in os.listdir(tmp_path) if name != path.name]
        during_a_save += bool(left)
        assert len(left) <= 1, "what the kill before this one left was not removed"
        if path.exists():
            reached = len(tensorgrad.load_model(path).history)
            if reached == EPOCHS:  # begin again, so that there is something to kill
                path.unlink()
    in_new_process("checkpoint", path)
    assert os.listdir(tmp_path) == [path.name]
    straight = build("adam")
    train(straight, "adam", EPOCHS)
    assert different(state(tensorgrad.load_model(path)), state(straight)) == []
    if kills == 20:
        assert during_a_save > 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
@pytest.mark.parametrize("when", ["write", "fsync", "replace"])
def test_killed_during_a_save(tmp_path: Path, when: str) -> None:
    path = tmp_path / "checkpoint.tgrad"
    model = build("adam")
    train(model, "adam", 1)
    model.save_model(path)
    before = path.read_bytes()
    process = subprocess.run([sys.executable, __file__, "die", str(path), when], check=False)
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    assert len(os.listdir(tmp_path)) == 2
    again = tensorgrad.load_model(path)
    again.save_model(path)
    assert os.listdir(tmp_path) == [path.name]


def die(path: Path, when: str) -> None:
    """Be killed in the middle of a save."""
    import zipfile

    def kill(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    model = tensorgrad.load_model(path)
    if when == "write":
        calls = iter(range(1000))
        written = zipfile.ZipFile.writestr
        zipfile.ZipFile.writestr = lambda *a: kill() if next(calls) == 7 else written(*a)  # type: ignore[method-assign]
    else:
        setattr(os, when, kill)
    model.save_model(path)


if __name__ == "__main__":
    todo, place = sys.argv[1], Path(sys.argv[2])
    if todo == "finish":
        finish(place)
    elif todo == "die":
        die(place, sys.argv[3])
    else:
        checkpointing(place)
