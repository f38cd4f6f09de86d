"""Augmentation: what it does to images, against exact cases and against SciPy."""

import math
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from tensorgrad.data import Augment, batches, mnist, standardize
from tensorgrad.data.resample import affine_coordinates, resample, smooth_noise

Array = np.ndarray[Any, Any]
Fill = float | Literal["edge"]

EVERYTHING = Augment(shift=2, rotate=15.0, zoom=(0.8, 1.2), elastic=(34.0, 4.0))
image_batches = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.integers(1, 7), st.integers(1, 7), st.integers(1, 3)),
    elements=st.floats(-10, 10, width=32),
)


def transformed(
    images: Array, angle: float = 0.0, zoom: float = 1.0, shift: tuple[float, float] = (0, 0), fill: Fill = "edge"
) -> Array:
    count, height, width, _ = images.shape
    angles, zooms = (np.full(count, value, np.float32) for value in (math.radians(angle), zoom))
    shifts = np.tile(np.array(shift, np.float32), (count, 1))
    return resample(images, *affine_coordinates(height, width, angles, zooms, shifts), fill)


def digits(count: int) -> Array:
    return standardize(mnist().train.images[:count])


@given(images=image_batches, seed=st.integers(0, 9))
def test_without_arguments_nothing_changes(images: Array, seed: int) -> None:
    result = Augment()(images, np.random.default_rng(seed))
    assert_array_equal(result, images)
    assert not np.shares_memory(result, images)


@given(
    images=image_batches, down=st.integers(-9, 9), right=st.integers(-9, 9), fill=st.sampled_from(["edge", 0.0, -3.5])
)
def test_a_shift_by_whole_pixels_is_exact(images: Array, down: float, right: float, fill: Fill) -> None:
    height, width = images.shape[1:3]
    mode = {"mode": "edge"} if fill == "edge" else {"constant_values": fill}
    far = np.pad(images, ((0, 0), (9, 9), (9, 9), (0, 0)), **mode)
    expected = far[:, 9 - down : 9 - down + height, 9 - right : 9 - right + width]
    assert_array_equal(transformed(images, shift=(down, right), fill=fill), expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shift", [0, 2])
def test_extreme_pixels_stay_what_they_are(dtype: str, shift: int) -> None:
    images = np.zeros((4, 6, 6, 1), dtype)
    largest = np.finfo(dtype).max
    images[:, 1, 1], images[:, 1, 2], images[:, 4, 4], images[:, 2, 1] = np.inf, -np.inf, largest, -largest
    result = Augment(shift=shift, fill=0.0)(images, np.random.default_rng(0))
    assert set(result.ravel()) == {0, np.inf, -np.inf, largest, -largest}
    if not shift:
        assert_array_equal(result, images)


def test_float16_near_its_limit_is_interpolated() -> None:
    image = np.full((1, 5, 5, 1), 6e4, np.float16)
    image[:, ::2] = -6e4
    assert np.isfinite(Augment(rotate=40)(image, np.random.default_rng(0))).all()


def test_shift_draws_every_whole_number_of_pixels() -> None:
    images = np.zeros((500, 9, 9, 1), np.float32)
    images[:, 4, 4] = 1
    places = {tuple(place) for place in np.argwhere(Augment(shift=2)(images, np.random.default_rng(0))[..., 0])[:, 1:]}
    assert places == {(row, column) for row in range(2, 7) for column in range(2, 7)}


@given(images=image_batches, turns=st.integers(-4, 4))
def test_quarter_turns_are_those_of_numpy(images: Array, turns: int) -> None:
    side = min(images.shape[1:3])
    square = images[:, :side, :side]
    assert_allclose(transformed(square, angle=90 * turns), np.rot90(square, turns, axes=(1, 2)), atol=1e-4)


def test_a_zoom_of_two_shows_the_middle_twice_as_large() -> None:
    ramp = np.tile(np.arange(9, dtype=np.float32), (9, 1))[np.newaxis, :, :, np.newaxis]
    assert_allclose(transformed(ramp, zoom=2.0)[0, 0, :, 0], np.linspace(2, 6, 9))
    assert_allclose(transformed(ramp, zoom=0.5)[0, 0, :, 0], np.clip(np.arange(-4, 13, 2), 0, 8))


@given(
    images=image_batches.filter(len),
    angle=st.floats(-180, 180),
    zoom=st.floats(0.5, 2),
    down=st.floats(-3, 3),
    right=st.floats(-3, 3),
    fill=st.sampled_from(["edge", 0.0, 2.5]),
)
def test_all_transformations_are_those_of_scipy(
    images: Array, angle: float, zoom: float, down: float, right: float, fill: Fill
) -> None:
    a = math.radians(angle)
    matrix = np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]) / zoom
    centre = (np.array(images.shape[1:3]) - 1) / 2
    offset = centre - matrix @ (centre + np.array([down, right]))
    mode = {"mode": "nearest"} if fill == "edge" else {"mode": "grid-constant", "cval": fill}
    found = transformed(images, angle, zoom, (down, right), fill)
    for image, result in zip(images.astype(np.float64), found, strict=True):
        for channel in range(image.shape[-1]):
            expected = ndimage.affine_transform(image[..., channel], matrix, offset, order=1, **mode)
            assert_allclose(result[..., channel], expected, atol=1e-3)


