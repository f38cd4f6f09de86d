"""Tests of the page need Node, or a browser."""

from __future__ import annotations

import shutil

import pytest


def nodejs() -> str:
    """The program Node; without it, a test is skipped, which in CI is a failure."""
    found = shutil.which("node") or shutil.which("nodejs")
    if found is None:
        pytest.skip("needs Node.js")
    return found
