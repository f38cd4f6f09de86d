"""docs/operations.md says what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from tests.ops.table import ROWS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_operations", DOCS / "make_operations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date() -> None:
    assert (DOCS / "operations.md").read_text() == maker().page(), "run `python docs/make_operations.py`"


def test_every_primitive_is_on_it_with_its_rule() -> None:
    page = (DOCS / "operations.md").read_text()
    for row in ROWS:
        name = row.primitive.name
        section = page.split(f"### `{name}(")[1].split("\n### ")[0]
        assert f"{name}.rule" in section
        assert " ".join((row.primitive.__doc__ or "").split()) in section