@given(images=image_batches, data=st.data())
def test_resampling_anywhere_is_that_of_scipy(images: Array, data: st.DataObject) -> None:
    shape = images.shape[:3]
    anywhere = hnp.arrays(np.float32, shape, elements=st.floats(-100, 100, width=32))
    rows, columns = data.draw(anywhere), data.draw(anywhere)
    found = resample(images, rows, columns)
    assert found.dtype == np.float32
    for n, channel in np.ndindex(images.shape[0], images.shape[3]):
        places = np.stack([rows[n], columns[n]]).astype(np.float64)
        expected = ndimage.map_coordinates(images[n, ..., channel].astype(np.float64), places, order=1, mode="nearest")
        assert_allclose(found[n, ..., channel], expected, atol=1e-3)


def test_smooth_noise_is_noise_under_a_gaussian() -> None:
    sigma = 3.0
    found = smooth_noise(40, 50, 60, sigma, np.random.default_rng(0))
    raw = np.random.default_rng(0).random((40, 50, 60), dtype=np.float32) * 2 - 1
    expected = ndimage.gaussian_filter(raw, (0, sigma, sigma), truncate=8)
    middle = np.s_[:, 24:-24, 24:-24]  # at the borders the two differ on purpose
    assert_allclose(found[middle], expected[middle], atol=1e-6)
    assert found[middle].std() == pytest.approx(0.163 / sigma, rel=0.1)  # the 0.16 alpha / sigma of the docstring
    assert np.abs(found.mean()) < 0.01


def test_an_elastic_distortion_moves_neighbours_together() -> None:
    ramp = np.tile(np.arange(28, dtype=np.float32), (50, 28, 1))[..., np.newaxis]
    moved = (Augment(elastic=(34, 4))(ramp, np.random.default_rng(0)) - ramp)[:, 5:-5, 5:-5, 0]
    assert 0.9 < moved.std() < 1.9  # pixels
    assert np.abs(np.diff(moved, axis=1)).mean() < moved.std() / 3
    assert np.abs(np.diff(moved, axis=2)).mean() < moved.std() / 3


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(130, 28, 28, 1), (3, 5, 8, 3), (0, 4, 4, 1), (2, 1, 1, 1)])
def test_shape_and_dtype_stay_and_so_do_the_images_given(dtype: str, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).random(shape).astype(dtype)
    before = images.copy()
    images.flags.writeable = False
    result = EVERYTHING(images, np.random.default_rng(1))
    assert result.shape == shape
    assert result.dtype == dtype
    assert result.flags.c_contiguous
    assert_array_equal(images, before)
    assert np.isfinite(result).all()


