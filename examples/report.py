"""Train a small network on handwritten digits, look into it in every way there is, and write it all on one page.

python examples/report.py                        train for a few epochs, and write report.html
python examples/report.py --model saved.tgrad    look into a saved model of 28 x 28 images instead
"""

from __future__ import annotations

import argparse
import base64
import io
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import CNN, inspection, load_model, plot
from tensorgrad.data import mnist, standardize
from tensorgrad.inspection.summary import summarize
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Pool2d

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
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
footer { margin-top: 3em; color: #777; font-size: .85em; }
"""


def build() -> CNN:
    """A network with two convolutions, small enough to look at every filter."""
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(28, 28, 1), filters=8, kernel_size=5, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Conv2d(filters=16, kernel_size=5, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Flatten())
    model.add(Dropout(0.2))
    model.add(FFL(neurons=10, activation="softmax"))
    model.compile_model(lr=0.003, opt="adam", loss="cse")
    return model


def picture(figure: Figure, text: str) -> str:
    """A figure as part of the page."""
    png = io.BytesIO()
    figure.savefig(png, dpi=160, format="png")
    inches = figure.get_size_inches()[0]
    data = base64.b64encode(png.getvalue()).decode()
    return f'<img width="{round(96 * inches)}" alt="{escape(text)}" src="data:image/png;base64,{data}">'


def section(title: str, text: str, *cards: str, kind: str = "card") -> str:
    """A heading, what there is to see, and the pictures, each in a white box."""
    boxes = "\n".join(f'<div class="{kind}">{content}</div>' for content in cards)
    return f"<h2>{title}</h2>\n<p>{text}</p>\n{boxes}"


def sections(model: CNN, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> Iterator[str]:
    """Everything that can be seen of a model that tells digits apart, on images that it was not shown."""
    yield section(
        "The network",
        "Each row of the table is a layer: what it receives and gives, how many numbers it learns, how many "
        "multiplications an image costs it (MACs), and how much of the image one of its outputs can see (Field). The "
        "diagram shows the same layers from top to bottom; the arrows carry the shapes.",
        summarize(model)._repr_html_(),
        picture(plot.architecture(model), "The layers as boxes, joined by arrows"),
    )
    if len(model.history):
        yield section(
            "How it learned",
            "An epoch is one pass over all training images; the dashed lines are the images it learns from, the solid "
            "ones images it is only tested with. Solid can be the better at first, because while training a share of "
            "the numbers is dropped, and the network improves during the epoch.",
            picture(model.visualize(), "Loss and accuracy by epoch"),
        )

    counts = inspection.confusion_matrix(model, x, y)
    off = counts - np.diag(np.diag(counts))
    label, said = np.unravel_index(off.argmax(), off.shape)
    yield section(
        "What it says",
        "Each row is a digit, each column an answer: blue on the diagonal is right, red beside it is wrong. "
        f"The most frequent mistake is to take a {label} for a {said}: {off.max()} of {counts[label].sum()} times.",
        picture(plot.confusion_matrix(model, x, y), "Confusion matrix"),
    )
    yield section(
        "What it gets wrong",
        "These are the mistakes, those it is surest of first. Some of the images would puzzle a person too; others "
        "show that a network can be very sure and wrong.",
        picture(plot.mistakes(model, x, y), "The images that the model gets wrong"),
    )
    yield section(
        "Its filters",
        "A filter is a small pattern of weights that slides over the image: where red meets ink and blue meets paper, "
        "its answer is large. The first layer's filters read the image; those of the next layer read the maps of all "
        "filters before, one tile each.",
        picture(plot.filters(model), "The weights of each filter"),
    )

    seven, three = (int(np.flatnonzero(y == digit)[0]) for digit in (7, 3))
    maps = inspection.feature_maps(model, x[seven])
    last = list(maps)[-1]
    yield section(
        "An image on its way through",
        "This is how the network sees one image, layer by layer: bright is a large number. The maps become smaller and "
        f"tell less and less where the ink is, more and more what is there, until {escape(last)} names a digit.",
        picture(plot.feature_maps(model, x[seven]), "What each layer gives"),
    )
    yield section(
        "What the last layers look for",
        "Each column is a neuron, each tile the places of one map that speak for it (red) or against it (blue). The "
        "neurons of the last layer are the ten digits.",
        picture(plot.dense_weights(model), "The weights of the fully connected layers"),
    )

    wrong = [int(i) for i in inspection.mistakes(model, x, y).indices[:2]]
    seen = [picture(plot.saliency(model, x[i], samples=32), f"Image {i}") for i in (seven, three, *wrong)]
    yield section(
        "Which pixels matter",
        "The gradient of the answer's score by the image tells how much each pixel matters: the brighter and redder, "
        "the more a change there would move the score. Below the first two images are the mistakes that it is surest "
        "of, with what misled it.",
        "".join(seen),
        kind="card pair",
    )
    bounds = float(x.min()), float(x.max())
    yield section(
        "What excites it",
        "Here the image is what learns: from faint noise it follows the gradient to whatever makes one unit answer "
        "most. Filters turn out to want strokes of one direction; the digits' neurons want the strokes that tell their "
        "digit from the others, which need not look like a digit.",
        *(picture(plot.gradient_ascent(model, name), f"What excites {name}") for name in inspection.filters(model)),
        picture(plot.gradient_ascent(model, last, bounds=bounds), "What excites each digit's neuron"),
    )
    labels = y[:200] if model.iscompiled else None
    yield section(
        "How numbers spread",
        "The blue histograms are what each layer gives to 200 images, the red ones the gradients that come back to it. "
        "Healthy layers have neither all zeros nor gradients that fade from layer to layer; a dead unit gives zero "
        "whatever it sees.",
        picture(plot.statistics(model, x[:200], labels), "Histograms of activations and gradients"),
    )


def page(model: CNN, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], accuracy: float) -> str:
    """The whole page, with the pictures in it."""
    title = "A look into a network that reads digits"
    count = sum(parameter.size for parameter in model.parameters())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><main>
<h1>{title}</h1>
<p class="lead">It learned {count:,} numbers, and reads {accuracy:.1%} of {len(x):,} handwritten digits that it was
never shown.</p>
{"".join(sections(model, x, y))}
<footer>Drawn with tensorgrad, from its own gradients. The digits are MNIST's, by Yann LeCun, Corinna Cortes and
Christopher Burges (CC BY-SA 3.0).</footer>
</main></body></html>
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Train or load, hold the accuracy against the target, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a saved model to look into, instead of training one")
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="where to write the page")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="1,500 images and two epochs")
    args = parser.parse_args(argv)

    (x_train, y_train), (x_test, y_test) = mnist()
    x_test = standardize(x_test)
    target = 0.75 if args.quick else 0.96
    if args.model:
        model = load_model(args.model)
    else:
        n, epochs = (1500, 2) if args.quick else (len(x_train), args.epochs)
        model = build()
        model.train(standardize(x_train[:n]), y_train[:n], epochs=epochs, val_x=x_test, val_y=y_test)
    accuracy = float((model.predict(x_test).argmax(1) == y_test).mean())
    print(f"{accuracy:.1%} of {len(x_test)} test images" + ("" if args.model else f" (target {target:.0%})"))

    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(page(model, x_test, y_test, accuracy), encoding="utf-8")
    print(f"The report is in {args.output.resolve()} ({args.output.stat().st_size / 1e6:.1f} MB); open it in a browser")
    if accuracy < target and not args.model:
        raise SystemExit("below the target")


if __name__ == "__main__":
    main()
