"""Files of version 1 load, and their training goes on to the same bits, for ever (see tests/files/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import tensorgrad
from tensorgrad import CNN
from tensorgrad.layers import FFL, Add, Conv2d, Dropout, Flatten, Pool2d
from tensorgrad.saving.random_state import encode, generators
from tensorgrad.saving.weights import arrays

Array = npt.NDArray[Any]
FILES = Path(__file__).parent.parent / "files"
EXACT = {"momentum": 2, "schedule": 4}  # models whose arithmetic is exact, and their batch sizes
BATCH_SIZE = EXACT | {"realistic": 3}


def expected(name: str) -> dict[str, Array]:
    with np.load(FILES / f"{name}.npz") as file:
        return dict(file)


def state(model: CNN) -> dict[str, Array]:
    """All that a file holds of a model and of its training, but for the figures that only count hits."""
    kept = model.optimizer.state_dict()
    found = {f"state/{name}": np.array(array) for name, array in arrays(model).items()}
    for slot, values in kept["slots"].items():
        found |= {f"slot/{slot}/{i}": np.array(value) for i, value in enumerate(values)}
    found |= {f"history/{name}": np.array(model.history[name]) for name in ("loss", "val_loss")}
    found["random"] = np.array([str(encode(rng)) for rng in generators(model)])
    found["steps"] = np.array(model.optimizer.steps)
    return found


def different(found: dict[str, Array], wanted: dict[str, Array]) -> list[str]:
    """What is not the same, by even a bit; `wanted` may have more."""
    return [
        name
        for name, array in found.items()
        if array.dtype != wanted[name].dtype or array.tobytes() != wanted[name].tobytes()
    ]


def part(values: dict[str, Array], start: str) -> dict[str, Array]:
    return {name.removeprefix(start): array for name, array in values.items() if name.startswith(start)}


def saved_again(model: CNN, folder: Path) -> CNN:
    model.save_model(folder / "again.tgrad")
    return tensorgrad.load_model(folder / "again.tgrad")


@pytest.mark.parametrize("again", [False, True], ids=["as it is", "saved again"])
@pytest.mark.parametrize("name", BATCH_SIZE)
def test_all_of_a_model_comes_back_to_the_bit(tmp_path: Path, name: str, again: bool) -> None:
    wanted = expected(name)
    model = tensorgrad.load_model(FILES / f"{name}.tgrad")
    if again:
        model = saved_again(model, tmp_path)
    saved = part(wanted, "saved/")
    assert different(state(model), saved) == []
    figures = {f"history/{key}": np.array(model.history[key]) for key in model.history.history if key != "time"}
    assert different(figures, saved) == [], "also those that count hits"
    assert figures.keys() == {key for key in saved if key.startswith("history/")}
    if name in EXACT:
        assert different({"predictions": model.predict(wanted["x"])}, wanted) == []
    else:
        np.testing.assert_allclose(model.predict(wanted["x"]), wanted["predictions"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("again", [False, True], ids=["as it is", "saved again"])
@pytest.mark.parametrize("name", BATCH_SIZE)
def test_training_goes_on(tmp_path: Path, name: str, again: bool) -> None:
    wanted = expected(name)
    model = tensorgrad.load_model(FILES / f"{name}.tgrad")
    if again:
        model = saved_again(model, tmp_path)
    model.resume(wanted["x"], wanted["y"], epochs=2, batch_size=BATCH_SIZE[name], val_split=0.5, verbose=0)
    found = state(model) | {"predictions": model.predict(wanted["x"])}
    resumed = part(wanted, "resumed/")
    if name in EXACT:
        assert different(found, resumed) == []
    else:
        assert different({key: found[key] for key in ("random", "steps")}, resumed) == []
        for key, array in found.items():
            if key != "random":
                np.testing.assert_allclose(array, resumed[key], rtol=1e-3, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("suffix", ["tgrad", "safetensors"])
def test_weights(suffix: str) -> None:
    wanted = expected("weights")
    model = CNN(seed=1)
    for layer in (
        Conv2d((8, 8, 1), filters=2, kernel=np.zeros((3, 3, 1, 2)), bias=np.zeros(2), activation="relu"),
        Pool2d(),
        Add([[Conv2d(filters=2, kernel=np.zeros((3, 3, 2, 2)), bias=np.zeros(2)), Dropout(0.5)], []]),
        Pool2d(kind="average"),
        Flatten(),
        Dropout(0.5),
        FFL(neurons=2, weights=np.zeros((8, 2)), bias=np.zeros(2)),
    ):
        model.add(layer)
    model.load_weights(FILES / f"weights.{suffix}")
    found = {f"state/{name}": array for name, array in arrays(model).items()}
    assert different(found | {"predictions": model.predict(wanted["x"])}, wanted) == []
    assert len(found) == 6


def test_the_tutorials_json(tmp_path: Path) -> None:
    wanted = expected("tutorial")
    model = tensorgrad.load_model(FILES / "tutorial.json")
    found = {f"state/{name}": array for name, array in arrays(model).items()}
    assert different(found | {"predictions": model.predict(wanted["x"])}, wanted) == []
    model.save_model(tmp_path / "again.json")
    old, new = (json.loads(path.read_text()) for path in (FILES / "tutorial.json", tmp_path / "again.json"))
    assert new == old
