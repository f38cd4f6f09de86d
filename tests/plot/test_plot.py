"""The pictures: what is on them, that they are drawn without a warning, and that nothing global is touched."""

from __future__ import annotations

import io
import re
import runpy
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from tensorgrad import CNN, inspection, plot
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Pool2d
from tensorgrad.plot.tiles import grey, mosaic, natural, rows_of, signed
from tensorgrad.training.history import History
from tests.inspection.test_inspection import flat, images, nested


def texts(figure: Figure) -> str:
    """All that is written on a figure."""
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [axes.get_title(), axes.get_title("left"), *(text.get_text() for text in axes.texts)]
        found += [label.get_text() for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return "\n".join(found)


def size(figure: Any) -> tuple[int, int]:
    """Draw a figure, which must give a PNG, and no warning; its width and height in pixels."""
    assert isinstance(figure, Figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    data = file.getvalue()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def history(epochs: int = 3, validation: bool = True) -> History:
    run = History()
    for epoch in range(epochs):
        figures = {"loss": 1 / (1 + epoch), "accuracy": 0.5 + 0.1 * epoch}
        run.record(epoch, figures | ({f"val_{k}": v for k, v in figures.items()} if validation else {}))
    return run


# -- each picture ------------------------------------------------------------------------------------------------


def test_training_curves_of_one_run_and_of_several() -> None:
    figure = plot.training_curves(history())
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    loss, accuracy = figure.axes
    assert np.asarray(loss.lines[0].get_ydata()).tolist() == [1, 1 / 2, 1 / 3]
    np.testing.assert_allclose(np.asarray(accuracy.lines[1].get_ydata()), [50, 60, 70])
    size(figure)
    assert "60 %" in texts(figure)
    several = plot.training_curves({"adam": history(), "sgd": history(5, validation=False)})
    assert [len(axes.lines) for axes in several.axes] == [3, 3]
    legend = several.axes[0].get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.texts] == ["adam, training", "adam, validation", "sgd, training"]
    size(several)


def test_visualize_is_the_training_curves() -> None:
    model = nested()
    model.train(images(20), np.arange(20) % 4, epochs=2, val_split=0.2, verbose=0)
    figure = model.visualize()
    assert np.asarray(figure.axes[0].lines[0].get_ydata()).tolist() == model.history["loss"]
    size(figure)


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_are_one_tile_each_and_a_cap_is_said(channels: int) -> None:
    model = nested(channels)
    figure = plot.filters(model)
    assert len(figure.axes) == 3
    assert f"Input Layer: 3 filters (columns) by {channels} channel" in texts(figure)
    limit = np.abs(inspection.filters(model)["Input Layer"]).max()
    assert f"blue -{limit:.2g}   white 0   red {limit:.2g}" in texts(figure)
    size(figure)
    assert "2 of 3 filters (columns) by 2 of 3 channels" in texts(plot.filters(model, most=2))


def test_dense_weights_are_images_or_a_matrix() -> None:
    figure = plot.dense_weights(nested())
    assert "FFL7: 5 neurons (columns) by 3 channels (rows), each 4 x 4" in texts(figure)
    assert "Out Layer(FFL): 4 neurons (rows) by 5 inputs (columns)" in texts(figure)
    matrix = np.asarray(figure.axes[1].images[0].get_array())
    assert matrix.shape == (4, 5, 3)
    size(figure)
    size(plot.dense_weights(flat()))


@pytest.mark.parametrize("channels", [1, 3])
def test_feature_maps_show_every_layer_and_what_goes_into_pools_and_dropout(channels: int) -> None:
    figure = plot.feature_maps(nested(channels), images(1, channels)[0])
    written = texts(figure)
    for line in (
        "the image", "Input Layer gives 3 maps of 8 x 8", "Add1.branches.0.layers.1 gives 3 maps of 8 x 8",
        "Pool2d3 receives 3 maps of 8 x 8", "Pool2d3 gives 3 maps of 4 x 4", "Dropout4 receives", "Dropout4 gives",
        "Flatten5 gives 48 numbers", "FFL7 gives 5 numbers", "Out Layer(FFL) gives 4 probabilities",
    ):  # fmt: skip
        assert line in written
    assert "Add1.branches.0 gives" not in written  # what the last layer in it gives
    bars = figure.axes[-1]
    assert len(bars.patches) == 4
    assert sum(bar.get_height() for bar in bars.patches) == pytest.approx(1, abs=1e-5)  # type: ignore[attr-defined]
    size(figure)


def test_feature_maps_of_a_long_vector_of_many_maps_and_of_flat_samples() -> None:
    model = CNN(seed=0)
    for layer in (Conv2d((8, 8, 1), filters=20), Pool2d(), Flatten(), Dropout(0.1), FFL(neurons=2)):
        model.add(layer)
    figure = plot.feature_maps(model, images(1)[0], most=18)
    assert "Input Layer gives 18 of 20 maps of 8 x 8" in texts(figure)
    assert "Flatten2 gives the same 320 numbers, in a row" in texts(figure)
    size(figure)
    figure = plot.feature_maps(flat(), [1.0, 2.0, 3.0])
    assert len(figure.axes) == 1
    size(figure)


def test_confusion_matrix_says_what_is_right() -> None:
    model, x, labels = nested(), images(30), np.arange(30) % 4
    counts = inspection.confusion_matrix(model, x, labels)
    figure = plot.confusion_matrix(model, x, labels, ["zero", "one", "two", "three"])
    assert f"{counts.trace()} of 30 right" in texts(figure)
    assert sorted(t.get_text() for t in figure.axes[0].texts) == sorted(str(n) for n in counts.ravel() if n)
    assert "three" in texts(figure)
    size(figure)
    size(plot.confusion_matrix(model, x[:1], labels[:1]))  # classes that do not occur


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_mistakes_are_shown_with_what_was_said(channels: int) -> None:
    model, x = nested(channels), images(40, channels)
    labels = (model.predict(x).argmax(1) + 1) % 4  # all are wrong
    figure = plot.mistakes(model, x, labels, most=10)
    wrong = inspection.mistakes(model, x, labels)
    assert len(figure.axes) == 10
    assert figure.axes[0].get_title() == f"{wrong.labels[0]}, says {wrong.said[0]}"
    assert figure.axes[0].texts[0].get_text() == f"{wrong.confidence[0]:.0%} sure"
    assert "40 of 40 images are wrong; the 10 of which the model is surest" in texts(figure)
    size(figure)


def test_long_names_of_classes_do_not_overlap() -> None:
    model, x = nested(1), images(40, 1)
    labels = (model.predict(x).argmax(1) + 1) % 4
    figure = plot.mistakes(model, x, labels, ["aeroplane", "automobile", "hippopotamus", "horse"], most=16)
    figure.draw_without_rendering()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_no_mistakes_are_a_picture_too() -> None:
    model, x = nested(), images(5)
    figure = plot.mistakes(model, x, model.predict(x).argmax(1))
    assert texts(figure) == "0 of 5 images are wrong"
    size(figure)


@pytest.mark.parametrize("channels", [1, 3])
def test_saliency_is_beside_and_on_the_image(channels: int) -> None:
    model, x = nested(channels), images(1, channels)[0]
    figure = plot.saliency(model, x, 2)
    _, strength, both = figure.axes
    assert (np.asarray(strength.images[0].get_array()) == inspection.saliency(model, x, 2).max(-1)).all()
    assert len(both.images) == 2
    assert "pixels that move the score of 2" in texts(figure)
    assert f"score of {model.predict(x).argmax()}" in texts(plot.saliency(model, x, samples=3))
    size(figure)


def test_gradient_ascent_numbers_its_units() -> None:
    figure = plot.gradient_ascent(nested(), "Input Layer", [2, 0], steps=3)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["2", "0"]
    size(figure)
    many = CNN(seed=0)
    many.add(Conv2d((6, 6, 3), filters=23))
    assert len(plot.gradient_ascent(many, "Input Layer", steps=1).axes) == 3  # rows of ten


def test_statistics_with_and_without_gradients() -> None:
    model, x = nested(), images(6)
    shown = len(inspection.statistics(model, x)) - 2  # but for the two chains
    assert len(plot.statistics(model, x).axes) == shown
    figure = plot.statistics(model, x, np.arange(6) % 4)
    assert len(figure.axes) == 2 * shown
    assert "dead units" in texts(figure)
    size(figure)


def test_architecture_has_a_box_per_layer_and_a_plus_per_sum() -> None:
    figure = plot.architecture(nested())
    written = texts(figure)
    for text in (
        "Conv2d: 3 filters of 3 x 3, relu",
        "Input Layer, 30 parameters",
        "Twice: of Conv2d",
        "8 x 8 x 3",
        "+",
    ):
        assert text in written
    boxes = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "FancyBboxPatch"]
    assert len(boxes) == 8 + 3  # Add1 is no box, but three are in it
    size(figure)


