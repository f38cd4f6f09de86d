"""The plot: the ratio of every case, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.case import Row
from benchmarks.report import NOTEWORTHY

PANELS = {  # group: its title, from top to bottom
    "training": "Training: an epoch",
    "prediction": "Prediction",
    "overhead": "The engine's own cost",
    "operations": "Operations",
}
COLORS = {"1 thread": "#1f77b4", "2 threads": "#d95f02", "2 processes": "#009e73"}  # for all kinds of eyes
OFFSET = 0.17  # of a line: the places of the first way to use the cores, and of the last


def draw(groups: Mapping[str, Sequence[Row]], path: Path) -> None:
    """Draw the ratios to PyTorch's times, with their quartiles, and save them as a PNG file.

    A hollow point was measured while other processes used the processors, and does not count.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    rows = {name: [row for row in groups.get(name, ()) if row.peer == "PyTorch"] for name in PANELS}
    shown = {name: list(dict.fromkeys(row.name for row in rows[name])) for name in PANELS if rows[name]}
    heights = [len(cases) + 1.5 for cases in shown.values()]
    figure, grid = plt.subplots(
        len(shown),
        1,
        figsize=(9.5, 1 + 0.23 * sum(heights)),
        height_ratios=heights,
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    axes: dict[str, Axes] = dict(zip(shown, grid[:, 0], strict=True))
    every = [value for name in shown for row in rows[name] for value in (row.low, row.high)]
    low, high = min(0.5, *every) / 1.15, max(2.0, *every) * 1.15
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20) if low <= tick <= high]
    for name, ax in axes.items():
        places = {case: i for i, case in enumerate(shown[name])}
        ways = list(dict.fromkeys(row.way for row in rows[name]))
        shifts = dict(zip(ways, np.linspace(-OFFSET, OFFSET, len(ways)) if len(ways) > 1 else [0.0], strict=True))
        for row in rows[name]:
            y, color = places[row.name] + shifts[row.way], COLORS.get(row.way, "#555555")
            ax.plot([row.low, row.high], [y, y], color=color, linewidth=3, alpha=0.35, solid_capstyle="butt")
            face = "white" if row.others >= NOTEWORTHY else color
            ax.plot(row.ratio, y, "o", color=color, markerfacecolor=face, markersize=5)
        ax.axvspan(low, 1, color="#2ca02c", alpha=0.06, linewidth=0)
        ax.axvline(1, color="black", linewidth=1)
        ax.set_xscale("log")
        ax.set_xlim(low, high)
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(axis="x", which="minor", length=0)
        ax.tick_params(axis="x", labelbottom=True, labelsize=8.5)
        ax.set_yticks(list(places.values()), list(places), fontsize=8.5)
        ax.set_ylim(len(places) - 0.4, -0.6)
        ax.set_title(PANELS[name], loc="left", fontsize=10, fontweight="bold")
        ax.grid(axis="both", color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    for way in dict.fromkeys(row.way for name in shown for row in rows[name]):
        figure.axes[0].plot([], [], "o", color=COLORS.get(way, "#555555"), label=way)
    figure.axes[0].legend(loc="upper right", fontsize=9)  # at the top of a picture of several screens
    figure.suptitle("Time of tensorgrad / time of PyTorch: left of 1 tensorgrad is faster", fontsize=11)
    figure.savefig(path, dpi=110)
    plt.close(figure)