def test_the_seed_decides() -> None:
    images = digits(100)
    first, again, other = (EVERYTHING(images, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_images_of_a_batch_are_transformed_each_in_its_own_way() -> None:
    same = np.repeat(digits(1), 80, axis=0)
    results = EVERYTHING(same, np.random.default_rng(0))
    assert len({result.tobytes() for result in results}) == 80


def test_digits_stay_what_they_are() -> None:
    images = digits(200)
    result = EVERYTHING(images, np.random.default_rng(0))
    assert images.min() - 1e-5 <= result.min() <= result.max() <= images.max() + 1e-5
    assert 0.3 < np.corrcoef(images.ravel(), result.ravel())[0, 1] < 0.95
    assert_allclose(result[:, 0, 0], images[:, 0, 0], atol=1e-5)  # what comes in from outside is background


def test_fill_is_what_comes_in_from_outside() -> None:
    images = np.ones((20, 6, 6, 1), np.float32)
    assert EVERYTHING(images, np.random.default_rng(0)).min() == pytest.approx(1)
    filled = Augment(shift=3, fill=-2.0)(images, np.random.default_rng(0))
    assert set(np.unique(filled)) == {-2.0, 1.0}


def test_it_goes_into_the_batches() -> None:
    images, labels = digits(50), np.arange(50)
    augmented = batches(images, labels, batch_size=20, rng=0, augment=EVERYTHING)
    plain = images.copy()
    first, second = (np.concatenate([x for x, _ in augmented]) for _ in range(2))
    assert first.shape == images.shape
    assert not np.array_equal(first, second)
    assert_array_equal(images, plain)


@pytest.mark.parametrize("augment", [Augment(), Augment(shift=1, fill=0.5), EVERYTHING])
def test_its_repr_evaluates_to_itself(augment: Augment) -> None:
    assert eval(repr(augment)) == augment
    assert hash(augment) == hash(eval(repr(augment)))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "shift -1": ({"shift": -1}, "shift must be a whole number of pixels, at least 0, received -1"),
    "shift 1.5": ({"shift": 1.5}, "shift must be a whole number of pixels, at least 0, received 1.5"),
    "shift True": ({"shift": True}, "shift must be a whole number"),
    "rotate -1": ({"rotate": -1}, "rotate must be an angle of 0 to 180 degrees, received -1"),
    "rotate 181": ({"rotate": 181}, "rotate must be an angle of 0 to 180 degrees, received 181"),
    "rotate True": ({"rotate": True}, "rotate must be an angle of 0 to 180 degrees, received True"),
    "zoom True": ({"zoom": (True, 1)}, r"zoom must be a pair .*, received \(True, 1\)"),
    "rotate NaN": ({"rotate": math.nan}, "rotate must be an angle of 0 to 180 degrees, received nan"),
    "zoom 1": ({"zoom": 1}, r"zoom must be a pair \(smallest, largest\) of positive factors, received 1"),
    "zoom 0": ({"zoom": (0, 1)}, r"zoom must be a pair .*, received \(0, 1\)"),
    "zoom order": ({"zoom": (1.1, 0.9)}, r"zoom must be a pair .*, received \(1\.1, 0\.9\)"),
    "zoom infinite": ({"zoom": (1, math.inf)}, r"zoom must be a pair .*, received \(1, inf\)"),
    "elastic 34": ({"elastic": 34}, r"elastic must be None or a pair \(alpha >= 0, sigma > 0\), received 34"),
    "elastic sigma": ({"elastic": (34, 0)}, r"elastic must be None or a pair .*, received \(34, 0\)"),
    "elastic alpha": ({"elastic": (-1, 4)}, r"elastic must be None or a pair .*, received \(-1, 4\)"),
    "fill": ({"fill": "zero"}, "fill must be 'edge' or a number, received 'zero'"),
    "fill NaN": ({"fill": math.nan}, "fill must be 'edge' or a number, received nan"),
}


@pytest.mark.parametrize("name", WRONG)
def test_arguments_that_make_no_sense(name: str) -> None:
    arguments, text = WRONG[name]
    with pytest.raises(ValueError, match=f"^Augment: {text}"):
        Augment(**arguments)


@pytest.mark.parametrize("shape", [(2, 0, 4, 1), (2, 4, 0, 1), (2, 4, 4, 0)])
def test_images_without_pixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Augment: expected images that have pixels, received shape"):
        EVERYTHING(np.zeros(shape), np.random.default_rng(0))


def test_pixels_from_0_to_255_become_floats() -> None:
    images = mnist().train.images[:20, ..., np.newaxis]
    found = EVERYTHING(images, np.random.default_rng(0))
    assert found.dtype == np.float32
    assert_array_equal(found, EVERYTHING(images.astype(np.float32), np.random.default_rng(0)))


@pytest.mark.parametrize("images", [np.zeros((2, 4, 4, 1), bool), np.zeros((4, 4, 1)), [[[[1.0]]]]])
def test_images_that_it_does_not_take(images: Array) -> None:
    with pytest.raises(ValueError, match=r"Augment: expected .* of shape \(N, H, W, C\), received .*;"):
        EVERYTHING(images, np.random.default_rng(0))
