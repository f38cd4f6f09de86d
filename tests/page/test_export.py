"""One file with a network in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tensorgrad.layers import FFL, Conv2d, Flatten, Layer, Rescale
from tensorgrad.network import Network
from tensorgrad.page import export_html
from tensorgrad.page.description import describe


def network(*layers: Layer) -> Network:
    made = Network(seed=0)
    for layer in layers or (Conv2d(input_shape=(8, 8, 1), filters=2), Flatten(), FFL(neurons=3, activation="softmax")):
        made.add(layer)
    return made


def test_the_file_refers_to_nothing_outside(tmp_path: Path) -> None:
    export_html(network(), tmp_path / "a.html", title="<b>Digits</b>", classes=["a", "</script>", "c"])
    text = (tmp_path / "a.html").read_text("utf-8")
    assert not re.search(r"https?:|<link|@import|url\(|src=", text)
    assert "<title>&lt;b&gt;Digits&lt;/b&gt;</title>" in text
    assert text.count("</script>") == 3
    model = json.loads(re.search(r'id="model">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert model["classes"] == ["a", "</script>", "c"]
    assert model["server"] is None


def test_pixels_are_prepared_as_in_training() -> None:
    assert describe(network())["pixels"] == "standardize"
    assert describe(network(), pixels="unit")["pixels"] == "unit"
    prepared = network(Rescale(input_shape=(4, 4, 3)), Flatten(), FFL(neurons=1, activation="sigmoid"))
    assert describe(prepared)["pixels"] == "raw"
    assert describe(prepared)["classes"] == ("0", "1")


class Mine(Layer):
    def forward(self, x: Any, training: bool) -> Any:
        return x


@pytest.mark.parametrize(
    ("make", "arguments", "error", "message"),
    [
        (lambda: network(FFL(input_shape=4, neurons=2)), {}, ValueError, r"images with 1 or 3 channels.*\(4,\)"),
        (lambda: network(Conv2d(input_shape=(4, 4, 1))), {}, ValueError, r"one row of outputs.*\(4, 4, 1\)"),
        (lambda: network(Rescale(input_shape=(4, 4, 1)), Mine(), Flatten()), {}, TypeError, "no layer like Mine"),
        (network, {"classes": ["a"]}, ValueError, "expected 3 names of classes, received 1: a"),
        (network, {"pixels": "bytes"}, ValueError, "pixels must be one of 'raw', 'unit', 'standardize'"),
    ],
)
def test_what_is_refused(make: Any, arguments: dict[str, Any], error: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        export_html(make(), tmp_path / "a.html", **arguments)
    assert not list(tmp_path.iterdir())
