"""IDX files, the data sets made of them, standardization, batches."""

import contextlib
import gzip
import hashlib
import math
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from tensorgrad.atomic_file import replacing
from tensorgrad.data import (
    DataError,
    TrainTest,
    batches,
    fashion_mnist,
    idx_dataset,
    mnist,
    one_hot,
    read_idx,
    standardize,
    write_idx,
)

Array = np.ndarray[Any, Any]
Loader = Callable[[str], TrainTest]

IDX_TYPES = ["u1", "i1", "<i2", ">i2", "<i4", ">i4", "<f4", ">f4", "<f8", ">f8"]
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def idx_bytes(shape: tuple[int, ...], content: bytes = b"", code: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + content


def write_set(
    folder: Path, joint: str = "-", suffix: str = ".gz", changes: dict[str, Array] | None = None
) -> dict[str, Array]:
    """Four files as MNIST has them; a change replaces the array of one of them."""
    arrays = {
        "train_images": np.arange(36, dtype=np.uint8).reshape(3, 4, 3),
        "train_labels": np.arange(3, dtype=np.uint8),
        "t10k_images": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        "t10k_labels": np.arange(2, dtype=np.uint8),
    } | (changes or {})
    for name, array in arrays.items():
        kind = "idx3-ubyte" if name.endswith("images") else "idx1-ubyte"
        write_idx(folder / f"{name.replace('_', '-')}{joint}{kind}{suffix}", array)
    return arrays


# --- IDX ----------------------------------------------------------------------------------------------------------


@in_one_folder
@given(
    array=st.sampled_from(IDX_TYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
    ),
    name=st.sampled_from(["a.idx", "a.gz"]),
)
def test_round_trip_keeps_every_number(tmp_path: Path, array: Array, name: str) -> None:
    write_idx(tmp_path / name, array)
    back = read_idx(tmp_path / name)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.dtype.isnative
    assert back.flags.writeable
    assert_array_equal(back, array)


def test_what_is_written_is_the_format(tmp_path: Path) -> None:
    write_idx(tmp_path / "a", np.array([[1, -2, 3]], dtype=np.int16).T[::-1])
    assert (tmp_path / "a").read_bytes() == bytes.fromhex("00000b02 00000003 00000001 0003 fffe 0001")


def test_the_content_decides_whether_a_file_is_compressed_not_its_name(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.int32)
    write_idx(tmp_path / "plain", array)
    write_idx(tmp_path / "packed.gz", array)
    (tmp_path / "plain").rename(tmp_path / "now.gz")
    (tmp_path / "packed.gz").rename(tmp_path / "now")
    assert (tmp_path / "now").read_bytes()[:2] == b"\x1f\x8b"
    assert_array_equal(read_idx(tmp_path / "now"), array)
    assert_array_equal(read_idx(str(tmp_path / "now.gz")), array)


def test_a_compressed_file_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(100, dtype=np.uint8))
    content = (tmp_path / "a.gz").read_bytes()
    assert content == (tmp_path / "b.gz").read_bytes()
    assert content[3:10] == b"\0\0\0\0\0\x02\xff"  # no name, no time, best compression, no system


