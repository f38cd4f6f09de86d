"""What a notebook shows of a training run."""

from __future__ import annotations

from math import nan
from xml.etree import ElementTree

from tensorgrad.training.history import History


def drawings(history: History) -> list[ElementTree.Element]:
    """The SVG elements, by an outside parser."""
    return list(ElementTree.fromstring(f"<div>{history._repr_html_()}</div>").iter("svg"))


def points(line: ElementTree.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]  # type: ignore[misc]


def test_curves_are_where_the_figures_say() -> None:
    history = History()
    for epoch, loss in enumerate([3.0, 1.0, 2.0]):
        history.record(epoch, {"loss": loss, "val_loss": 2.0, "accuracy": loss / 4, "time": 9.0})
    found = drawings(history)
    assert [svg.attrib["aria-label"].split(":")[0] for svg in found] == ["loss", "accuracy"]
    training, validation = (points(line) for line in found[0].iter("polyline"))
    (x0, top), (x1, bottom), (x2, middle) = training
    assert x1 - x0 == x2 - x1 > 0
    assert top < middle < bottom  # pixels count from above
    assert abs(middle - (top + bottom) / 2) < 0.2
    assert {y for _, y in validation} == {middle}
    assert [text.text for text in found[0].iter("text")] == ["loss", "1 to 3", "epoch 0", "2"]


def test_what_an_epoch_lacks_is_left_out() -> None:
    history = History()
    history.record(0, {"<loss>": nan})
    history.record(1, {"<loss>": 2.0})
    (svg,) = drawings(history)
    (line,) = svg.iter("polyline")
    assert len(points(line)) == 1
    assert "&lt;loss&gt;" in history._repr_html_()


def test_nothing_yet() -> None:
    assert drawings(History()) == []
