"""Imports go in one direction and never in a circle, and every module can be imported by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import tensorgrad

ROOT = Path(tensorgrad.__file__).parent
TOP = "tensorgrad"

# The layers of the library. A file may import what belongs to its own name and to the lines above, never its neighbours
# on the line or the lines below: at no place, neither inside a function nor under TYPE_CHECKING.
LAYOUT = """
    words signatures
    vocabulary
    kernels checks attributes random atomic_file deprecation version
    recording writes rows
    rules
    graph
    engine
    ops
    tensor
    functional
    derivatives debug losses initializers
    layers optim
    predictor
    network designs
    data
    training
    callbacks
    parallel
    saving
    inspection testing
    plot page
    cnn
    onnx torch sklearn
    command_line
    __init__ __main__
"""
LEVELS = {part: level for level, line in enumerate(LAYOUT.split("\n")) for part in line.split()}
NEVER = {("optim", name) for name in ("functional", "derivatives", "debug", "losses", "initializers")}  # tensors only


def modules() -> dict[str, Path]:
    """Every module of the library by its name, also those of the folders that are links."""
    found = {}
    for folder in (ROOT, *(path for path in ROOT.iterdir() if path.is_dir())):
        prefix = [TOP] if folder == ROOT else [TOP, folder.name]
        for path in sorted(folder.glob("*.py") if folder == ROOT else folder.rglob("*.py")):
            parts = [*prefix, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def part(module: str) -> str:
    """The file or folder directly under tensorgrad/ to which a module belongs."""
    return module.split(".")[1] if module != TOP else "__init__"


def imported(node: ast.AST) -> Iterator[str]:
    """The full names that an import names: modules, or names in modules."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
        yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def module_of(name: str) -> str | None:
    """The module that an imported name is, or stands in; None if it is not one of ours."""
    while name not in MODULES:
        name, dot, _ = name.rpartition(".")
        if not dot:
            return None
    return name


@cache
def graph() -> dict[str, set[str]]:
    """Which modules each module imports, anywhere in its file."""
    names = {
        module: {module_of(name) for node in ast.walk(ast.parse(path.read_text("utf-8"))) for name in imported(node)}
        for module, path in MODULES.items()
    }
    return {module: {name for name in found if name is not None} for module, found in names.items()}


def upwards(module: str, other: str) -> bool:
    """Whether a module may not import another one."""
    mine, theirs = part(module), part(other)
    return mine != theirs and (LEVELS[theirs] >= LEVELS[mine] or (mine, theirs) in NEVER)


def test_every_file_has_a_place_in_the_layout() -> None:
    assert {part(module) for module in MODULES} <= LEVELS.keys()


def test_imports_go_in_one_direction() -> None:
    edges = {(module, other) for module, names in graph().items() for other in names}
    added = sorted(edge for edge in edges if upwards(*edge))
    assert not added, f"imports against the direction of LAYOUT: {added}"


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that import one another, directly or not: all strongly connected components beyond one."""

    def reached(start: str, edges: dict[str, set[str]]) -> set[str]:
        found, waiting = {start}, [start]
        while waiting:
            new = edges.get(waiting.pop(), set()) - found
            found |= new
            waiting.extend(new)
        return found

    back: dict[str, set[str]] = {module: set() for module in edges}
    for module, names in edges.items():
        for other in names:
            back[other].add(module)
    found, left = [], set(edges)
    while left:
        start = min(left)
        component = reached(start, edges) & reached(start, back)
        left -= component
        if len(component) > 1 or start in edges[start]:
            found.append(component)
    return found


def test_circles_are_found() -> None:
    edges = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": set(), "f": {"f"}}
    assert circles(edges) == [{"a", "b", "c"}, {"f"}]


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circles(graph()) == []


FROM_OUTSIDE = {"_exit", "_getframe", "_replace"}  # of os, sys and named tuples, which document them


def private_reads(path: Path) -> Iterator[str]:
    """Where a file reads a private name of a class or module that is not its own."""
    tree = ast.parse(path.read_text("utf-8"))
    own: set[str] = set()  # what is defined here: functions, classes, variables, attributes that methods set
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name for target in targets for name in ast.walk(target)]
            own |= {
                n.attr if isinstance(n, ast.Attribute) else n.id
                for n in names
                if isinstance(n, ast.Attribute | ast.Name)
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        ):
            name = node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == TOP:
            name = next((alias.name for alias in node.names if alias.name.startswith("_")), "")
        else:
            continue
        if name.startswith("_") and not name.endswith("_") and name not in own | FROM_OUTSIDE:
            yield f"{path.name}:{node.lineno} reads {name}"


def test_no_private_name_is_read_from_outside() -> None:
    assert [found for path in MODULES.values() for found in private_reads(path)] == []


def test_private_reads_are_found(tmp_path: Path) -> None:
    path = tmp_path / "reader.py"
    path.write_text(
        "from tensorgrad.cnn import _CNN\nclass A:\n    _x: int\n    _y = 1\ndef f(a):\n    return a._x + a._y\n"
    )
    assert list(private_reads(path)) == ["reader.py:1 reads _CNN", "reader.py:6 reads _x"]


def test_the_engine_has_no_formula() -> None:
    """It adds gradients up, sums what was broadcast, and calls nothing else of NumPy's mathematics."""
    text = (ROOT / "engine.py").read_text("utf-8")
    tree = ast.parse(text)
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") == "np"}
    assert used <= {"ndarray", "generic", "asarray", "may_share_memory", "zeros_like"}
    operators = {type(n.op) for n in ast.walk(tree) if isinstance(n, ast.BinOp)}
    assert operators <= {ast.Add, ast.Sub, ast.BitOr}
    assert len(text.splitlines()) < 400


def test_every_part_can_come_first() -> None:
    """With nothing of ours imported before it."""
    parts = ["engine", "kernels.convolution", "ops", "tensor", "functional", "losses", "data", "layers", "optim", "cnn",
             "derivatives", "plot", "testing"]  # fmt: skip
    code = (
        "import importlib, sys\n"
        f"for part in {parts}:\n"
        "    for name in [name for name in sys.modules if name.split('.')[0] == 'tensorgrad']:\n"
        "        del sys.modules[name]\n"
        "    importlib.import_module(f'tensorgrad.{part}')\n"
    )
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