@pytest.mark.parametrize("dtype", ["i8", "u2", "f2", "c8", "?", "U1"])
def test_types_that_idx_does_not_have(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(DataError, match=r"has no type for .*; expected uint8, .*: convert it with array\.astype"):
        write_idx(tmp_path / "a", np.zeros(2, dtype))
    assert os.listdir(tmp_path) == []


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(b"before")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.gz"]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not an IDX file: .* received an empty file"),
    "short magic": (b"\0\0\x08", "not an IDX file"),
    "text": (b"<html><body>404</body></html>", "not an IDX file: .* received 3c 68 74 6d; check that"),
    "unknown type": (idx_bytes((1,), b"1", code=0x0A), "not an IDX file: .* a type code"),
    "too many axes": (b"\0\0\x08\xff" + b"\0" * 1020, r"not an IDX file: .* \(at most 64\)"),
    "header ends": (b"\0\0\x08\x03" + b"\0" * 11, "ends inside its header of 3 axes"),
    "too short": (idx_bytes((2, 3), b"12345"), r"declares \(2, 3\) numbers of type uint8, 6 bytes, but 5 bytes follow"),
    "too long": (idx_bytes((2, 3), b"1234567"), "6 bytes, but 7 bytes follow"),
    "nothing follows": (idx_bytes((60000, 28, 28)), "47040000 bytes, but 0 bytes follow"),
    "absurd": (idx_bytes((2**32 - 1,) * 3), "too large for any array"),
    "absurd, but empty": (idx_bytes((2**32 - 1, 2**32 - 1, 0)), "too large for any array"),
    "absurd, in doubles": (idx_bytes((2**30, 2**31), code=0x0E), "too large for any array"),
    "4 GB": (idx_bytes((2**32 - 1,), b"1"), "4294967295 bytes, but 1 bytes follow"),
    "not really gzip": (b"\x1f\x8b" + b"\0" * 30, "gzip data are damaged"),
    "gzip of nothing": (gzip.compress(b""), "not an IDX file"),
    "gzip of text": (gzip.compress(b"<html>"), "not an IDX file"),
    "gzip, too short": (gzip.compress(idx_bytes((9,), b"12345")), "9 bytes, but 5 bytes follow"),
    "gzip, too long": (gzip.compress(idx_bytes((4,), b"12345")), "4 bytes, but more bytes follow"),
    "gzip, 4 GB": (gzip.compress(idx_bytes((2**32 - 1,))), "but at most [0-9]+ bytes follow"),
    "gzip, absurd": (gzip.compress(idx_bytes((2**32 - 1,) * 3)), "too large for any array"),
    "gzip, wrong checksum": (gzip.compress(idx_bytes((4,), b"1234"))[:-8] + b"\1\2\3\4\5\6\7\x08", "damaged"),
    "gzip, garbage after it": (gzip.compress(idx_bytes((4,), b"1234")) + b"garbage", "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_say_what_is_wrong_in_little_memory(tmp_path: Path, name: str) -> None:
    content, text = HOSTILE[name]
    path = tmp_path / "file"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=text) as caught:
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(idx_bytes((10,)))
        for _ in range(200):
            file.write(bytes(2**20))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="10 bytes, but more bytes follow"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_every_truncation_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_idx(path, np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            read_idx(path)


@in_one_folder
@given(flip=st.integers(0, 2**16))
def test_a_flipped_bit_of_a_compressed_file_is_noticed_or_harmless(tmp_path: Path, flip: int) -> None:
    path = tmp_path / "a.gz"
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    write_idx(path, array)
    content = bytearray(path.read_bytes())
    content[flip // 8 % len(content)] ^= 1 << flip % 8
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert_array_equal(read_idx(path), array)  # the time in gzip's header, for instance, means nothing


@in_one_folder
@given(
    content=st.binary(max_size=60), begin=st.sampled_from([b"", b"\0\0\x08\1", b"\0\0\x0d\2\0\0\0", b"\x1f\x8b\x08"])
)
def test_any_bytes_give_an_array_or_the_one_error(tmp_path: Path, content: bytes, begin: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(begin + content)
    with contextlib.suppress(DataError):
        assert isinstance(read_idx(path), np.ndarray)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


# --- MNIST and its like ---------------------------------------------------------------------------------------------

EMBEDDED = {  # file: bytes, SHA-256
    "train-images-idx3-ubyte.gz": (1609526, "36707bfd63bcc1baf911512db8f40af1940d9fc513cb862f99741a994da05181"),
    "train-labels-idx1-ubyte.gz": (4997, "ddb336c35d26d6499f325832214cfd852954d037817de7f291d8e80ad0912b32"),
    "t10k-images-idx3-ubyte.gz": (155853, "1107a88c1dcf1bde0925f29c9f47e943757cc4c8190862d72943ef6e4a638a2c"),
    "t10k-labels-idx1-ubyte.gz": (526, "59f1210430c03405bf13b88e2855be7b6adbf45b16966f8f6bf11013873bf815"),
}


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_files_are_the_right_ones(name: str) -> None:
    import tensorgrad.data.files

    content = Path(tensorgrad.data.files.__file__).with_name(name).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == EMBEDDED[name]


def test_the_embedded_mnist() -> None:
    dataset = mnist()
    (x_train, y_train), (x_test, y_test) = dataset
    assert x_train is dataset.train.images
    assert y_test is dataset.test.labels
    assert (x_train.shape, x_test.shape) == ((10000, 28, 28), (1000, 28, 28))
    assert x_train.dtype == np.uint8
    assert y_train.dtype == np.int64
    assert np.bincount(y_train).tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert np.bincount(y_test).tolist() == [85, 126, 116, 107, 110, 87, 87, 99, 89, 94]
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert (x_train.min(), x_train.max()) == (0, 255)
    assert one_hot(y_train, 10).sum(axis=0).tolist() == np.bincount(y_train).tolist()


def test_the_attribution_comes_with_the_data() -> None:
    import tensorgrad.data.files

    text = Path(tensorgrad.data.files.__file__).with_name("ATTRIBUTION.txt").read_text(encoding="utf-8")
    for word in ("LeCun", "Cortes", "Burges", "CC BY-SA 3.0", "10,000", "1,000"):
        assert word in text


@pytest.mark.parametrize("joint", "-.")
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("load", [mnist, fashion_mnist, idx_dataset])
def test_a_folder_with_the_four_files(tmp_path: Path, load: Loader, joint: str, suffix: str) -> None:
    arrays = write_set(tmp_path, joint=joint, suffix=suffix)
    (x_train, y_train), (x_test, y_test) = load(str(tmp_path))
    assert_array_equal(x_train, arrays["train_images"])
    assert_array_equal(y_train, arrays["train_labels"])
    assert_array_equal(x_test, arrays["t10k_images"])
    assert_array_equal(y_test, arrays["t10k_labels"])
    assert y_train.dtype == np.int64


def test_a_folder_that_lacks_a_file_or_is_not_there(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected one of t10k-labels-idx1-ubyte, .*\.idx1-ubyte\.gz in this"):
        mnist(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        mnist(tmp_path / "nowhere")


WRONG_SETS: dict[str, tuple[dict[str, Array], str]] = {
    "labels of another set": ({"train_labels": np.zeros(4, np.uint8)}, "3 images in .* and 4 labels in"),
    "labels as images": ({"train_images": np.zeros(3, np.uint8)}, r"expected images of shape \(N, H, W\) or"),
    "images as labels": ({"t10k_labels": np.zeros((2, 1), np.uint8)}, r"expected integer labels of shape \(N,\)"),
    "float labels": ({"t10k_labels": np.zeros(2, np.float32)}, "expected integer labels .* received float32"),
    "other size": (
        {"t10k_images": np.zeros((2, 5, 3), np.uint8)},
        r"training images of shape \(4, 3\) and test images",
    ),
}


@pytest.mark.parametrize("name", WRONG_SETS)
def test_files_that_do_not_go_together(tmp_path: Path, name: str) -> None:
    changes, text = WRONG_SETS[name]
    write_set(tmp_path, changes=changes)
    with pytest.raises(DataError, match=text):
        idx_dataset(tmp_path)


def test_where_to_read_from_must_be_clear(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mnist: expected a folder to read from or download=True, received both"):
        mnist(tmp_path, download=True)
    with pytest.raises(ValueError, match="fashion_mnist: does not come with the package"):
        fashion_mnist()


def test_importing_the_data_package_is_cheap() -> None:
    heavy = "{'scipy', 'gzip', 'ssl', 'http.client', 'urllib.request', 'tensorgrad.data.download'}"
    code = f"import sys, tensorgrad.data; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


# --- standardize ----------------------------------------------------------------------------------------------------


@given(
    images=st.sampled_from(["u1", "i2", "f4", "f8"]).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            hnp.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=5),
            elements=st.integers(0, 100) if dtype[0] in "ui" else st.floats(-100, 100, width=32),
        )
    )
)
def test_standardize_is_the_formula(images: Array) -> None:
    result = standardize(images)
    assert result.dtype == np.float32
    assert result.shape == (images.shape if images.ndim == 4 else (*images.shape, 1))
    for image, found in zip(images.astype(np.float64), result, strict=True):
        if np.ptp(image) == 0:
            assert not found.any()
        elif image.std() > 1e-6:
            expected = (image - image.mean()) / image.std()
            assert_allclose(found.reshape(image.shape), expected, rtol=1e-5, atol=1e-5)


def test_standardize_works_block_by_block() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1000, 6, 5, 2), dtype=np.uint8)
    whole = standardize(images)
    assert_array_equal(whole, np.concatenate([standardize(images[i : i + 1]) for i in range(1000)]))
    axes = (1, 2, 3)
    assert_allclose(whole.mean(axis=axes), 0, atol=1e-6)
    assert_allclose(whole.std(axis=axes), 1, atol=1e-6)


@pytest.mark.parametrize("value", [0, 255, 0.1, 1e30, -1e-30])
def test_images_of_one_colour_become_zeros_without_a_warning(value: float) -> None:
    assert not standardize(np.full((2, 7, 9), value)).any()


def test_standardize_survives_a_large_offset() -> None:
    image = np.array([[[0.0, 1.0], [2.0, 3.0]]])
    assert_allclose(standardize(image + 1e9), standardize(image), rtol=1e-6)


def test_standardize_takes_nothing_and_leaves_its_input() -> None:
    assert standardize(np.zeros((0, 28, 28))).shape == (0, 28, 28, 1)
    images = np.arange(12.0).reshape(1, 4, 3)
    standardize(images)
    assert_array_equal(images, np.arange(12.0).reshape(1, 4, 3))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])
