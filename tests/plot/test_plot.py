"""The pictures: what is on them, that they are drawn without a warning, and that nothing global is touched."""

from __future__ import annotations

import io
import pickle
import re
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from tensorgrad import CNN, inspection, plot
from tensorgrad.layers import FFL, Add, Conv2d, Dropout, Flatten, Pool2d
from tensorgrad.plot.tiles import NOT_FINITE, grey, mosaic, natural, rows_of, signed
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
    (legend,) = several.legends
    assert [t.get_text() for t in legend.texts] == ["adam", "sgd", "training", "validation"]
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
    assert len(figure.axes) == 6  # and a colour bar for each
    assert f"Input Layer: 3 filters (columns) by {channels} channel" in texts(figure)
    limit = np.abs(inspection.filters(model)["Input Layer"]).max()
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == [f"{-limit:.2g}", f"{limit:.2g}", "0"]
    size(figure)
    assert "2 of 3 filters (columns) by 2 of 3 channels" in texts(plot.filters(model, most=2))


def test_dense_weights_are_images_or_a_matrix() -> None:
    figure = plot.dense_weights(nested())
    assert "FFL7: 5 neurons (columns) by 3 channels (rows), each 4 x 4" in texts(figure)
    assert "Out Layer(FFL): 4 neurons (rows) by 5 inputs (columns)" in texts(figure)
    matrix = np.asarray(figure.axes[2].images[0].get_array())
    assert matrix.shape == (4, 5, 3)
    size(figure)
    size(plot.dense_weights(flat()))


@pytest.mark.parametrize("channels", [1, 3])
def test_feature_maps_show_every_layer_once(channels: int) -> None:
    figure = plot.feature_maps(nested(channels), images(1, channels)[0])
    written = texts(figure)
    for line in (
        "the image", "Input Layer gives 3 maps of 8 x 8", "Add1.branches.0.layers.1 gives 3 maps of 8 x 8",
        "Pool2d3, Dropout4, Flatten5 and Dropout6 give 3 maps of 4 x 4", "FFL7 gives 5 numbers",
        "Out Layer(FFL) gives 4 probabilities",
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
    assert "Pool2d1, Flatten2 and Dropout3 give 18 of 20 maps of 4 x 4" in texts(figure)
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
    _, strength, both, _ = figure.axes
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
    shown = len(inspection.statistics(model, x)) - 2 - 3  # but for two chains, and three layers that pass on
    assert len(plot.statistics(model, x).axes) == shown
    figure = plot.statistics(model, x, np.arange(6) % 4)
    assert len(figure.axes) == 2 * shown
    assert "Pool2d3\nand Dropout4,\nFlatten5,\nDropout6" in texts(figure)
    assert "on a logarithmic scale" in texts(figure)
    assert figure.axes[0].get_yscale() == "symlog"
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
    assert grey(x, -2, 2)[0, :, :, 0].tolist() == [[0, 0.5], [0.75, 1]]
    assert (grey(np.full((1, 2, 2), 7.0), 7, 7) == 0).all()
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


# -- what is easily drawn wrong ----------------------------------------------------------------------------------------


def pixels(axes: Any) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


def test_maps_of_a_layer_share_a_scale_and_say_which() -> None:
    model = CNN(seed=0)
    kernel = np.zeros((1, 1, 1, 2), np.float32)
    kernel[..., 0], kernel[..., 1] = 1, 0.01  # the second map is the first, a hundredth as strong
    model.add(Conv2d((4, 4, 1), filters=2, kernel_size=1, padding=None, kernel=kernel, isbias=False))
    image = np.arange(16.0).reshape(4, 4, 1)
    figure = plot.feature_maps(model, image)
    _, maps, bar = figure.axes
    strong, faint = np.array_split(pixels(maps)[3:-3, :, 0], 2, axis=1)
    assert strong[:, 3:-3].max() == 1
    assert faint[:, 3:-3].max() < 0.02
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0", "15"]


@pytest.mark.parametrize("count", [1, 4, 11, 40])
def test_tiles_fill_the_width_or_are_large(count: int) -> None:
    model = CNN(seed=0)
    model.add(Conv2d((8, 8, 1), filters=count))
    for figure in (plot.filters(model), plot.feature_maps(model, images(1)[0])):
        axes = figure.axes[0 if len(figure.axes) == 2 else 1]
        width = axes.get_position().width * figure.bbox.width / figure.dpi
        assert width > 0.75 * figure.bbox.width / figure.dpi or width / count > 2


def test_no_row_repeats_the_one_above() -> None:
    model = CNN(seed=0)
    inner = [[Conv2d(filters=2), Dropout(0.5)], []]
    for layer in (Conv2d((8, 8, 1), filters=2), Dropout(0.1), Add(inner), Pool2d(), Dropout(0.1), Flatten()):
        model.add(layer)
    figure = plot.feature_maps(model, images(1)[0])
    rows = [pixels(axes) for axes in figure.axes if pixels(axes).ndim == 3]  # but for the colour bars
    assert len(rows) == 1 + 4
    assert not any(a.shape == b.shape and (a == b).all() for a, b in pairwise(rows))
    assert len(plot.statistics(model, images(2)).axes) == 4


def test_what_is_not_finite_is_pink_and_counted() -> None:
    model = nested()
    for layer in (model.layers[0], model.layers[-2]):
        weights = layer.weights
        weights.data[..., 0] = np.nan
    figure = plot.filters(model)
    assert "9 of 27 are not finite (pink)" in texts(figure)
    assert (pixels(figure.axes[0])[20, 20] == NOT_FINITE).all()
    assert pixels(figure.axes[0])[20, 80:].min() < 1  # the others are drawn as ever
    size(figure)
    size(plot.dense_weights(model))
    figure = plot.feature_maps(model, images(1)[0])
    assert "4 of 4 are not finite" in texts(figure)
    size(figure)
    figure = plot.statistics(model, images(4), np.arange(4))
    assert "NaN or infinite 33%" in texts(figure)
    assert "no finite number" in texts(figure)
    size(figure)
    size(plot.saliency(model, images(1)[0]))


@pytest.mark.parametrize("length", [12, 20, 99])
def test_long_names_leave_room_for_the_matrix(length: int) -> None:
    """Beside names of 18 wide letters it shrank to nothing, with a warning."""
    model, x = nested(), images(12)
    names = [f"{i}{'W' * (length - 1)}" for i in range(4)]
    figure = plot.confusion_matrix(model, x, np.arange(12) % 4, names)
    size(figure)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == (names if length <= 20 else [f"{name[:19]}…" for name in names])
    assert figure.axes[0].get_position().width * figure.get_size_inches()[0] > 1


def test_a_report_needs_a_name_for_each_class(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="report: expected 4 names, one per class, received 1"):
        plot.write_report(tmp_path / "r.html", nested(), images(12), np.arange(12) % 4, names=["a"])
    assert not list(tmp_path.iterdir())


def test_dollar_signs_are_no_formulas() -> None:
    names = ["$", "5$ or 6$", "$x^{", "_a"]
    model, x = nested(), images(12)
    labels = (model.predict(x).argmax(1) + 1) % 4
    model.layers[0].name = "$\\frac{"
    size(plot.confusion_matrix(model, x, labels, names))
    size(plot.mistakes(model, x, labels, names))
    size(plot.filters(model))
    size(plot.architecture(model))
    size(plot.statistics(model, x))
    size(plot.training_curves(dict.fromkeys(names, history())))


@pytest.mark.parametrize("count", [2, 11, 40])
def test_the_legend_of_many_runs_stands_below_the_curves(count: int) -> None:
    figure = plot.training_curves({f"run {i}": history() for i in range(count)})
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.width
    assert box.x0 >= 0
    assert all(axes.get_window_extent().y0 >= box.y1 for axes in figure.axes)
    assert all(axes.get_window_extent().width > 150 for axes in figure.axes)
    colours = [matplotlib.colors.to_hex(line.get_color()) for line in legend.get_lines()[:count]]
    assert len(set(colours)) == count


def test_one_epoch_is_one_tick() -> None:
    figure = plot.training_curves(history(1))
    for axes in figure.axes:
        assert axes.get_xticks().tolist() == [0]
        assert axes.get_xlim() == (-0.5, 0.5)
    assert [axes.get_xticks().tolist() for axes in plot.training_curves(history(3)).axes] == [[0, 1, 2]] * 2


def test_curves_without_accuracy_show_another_figure() -> None:
    run = History()
    for epoch in range(3):
        run.record(epoch, {"loss": 1.0, "val_loss": 2.0, "val_r2": 0.5, "time": 1.0})
    figure = plot.training_curves(run)
    assert [axes.get_title("left") for axes in figure.axes] == ["Loss", "R2"]
    run = History()
    run.record(0, {"loss": 1.0, "time": 1.0})
    assert [axes.get_title("left") for axes in plot.training_curves(run).axes] == ["Loss"]


# -- manners ---------------------------------------------------------------------------------------------------------


def test_every_picture_but_the_curves_has_a_twin() -> None:
    names = {name for name in vars(plot) if callable(getattr(plot, name)) and not name.startswith("_")}
    others = {"training_curves", "architecture", "write_report"}  # whose twins have other names
    assert names - others <= set(vars(inspection))


def test_a_notebook_shows_a_figure_without_pyplot() -> None:
    figure: Any = plot.architecture(nested())
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(figure)).get_size_inches().tolist() == figure.get_size_inches().tolist()


