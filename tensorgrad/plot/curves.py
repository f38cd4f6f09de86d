"""A picture of a training run, or of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tensorgrad.plot.sheet import FAINT, INK, new_figure, plain
from tensorgrad.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#1f5fa8", "#c8502d", "#2f8f5b", "#8a5aa8", "#b08a1e", "#3c8f9c", "#b04a7a", "#666666")


def training_curves(runs: History | Mapping[str, History]) -> Figure:
    """Loss and accuracy by epoch, dashed while training and solid in validation, of one run or of several.

    Parameters
    ----------
    runs : History, or a mapping from a label to a History
        ``model.history``, or for example ``{"adam": model.history, "sgd": other.history}``.

    Raises
    ------
    ValueError
        If a run has no epochs yet.
    """
    figure = new_figure(9, 3.3, flowing=True)
    labelled = {"": runs} if isinstance(runs, History) else dict(runs)
    for label, run in labelled.items():
        if not len(run):
            which = f"run {label!r}" if label else "history"
            raise ValueError(f"training_curves: the {which} has no epochs yet; train the model first")
    if not labelled:
        raise ValueError("training_curves: received no runs; give at least one")
    for place, name, title in ((1, "loss", "Loss"), (2, "accuracy", "Accuracy")):
        axes = plain(figure.add_subplot(1, 2, place))
        for number, (label, run) in enumerate(labelled.items()):
            for key, style, part in ((name, "--", "training"), (f"val_{name}", "-", "validation")):
                other = len(labelled) == 1 and part == "training"  # of a run that is alone, each curve has a colour
                colour = COLOURS[(number + other) % len(COLOURS)]
                if key in run.history:
                    factor = 100 if name == "accuracy" else 1
                    figures = [factor * figure for figure in run.history[key]]
                    text = f"{label}, {part}" if label else part
                    axes.plot(run.epoch, figures, style, color=colour, marker="o", markersize=3, label=text)
        axes.set_title(title, fontsize=9.5, weight="bold", color=INK, loc="left")
        axes.set_xlabel("epoch", fontsize=8.5, color=FAINT)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if name == "accuracy":
            axes.yaxis.set_major_formatter("{x:g} %")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8)
    return figure  # type: ignore[no-any-return]
