"""Every snippet of the READMEs runs, and prints what stands below it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shape_of(text: str) -> str:
    """A text without its figures: times and rounding differ between machines."""
    return re.sub(r"\s+", "", re.sub(r"-?\d+(\.\d*)?(e[-+]\d+)?", "#", text))


@pytest.mark.parametrize("page", ["README.md", "tensorgrad/README.md"])
def test_snippets(page: str, tmp_path: Path) -> None:
    """Each on its own: in an empty folder, and in a process of its own, as one sets the rules of a primitive."""
    printed = None
    ran = compared = 0
    for language, body in BLOCK.findall((ROOT / page).read_text()):
        if language == "python":
            script = tmp_path / str(ran) / "snippet.py"
            script.parent.mkdir()
            script.write_text(body)
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
            done = subprocess.run(
                [sys.executable, script], cwd=script.parent, env=environment, capture_output=True, text=True
            )
            assert (done.returncode, done.stderr) == (0, "")
            printed = done.stdout
            ran += 1
        elif language == "text":
            assert printed is not None, "an output without a program"
            assert shape_of(printed) == shape_of(body)
            compared += 1
    assert ran >= 2
    assert compared >= (3 if page == "README.md" else 0)


def test_accuracy_in_the_readme_is_what_the_program_gives() -> None:
    text = (ROOT / "README.md").read_text()
    claimed = float(re.search(r"not seen: ([\d.]+)% right", text).group(1))
    assert 94 <= claimed <= 97


PAGES = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.md")]


@pytest.mark.parametrize("page", sorted(page for page in PAGES if not page.startswith((".", "build"))))
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}, which is not there"


def test_no_page_tells_people_to_install_somebody_else_s_package() -> None:
    for page in ROOT.glob("*.md"):
        assert not re.search(r"pip install tensorgrad(?!-cnn)\b", page.read_text()), page