def test_standardize_names_the_image_that_is_not_finite(bad: float) -> None:
    images = np.random.default_rng(0).random((600, 4, 4))
    images[517, 2, 2] = bad
    with pytest.raises(ValueError, match=r"standardize: image 517 contains NaN, infinities, or .* drop or repair them"):
        standardize(images)


@pytest.mark.parametrize("images", [np.zeros((4, 4)), np.zeros((1, 1, 1, 1, 1)), np.array([[["a"]]]), [[[1j]]]])
def test_standardize_says_what_it_takes(images: Array) -> None:
    with pytest.raises(ValueError, match=r"standardize: expected numbers of shape \(N, H, W\) or .*, received"):
        standardize(images)


# --- batches --------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 40), size=st.integers(1, 50), shuffle=st.booleans(), drop_last=st.booleans())
def test_every_sample_is_met_once_an_epoch_with_what_belongs_to_it(
    n: int, size: int, shuffle: bool, drop_last: bool
) -> None:
    if drop_last and n < size:
        return
    x, y, w = np.arange(n * 6.0).reshape(n, 3, 2), np.arange(n), -np.arange(n)
    epoch = batches(x, y, w, batch_size=size, shuffle=shuffle, rng=0, drop_last=drop_last)
    for _ in range(2):
        met = list(epoch)
        assert len(met) == len(epoch) == (n // size if drop_last else math.ceil(n / size))
        assert {len(batch[0]) for batch in met[:-1]} <= {size}
        order = np.concatenate([batch[1] for batch in met])
        assert len(set(order)) == len(order) == (n // size * size if drop_last else n)
        assert shuffle or order.tolist() == list(range(len(order)))
        assert_array_equal(np.concatenate([batch[0] for batch in met]), x[order])
        assert_array_equal(np.concatenate([batch[2] for batch in met]), w[order])
        assert all(array.flags.c_contiguous for batch in met for array in batch)


def test_each_epoch_has_its_order_and_the_seed_decides_all() -> None:
    def orders(rng: int | np.random.Generator) -> list[list[int]]:
        epoch = batches(np.arange(50), batch_size=8, rng=rng)
        return [np.concatenate([x for (x,) in epoch]).tolist() for _ in range(3)]

    first = orders(5)
    assert first == orders(5) == orders(np.random.default_rng(5))
    assert first != orders(6)
    assert first[0] != first[1] != first[2]


def test_no_seed_means_the_librarys_own_generator() -> None:
    from tensorgrad import random

    random.seed(3)
    first = [x.tolist() for (x,) in batches(np.arange(30), batch_size=7)]
    random.seed(3)
    assert first == [x.tolist() for (x,) in batches(np.arange(30), batch_size=7)]


def test_shuffled_batches_are_copies_and_ordered_ones_views() -> None:
    x = np.zeros((10, 3), np.float32)
    for (batch,) in batches(x, batch_size=4, rng=0):
        assert not np.shares_memory(batch, x)
    for (batch,) in batches(x, batch_size=4, shuffle=False):
        assert np.shares_memory(batch, x)
    for (batch,) in batches(x[:, ::2], batch_size=4, shuffle=False):
        assert batch.flags.c_contiguous


def test_a_batch_that_is_kept_stays_as_it_was() -> None:
    kept = list(batches(np.arange(20), batch_size=5, rng=1))
    assert sorted(np.concatenate([x for (x,) in kept]).tolist()) == list(range(20))


def test_the_augmentation_gets_the_first_array_and_changes_no_data() -> None:
    x, y = np.ones((10, 2), np.float32), np.arange(10)

    def add_noise(batch: Array, rng: np.random.Generator) -> Array:
        return batch + rng.random(batch.shape, dtype=np.float32)

    def epochs(rng: int) -> list[tuple[Any, Any]]:
        epoch = batches(x, y, batch_size=4, rng=rng, augment=add_noise)
        return [(images.tolist(), labels.tolist()) for _ in range(2) for images, labels in epoch]

    assert epochs(0) == epochs(0)
    assert epochs(0)[:3] != epochs(0)[3:]
    assert all(1 <= number < 2 for images, _ in epochs(0) for row in images for number in row)
    assert_array_equal(x, 1)
    in_order = list(batches(x, y, batch_size=4, shuffle=False, rng=0, augment=add_noise))
    assert in_order[0][1].tolist() == [0, 1, 2, 3]
    assert_array_equal(x, 1)


def test_batches_drawn_ahead_in_a_thread_are_the_same_though_the_generator_is_used_meanwhile() -> None:
    def augment(batch: Array, rng: np.random.Generator) -> Array:
        return batch + rng.integers(1000, size=batch.shape)

    def run(ahead: bool) -> list[tuple[Any, float]]:
        rng = np.random.default_rng(0)
        iterator = iter(batches(np.arange(40), batch_size=4, rng=rng, augment=augment))
        if ahead:
            drawn: list[tuple[Array, ...]] = []
            thread = threading.Thread(target=lambda: drawn.extend(iterator))
            thread.start()
            thread.join()
            return [(x.tolist(), rng.random()) for (x,) in drawn]
        return [(x.tolist(), rng.random()) for (x,) in iterator]

    assert run(ahead=True) == run(ahead=False)


def test_an_epoch_can_be_repeated_from_the_state_of_the_generator() -> None:
    rng = np.random.default_rng(0)
    epoch = batches(np.arange(30.0), batch_size=4, rng=rng, augment=lambda x, rng: x + rng.random(x.shape))
    list(epoch)
    state = rng.bit_generator.state
    second = [x.tolist() for (x,) in epoch]
    rng = np.random.default_rng(99)
    rng.bit_generator.state = state
    resumed = batches(np.arange(30.0), batch_size=4, rng=rng, augment=lambda x, rng: x + rng.random(x.shape))
    assert second == [x.tolist() for (x,) in resumed]


WRONG_BATCHES: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "batch_size 0": (([1, 2],), {"batch_size": 0}, "batch_size must be an int of at least 1, received 0"),
    "batch_size -1": (([1, 2],), {"batch_size": -1}, "batch_size must be an int of at least 1, received -1"),
    "batch_size 1.5": (([1, 2],), {"batch_size": 1.5}, "batch_size must be an int of at least 1, received 1.5"),
    "batch_size True": (([1, 2],), {"batch_size": True}, "batch_size must be an int of at least 1, received True"),
    "no arrays": ((), {}, "expected arrays with one length, received none"),
    "a number": ((3,), {}, r"expected arrays with one length, received shapes \(\)"),
    "lengths": (([1, 2], [1, 2, 3]), {}, r"expected arrays with one length, received shapes \(2,\), \(3,\)"),
    "empty": (([], []), {}, r"expected at least one sample, received shapes \(0,\), \(0,\)"),
    "all dropped": (([1, 2],), {"drop_last": True}, "drop_last leaves nothing of 2 samples in batches of 32; use a"),
}


@pytest.mark.parametrize("name", WRONG_BATCHES)
def test_what_cannot_be_cut_into_batches(name: str) -> None:
    arrays, options, text = WRONG_BATCHES[name]
    with pytest.raises(ValueError, match=f"batches: {text}"):
        batches(*arrays, **options)


def test_an_augmentation_must_be_callable() -> None:
    with pytest.raises(TypeError, match="batches: augment must be a function of \\(batch, rng\\), received 'shift'"):
        batches([1, 2], augment="shift")
