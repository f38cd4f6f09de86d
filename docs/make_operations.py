"""Write docs/operations.md: every operation, its formula and its rule, taken from the code itself.

python -m docs.make_operations
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from docs.formulas import in_literals
from tensorgrad import ops
from tensorgrad.engine import Primitive

PAGE = Path(__file__).with_name("operations.md")
GIVE = ("rules", "rule_for_each", "ends_with", "stands_for")
HEAD = """# The operations and their rules

*This page is made from the code by `python -m docs.make_operations`; a test checks that it is up to date.*

Each operation is a *primitive*: a function on NumPy arrays, and one rule per input. A rule gets the gradient `g` of
the result, the result, and the inputs, and returns the gradient of its input. Of names that begin with `_` it reads
the shape only. The rules do not undo broadcasting: the engine does, once, after each of them. Everything else of
`tensorgrad` is composed of these {count} operations, and so are the rules themselves, which is why there are gradients
of gradients.

{contents}
"""


def families() -> Iterator[ModuleType]:
    """The modules of tensorgrad.ops, in alphabetical order."""
    for module in pkgutil.iter_modules(ops.__path__):
        yield importlib.import_module(f"tensorgrad.ops.{module.name}")


def family(module: ModuleType) -> str:
    """A section: the module's docstring, then each of its primitives in the order of the source."""
    source = inspect.getsource(module)
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    rules: dict[str | None, list[ast.stmt]] = {}
    for node in tree.body:
        rules.setdefault(_given_a_rule(node), []).append(node)
    title = module.__name__.rpartition(".")[2]
    lines = [f"## {title}", "", _typeset(inspect.cleandoc(module.__doc__ or "")), ""]
    for name, value in vars(module).items():
        if not isinstance(value, Primitive) or value.__module__ != module.__name__:
            continue
        arguments = ast.unparse(_without_types(functions[name].args))
        nodes = [*_helpers(rules[name], functions), *rules[name]]
        code = "".join(_spaced(ast.get_source_segment(source, node) or "", node) for node in nodes).rstrip()
        formula = _typeset(" ".join((value.__doc__ or "").split()))
        lines += [f"### `{name}({arguments})`", "", formula, "", "```python", code, "```", ""]
    return "\n".join(lines)


def _typeset(docstring: str) -> str:
    return in_literals(docstring, "${}$").replace("``", "`")


def _spaced(code: str, node: ast.stmt) -> str:
    """Code and the empty lines that belong behind it: two behind a function, one elsewhere."""
    return code + ("\n\n\n" if isinstance(node, ast.FunctionDef) else "\n\n")


def _given_a_rule(node: ast.stmt) -> str | None:
    """Of a statement ``name.rules(...)``, ``name.rule_for_each(...)`` or ``name.ends_with(...)``, the name."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute))) if attribute in GIVE:
            return name
    return None


def _without_types(arguments: ast.arguments) -> ast.arguments:
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return arguments


def _helpers(rules: list[ast.stmt], functions: dict[str, ast.FunctionDef]) -> list[ast.FunctionDef]:
    """The private functions of the module that rules are made of."""
    names = {node.id for rule in rules for node in ast.walk(rule) if isinstance(node, ast.Name)}
    return [node for name, node in functions.items() if name in names and name.startswith("_")]


def page() -> str:
    """The whole page."""
    modules = list(families())
    sections = [family(module) for module in modules]
    names = [module.__name__.rpartition(".")[2] for module in modules]
    contents = " · ".join(f"[{name}](#{name})" for name in names)
    count = sum(section.count("\n### ") for section in sections)
    return HEAD.format(count=count, contents=contents) + "\n" + "\n".join(sections).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE} has been written")
