"""Every example runs in its quick mode, and holds itself against its target."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ARGUMENTS = {"experiments.py": ["all", "--quick"], "report.py": ["--quick", "--output", "new/page.html"]}


SLOW = {"best_mnist.py", "full_mnist.py", "onnx_model.py", "report.py"}
MARKED = [
    pytest.param(path, id=path.name, marks=[pytest.mark.slow] if path.name in SLOW else [])
    for path in sorted(EXAMPLES.glob("*.py"))
]


@pytest.mark.parametrize("path", MARKED)
def test_quick_mode(path: Path, monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)  # for those that write files
    monkeypatch.setattr(sys, "argv", [str(path), *ARGUMENTS.get(path.name, ["--quick"])])
    runpy.run_path(str(path), run_name="__main__")
    out = capsys.readouterr().out
    assert out
    if path.name == "report.py":
        page = tmp_path / "new" / "page.html"
        assert page.read_text("utf-8").count("<img ") == 15
        assert str(page) in out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_help(path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(path), run_name="__main__")
    assert stopped.value.code == 0
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_it_has_a_row_and_a_small_picture_in_the_index(path: Path) -> None:
    index = (EXAMPLES / "README.md").read_text("utf-8")
    (row,) = (line for line in index.splitlines() if line.startswith(f"| [{path.name}]({path.name})"))
    picture = EXAMPLES.parent / "docs" / "images" / "examples" / f"{path.stem}.png"
    assert f"(../docs/images/examples/{path.stem}.png)" in row
    assert picture.stat().st_size <= 40_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["engine_alone.py", "--steps", "0"], "--steps must be at least 5, received 0"),
        (["newton.py", "--dimensions", "0"], "--dimensions must be at least 2, received 0"),
        (["best_mnist.py", "--quick", "--batch-size", "0"], "--batch-size must be at least 1, received 0"),
        (["best_mnist.py", "--quick", "--epochs", "0"], "--epochs must be at least 1, received 0"),
    ],
)
def test_numbers_out_of_range_are_a_line_and_no_traceback(arguments, message, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(EXAMPLES / arguments[0]), run_name="__main__")
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_pictures_are_drawn(tmp_path, monkeypatch, capsys) -> None:
    arguments = ["experiments.py", "4", "--quick", "--pictures", str(tmp_path / "new")]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(EXAMPLES / "experiments.py"), run_name="__main__")
    drawn = {path.name for path in (tmp_path / "new").iterdir()}
    assert drawn == {"training_curves.png", "filters.png", "feature_maps.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "new").iterdir())
    assert "Pictures: " in capsys.readouterr().out
