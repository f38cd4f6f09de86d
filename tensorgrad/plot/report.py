"""All pictures of a classifier of images on one page: a single file that loads nothing else."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tensorgrad import inspection
from tensorgrad.atomic_file import check_target, replacing
from tensorgrad.inspection.summary import summarize
from tensorgrad.network import Network
from tensorgrad.plot import answers, curves, gradients, maps, spreads, weights
from tensorgrad.plot.architecture import architecture
from tensorgrad.tensor import Array
from tensorgrad.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw: TypeAlias = "Callable[[Figure, str], str]"  # a figure, and what it shows, as part of the page

MOST = 2000  # images that the page is made of
STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #f6f6f3; color: #222; font: 17px/1.6 Georgia, "Times New Roman", serif; }
main { max-width: 940px; margin: 0 auto; padding: 2.5em 1.5em 4em; }
h1 { font-size: 2em; line-height: 1.2; margin: 0 0 .3em; }
h2 { font-size: 1.35em; margin: 2.2em 0 .3em; }
p { max-width: 42em; margin: .4em 0 1em; }
.lead { font-size: 1.1em; color: #444; }
.card { background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: 14px; margin: 0 0 16px; }
.card { overflow-x: auto; }
.card img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; }
table { border-collapse: collapse; margin: 0 auto; font: 13.5px/1.5 "DejaVu Sans", Verdana, sans-serif; }
th, td { padding: .3em .7em; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
th { border-bottom: 2px solid #888; font-weight: 600; }
td { border-bottom: 1px solid #e4e4e4; }
.card p { margin: .9em 0 0; font-size: .85em; color: #555; }
footer { margin-top: 3em; color: #666; font-size: .85em; }
"""


def write_report(
    path: str | os.PathLike[str],
    model: Network,
    X: Any,
    Y: Any,
    *,
    names: Sequence[str] | None = None,
    history: History | None = None,
    title: str = "A look into a network",
    progress: Callable[[str], None] | None = None,
) -> None:
    """Write a page of pictures about a classifier of images: its layers, its answers, its mistakes and their reasons.

    Parameters
    ----------
    path : path
        The HTML file, whole or not at all.
    model : Network
    X : array_like, shape=(N, height, width, channels)
        Images that it was not trained on; the first 2,000 are looked at.
    Y : array_like of int, shape=(N,)
        Their classes.
    names : sequence of str, optional
        The classes' names.
    history : History, optional
        Of its training, for the curves.
    title : str
        The page's.
    progress : callable, optional
        Called with what each picture shows, as soon as it is drawn; all of them take ten seconds and more.

    Raises
    ------
    ValueError, TypeError
        If the model is no classifier of images, or the images do not fit it. Nothing is written then.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib, which the extra "viz" installs.
    """
    check_target(path)
    shape = model.input_shape
    if len(shape) != 3:
        raise ValueError(f"report: expected a classifier of images, but the model takes samples of shape {shape}")
    x, y = np.asarray(X[:MOST]), np.asarray(Y[:MOST])

    def picture(figure: Figure, text: str) -> str:
        if progress is not None:
            progress(text)
        return _picture(figure, text)

    text = _page(model, x, y, names, history, title, picture)
    with replacing(path) as file:
        file.write(text.encode())


def _page(
    model: Network,
    x: Array,
    y: Array,
    names: Sequence[str] | None,
    history: History | None,
    title: str,
    picture: Draw,
) -> str:
    accuracy = np.trace(inspection.confusion_matrix(model, x, y)) / len(x)
    count = sum(parameter.size for parameter in model.parameters())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><main>
