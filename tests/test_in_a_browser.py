"""The library as a browser has it: unpacked from the site's archive, without threads and without SciPy."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from docs import programs
from tests.wasi import TRAIN_SAVE_AND_LOAD

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = f"""
import sys, threading

def refuse(self):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
sys.modules["scipy"] = None

import tensorgrad
assert tensorgrad.__file__.startswith(sys.argv[1]), tensorgrad.__file__
tensorgrad.set_num_threads(4)
FOLDER = ""
{TRAIN_SAVE_AND_LOAD}
for call in (
    lambda: tensorgrad.erf(tensorgrad.tensor([1.0])),
    lambda: tensorgrad.optim.minimize(lambda: None, [tensorgrad.tensor([1.0], requires_grad=True)]),
):
    try:
        call()
    except ImportError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("browser")
    programs.archive(found / "tensorgrad.zip")
    with ZipFile(found / "tensorgrad.zip") as file:
        file.extractall(found)
    return found


def test_it_trains_saves_and_loads_and_says_what_needs_scipy(folder: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    ran = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "erf needs SciPy, which is not installed: pip install scipy",
        "minimize needs SciPy, which is not installed: pip install scipy",
    ]


def test_the_archive_is_pure_and_holds_every_module(folder: Path) -> None:
    with ZipFile(folder / "tensorgrad.zip") as file:
        inside = set(file.namelist())
    assert {Path(name).suffix for name in inside} <= {".py", ".typed", ".gz", ".txt", ".js", ".css", ".html", ".md"}
    for top, below in programs.FOLDERS.items():
        for module in (ROOT / top).glob("**/*.py" if top != "tensorgrad" else "*/*.py"):
            if module.parent.name not in ("layers", "optim") or top != "tensorgrad":
                assert f"{below}/{module.relative_to(ROOT / top).as_posix()}" in inside


def test_the_programs_are_python_and_import_nothing_that_is_not_there() -> None:
    found = programs.programs()
    assert len(found) == 11
    needed = set()
    for cells in found.values():
        for tree in map(ast.parse, cells):
            for node in ast.walk(tree):
                names = [node.module] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                needed |= {str(name).split(".")[0] for name in names}
    assert needed - set(sys.stdlib_module_names) == {"tensorgrad", "numpy", "matplotlib"}


def test_the_page_pins_the_version_that_the_check_of_the_site_allows() -> None:
    page = (ROOT / "docs" / "try.md").read_text("utf-8")
    (address,) = re.findall(r'data-pyodide="([^"]+)"', page)
    assert re.fullmatch(r"https://cdn\.jsdelivr\.net/pyodide/v\d+\.\d+\.\d+/full/", address)
