"""Every program in the pages of docs/ runs."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to.md"
SECTION = re.compile(r"^### (.+?)$(.*?)(?=^###? |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT = PAGE.read_text("utf-8")
ANSWERS = {title: BLOCK.findall(body) for title, body in SECTION.findall(TEXT)}
COMMON = BLOCK.findall(TEXT)[0]


@pytest.mark.parametrize("question", [title for title, blocks in ANSWERS.items() if blocks])
def test_an_answer_runs(question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorgrad

    monkeypatch.chdir(tmp_path)
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
    assert sum(map(bool, ANSWERS.values())) >= 26
