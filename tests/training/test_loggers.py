"""Logs of runs, read back by other people's programs."""

from __future__ import annotations

import errno
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tensorgrad import atomic_file
from tensorgrad.callbacks import CSVLogger, JSONLLogger, TensorBoardLogger
from tests.test_cnn import LABELS, X, small


def compiled() -> Any:
    model = small()
    model.compile_model(opt="adam", loss="cse", lr=0.01)
    return model


def test_lines_of_json(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    history = compiled().train(X, LABELS, epochs=3, verbose=0, callbacks=[JSONLLogger(path)])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.pop("epoch") for line in lines] == [0, 1, 2]
    assert lines == [{name: column[i] for name, column in history.history.items()} for i in range(3)]


def test_a_resumed_run_goes_on_in_the_file(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    model = compiled()
    model.train(X, LABELS, epochs=2, verbose=0, callbacks=[JSONLLogger(path)])
    with path.open("a") as file:
        file.write('{"epoch": 2, "loss": 9}\n{"epoch": 3, "lo')  # of a process that was killed
    model.resume(X, LABELS, 4, verbose=0, callbacks=[JSONLLogger(path, append=True)])
    compiled().train(X, LABELS, epochs=4, verbose=0, callbacks=[JSONLLogger(whole)])
    found, expected = ([json.loads(line) for line in p.read_text().splitlines()] for p in (path, whole))
    for line in found + expected:
        del line["time"]
    assert found == expected


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a run\n")
    with pytest.raises(ValueError, match=r"line 1 of notes\.txt is no epoch of a run"):
        compiled().train(X, LABELS, verbose=0, callbacks=[JSONLLogger(path, append=True)])
    assert path.read_text() == "not a run\n"
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        JSONLLogger(tmp_path / "nowhere" / "run.jsonl")


@pytest.mark.parametrize("kind", [JSONLLogger, CSVLogger])
def test_a_full_disk_is_told_with_the_file(
    kind: type[JSONLLogger | CSVLogger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(path: Any, mode: str, **options: Any) -> Any:
        return Full() if mode == "a" else open(path, mode, **options)

    monkeypatch.setattr(atomic_file, "open", opened, raising=False)
    with pytest.raises(OSError, match=r"No space left on device: .*log"):
        compiled().train(X, LABELS, verbose=0, callbacks=[kind(tmp_path / "log")])


def test_without_tensorboard_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="the extra 'tensorboard' installs"):
        TensorBoardLogger(tmp_path)
