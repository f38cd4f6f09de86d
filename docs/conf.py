"""How the site is built: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tensorgrad.version import __version__  # noqa: E402

project = "tensorgrad"
author = "the tensorgrad developers"
copyright = "the tensorgrad developers; MIT license"
release = version = __version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["make_*.py"]
html_theme = "furo"
html_title = f"tensorgrad {__version__}"
html_show_sphinx = False

myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath", "colon_fence"]
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]  # links to files of the repository

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections have them, with shapes
autodoc_default_options = {"members": True, "show-inheritance": True}
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


def escape_shapes(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep the star of ``shape=(N, *input_shape)`` from beginning an emphasis, and |x| from being a substitution."""
    lines[:] = [line if "``" in line else line.replace("|", r"\|") for line in lines]
    lines[:] = [re.sub(r"(?<![\\*`])\*(?=\w)", r"\\*", line) if "shape=" in line else line for line in lines]


def setup(app: Any) -> None:
    """Look at docstrings before numpydoc does."""
    app.connect("autodoc-process-docstring", escape_shapes, priority=400)