<h1>{escape(title)}</h1>
<p class="lead">It learned {count:,} numbers, and names {accuracy:.1%} of {len(x):,} images correctly.</p>
{"".join(_sections(model, x, y, names, history, picture))}
<footer>Drawn with tensorgrad, from the network's own gradients.</footer>
</main></body></html>
"""


def _sections(
    model: Network, x: Array, y: Array, names: Sequence[str] | None, history: History | None, picture: Draw
) -> Iterator[str]:
    yield _section(
        "The network",
        "Each row of the table is a layer: what it receives and gives, how many numbers it learns, the multiply-adds "
        "of one image (MACs), and how much of the image one of its outputs can see (Field). The diagram shows the same "
        "layers from top to bottom; the arrows carry the shapes.",
        summarize(model)._repr_html_(),
        picture(architecture(model), "The layers as boxes, joined by arrows"),
    )
    if history is not None and len(history):
        yield _section(
            "How it learned",
            "An epoch is one pass over all training images. The dashed lines are the images it learns from, the solid "
            "ones images it is only tested with. Solid can be the better at first: while training, a share of the "
            "numbers may be dropped, and the network improves during the epoch.",
            picture(curves.training_curves(history), "Loss and accuracy by epoch"),
        )
    counts = inspection.confusion_matrix(model, x, y)
    names = answers.class_names(names, len(counts), "report")
    yield _section(
        "What it says",
        "Each row is a class, each column an answer: blue on the diagonal is right, red beside it is wrong. "
        + _worst(counts, names),
        picture(answers.confusion_matrix(model, x, y, names), "Confusion matrix"),
    )
    wrong = inspection.mistakes(model, x, y).indices
    if len(wrong):
        yield _section(
            "What it gets wrong",
            "These are the mistakes, those it is surest of first. Some of the images would puzzle a person too; others "
            "show that a network can be very sure and wrong.",
            picture(answers.mistakes(model, x, y, names), "The images that the model gets wrong"),
        )
    yield from _inside(model, x, y, [int(i) for i in wrong[:2]], picture)
    trained: Any = model  # statistics wants the loss, too
    labels = y[:200] if getattr(model, "iscompiled", False) else None
    yield _section(
        "How numbers spread",
        "The blue histograms are what each layer gives to 200 images, the red ones the gradients that come back to it. "
        "Healthy layers have neither all zeros nor gradients that fade from layer to layer; a dead unit gives zero "
        "whatever it sees.",
        picture(spreads.statistics(trained, x[:200], labels), "Histograms of activations and gradients"),
    )


def _inside(model: Network, x: Array, y: Array, wrong: Sequence[int], picture: Draw) -> Iterator[str]:
    """Filters, maps, weights, saliency and ascent images, of layers that have them."""
    filters, dense = _had(inspection.filters, model), _had(inspection.dense_weights, model)
    if filters:
        yield _section(
            "Its filters",
            "A filter is a small pattern of weights that slides over the image: where red meets a bright pixel and "
            "blue a dark one, its answer is large. The first layer's filters read the image; those of the next layer "
            "read the maps of all filters before, one tile each.",
            picture(weights.filters(model), "The weights of each filter"),
        )
    first, second = (int(np.flatnonzero(y == label)[0]) for label in (y[0], y[np.argmax(y != y[0])]))
    last = list(inspection.feature_maps(model, x[first]))[-1]
    yield _section(
        "An image on its way through",
        "This is how the network sees one image, layer by layer: bright is a large number. The maps become smaller and "
        f"tell less and less where things are, more and more what they are, until {escape(last)} names a class.",
        picture(maps.feature_maps(model, x[first]), "What each layer gives"),
    )
    if dense:
        yield _section(
            "What the last layers look for",
            "Red weights speak for a neuron, blue ones against it. Where a layer reads maps, each column is a neuron, "
            "each tile the places of one map. The neurons of the last layer are the classes.",
            picture(weights.dense_weights(model), "The weights of the fully connected layers"),
        )
    seen = [picture(gradients.saliency(model, x[i], samples=32), f"Image {i}") for i in (first, second, *wrong)]
    yield _section(
        "Which pixels matter",
        "The gradient of the answer's score by the image tells how much each pixel matters: the brighter and redder, "
        "the more a change there would move the score. Mistakes that it is surest of come last, with what misled it.",
        "".join(seen),
        kind="card pair",
    )
    bounds = float(x.min()), float(x.max())
    ascents = [picture(gradients.gradient_ascent(model, name), f"What excites {name}") for name in filters] + [
        picture(gradients.gradient_ascent(model, last, bounds=bounds), "What excites each class")
    ]
    yield _section(
        "What excites it",
        "Here the image is what learns: from faint noise it follows the gradient to whatever makes one unit answer "
        "most. Early filters want strokes of one direction; the classes' neurons want what tells their class from the "
        "others, which need not look like it.",
        *ascents,
    )


def _had(look: Callable[[Network], dict[str, Array]], model: Network) -> dict[str, Array]:
    """The arrays for a kind of layer; none if the model has no such layer."""
    try:
        return look(model)
    except ValueError:
        return {}


def _worst(counts: Array, names: Sequence[str]) -> str:
    off = counts - np.diag(np.diag(counts))
    if not off.any():
        return "It makes no mistake here."
    label, said = (int(i) for i in np.unravel_index(off.argmax(), off.shape))
    called = [escape(names[i]) for i in (label, said)]
    times = f"{off.max()} of {counts[label].sum()} times"
    return f"The most frequent mistake is to take {called[0]} for {called[1]}: {times}."


def _picture(figure: Figure, text: str) -> str:
    """A figure as part of the page."""
    png = io.BytesIO()
    figure.savefig(png, dpi=160, format="png")
    inches = figure.get_size_inches()[0]
    data = base64.b64encode(png.getvalue()).decode()
    return f'<img width="{round(96 * inches)}" alt="{escape(text)}" src="data:image/png;base64,{data}">'


def _section(title: str, text: str, *cards: str, kind: str = "card") -> str:
    """A heading, an explanation, and the pictures, each in a white box."""
    boxes = "\n".join(f'<div class="{kind}">{content}</div>' for content in cards)
    return f"<h2>{title}</h2>\n<p>{text}</p>\n{boxes}"
