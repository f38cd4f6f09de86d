"""explain says what is done: with the lowerings that are called, and products of the sizes that are multiplied."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tensorgrad.kernels import blas, convolution, explain, threads
from tests.kernels.test_convolution import convolutions, operands


@pytest.mark.usefixtures("any_blas")
@given(convolutions(least=1))
def test_what_it_says_is_what_is_done(case: dict[str, Any]) -> None:
    x, w, geometry = operands(case)
    named: Any = dict(zip(("stride", "padding", "dilation", "groups"), geometry, strict=True))
    text = explain(x.shape, w.shape[3], w.shape[:2], dtype="float64", **named)
    called: list[str] = []
    multiplied: set[str] = set()
    before = threads.get_num_threads()
    usual = np.matmul

    def watched(a: Any, b: Any, **out: Any) -> Any:
        multiplied.add(" x ".join(map(str, a.shape[-2:])) + " by " + " x ".join(map(str, b.shape[-2:])))
        return usual(a, b, **out)

    def settled(planned: Any, *operands: Any) -> Any:
        called.append(planned.lowering)
        return planned

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "settled", settled)
        patch.setattr(np, "matmul", watched)
        y = convolution.conv2d(x, w, *geometry)
        convolution.conv2d_input(y, w, x.shape, *geometry)
        convolution.conv2d_weight(x, y, w.shape[:2], *geometry)
    assert threads.get_num_threads() == before
    said = re.findall(r"^    (\w+): ", text, re.MULTILINE)
    assert set(said) == set(called)
    assert set(re.findall(r"products? of (\d+ x \d+ by \d+ x \d+)$", text, re.MULTILINE)) <= multiplied
    assert f"{' x '.join(map(str, y.shape))}, {y.size * w[..., 0].size:,} multiply-adds" in text


@pytest.mark.parametrize(
    ("settings", "both"),
    [({"padding": 1}, True), ({}, False), ({"padding": 1, "stride": 2}, False), ({"kernel_size": (1, 3)}, False)],
)
def test_it_says_where_both_gradients_share_windows(settings: Any, both: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "its windows give that by the weights too, where both are wanted and images are finite"
    for small in (False, True):
        monkeypatch.setattr(blas, "multiplies_small_matrices_as_they_are", lambda small=small: small)
        assert (text in explain((32, 16, 16, 16), 16, **settings)) is (both and not small)


def test_it_works_on_shapes_alone() -> None:
    text = explain((10**6, 512, 512, 64), 64, padding=1)
    assert text.startswith("1000000 images of 512 x 512 x 64, float32, with 64 kernels of 3 x 3 x 64")
    assert text.count("winograd: ") == 3
    assert "strips, window by window, for tiles with an infinity or NaN in them" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (((3, 3, 1), 8), "explain: expected a shape (N, H, W, C) and filters from 1, received (3, 3, 1) and 8"),
        (((1, 3, 3, 1), 0), "explain: expected a shape (N, H, W, C) and filters from 1, received (1, 3, 3, 1) and 0"),
        (((1, 3, 3, 1), 8, 0), "explain: kernel_size must be an int from 1, or a pair of them; received 0"),
        (((1, 3, 3, 1), 8, 5), "explain: a kernel of 5 x 5 does not fit images of 3 x 3 with padding ((0, 0), (0, 0))"),
    ],
)
def test_what_it_cannot_explain(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        explain(*given)
    with pytest.raises(ValueError, match="explain: groups must divide the 4 channels and the 6 filters, received 4"):
        explain((1, 3, 3, 4), 6, groups=4)
