"""The command line, from a folder of pictures to a model, its figures and a report; and what goes wrong on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tensorgrad
from tensorgrad import load_model
from tensorgrad.command_line import commands
from tensorgrad.command_line.program import main
from tensorgrad.command_line.sources import load
from tensorgrad.data import DataError, write_idx

RNG = np.random.default_rng(0)


def pictures(folder: Path, count: int = 20) -> Path:
    """Pictures of two classes that are told apart by which half is bright."""
    for name, half in (("left", slice(0, 6)), ("right", slice(6, 12))):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            image = RNG.integers(0, 90, (12, 12, 3), np.uint8)
            image[:, half] += np.uint8(150)
            Image.fromarray(image).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("pictures"))


SETTINGS = ["--size", "12", "--layers", "conv 4, pool, dense 8", "--epochs", "8", "--lr", "0.02", "--batch-size", "8"]


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "sides.tgrad"
    assert main(["train", str(folder), "-o", str(path), *SETTINGS, "-q"]) == 0
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_from_a_folder_to_a_model_and_a_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output, page = tmp_path / "m.tgrad", tmp_path / "m.html"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    status, out, err = run(capsys, "train", folder, "-o", output, *SETTINGS, "--report", page)
    assert status == 0
    first, *drawn, cleared, last = err.split("\r")
    assert first == cleared.strip() == last == ""
    assert drawn[-3].startswith("Drawn: What excites Conv2d1")
    assert "40 pictures of 2 classes:\n  left: 20\n  right: 20" in out
    assert "Epoch: 7:" in out
    assert f"{output}: val accuracy 100.00% after 8 epochs" in out
    text = page.read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<img ") == text.count('src="data:image/png;base64,') == len(drawn) >= 8
    assert text.count("<h2>") >= 8
    assert not re.search(r"https?:|<script|<link|url\(", text)  # it refers to nothing outside
    assert run(capsys, "report", output, tmp_path, "-o", page)[0] == 1  # no pictures there: the page stays
    assert page.read_text("utf-8").count("<img ") >= 8
    again = load_model(output)
    assert again.classes == ("left", "right")
    assert next(iter(again.classify(folder / "left" / "3.png"))) == "left"


def test_pictures_are_changed_at_random(folder: Path, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "changed.tgrad"
    assert main(["train", str(folder), "-o", str(output), *SETTINGS, "--epochs", "2", "--augment", "-q"]) == 0
    assert load_model(output).history["loss"] != load_model(model).history["loss"][:2]


def test_evaluate(model: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "evaluate", model, folder)
    assert status == 0
    assert "40 pictures" in out
    assert "accuracy 1.0000" in out
    assert "left      1.000" in out
    found = json.loads(run(capsys, "evaluate", model, folder, "--json")[1])
    assert (found["accuracy"], found["samples"], found["confusion"]) == (1.0, 40, [[20, 0], [0, 20]])


def test_predict(model: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [folder / "left" / "1.png", folder / "right" / "1.png"]
    status, out, _ = run(capsys, "predict", model, *images, "--top", 2)
    assert status == 0
    lines = out.splitlines()
    assert [line.split()[1] for line in lines] == ["left", "right"]
    assert len({line.index(" ") for line in lines}) <= 2
    found = json.loads(run(capsys, "predict", model, *images, "--json")[1])
    assert [max(row["probabilities"], key=row["probabilities"].get) for row in found] == ["left", "right"]


def test_predict_goes_on_after_a_picture_that_cannot_be_read(
    model: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torn.png").write_bytes((folder / "left" / "1.png").read_bytes()[:40])
    images = [tmp_path / "none.png", folder / "left" / "1.png", tmp_path / "torn.png", folder / "right" / "1.png"]
    for options in ([], ["--json"]):
        status, out, err = run(capsys, "predict", model, *images, *options)
        assert status == 1
        assert [name for name in ("left/1.png", "none", "torn", "right/1.png") if name in out] == [
            "left/1.png",
            "right/1.png",
        ]
        lines = err.splitlines()
        assert lines[0] == f"tensorgrad predict: error: {tmp_path / 'none.png'}: No such file or directory"
        assert "torn.png: expected a picture that can be read" in lines[1]


def test_predict_takes_a_folder(model: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "predict", model, folder / "left", folder / "right" / "1.png")
    assert status == 0
    named = [line.split()[:2] for line in out.splitlines()]
    assert named == [[str(file), "left"] for file in sorted((folder / "left").iterdir())] + [
        [str(folder / "right" / "1.png"), "right"]
    ]


def test_summary_and_export(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "summary", model)
    assert status == 0
    assert "Total Parameters" in out
    assert "Classes: left, right" in out
    for suffix in (".html", ".safetensors"):
        assert run(capsys, "export", model, "-o", tmp_path / f"m{suffix}")[0] == 0
        assert (tmp_path / f"m{suffix}").stat().st_size > 1000
    status, _, err = run(capsys, "export", model, "-o", tmp_path / "m.h5")
    assert status == 1
    assert "expected a name that ends in .onnx" in err


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "info")
    assert status == 0
    assert out.splitlines()[0].split() == ["tensorgrad", tensorgrad.__version__]
    assert "BLAS" in out
    assert "threads" in out


def test_resume_equals_a_run_in_one_go(folder: Path, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.tgrad"
    parts = [*SETTINGS[:4], *SETTINGS[6:]]
    assert main(["train", str(folder), "-o", str(path), *parts, "--epochs", "8", "-q"]) == 0
    state = load_model(path).state_dict()
    shorter = tmp_path / "s.tgrad"
    script = (
        "import sys; from tensorgrad.command_line import commands; from tensorgrad.training import callbacks as c\n"
        "class Stop(c.ModelCheckpoint):\n"
        "    def on_epoch_end(self, epoch, logs):\n"
        "        super().on_epoch_end(epoch, logs); self.model.stop_training = epoch == 2\n"
        "commands.ModelCheckpoint = Stop\n"
        "from tensorgrad.command_line.program import main; raise SystemExit(main(sys.argv[1:]))"
    )
    stopped = subprocess.run(
        [sys.executable, "-c", script, "train", str(folder), "-o", str(shorter), *parts, "--epochs", "8", "-q"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert stopped.returncode == 130
    assert f"go on with: tensorgrad train {folder} -o {shorter} --resume" in stopped.stderr
    assert len(load_model(shorter).history) == 3
    assert main(["train", str(folder), "-o", str(shorter), "--resume", "--epochs", "8", "--batch-size", "8", "-q"]) == 0
    for name, array in load_model(shorter).state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_training_in_processes(folder: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.tgrad", tmp_path / "two.tgrad"
    for path, processes in ((one, "1"), (two, "2")):
        assert main(["train", str(folder), "-o", str(path), *SETTINGS, "-q", "--processes", processes]) == 0
    losses = [load_model(path).history["loss"] for path in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_fine_tuning_for_other_classes(model: Path, tmp_path: Path) -> None:
    other = pictures(tmp_path / "other", 6)
    (other / "left").rename(other / "up")
    pictures(other, 6)  # up, left and right
    before = load_model(model)
    path = tmp_path / "m.tgrad"
    assert main(["train", str(other), "-o", str(path), "--from", str(model), "--freeze", "--epochs", "2", "-q"]) == 0
    after = load_model(path)
    assert after.classes == ("left", "right", "up")
    for name, array in before.state_dict().items():
        same = not name.startswith(f"{len(before.layers) - 1}.")
        assert np.array_equal(after.state_dict()[name], array) == same, name


def test_ctrl_c_ends_after_the_batch_and_says_how_to_go_on(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tensorgrad", "train", str(folder), "-o", str(tmp_path / "m.tgrad"), *SETTINGS]
    command[command.index("8")] = "100000"
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Epoch: 2"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped; go on with: tensorgrad train" in err
    assert "Traceback" not in err
    assert len(load_model(tmp_path / "m.tgrad").history) >= 2


def test_a_reader_that_has_enough(model: Path, folder: Path) -> None:
    images = [str(folder / "left" / "1.png")] * 40
    command = [sys.executable, "-m", "tensorgrad", "predict", str(model), *images]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere"], "there is no file or folder 'nowhere'"),
        (["train", "FOLDER", "--layers", "cnov 3"], "unknown item 'cnov'"),
        (["train", "FOLDER", "--layers", f"conv {10**13}", "-q"], "Unable to allocate"),
        (["train", "FOLDER", "--freeze"], "--freeze needs --from"),
        (["train", "FOLDER", "-o", "nofolder/m.tgrad"], "there is no folder"),
        (["train", "FOLDER", "-o", "FOLDER"], "it is a folder; name a file in it"),
        (["train", "FOLDER", "-o", "m.onnx", "-q"], "is a name for another format; use tensorgrad.onnx.export"),
        (["train", "FOLDER", "-o", "m.json", "-q"], "the tutorial's JSON has no layer like Rescale"),
        (["train", "FOLDER", "--report", "nofolder/r.html"], "there is no folder"),
        (["train", "FOLDER", "--size", "100000"], "makes 30000000000 numbers of a picture; 33554432 are the most"),
        (["report", "MODEL", "FOLDER", "-o", "nofolder/r.html"], "there is no folder"),
        (["train", "FOLDER", "--patience", "2", "--validation", "0"], "--patience needs pictures to validate with"),
        (["train", "FOLDER", "--from", "nothere.tgrad"], "error: nothere.tgrad: No such file"),
        (["train", "FOLDER", "--resume", "-o", "nothere.tgrad"], "No such file"),
        (["evaluate", "MODEL", "FOLDER/left"], "expected pictures"),
        (["predict", "MODEL", "nothere.png"], "No such file"),
        (["predict", "MODEL", "."], "expected pictures in this folder"),
        (["predict", "FOLDER/left/1.png", "FOLDER/left/1.png"], "not a model of tensorgrad"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: list[str], message: str, folder: Path, model: Path, capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = [argument.replace("FOLDER", str(folder)).replace("MODEL", str(model)) for argument in arguments]
    status, _, err = run(capsys, *given)
    assert status == 1
    assert err.startswith(f"tensorgrad {arguments[0]}: error: ")
    assert message in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["trane"], ["train"], ["train", "x", "--epochs", "0"], ["train", "x", "--epochs", "x"],
        ["train", "x", "--size", "3by4"], ["train", "x", "--size", "\u00b2"],
    ],
)  # fmt: skip
def test_mistakes_in_the_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert "usage:" in err
    assert "invalid _" not in err


@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "summary", "report", "export", "serve", "info"])
def test_help_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"example:\n  tensorgrad {name}" in capsys.readouterr().out


def test_every_kind_of_data(folder: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    pictures(both / "train", 3)
    pictures(both / "val", 2)
    found = load(both, size=(12, 12))
    assert found.test is not None
    assert (len(found.train.x), len(found.test.x)) == (6, 4)
    images, labels = RNG.integers(0, 256, (6, 8, 8), np.uint8), np.array([0, 1, 2, 0, 1, 2], np.uint8)
    idx = tmp_path / "idx"
    idx.mkdir()
    for part in ("train", "t10k"):
        write_idx(idx / f"{part}-images-idx3-ubyte", images)
        write_idx(idx / f"{part}-labels-idx1-ubyte", labels)
    found = load(idx)
    assert found.classes == ("0", "1", "2")
    assert found.train.x.shape == (6, 8, 8, 1)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    np.testing.assert_array_equal(load(tmp_path / "a.npz").train.x, found.train.x)
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    assert load(tmp_path / "a.npz").test is None
    table = tmp_path / "t.csv"
    table.write_text(f"path,label\n{folder}/left/1.png,a\n{folder}/right/1.png,b\n")
    assert load(table, size=(12, 12)).classes == ("a", "b")
    for given, message in (([0, 10**9, 0], "number the classes from 0"), ([0, 0, 0], "at least two classes")):
        x = np.zeros((3, 4, 4), np.uint8)
        np.savez(tmp_path / "a.npz", x_train=x, y_train=given, x_test=x[:1], y_test=[0])
        with pytest.raises(DataError, match=message):
            load(tmp_path / "a.npz")
    first = np.zeros((3, 3, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=first, y_train=[0, 1, 0], x_test=first, y_test=[0, 1, 0])
    with pytest.raises(DataError, match="with the channels first; here they come last"):
        load(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", data=images.reshape(6, 64), target=labels)
    with pytest.raises(
        DataError, match=r"expected images of shape .* received \(64,\): save x.reshape\(len\(x\), height"
    ):
        load(tmp_path / "a.npz")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(DataError, match=r"expected a folder of pictures, or a \.csv or \.npz file"):
        load(tmp_path / "x.txt")


def test_pictures_that_hold_nan_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = np.full((4, 8, 8, 1), np.nan), [0, 1, 0, 1]
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    status, _, err = run(capsys, "train", tmp_path / "a.npz", "-o", tmp_path / "m.tgrad")
    assert (status, "the pictures hold NaN or infinity" in err) == (1, True)


def test_pictures_are_scaled_without_a_copy_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.integers(0, 256, (7, 5, 4, 3), np.uint8)
    x[..., 2] = 9
    whole = commands._scaling(x)
    monkeypatch.setattr(commands, "BLOCK", 130)  # two pictures, three times, and one
    asked: list[int] = []

    class Files:
        shape = x.shape

        def __len__(self) -> int:
            return len(x)

        def __getitem__(self, chosen: Any) -> Any:
            asked.append(len(chosen))
            return x[chosen]

    parts = commands._scaling(Files())
    assert asked == [2, 2, 2, 1]
    np.testing.assert_allclose(parts.scale, whole.scale, rtol=1e-12)
    np.testing.assert_allclose(parts.offset, whole.offset, rtol=1e-12)
    pixels = x.reshape(-1, 3) * np.array(whole.scale) + np.array(whole.offset)
    np.testing.assert_allclose(pixels.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(pixels.std(0), [1, 1, 0], atol=1e-12)


def test_the_program_is_installed_under_its_name() -> None:
    environment = os.environ | {"COLUMNS": "80"}
    ran = subprocess.run(
        [sys.executable, "-m", "tensorgrad", "--version"], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"tensorgrad {tensorgrad.__version__}\n"
