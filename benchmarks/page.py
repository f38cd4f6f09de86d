"""Results in a file, and on the page docs/performance.md."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, report
from benchmarks.case import Row

NOTHING = "Not measured apart on this machine."
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


@dataclass
class Results:
    """The rows of each group, and where they were measured."""

    machine: dict[str, str]
    groups: dict[str, list[Row]]

    @classmethod
    def empty(cls) -> Results:
        """Nothing measured yet, on this machine."""
        return cls(machine.describe(), {})

    def put(self, name: str, rows: list[Row]) -> None:
        """Set, or replace, a group's rows."""
        self.groups[name] = rows


def save(results: Results, path: Path) -> None:
    """Write results to a JSON file."""
    path.write_text(json.dumps(dataclasses.asdict(results), indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Results:
    """Read the results that :func:`save` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return Results(found["machine"], {name: [Row(**row) for row in rows] for name, rows in found["groups"].items()})


def write(results: Results, page: Path = PAGE) -> None:
    """Renew the tables and the plot of the page; its text stays."""
    from benchmarks import plot

    text = page.read_text(encoding="utf-8")
    text = replaced(text, "machine", "\n".join(f"- {name}: {value}" for name, value in results.machine.items()))
    for name, rows in results.groups.items():
        table = report.markdown(report.table(rows)) + "\n\n" + report.summary(rows)
        text = replaced(text, name, table if rows else NOTHING)
    page.write_text(text, encoding="utf-8")
    plot.draw(results.groups, page.with_suffix(".png"))


def replaced(text: str, name: str, content: str) -> str:
    """``text`` with new content between the markers of a name."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    if not re.search(pattern, text, re.DOTALL):
        raise ValueError(f"the page has no place for {name!r}: expected <!-- {name} --> and <!-- /{name} --> in it")
    return re.sub(pattern, lambda found: found[1] + content + "\n" + found[2], text, flags=re.DOTALL)