# -- the tiles -----------------------------------------------------------------------------------------------------


def test_tiles_are_framed_and_equally_large() -> None:
    tiles = np.ones((2, 3, 5, 5, 3))  # white: lost on a white page without a frame
    image = mosaic(tiles)
    assert image.shape == (2 * 56, 3 * 56, 3)  # ten times as large, and 3 more pixels on each side
    assert (image[:2] == 1).all()
    assert (image[2, 2:54] == 0.72).all()
    assert (image[3:53, 3:53] == 1).all()


def test_colours() -> None:
    x = np.array([[[-2.0, 0.0], [1.0, 2.0]]])
    assert grey(x)[0, :, :, 0].tolist() == [[0, 0.5], [0.75, 1]]
    assert (grey(np.full((1, 2, 2), 7.0)) == 0).all()
    colours = signed(x, 2.0)
    np.testing.assert_allclose(colours[0, 0, 1], colours[0, 0, 1, 0], atol=0.01)  # 0 is grey or white
    assert colours[0, 0, 0, 2] > colours[0, 0, 0, 0] + 0.2  # blue
    assert colours[0, 1, 1, 0] > colours[0, 1, 1, 2] + 0.2  # red
    assert np.isfinite(signed(np.zeros((1, 2, 2)), 0.0)).all()
    assert natural(images(2, 3)).shape == natural(images(2, 5)).shape == (2, 8, 8, 3)


