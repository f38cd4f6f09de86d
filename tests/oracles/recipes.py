"""The recipes of docs/onnx.md, to be run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


def recipes(heading: str) -> list[str]:
    """The blocks of Python below a heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"# {heading}\n")[1].split("\n#")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)
