"""What the page that runs Python in the browser needs: the library as one archive, and the programs to start from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"tensorgrad": "tensorgrad", "layers": "tensorgrad/layers", "optim": "tensorgrad/optim"}  # as pyproject.toml
CELL = re.compile(r"^```(?:\{code-cell\} )?python\n((?::[^\n]*\n)*)\n?(.*?)^```$", re.MULTILINE | re.DOTALL)


def setup(app: Any) -> dict[str, Any]:
    """Write both files once the pages are there."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(app: Any, error: Exception | None) -> None:
    """Put ``tensorgrad.zip`` and ``programs.js`` beside the site's other files."""
    if error is None:
        folder = Path(app.outdir, "_static")
        archive(folder / "tensorgrad.zip")
        (folder / "programs.js").write_text(f"export default {json.dumps(programs(), indent=1)};\n", "utf-8")


def archive(path: Path) -> None:
    """Write the files of the package, as a wheel has them."""
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        for folder, inside in FOLDERS.items():
            for source in sorted((ROOT / folder).rglob("*")):
                below = source.relative_to(ROOT / folder)
                linked = folder == "tensorgrad" and below.parts[0] in ("layers", "optim")
                if source.is_file() and not linked and "__pycache__" not in below.parts:
                    file.write(source, f"{inside}/{below.as_posix()}")


def programs() -> dict[str, list[str]]:
    """The cells of the README's first program and of each chapter, by title; without the chapters' solutions."""
    readme = (ROOT / "README.md").read_text("utf-8").split("\n## The first program\n")[1]
    found = {"The first program": [CELL.findall(readme)[0][1]]}
    for chapter in sorted((ROOT / "docs" / "tutorial").glob("*.md")):
        text = chapter.read_text("utf-8")
        title = re.findall(r"^# (.+)$", text, re.MULTILINE)[0]
        found[title] = [code for options, code in CELL.findall(text) if "hide-cell" not in options]
    return found


if __name__ == "__main__":
    for title, cells in programs().items():
        print(f"{title}: {len(cells)} cells")
