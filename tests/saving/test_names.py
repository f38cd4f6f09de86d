"""What travels beside the numbers: the names of the classes, and how pictures are made to fit."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tensorgrad import CNN, load_model
from tensorgrad.layers import FFL, Conv2d, Flatten, Rescale
from tensorgrad.saving import ModelFileError


def model(outputs: int = 3, activation: str = "softmax") -> CNN:
    made = CNN(seed=0)
    for layer in (Rescale(input_shape=(6, 8, 3)), Flatten(), FFL(neurons=outputs, activation=activation)):
        made.add(layer)
    return made


PICTURE = np.random.default_rng(0).integers(0, 256, (12, 30, 3), np.uint8)


def test_a_loaded_model_takes_a_picture_and_gives_a_name(tmp_path: Path) -> None:
    made = model()
    made.classes = ("cat", "dog", "owl")
    made.picture_fit = "crop"
    made.save_model(tmp_path / "m.tgrad")
    again = load_model(tmp_path / "m.tgrad")
    assert (again.classes, again.picture_fit) == (("cat", "dog", "owl"), "crop")
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    found = again.classify(tmp_path / "a.png")
    assert sorted(found) == ["cat", "dog", "owl"]
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert found == made.classify(PICTURE) == again.classify(io.BytesIO((tmp_path / "a.png").read_bytes()))
    fitted = np.asarray(Image.fromarray(PICTURE).resize((8, 6), Image.Resampling.BILINEAR, box=(7, 0, 23, 12)))
    expected = dict(zip(again.classes, again.predict(fitted[None])[0].tolist(), strict=True))
    for name, share in found.items():
        assert share == pytest.approx(expected[name], abs=2e-3)


def test_one_output_tells_two_classes_apart() -> None:
    made = model(1, "sigmoid")
    assert sorted(made.classify(PICTURE)) == ["0", "1"]
    made.classes = ["no", "yes"]
    share = made.predict(PICTURE[:6, :8][None])[0, 0]
    assert made.classify(PICTURE[:6, :8])["yes"] == pytest.approx(share)


def test_a_model_without_names_is_written_as_before(tmp_path: Path) -> None:
    model().save_model(tmp_path / "m.tgrad")
    with zipfile.ZipFile(tmp_path / "m.tgrad") as archive:
        assert "pictures" not in json.loads(archive.read("header.json"))


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ({"classes": ["a", "b"], "fit": "crop"}, "expected 3 names, one for each output, received 2"),
        ({"classes": ["a", "b", "b"], "fit": "crop"}, "each needs a name of its own"),
        ({"classes": ["a", "b", 3], "fit": "crop"}, "expected a short string"),
        ({"classes": ["a", "b", "c"], "fit": "squeeze"}, "expected one of stretch, crop, pad"),
        ({"classes": ["a", "b", "c"]}, r"missing \['fit'\]"),
        ([], "expected an object"),
    ],
)
def test_names_that_are_not_the_models(tmp_path: Path, pictures: Any, message: str) -> None:
    made = model()
    made.classes = ("a", "b", "c")
    made.save_model(tmp_path / "m.tgrad")
    with zipfile.ZipFile(tmp_path / "m.tgrad") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["header.json"] = json.dumps(json.loads(members["header.json"]) | {"pictures": pictures}).encode()
    with zipfile.ZipFile(tmp_path / "bad.tgrad", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ModelFileError, match=message):
        load_model(tmp_path / "bad.tgrad")


def test_what_classify_and_classes_refuse() -> None:
    made = model()
    with pytest.raises(ValueError, match="classes: expected 3 names, one for each output, received 2"):
        made.classes = ("a", "b")
    with pytest.raises(TypeError, match="classes: expected names"):
        made.classes = (1, 2, 3)  # type: ignore[assignment]
    assert made.classes == ()
    bare = CNN(seed=0)
    for layer in (Conv2d(input_shape=(6, 8, 3)), Flatten(), FFL(neurons=2, activation="softmax")):
        bare.add(layer)
    with pytest.raises(ValueError, match="does not prepare pixels from 0 to 255; begin the model with Rescale"):
        bare.classify(PICTURE)
    with pytest.raises(ValueError, match="expected a classifier of pictures"):
        model(activation="relu").classify(PICTURE)
