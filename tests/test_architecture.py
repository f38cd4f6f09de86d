"""Imports go in one direction, and every module can be imported by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tensorgrad

ROOT = Path(tensorgrad.__file__).parent
# What a module may import of ours, at its top level: itself's packages, and whatever stands to its left here.
MAY_IMPORT: dict[str, set[str]] = {
    "writes": set(),
    "recording": set(),
    "checks": set(),
    "engine": {"writes", "recording", "checks"},
    "kernels": set(),
    "ops": {"engine", "kernels", "checks"},
    "tensor": {"engine", "ops", "checks"},
    "random": set(),
    "functional": {"engine", "ops", "checks", "kernels", "tensor", "random"},
    "losses": {"engine", "ops", "checks", "tensor"},
    "derivatives": {"engine", "functional", "tensor"},
    "debug": {"engine"},
    "testing": {"engine", "derivatives", "tensor"},
}
BELOW_LAYERS = set(MAY_IMPORT) | {"initializers"}


def imports(path: Path) -> set[str]:
    """Which parts of tensorgrad a file imports when it is imported; not what its functions import when called."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            base = node.module or ""
            found |= {f"tensorgrad.{alias.name}" for alias in node.names} if base == "tensorgrad" else {base}
    return {name.split(".")[1] for name in found if name.startswith("tensorgrad.")}


def files(part: str) -> list[Path]:
    return [ROOT / f"{part}.py"] if (ROOT / f"{part}.py").exists() else sorted((ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_go_in_one_direction(part: str) -> None:
    for path in files(part):
        assert imports(path) <= MAY_IMPORT[part] | {part}, path


def test_layers_know_no_training_and_optimizers_no_layers() -> None:
    for path in files("layers"):
        assert imports(path) <= BELOW_LAYERS | {"layers"}, path
    for path in files("optim"):
        assert imports(path) <= {"tensor", "engine", "checks", "writes", "recording", "optim"}, path


def test_the_engine_has_no_formula() -> None:
    """It adds gradients up, sums what was broadcast, and calls nothing else of NumPy's mathematics."""
    tree = ast.parse((ROOT / "engine.py").read_text())
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") == "np"}
    assert used <= {"ndarray", "generic", "asarray", "may_share_memory", "zeros_like"}
    operators = {type(n.op) for n in ast.walk(tree) if isinstance(n, ast.BinOp)}
    assert operators <= {ast.Add, ast.Sub, ast.BitOr}
    assert len((ROOT / "engine.py").read_text().splitlines()) < 400


@pytest.mark.parametrize("module", ["engine", "ops", "tensor", "functional", "layers", "optim", "testing", "losses"])
def test_every_module_can_come_first(module: str) -> None:
    code = f"import tensorgrad.{module}"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_ops_do_not_know_tensor() -> None:
    """The primitives work on any traced value: with everything above them taken away."""
    code = (
        "import sys, types; package = types.ModuleType('tensorgrad'); "
        f"package.__path__ = [{str(ROOT)!r}]; sys.modules['tensorgrad'] = package; "
        "from tensorgrad import engine, ops; import numpy as np; "
        "x = engine.Traced.wrap(np.ones(3)); x.needs_grad = True; y = ops.exp(x); "
        "(_, g, _), = engine.gradients(y, np.ones(3), None, False, False); "
        "assert np.allclose(g, np.e); assert 'tensorgrad.tensor' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
