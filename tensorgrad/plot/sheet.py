"""A figure made of bands, one under the other, each with a title: the layout of most of the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tensorgrad.checks import without

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, FAINT, ACCENT, SECOND = "#222222", "#777777", "#1f5fa8", "#c8502d"
# inches: left margin, right margin, room for a colour bar, height of a title, gap below a band
LEFT, RIGHT, BAR, TITLE, GAP = 0.45, 0.15, 0.75, 0.3, 0.16
NARROWEST, WIDTH = 5.2, 6.3  # inches that the bands of a page may take
PAGE = 7.5  # inches: the text of a wider figure would be small on a page


@dataclass(frozen=True)
class Scale:
    """The meaning of a band's colours: a colour map of matplotlib, and the numbers at its ends."""

    low: float
    high: float
    colours: str


@dataclass(frozen=True)
class Band:
    """A title, and below it axes that ``draw`` draws into; sizes in inches."""

    title: str
    width: float
    height: float
    draw: Callable[[Any], None]
    note: str = ""  # faint, at the right of the title
    below: float = 0.0  # room for tick labels
    scale: Scale | None = None  # shown as a colour bar

    @property
    def head(self) -> float:
        """The height of the title, if there is one."""
        return TITLE if self.title else 0.0

    @property
    def words(self) -> float:
        """The approximate width of title and note on one line."""
        return 0.08 * len(self.title) + 0.07 * len(self.note)


def new_figure(width: float, height: float, *, flowing: bool = False) -> Any:
    """An empty figure, without pyplot and its global state; if flowing, matplotlib places the axes that are added."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise without("tensorgrad.plot", "the package matplotlib", "viz") from error
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from tensorgrad.plot.figure import Drawing

    layout: Any = "none"  # whatever the user's settings say
    if flowing:
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    return Drawing(figsize=(width, height), dpi=120, facecolor="white", layout=layout)


def page_width(across: Iterable[int]) -> float:
    """The width of a page's bands, given the numbers of tiles in their rows."""
    return min(WIDTH, max(NARROWEST, 0.75 * max(across, default=1)))


def sheet(bands: Sequence[Band]) -> Figure:
    """The bands, one under the other, aligned on the left."""
    inner = max(max(band.width for band in bands), min(WIDTH, max(band.words for band in bands)))
    width = LEFT + inner + (BAR if any(band.scale for band in bands) else 0) + RIGHT
    height = sum(band.head + band.height + band.below + GAP for band in bands)
    figure = new_figure(width, height)
    top = height
    for band in bands:
        line = (top - 0.2) / height
        figure.text(LEFT / width, line, literal(band.title), fontsize=9, weight="bold", color=INK)
        figure.text(1 - RIGHT / width, line, band.note, fontsize=8, color=SECOND, ha="right")
        bottom = top - band.head - band.height
        axes = figure.add_axes((LEFT / width, bottom / height, band.width / width, band.height / height))
        band.draw(axes)
        if band.scale is not None:
            left, tall = LEFT + band.width + 0.12, min(band.height, 1.5)
            box = (left / width, (bottom + band.height - tall) / height, 0.1 / width, tall / height)
            colour_bar(figure.add_axes(box), band.scale)
        top = bottom - band.below - GAP
    return figure  # type: ignore[no-any-return]


def colour_bar(axes: Any, scale: Scale) -> None:
    """Fill axes with a scale, from its lower end to its upper end, with the numbers at both ends and at 0."""
    import numpy as np

    low, high = (scale.low, scale.high) if scale.low < scale.high else (scale.low, scale.low + 1)
    axes.imshow(np.linspace(0, 1, 256)[::-1, None], cmap=scale.colours, aspect="auto", extent=(0, 1, low, high))
    ends = [low, high] if scale.low < scale.high else [low]
    zero = [0.0] if low + 0.2 * (high - low) < 0 < high - 0.2 * (high - low) else []
    ticks = [*ends, *zero]
    axes.set_yticks(ticks, [f"{tick:.2g}" for tick in ticks])
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=7.5, colors=FAINT, length=2, pad=1)
    axes.spines[:].set_color("#aaaaaa")


def literal(text: str) -> str:
    """Text in which dollar signs do not begin a formula."""
    return text.replace("$", r"\$")


def plain(axes: Any) -> Any:
    """Axes without a box: only faint lines below and on the left."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#aaaaaa")
    axes.tick_params(labelsize=7.5, colors=FAINT, length=2)
    return axes