def test_the_last_row_is_filled_up_with_nothing() -> None:
    rows = rows_of(np.ones((5, 2, 2, 3)), 3)
    assert rows.shape == (2, 3, 2, 2, 3)
    assert np.isnan(rows[1, 2]).all()
    assert (rows[1, 1] == 1).all()


# -- manners ---------------------------------------------------------------------------------------------------------


def test_every_picture_but_the_curves_has_a_twin() -> None:
    names = {name for name in vars(plot) if callable(getattr(plot, name)) and not name.startswith("_")}
    assert names - {"training_curves", "architecture"} <= set(vars(inspection))  # History and to_mermaid are theirs


def test_pyplot_is_left_alone() -> None:
    code = (
        "import io, sys; from tensorgrad import CNN, plot; from tensorgrad.layers import Conv2d; "
        "model = CNN(seed=0); model.add(Conv2d((6, 6, 1))); "
        "plot.filters(model).savefig(io.BytesIO()); plot.architecture(model).savefig(io.BytesIO()); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


FIGURES: list[tuple[Any, str]] = [
    (lambda: nested().visualize(), "visualize: the model has not been trained yet"),
    (lambda: plot.training_curves({"sgd": History()}), "training_curves: the run 'sgd' has no epochs yet"),
    (lambda: plot.training_curves({}), "training_curves: received no runs"),
    (lambda: plot.filters(flat()), "filters: the model has no convolutional layer (Conv2d)"),
    (lambda: plot.saliency(flat(), [1.0, 2.0, 3.0]), "saliency: expected a model of images"),
    (lambda: plot.gradient_ascent(flat(), "Input Layer"), "gradient_ascent: expected a model of images"),
    (lambda: plot.mistakes(flat(), np.ones((2, 3)), [0, 1]), "mistakes: expected images of shape (N, H, W, C)"),
    (
        lambda: plot.mistakes(nested(), images(2), [0, 1], ["a"]),
        "mistakes: expected 4 names, one per class, received 1",
    ),
    (lambda: plot.feature_maps(nested(), np.zeros((7, 8, 1))), "received shape (7, 8, 1)"),
    (lambda: plot.architecture(CNN()), "architecture: the model has no layers yet"),
]


@pytest.mark.parametrize(("call", "message"), FIGURES, ids=[str(i) for i in range(len(FIGURES))])
def test_bad_input(call, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


CALLS: list[Any] = [
    lambda: plot.training_curves(history()),
    lambda: plot.filters(nested()),
    lambda: plot.feature_maps(nested(), images(1)[0]),
    lambda: plot.architecture(nested()),
    lambda: plot.mistakes(nested(), images(1), [0]),
]


@pytest.mark.parametrize("call", CALLS, ids=[str(i) for i in range(len(CALLS))])
def test_without_matplotlib_the_extra_is_named(call, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"needs matplotlib: install the extra 'viz'"):
        call()


def test_the_report_is_one_file_that_refers_to_nothing_outside(tmp_path, monkeypatch, capsys) -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "report.py"
    output = tmp_path / "new" / "page.html"
    monkeypatch.setattr(sys, "argv", [str(example), "--quick", "--output", str(output)])
    runpy.run_path(str(example), run_name="__main__")
    text = output.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<img ") == text.count('src="data:image/png;base64,') == 15
    assert text.count("<h2>") == 10
    assert not re.search(r"https?:|<script|<link|url\(", text)
    assert str(output) in capsys.readouterr().out
