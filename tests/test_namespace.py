"""What is public: __all__, dir(), help(), and what a star import brings."""

from __future__ import annotations

import builtins
import importlib
import inspect
import io
import pkgutil
import pydoc
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import FunctionType

import pytest

import tensorgrad as tg
from tensorgrad import Primitive, functional, losses
from tests.test_architecture import MODULES

SHARED = {
    "of_method", "same_dtype", "by_name", "ending", "convolve", "check_images", "check_windows", "on_batch",
    "transposed_sizes", "pooling_frame", "explicit", "frame", "rounded_up", "shown", "find", "register", "name_of",
    "keep", "inside", "activated", "in_place", "before_activation", "parts_of", "written_before_activation",
    "Activation", "Pooling", "Loss", "LossFunction",
}  # what helps several files, and records: not among the functions that a star import brings  # fmt: skip
PARTS = [f"tensorgrad.{module.name}" for module in pkgutil.iter_modules(tg.__path__) if module.name != "__main__"]
INNER = [name for name in MODULES if name.count(".") > 1]  # their packages say what is public
STATED = [name for name in INNER if "\n__all__ = " in MODULES[name].read_text("utf-8")]


@pytest.mark.parametrize("name", ["tensorgrad", *PARTS, *STATED])
def test_all_names_what_is_there_and_leaves_nothing_public_out(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert len(set(exported)) == len(exported)
    assert all(hasattr(module, each) for each in exported)
    own = {
        each
        for each, value in vars(module).items()
        if getattr(value, "__module__", None) == name and isinstance(value, type | FunctionType | Primitive)
    }
    assert {each for each in own if each[0] != "_"} <= {*exported, *SHARED}


@pytest.mark.parametrize("name", [name for name in PARTS if hasattr(importlib.import_module(name), "__path__")])
def test_dir_of_a_package_shows_what_is_public(name: str) -> None:
    package = importlib.import_module(name)
    assert set(getattr(package, "__all__", [])) <= set(dir(package))
    if hasattr(package, "__all__"):
        assert not [each for each in dir(package) if each.startswith("_") or each in ("annotations", "np", "Any")]


def test_every_function_is_in_the_package_itself() -> None:
    for module in (functional, losses):
        for name in module.__all__:
            assert getattr(tg, name) is getattr(module, name)


def test_a_star_import_leaves_pythons_own_functions_alone() -> None:
    brought: dict[str, object] = {}
    exec("from tensorgrad import *", brought)
    assert {"CNN", "conv2d", "mse", "tensor", "exp"} <= set(brought)
    assert not {name for name in brought if not name.startswith("_")} & set(dir(builtins))
    assert set(functional.__all__) & set(dir(builtins)) == set(functional.__all__) - set(tg.__all__)


def test_dir_shows_what_is_public() -> None:
    assert {"CNN", "sum", "plot", "conv2d"} <= set(dir(tg))
    assert not {"np", "importlib", "TYPE_CHECKING", "ModuleType", "annotations"} & set(dir(tg))
    assert dir(functional) == sorted(functional.__all__)


def test_modules_are_there_without_an_import_of_their_own() -> None:
    names = ["callbacks", "data", "inspection", "layers", "onnx", "optim", "page", "parallel", "plot", "testing"]
    program = f"import tensorgrad\nfor name in {names}: getattr(tensorgrad, name)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])


def test_help_shows_the_way() -> None:
    """Whatever the first page names is there, and what somebody needs first is on it."""
    out = io.StringIO()
    with redirect_stdout(out):
        pydoc.Helper(output=out).help("tensorgrad")
    for first in ("CNN", "tensorgrad.layers", "tensorgrad.callbacks", "tensorgrad.functional", "gradcheck", "seed"):
        assert first in out.getvalue()
    table = re.findall(r"^    (\S.*?)(?:  .*)?$", tg.__doc__ or "", re.MULTILINE)
    names = [name for row in table for name in row.replace(",", " ").split()]
    assert len(names) > 25
    assert not [name for name in names if not pydoc.locate(name) and not hasattr(tg, name)]


def test_a_function_has_the_docstring_and_the_parameters_of_the_method() -> None:
    assert functional.var.__doc__ == tg.Tensor.var.__doc__
    assert str(inspect.signature(functional.norm)) == (
        "(x: 'TensorLike', ord: 'float' = 2, axis: 'Axis' = None, keepdims: 'bool' = False) -> 'Tensor'"
    )
    assert functional.sum.__name__ == functional.sum.__qualname__ == "sum"
    assert tg.sum(x=[1.0, 2.0], axis=0).item() == 3  # type: ignore[call-arg]  # see of_method
