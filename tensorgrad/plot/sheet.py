"""A figure made of bands, one under the other, each with a title: what most of the pictures are laid out on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, FAINT, ACCENT, SECOND = "#222222", "#777777", "#1f5fa8", "#c8502d"
LEFT, RIGHT, TITLE, GAP = 0.45, 0.15, 0.3, 0.16  # inches: margins, the height of a title, the gap below a band
WIDTH = 8.4  # inches that a band may be wide


@dataclass(frozen=True)
class Band:
    """A title, and below it axes of a width and height in inches that ``draw`` draws into."""

    title: str
    width: float
    height: float
    draw: Callable[[Any], None]
    note: str = ""  # faint, after the title
    below: float = 0.0  # room for tick labels

    @property
    def head(self) -> float:
        """The height of the title, if there is one."""
        return TITLE if self.title else 0.0


def new_figure(width: float, height: float, *, flowing: bool = False) -> Any:
    """An empty figure, without pyplot and its global state; if flowing, matplotlib places the axes that are added."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("tensorgrad.plot needs matplotlib: install the extra 'viz', pip install '.[viz]'") from error
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1) if flowing else None
    return Figure(figsize=(width, height), dpi=120, facecolor="white", layout=layout)


def sheet(bands: Sequence[Band]) -> Figure:
    """The bands, one under the other, aligned on the left."""
    width = LEFT + WIDTH + RIGHT
    height = sum(band.head + band.height + band.below + GAP for band in bands)
    figure = new_figure(width, height)
    top = height
    for band in bands:
        figure.text(LEFT / width, (top - 0.2) / height, band.title, fontsize=9, weight="bold", color=INK)
        if band.note:
            figure.text(0.999 - RIGHT / width, (top - 0.2) / height, band.note, fontsize=8, color=FAINT, ha="right")
        bottom = top - band.head - band.height
        axes = figure.add_axes((LEFT / width, bottom / height, band.width / width, band.height / height))
        band.draw(axes)
        top = bottom - band.below - GAP
    return figure  # type: ignore[no-any-return]


def plain(axes: Any) -> Any:
    """Axes without a box: only the lines below and on the left, faint."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#aaaaaa")
    axes.tick_params(labelsize=7, colors=FAINT, length=2)
    return axes
