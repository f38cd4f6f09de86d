"""What is shipped, what is imported, and what is not."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import tensorgrad
from tensorgrad.data.reader import Reader

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_folder_of_modules_is_a_listed_package() -> None:
    found = {
        ".".join(
            ("tensorgrad", *path.parent.relative_to(ROOT / top).parts) if top == "tensorgrad" else ("tensorgrad", top)
        )
        for top in ("tensorgrad", "layers", "optim")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_hard_dependencies_are_numpy_and_scipy() -> None:
    assert {re.split(r"[><=]", d)[0] for d in PROJECT["project"]["dependencies"]} == {"numpy", "scipy"}


def test_import_is_light_and_starts_no_threads() -> None:
    code = (
        "import sys, threading, numpy; before = {*sys.modules}; "
        "import tensorgrad, tensorgrad.layers, tensorgrad.optim; "
        "heavy = {'scipy', 'matplotlib', 'tqdm', 'hypothesis', 'torch', 'subprocess', 'socket', 'multiprocessing', "
        "'tensorgrad.onnx', 'tensorgrad.inspection', 'tensorgrad.parallel', 'tensorgrad.training.loop', 'html', "
        "'difflib', 'numpy.random', 'tensorgrad.data', 'tensorgrad.training.callbacks', 'pathlib', 'json', 'csv', "
        "'string', 'tensorgrad.words'}; "
        "print(sorted(heavy & (sys.modules.keys() - before)), threading.active_count())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[] 1"


def test_what_goes_to_other_libraries_imports_them_when_it_is_called() -> None:
    code = (
        "import sys; import tensorgrad.onnx, tensorgrad.torch; "
        "print(sorted({'scipy', 'matplotlib', 'torch', 'onnx', 'safetensors'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_predicting_needs_numpy_alone() -> None:
    code = """
import sys
for name in ("scipy", "socket", "subprocess", "multiprocessing", "matplotlib"):
    sys.modules[name] = None
import numpy as np
from tensorgrad import CNN
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d
model = CNN(seed=0)
for layer in (Conv2d((8, 8, 1), filters=2), Pool2d(), Flatten(), FFL(neurons=3, activation="softmax")):
    model.add(layer)
model.compile_model(opt="adam", loss="cse")
x = np.ones((10, 8, 8, 1), np.float32)
model.train(x, np.zeros(10, int), epochs=1, verbose=0)
print(model.predict(x).shape)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "(10, 3)"


def test_version_comes_from_one_place() -> None:
    assert tensorgrad.__version__ == PROJECT["project"]["version"] == importlib.metadata.version("tensorgrad-cnn")


def one_epoch() -> tensorgrad.History:
    history = tensorgrad.History()
    history.record(0, {"loss": 1.0})
    return history


@pytest.mark.parametrize(
    ("module", "package", "extra", "call"),
    [
        ("matplotlib.figure", "matplotlib", "viz", lambda: tensorgrad.plot.training_curves(one_epoch())),
        ("PIL", "Pillow", "images", lambda: Reader((8, 8), 1, "stretch").read(ROOT / "docs/images/page.png")),
    ],
)
def test_a_missing_extra_is_named(module: str, package: str, extra: str, call: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    remedy = f"needs the package {package}, which the extra '{extra}' installs: pip install \"tensorgrad-cnn[{extra}]\""
    with pytest.raises(ImportError, match=re.escape(remedy)):
        call()
    assert extra in PROJECT["project"]["optional-dependencies"]


# What the workflow, the hooks and the packaging name must be there, and no file may name the host of a registry.
CARRY_ON = (
    ".ci/run",
    ".ci/free_threaded",
    ".github/workflows/ci.yml",
    ".pre-commit-config.yaml",
    "pyproject.toml",
    "Makefile",
)


def test_no_file_names_the_host_of_a_registry() -> None:
    for name in (*CARRY_ON, "CONTRIBUTING.md", "RELEASING.md"):
        assert not re.search(
            r"pypi\.(org|python)|pythonhosted|index-url|ghcr\.io|docker\.io", (ROOT / name).read_text()
        ), name


def test_the_workflow_has_every_python_that_is_supported() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    assert re.search(r'python: \["3\.11", "3\.12", "3\.13", "3\.14"\]', text)
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    oldest = " ".join(d.replace(">=", "==") + ".0" for d in PROJECT["project"]["dependencies"])
    assert oldest in text
    assert oldest in (ROOT / ".ci/run").read_text()
