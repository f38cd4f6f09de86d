"""docs/convolution.md and docs/kernels.md: their blocks run, and every name and file in them exists."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import tensorgrad
from tensorgrad import functional, layers, ops

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ["convolution.md", "kernels.md"]


@pytest.mark.parametrize("page", PAGES)
def test_blocks_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), namespace)
    assert "strips: " in capsys.readouterr().out


def test_every_name_on_the_way_exists() -> None:
    text = (DOCS / "convolution.md").read_text()
    names = set(re.findall(r"`(\w+\.\w+)`", text)) - {"np.matmul"}
    assert len(names) > 20
    for name in names:
        owner, attribute = name.split(".")
        if owner == "Conv2d":
            assert hasattr(layers.Conv2d, attribute), name
        elif owner in ("functional", "ops"):
            assert hasattr({"functional": functional, "ops": ops}[owner], attribute), name
        else:
            assert hasattr(importlib.import_module(f"tensorgrad.kernels.{owner}"), attribute), name
    for name, path in re.findall(r"^\| `\w+\.(\w+)` \|.*\(\.\./([\w/.]+)\) \|$", text, re.MULTILINE):
        tree = ast.parse((DOCS.parent / path).read_text())
        assert name in {getattr(node, "name", None) for node in ast.walk(tree)}, f"{name} is not in {path}"


def test_every_lowering_is_drawn() -> None:
    text = (DOCS / "kernels.md").read_text()
    for lowering in tensorgrad.kernels.convolution.LOWERINGS:
        assert re.search(rf"^## {lowering}: ", text, re.MULTILINE), lowering
