"""Plans: which lowering a shape gets, and that a plan covers the result."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.kernels import plan, threads
from tensorgrad.kernels.plan import Geometry, Pieces
from tests.kernels.test_convolution import convolutions

ONE = (1, 1)
FLOAT = np.dtype(np.float32)


def geometry(
    image: tuple[int, int, int], size: int = 3, filters: int = 8, stride: int = 1, dilation: int = 1, groups: int = 1
) -> Geometry:
    return Geometry(image, (size,) * 2, filters, (stride,) * 2, (dilation,) * 2, groups, FLOAT)


@pytest.mark.usefixtures("any_blas")
@pytest.mark.parametrize(
    ("asked", "lowering", "block", "otherwise"),
    [
        (geometry((28, 28, 1)), "strips", 2, "strips"),  # the first layer of the experiments
        (geometry((26, 26, 8), filters=16), "strips", 1, None),
        (geometry((28, 28, 1), size=5, filters=6), "strips", 2, "strips"),
        (geometry((34, 34, 64), filters=64), "winograd", 2, "strips"),
        (geometry((34, 34, 64), filters=64, stride=2), "strips", 1, None),
        (geometry((34, 34, 64), size=5, filters=64), "strips", 1, None),
        (geometry((6, 6, 64), filters=64), "strips", 1, None),  # too few windows in 32 images: 256 pairs
        (geometry((16, 16, 64), size=1, filters=64), "pixels", 1, None),
        (geometry((34, 34, 32), filters=32, groups=32), "depthwise", None, None),
        (geometry((34, 34, 32), filters=32, groups=4), "groups", None, None),
        (geometry((34, 34, 32), filters=64, groups=32), "groups", None, "groups"),
        (geometry((34, 34, 32), filters=32, groups=32, dilation=2), "groups", None, None),
        (geometry((34, 34, 32), filters=32, dilation=2), "full", None, None),
    ],
)
def test_which_lowering_a_shape_gets(asked: Geometry, lowering: str, block: int | None, otherwise: str | None) -> None:
    made = plan.plan(32, asked)
    assert made.lowering == lowering
    assert (made.columns[0].block if made.columns else None) == block
    assert (made.if_not_finite.lowering if made.if_not_finite else None) == otherwise
    assert made.why


@pytest.mark.parametrize(
    "asked", [geometry((28, 28, 1), filters=16), geometry((16, 16, 64), size=1, filters=64, stride=2)]
)
@pytest.mark.parametrize(("small", "lowering"), [(True, "strips"), (False, "full")])
def test_a_blas_that_packs_gets_one_product_for_all_windows(
    asked: Geometry, small: bool, lowering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorgrad.kernels.blas.multiplies_small_matrices_as_they_are", lambda: small)
    assert plan.plan(32, asked).lowering == plan.plan(32, asked, by_weights=True).lowering == lowering


@pytest.mark.parametrize(
    ("asked", "lowering"),
    [
        (geometry((34, 34, 16), filters=1), "shifted"),
        (geometry((34, 34, 20), filters=4), "shifted"),
        (geometry((34, 34, 16), filters=4), "strips"),  # too few channels for so many filters
        (geometry((34, 34, 64), filters=5), "strips"),
        (geometry((34, 34, 16), filters=1, stride=2), "strips"),
        (geometry((34, 34, 16), filters=1, dilation=2), "full"),
        (geometry((34, 34, 16), filters=1, size=1), "pixels"),
    ],
)
def test_products_are_shifted_where_blas_packs_windows(
    asked: Geometry, lowering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for small in (False, True):
        monkeypatch.setattr("tensorgrad.kernels.blas.multiplies_small_matrices_as_they_are", lambda small=small: small)
        assert plan.plan(32, asked).lowering == ("strips" if small and lowering == "shifted" else lowering)
        assert plan.plan(32, asked, by_weights=True).lowering != "shifted"


@pytest.mark.usefixtures("any_blas", "any_threads")
@given(convolutions(), st.booleans(), st.booleans())
def test_a_plan_covers_the_result_once(case: dict[str, Any], by_weights: bool, in_place: bool) -> None:
    n, h, w, c = case["x"]
    stride, padding, dilation, groups = case["geometry"]
    image = (h + sum(padding[0]), w + sum(padding[1]), c)
    asked = Geometry(image, case["size"], case["filters"], stride, dilation, groups, FLOAT)
    made: plan.Plan | None = plan.plan(n, asked, by_weights, in_place)
    while made is not None:
        assert made.images >= 1
        if made.columns:
            assert [made.columns[0].first, *(c.stop for c in made.columns)] == [
                *(c.first for c in made.columns),
                made.out[1],
            ]
            for columns in made.columns:
                assert made.lowering == "winograd" or (columns.stop - columns.first) % columns.block == 0
                assert in_place or by_weights or made.lowering == "winograd" or columns.block == 1
        made = made.if_not_finite
    assert plan.plan(n, asked, by_weights, in_place) is plan.plan(n, asked, by_weights, in_place)


def test_plans_depend_on_the_number_of_threads_and_are_bounded() -> None:
    before = threads.get_num_threads()
    try:
        images = []
        for count in (1, 2):
            threads.set_num_threads(count)
            images.append(plan.plan(64, geometry((26, 26, 8), filters=16)).images)
    finally:
        threads.set_num_threads(before)
    assert images[1] < images[0]
    assert plan._plan.cache_info().maxsize == plan.KEPT


@pytest.mark.parametrize(
    ("sizes", "order", "expected"),
    [
        ((16, 1152, 128), (True, True), Pieces(13, 64)),
        ((9216, 256, 10), (True, True), Pieces(390, 64)),
        ((256, 2304, 256), (True, True), None),
        ((256, 10, 9216), (True, False), Pieces(256, 390)),
        ((256, 64, 9216), (True, False), None),
        ((9216, 1000, 10), (False, True), None),
        ((100, 100, 100), (True, True), None),
    ],
)
def test_how_a_product_is_cut(
    sizes: tuple[int, int, int], order: tuple[bool, bool], expected: Pieces | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorgrad.kernels.blas.multiplies_small_matrices_as_they_are", lambda: True)
    assert plan.pieces_of(*sizes, *order) == expected
    monkeypatch.setattr("tensorgrad.kernels.blas.multiplies_small_matrices_as_they_are", lambda: False)
    assert plan.pieces_of(*sizes, *order) is None
