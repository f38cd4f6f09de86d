"""The curves of a training run as SVG: what a notebook shows without matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite

WIDTH, HEIGHT, MARGIN = 300, 150, 24  # of each drawing, in pixels
TRAINING, VALIDATION = "#c8502d", "#1f5fa8"


def curves(epochs: Sequence[int], history: Mapping[str, Sequence[float]]) -> str:
    """A drawing for each figure except the time: dashed for training, solid for validation."""
    names = dict.fromkeys(name.removeprefix("val_") for name in history if name != "time")
    return "".join(_drawing(name, epochs, history) for name in names)


def _drawing(name: str, epochs: Sequence[int], history: Mapping[str, Sequence[float]]) -> str:
    """One figure by epoch, with its smallest and largest value beside the axis."""
    lines = [(key, style) for key, style in ((name, f'stroke="{TRAINING}" stroke-dasharray="5 3"'),
                                             (f"val_{name}", f'stroke="{VALIDATION}"')) if key in history]  # fmt: skip
    shown = [v for key, _ in lines for v in history[key] if isfinite(v)]
    low, high = (min(shown), max(shown)) if shown else (0.0, 0.0)
    first, last = (epochs[0], epochs[-1]) if epochs else (0, 0)

    def place(epoch: int, value: float) -> str:
        across = (epoch - first) / max(last - first, 1)
        up = (value - low) / (high - low) if high > low else 0.5
        return f"{MARGIN + across * (WIDTH - 2 * MARGIN):.1f},{HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN):.1f}"

    drawn = []
    for key, style in lines:
        points = [place(e, v) for e, v in zip(epochs, history[key], strict=True) if isfinite(v)]
        drawn.append(f'<polyline points="{" ".join(points)}" fill="none" stroke-width="1.5" {style}/>')
        drawn += [
            f'<circle cx="{x}" cy="{y}" r="2" fill="none" {style}/>' for x, y in (point.split(",") for point in points)
        ]
    texts = [
        f'<text x="{MARGIN}" y="12" font-weight="bold">{escape(name)}</text>',
        f'<text x="{WIDTH - MARGIN}" y="12" text-anchor="end">{low:.4g} to {high:.4g}</text>',
        f'<text x="{MARGIN}" y="{HEIGHT - 6}">epoch {first}</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 6}" text-anchor="end">{last}</text>',
    ]
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" font-size="11" font-family="sans-serif" role="img" '
        f'aria-label="{escape(name)}: dashed in training, solid in validation">{"".join(drawn + texts)}</svg>'
    )
