"""A picture of a training run, or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from tensorgrad.plot.sheet import FAINT, INK, PAGE, literal, new_figure, plain
from tensorgrad.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#1f5fa8", "#c8502d", "#2f8f5b", "#8a5aa8", "#b08a1e", "#3c8f9c", "#b04a7a", "#666666")
PARTS: tuple[tuple[str, Any, str], ...] = (("", "--", "training"), ("val_", "-", "validation"))
LEGEND = 115  # letters in a line of the legend


def training_curves(runs: History | Mapping[str, History]) -> Figure:
    """The loss and one more figure by epoch, dashed in training and solid in validation, of one run or of several.

    The second figure is the accuracy or, where there is none, the next that the history has.

    Parameters
    ----------
    runs : History, or a mapping from a label to a History
        ``model.history``, or for example ``{"adam": model.history, "sgd": other.history}``.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If a run has no epochs yet.
    """
    labelled = _labelled(runs)
    longest = max(map(len, (*labelled, "validation")))
    entries = len(labelled) + len(PARTS) if len(labelled) > 1 else 0
    rows = ceil(entries / max(1, LEGEND // (longest + 6)))
    figure = new_figure(PAGE, 2.9 + 0.2 * rows, flowing=True)
    alone = len(labelled) == 1
    colours = _colours(2 if alone else len(labelled))
    names = _names(labelled.values())
    for place, name in enumerate(names):
        axes = plain(figure.add_subplot(1, len(names), place + 1))
        for number, run in enumerate(labelled.values()):
            for part, (prefix, style, _) in enumerate(PARTS):
                if prefix + name in run.history:
                    factor = 100 if name == "accuracy" else 1
                    figures = [factor * figure for figure in run.history[prefix + name]]
                    colour = colours[1 - part] if alone else colours[number]  # alone, each curve has its own
                    axes.plot(run.epoch, figures, style, color=colour, marker="o", markersize=3)
        axes.set_title(literal(name.capitalize()), fontsize=9.5, weight="bold", color=INK, loc="left")
        _count_epochs(axes, [epoch for run in labelled.values() for epoch in run.epoch])
        if name == "accuracy":
            axes.yaxis.set_major_formatter("{x:g} %")
        axes.grid(alpha=0.25)
    _legend(figure, labelled, colours, ceil(entries / rows) if rows else 1)
    return figure  # type: ignore[no-any-return]


def _labelled(runs: History | Mapping[str, History]) -> dict[str, History]:
    """The runs by label, which is empty for a single run."""
    if not isinstance(runs, History | Mapping):
        raise _no_history(runs)
    found = {"": runs} if isinstance(runs, History) else {str(label): run for label, run in runs.items()}
    if not found:
        raise ValueError("training_curves: received no runs; give at least one")
    for label, run in found.items():
        if not isinstance(run, History):
            raise _no_history(run, f" as {label!r}")
        if not len(run):
            which = f"run {label!r}" if label else "history"
            raise ValueError(f"training_curves: the {which} has no epochs yet; train the model first")
    return found


def _no_history(received: object, where: str = "") -> TypeError:
    return TypeError(
        "training_curves: expected a History, such as model.history, or a dict from labels to histories; received "
        f"{type(received).__name__}{where}"
    )


def _names(runs: Any) -> Sequence[str]:
    """The figures to show: the loss, and the accuracy or else the first of the others."""
    known = dict.fromkeys(name.removeprefix("val_") for run in runs for name in run.history)
    others = [name for name in known if name not in ("loss", "time")]
    return ["loss", *(["accuracy"] if "accuracy" in others else others[:1])]


def _colours(count: int) -> Sequence[Any]:
    """Distinct colours, one per run."""
    if count <= len(COLOURS):
        return COLOURS
    from matplotlib import colormaps

    return [colormaps["turbo"](0.04 + 0.92 * i / (count - 1)) for i in range(count)]


def _count_epochs(axes: Any, epochs: Sequence[int]) -> None:
    """An axis of whole epochs, also if there is only one."""
    axes.set_xlabel("epoch", fontsize=8.5, color=FAINT)
    if max(epochs) - min(epochs) < 10:
        axes.set_xticks(range(min(epochs), max(epochs) + 1))
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    else:
        axes.xaxis.get_major_locator().set_params(integer=True)


def _legend(figure: Any, labelled: Mapping[str, History], colours: Sequence[Any], columns: int) -> None:
    """What colours and line styles mean: inside of the axes for one run, below them for several."""
    from matplotlib.lines import Line2D

    parts = [part for part in PARTS if any(f"{part[0]}loss" in run.history for run in labelled.values())]
    if len(labelled) == 1:
        key = [Line2D([], [], color=colours[not prefix], linestyle=style, label=text) for prefix, style, text in parts]
        for axes in figure.axes:
            axes.legend(handles=key, frameon=False, fontsize=8, title=literal(next(iter(labelled))))
        return
    # a label that begins with an underscore would be left out
    key = [Line2D([], [], color=c, label=literal(f"{run}" if run[:1] != "_" else f" {run}"))
           for run, c in zip(labelled, colours, strict=False)]  # fmt: skip
    key += [Line2D([], [], color=FAINT, linestyle=style, label=text) for _, style, text in parts]
    figure.legend(handles=key, loc="outside lower center", frameon=False, fontsize=8, ncols=columns)
