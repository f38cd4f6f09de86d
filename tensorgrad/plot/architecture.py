"""A model's layers as a diagram: boxes, from top to bottom, and arrows that carry the shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tensorgrad.inspection.structure import describe_shape, heading, parameters_of
from tensorgrad.inspection.tracing import top_layers
from tensorgrad.layers.layer import Layer
from tensorgrad.network import Network
from tensorgrad.plot.sheet import FAINT, INK, literal, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Inches: boxes, arrows, from branch to branch, the radius of a plus.
WIDE, HIGH, ARROW, APART, PLUS = 3.3, 0.46, 0.4, 0.25, 0.11
COLOURS = {"convolution": "#d5e4f5", "dense": "#f7dfd3", "resampling": "#dcefdc", "": "#ededed"}  # by family


def architecture(model: Network) -> Figure:
    """The layers as a diagram, with branches side by side: the picture of :func:`tensorgrad.inspection.to_mermaid`."""
    if not model.layers:
        raise ValueError("architecture: the model has no layers yet; add them first")
    chain = _Chain([_part(layer, name) for name, layer in top_layers(model)])
    width, height = chain.width + 0.5, chain.height + 2 * (ARROW + 0.25)
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-width / 2, width / 2), ylim=(-height, 0))
    axes.set_axis_off()
    shape = describe_shape(model.layers[0].input_shape)
    axes.text(0, -0.12, "input", ha="center", va="center", fontsize=8.5, color=INK)
    _arrow(axes, 0, -0.25, -0.25 - ARROW, shape)
    chain.draw(axes, 0, -0.25 - ARROW)
    bottom = -height + 0.25
    _arrow(axes, 0, bottom + ARROW, bottom, describe_shape(model.layers[-1].output_shape))
    axes.text(0, bottom - 0.12, "output", ha="center", va="center", fontsize=8.5, color=INK)
    return figure  # type: ignore[no-any-return]


@dataclass
class _Box:
    """One layer."""

    layer: Layer
    name: str
    width: float = WIDE
    height: float = HIGH

    def draw(self, axes: Any, x: float, top: float) -> None:
        from matplotlib.patches import FancyBboxPatch

        corner = x - WIDE / 2, top - HIGH
        style = "round,pad=0,rounding_size=0.06"
        colour = COLOURS.get(self.layer.family, COLOURS[""])
        axes.add_patch(FancyBboxPatch(corner, WIDE, HIGH, style, facecolor=colour, edgecolor="#888888"))
        title = heading(self.layer)
        below = ", ".join(part for part in (self.name, parameters_of(self.layer)) if part)
        middle = top - HIGH / 2
        axes.text(x, middle + (0.09 if below else 0), literal(title), ha="center", va="center", fontsize=8.5, color=INK)
        axes.text(x, middle - 0.1, literal(below), ha="center", va="center", fontsize=7, color=FAINT)


class _Chain:
    """Parts one after the other."""

    def __init__(self, parts: Sequence[_Box | _Chain | _Fork]) -> None:
        self.parts = [part for part in parts if part.height]
        self.width: float = max((part.width for part in self.parts), default=1.0)
        self.height: float = sum(part.height for part in self.parts) + ARROW * max(0, len(self.parts) - 1)
        self.layer: Layer | None = self.parts[-1].layer if self.parts else None

    def draw(self, axes: Any, x: float, top: float) -> None:
        for i, part in enumerate(self.parts):
            part.draw(axes, x, top)
            top -= part.height
            if i < len(self.parts) - 1 and part.layer is not None:
                _arrow(axes, x, top, top - ARROW, describe_shape(part.layer.output_shape))
                top -= ARROW


class _Fork:
    """Branches side by side, and the operation that joins their outputs."""

    def __init__(self, layer: Layer) -> None:
        self.layer: Layer | None = layer
        self.sign = layer.joined_by
        self.branches = [_Chain([_part(branch)]) for branch in layer.inner_layers()]
        self.width: float = sum(branch.width for branch in self.branches) + APART * (len(self.branches) - 1)
        self.height: float = max(branch.height for branch in self.branches) + 2 * ARROW + 2 * PLUS

    def draw(self, axes: Any, x: float, top: float) -> None:
        from matplotlib.patches import Circle

        bottom = top - self.height + 2 * PLUS  # the top of the plus
        left = x - self.width / 2
        axes.plot([left + self.branches[0].width / 2, x + self.width / 2 - self.branches[-1].width / 2], [top, top],
                  color="#888888", linewidth=0.9)  # fmt: skip
        for branch in self.branches:
            middle = left + branch.width / 2
            start = top - ARROW if branch.parts else top
            if branch.parts:
                _arrow(axes, middle, top, start, "")
            branch.draw(axes, middle, start)
            end = start - branch.height
            level = bottom - PLUS
            axes.plot([middle, middle], [end, level], color="#888888", linewidth=0.9)
            side = 1 if middle > x else -1
            if abs(middle - x) > PLUS:
                axes.annotate("", (x + side * PLUS, level), (middle, level), arrowprops=_ARROW)
            left += branch.width + APART
        axes.add_patch(Circle((x, bottom - PLUS), PLUS, facecolor="white", edgecolor="#888888", zorder=3))
        axes.text(x, bottom - PLUS, literal(self.sign), ha="center", va="center", fontsize=10, color=INK, zorder=4)


_ARROW = {"arrowstyle": "-|>", "color": "#888888", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8}


def _part(layer: Layer, name: str = "") -> _Box | _Chain | _Fork:
    if layer.is_chain:
        return _Chain([_part(inner) for inner in layer.inner_layers()])
    return _Fork(layer) if layer.joined_by else _Box(layer, name)


def _arrow(axes: Any, x: float, top: float, bottom: float, shape: str) -> None:
    axes.annotate("", (x, bottom), (x, top), arrowprops=_ARROW)
    axes.text(x + 0.1, (top + bottom) / 2, shape, ha="left", va="center", fontsize=7.5, color=FAINT)
