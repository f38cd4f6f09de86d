"""Tables of rows: aligned for the terminal, and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.case import Row

NOTEWORTHY = 0.05  # of a core, that other processes used


def table(rows: Sequence[Row]) -> list[list[str]]:
    """The cells, header first. A column that would say the same in every row is left out.

    ``others`` is how much of a core other processes used meanwhile: no figure counts that has one.
    """
    units, peers = {row.unit for row in rows}, {row.peer for row in rows}
    unit = f", {next(iter(units))}" if len(units) == 1 else ""
    peer = next(iter(peers)) if len(peers) == 1 else "theirs"
    lines = [["case", "against", "threads", f"ours{unit}", f"{peer}{unit}", "ratio", "quartiles", "others"]]
    for row in rows:
        own = "" if unit else f" {row.unit}"
        spread = f"{row.low:.2f} - {row.high:.2f}" if row.rounds > 1 else ""
        lines.append(
            [
                row.name,
                row.peer,
                row.way if row.processes > 1 else str(row.threads or ""),
                figure(row.ours) + own,
                figure(row.theirs) + own,
                f"{row.ratio:.2f}" if row.ratio >= 0.095 else f"{row.ratio:.3f}",
                spread,
                f"{row.others:.0%}" if row.others >= NOTEWORTHY else "",
            ]
        )
    kept = [i for i in range(8) if not (i == 1 and len(peers) == 1) and any(line[i] for line in lines[1:])]
    return [[line[i] for i in kept] for line in lines]


def figure(value: float) -> str:
    """A number with three significant digits."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    return f"{value:.{max(2 - math.floor(math.log10(abs(value))), 0)}f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns of equal width: words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    words = [i for i, name in enumerate(lines[0]) if name in ("case", "against")]
    padded = [
        "  ".join(
            cell.ljust(width) if i in words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([padded[0], "-" * (sum(widths) + 2 * len(widths) - 2), *padded[1:]])


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rule = [":--" if name in ("case", "against") else "--:" for name in lines[0]]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])


def summary(rows: Sequence[Row]) -> str:
    """In a line for each peer and way to use the cores: the geometric mean of the ratios, and which are above 1.

    Where both threads and processes were measured, there is a line for the better of the two in each case.
    """
    ratios: dict[tuple[str, str], dict[str, float]] = {}  # by peer and way, by case
    for row in rows:
        ratios.setdefault((row.peer, row.way), {})[row.name] = row.ratio
    for row in rows:
        if row.processes > 1:
            threads = ratios.get((row.peer, f"{row.processes} threads"), {})
            better = ratios.setdefault((row.peer, f"the better of {row.processes} threads and {row.way}"), {})
            better[row.name] = min(row.ratio, threads.get(row.name, row.ratio))
    lines = []
    for (peer, way), found in ratios.items():
        values = list(found.values())
        mean, above = math.exp(sum(map(math.log, values)) / len(values)), sum(value > 1 for value in values)
        lines.append(
            f"Ours / {peer}{way and ', '}{way}: geometric mean {mean:.2f}, "
            f"highest {max(values):.2f}; {above} of {len(values)} above 1."
        )
    disturbed = sum(row.others >= NOTEWORTHY for row in rows)
    if disturbed:
        lines.append(f"Not quiet: in {disturbed} of {len(rows)} rows other processes used the processors as well.")
    return "\n".join(lines)
