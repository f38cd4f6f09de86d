"""Formulas as MathML, made when the site is built: browsers draw it without a script, a font or a server."""

from __future__ import annotations

import re
from typing import Any

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.errors import ExtensionError

from docs import formulas


def setup(app: Any) -> dict[str, Any]:
    """Register the renderer that ``html_math_renderer`` names."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.connect("autodoc-process-docstring", typeset, priority=300)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline(writer: Any, node: Any) -> None:
    """Write a formula within a line."""
    writer.body.append(converted(node))
    raise SkipNode


def block(writer: Any, node: Any) -> None:
    """Write a formula on lines of its own; a wide one scrolls by itself, not with the page."""
    writer.body.append(f'<div class="formula" tabindex="0">{converted(node)}</div>\n')
    raise SkipNode


def converted(node: Any) -> str:
    """The formula of a node in MathML, its fractions and sums in full size."""
    formula = node.astext()
    try:
        written = str(tex2mathml(formula, as_block=node.tagname == "math_block"))
    except Exception as error:  # docutils has several, for what it cannot read
        raise ExtensionError(f"a formula cannot be typeset: {formula!r}: {error}") from error
    written = re.sub(r"<mo>&ApplyFunction;</mo>(?!\s*<mo[^>]*>\()", r'\g<0><mspace width="0.17em"/>', written)  # log x
    return written.replace("<math ", '<math displaystyle="true" ').replace("<mtable ", '<mtable displaystyle="true" ')


def typeset(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn the formulas of a docstring into what Sphinx typesets."""
    lines[:] = formulas.typeset("\n".join(lines) + "\n").split("\n")[:-1]