@pytest.mark.parametrize("setting", ["figure.constrained_layout.use", "figure.autolayout"])
def test_settings_of_the_user_do_not_move_what_is_placed(setting: Any) -> None:
    plain: Any = plot.architecture(nested())
    with matplotlib.rc_context({setting: True}):
        settled: Any = plot.architecture(nested())
        assert settled._repr_png_() == plain._repr_png_()  # and no warning


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
    (lambda: plot.filters(nested(), most=0), "filters: most must be an int of at least 1, received 0"),
    (
        lambda: plot.dense_weights(nested(), most=True),
        "dense_weights: most must be an int of at least 1, received True",
    ),
    (lambda: plot.feature_maps(nested(), images(1)[0], most=0), "feature_maps: most must be an int of at least 1"),
    (lambda: plot.mistakes(nested(), images(2), [0, 1], most=-1), "mistakes: most must be an int of at least 1"),
    (lambda: plot.architecture(CNN()), "architecture: the model has no layers yet"),
]


@pytest.mark.parametrize(("call", "message"), FIGURES, ids=[str(i) for i in range(len(FIGURES))])
def test_bad_input(call, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.parametrize("runs", [history().history, [history()], {"a": history().history}, None])
def test_curves_of_no_history(runs) -> None:
    with pytest.raises(TypeError, match=r"training_curves: expected a History, such as model.history, or a dict from"):
        plot.training_curves(runs)


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
    with pytest.raises(ImportError, match=r"needs the package matplotlib, which the extra 'viz' installs"):
        call()
