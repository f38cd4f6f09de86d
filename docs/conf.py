"""How the site is built: `make docs`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from tensorgrad.version import __version__  # noqa: E402

project = "tensorgrad"
author = "the tensorgrad developers"
copyright = "the tensorgrad developers; MIT license"
release = version = __version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "programs", "typeset_formulas"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["make_*.py"]
html_theme = "furo"
html_title = f"tensorgrad {__version__}"
html_show_sphinx = False
html_theme_options: dict[str, Any] = {"top_of_page_buttons": []}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"

nb_execution_mode = "force"  # every cell runs in every build
nb_execution_raise_on_error = True
nb_execution_timeout = 300  # seconds for a cell
nb_code_prompt_show = "Show the solution"  # the cells that are hidden
nb_code_prompt_hide = "Hide it"
nb_merge_streams = True
os.environ.pop("MPLBACKEND", None)  # notebooks show what they draw
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

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


def unlink_folders(app: Any, doctree: Any, name: str) -> None:
    """Leave the words of links that lead to files and folders of the repository, which the site does not have."""
    for link in list(doctree.findall(nodes.reference)):
        if any("myst" in word.get("classes", ()) and "xref" in word["classes"] for word in link.findall(nodes.inline)):
            link.replace_self(link.children)


NAMED = {  # what Sphinx and furo leave to guess for who reads with ears or keys
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<summary aria-label="Toggle hidden content">': "<summary>",  # its words say more
    '<div class="highlight"><pre>': '<div class="highlight"><pre tabindex="0">',  # it scrolls, also by keys
    '<div class="table-wrapper ': '<div tabindex="0" role="group" aria-label="A table" class="table-wrapper ',
    '<div class="output text_html">': '<div tabindex="0" role="group" aria-label="A result" class="output text_html">',
    '<th class="head"><p></p></th>': "<td></td>",  # the corner of a table heads nothing
    '<th class="head text-left"><p></p></th>': "<td></td>",
    '<div id="search-results">': '<h1>Search</h1>\n<div id="search-results">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
}


def name_landmarks(app: Any, error: Exception | None) -> None:
    """Give the parts of each page their names and levels."""
    for path in Path(app.outdir).rglob("*.html") if error is None else ():
        text = path.read_text("utf-8")
        for plain, named in NAMED.items():
            text = text.replace(plain, named)
        path.write_text(text, "utf-8")


def setup(app: Any) -> None:
    """Look at docstrings before numpydoc does, and at links after all others."""
    app.connect("autodoc-process-docstring", escape_shapes, priority=200)
    app.connect("doctree-resolved", unlink_folders)
    app.connect("build-finished", name_landmarks)
