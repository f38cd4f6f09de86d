"""One file to hand on: the page with a network in it, for any browser, without a server or a network connection."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from tensorgrad.atomic_file import replacing
from tensorgrad.network import Network
from tensorgrad.page.description import describe

STATIC = Path(__file__).with_name("static")
TITLE = "Look into a network"
FOOTER = "Made with tensorgrad: a network in plain JavaScript, layer by layer."


def export_html(
    network: Network,
    path: str | os.PathLike[str],
    *,
    title: str = TITLE,
    classes: Sequence[str] | None = None,
    pixels: str | None = None,
) -> None:
    """Write a page on which pictures are drawn, and every layer's maps and the outputs follow.

    Parameters
    ----------
    network : Network
        Of images with one or three channels, with layers that the page has.
    path : path
        The file, whole or not at all: some 40 kB, and 5.4 bytes for each of the network's numbers.
    title : str
        Of the page.
    classes, pixels
        See :func:`tensorgrad.page.description.describe`.

    Raises
    ------
    ValueError, TypeError
        If the page cannot have the network; nothing is written then.
    OSError
        If the file cannot be written.
    """
    text = page(describe(network, classes, pixels), title)
    with replacing(path) as file:
        file.write(text.encode())


def page(description: dict[str, Any], title: str = TITLE) -> str:
    """The page's HTML, with all that belongs to it inside."""
    model = json.dumps(description, allow_nan=False).replace("<", "\\u003c")  # so that no name can end the script
    parts = {
        "title": escape(title),
        "footer": escape(FOOTER),
        "css": (STATIC / "page.css").read_text("utf-8"),
        "model": model,
        "network": (STATIC / "network.js").read_text("utf-8"),
        "page": (STATIC / "page.js").read_text("utf-8"),
    }
    frame = (STATIC / "page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], frame)
