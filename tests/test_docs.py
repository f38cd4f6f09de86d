"""Every program of the how-to page runs. Those of the tutorial's chapters run as the site is built, by `make docs`."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from tensorgrad import initializers

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to.md"
SECTION = re.compile(r"^### (.+?)$(.*?)(?=^###? |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT = PAGE.read_text("utf-8")
ANSWERS = {title: BLOCK.findall(body) for title, body in SECTION.findall(TEXT)}
COMMON = BLOCK.findall(TEXT)[0]


@pytest.mark.parametrize("question", ANSWERS)
def test_an_answer_runs(question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorgrad

    monkeypatch.chdir(tmp_path)
    for kind in ("rose", "tulip"):  # what the answer about pictures of one's own reads
        (tmp_path / "flowers" / kind).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (40, 30), (number, 0, 90)).save(tmp_path / "flowers" / kind / f"{number}.png")
    threads = tensorgrad.get_num_threads()
    namespace: dict[str, object] = {}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for block in (COMMON, *ANSWERS[question]):
                exec(compile(block, f"how-to.md, {question}", "exec"), namespace)
    finally:
        tensorgrad.set_num_threads(threads)


def test_there_are_thirty_answers() -> None:
    assert len(ANSWERS) >= 30
    assert [title for title, blocks in ANSWERS.items() if not blocks] == []


CHAPTERS = sorted((PAGE.parent / "tutorial").glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} python\n((?::[^\n]*\n)*)\n?(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_ends_in_two_exercises_with_solutions_that_check_themselves(path: Path) -> None:
    text = path.read_text("utf-8")
    _, exercises = text.split("\n## Exercises\n")
    asked = re.split(r"^\*\*[12]\.\*\* ", exercises, flags=re.MULTILINE)[1:]
    assert len(asked) == 2
    for part in asked:
        ((options, solution),) = CELL.findall(part)
        assert "hide-cell" in options
        assert re.search(r"^ *(assert |gradcheck\()", solution, re.MULTILINE)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_code_of_a_chapter_fits_on_the_page(path: Path) -> None:
    cells = [body for _, body in CELL.findall(path.read_text("utf-8"))]
    assert max(len(line) for body in cells for line in body.splitlines()) <= 88


def test_there_are_ten_chapters_and_the_site_lists_them_in_order() -> None:
    listed = re.findall(r"^tutorial/(.+)$", (PAGE.parent / "index.md").read_text("utf-8"), re.MULTILINE)
    assert listed == [path.stem for path in CHAPTERS]
    assert len(listed) == 10


def test_the_gallery_has_every_picture() -> None:
    from tensorgrad import plot

    page = (PAGE.parent / "gallery.md").read_text("utf-8")
    pictures = {name for name, value in vars(plot).items() if callable(value) and not name.startswith("_")}
    assert {name for name in pictures if f"plot.{name}(" not in page} == set()
    assert len(pictures) >= 11


@pytest.mark.parametrize("name", ["gradients.md", "initialization.md"])
def test_programs_of_other_pages_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initializers, "INITIALIZERS", dict(initializers.INITIALIZERS))  # a program adds one
    blocks = BLOCK.findall((PAGE.parent / name).read_text("utf-8"))
    assert blocks
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, name, "exec"), namespace)


def test_files_of_tests_that_pages_name_are_there() -> None:
    root = PAGE.parent.parent
    for path in (*root.glob("*.md"), *root.glob("docs/*.md")):
        for name in re.findall(r"\btests/[\w/]+\.py", path.read_text("utf-8")):
            assert (root / name).exists(), f"{path.name} names {name}"
