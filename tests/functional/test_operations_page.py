"""docs/operations.md says what the code says."""

from __future__ import annotations

from docs import make_operations
from docs.formulas import formula
from tests.ops.table import ROWS

WORDS = {  # primitives that have no formula, only a description
    *("where", "sign", "clip", "cast", "copy", "einsum", "channel_sums", "total", "largest", "smallest", "product"),
    *("cumsum", "reshape", "transpose", "broadcast_to", "concatenate", "getitem", "putitem", "take", "take_adjoint"),
    *("pad", "flip", "im2col", "col2im", "max_pool2d", "min_pool2d", "pool_select", "pool_place", "avg_pool2d"),
    *("pool_spread", "repeat_pixels", "window_sums"),
}


def test_the_page_is_up_to_date() -> None:
    assert make_operations.PAGE.read_text() == make_operations.page(), "run `python -m docs.make_operations`"


def test_every_primitive_is_on_it_with_its_formula_and_its_rule() -> None:
    page = make_operations.PAGE.read_text()
    for row in ROWS:
        name = row.primitive.name
        section = page.split(f"### `{name}(")[1].split("\n### ")[0]
        assert f"{name}.rule" in section
        first = (row.primitive.__doc__ or "").split("``")[1:2]
        assert (name in WORDS) == (not any(map(formula, first)) and "$" not in section.split("```")[0]), name
