"""Pictures in files: folders, tables, every mode that Pillow knows, and what is wrong with them."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from tensorgrad.data import DataError, ImageFiles, image_folder, image_table, npz
from tensorgrad.data import images as module
from tensorgrad.data.idx import read_idx
from tensorgrad.data.reader import Reader

RNG = np.random.default_rng(0)


def save(path: Path, array: Any, mode: str | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array, mode).save(path, **options)
    return path


def load(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture)


def noise(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.integers(0, 256, shape, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures of two classes, one of them deeper, and what is not a picture."""
    for i in range(3):
        save(tmp_path / "cats" / f"{i}.png", noise(8, 8, 3))
    save(tmp_path / "dogs" / "a.png", noise(8, 8, 3))
    save(tmp_path / "dogs" / "more" / "b.PNG", noise(8, 8, 3))
    (tmp_path / "dogs" / "notes.txt").write_text("not a picture")
    (tmp_path / "README.txt").write_text("neither is this")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_a_folder_gives_pictures_labels_and_names(folder: Path) -> None:
    found = image_folder(folder, size=8)
    x, y = found
    assert found.classes == ("cats", "dogs")
    assert y.tolist() == [0, 0, 0, 1, 1]
    assert (x.shape, x.dtype, len(x), x.ndim) == ((5, 8, 8, 3), np.uint8, 5, 4)
    expected = np.stack([load(path) for path in x.paths])
    np.testing.assert_array_equal(x[np.arange(5)], expected)
    np.testing.assert_array_equal(x[[4, 0]], expected[[4, 0]])
    np.testing.assert_array_equal(x[1], expected[1])
    np.testing.assert_array_equal(x[1:3], expected[1:3])


def test_what_does_not_fit_into_memory_is_read_when_it_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = image_folder(folder, size=8).images
    monkeypatch.setattr(module, "MEMORY", 100)
    read: list[Any] = []
    whole = Reader.read
    found = image_folder(folder, size=8).images

    def noted(self: Reader, source: Any) -> Any:
        read.append(source)
        return whole(self, source)

    monkeypatch.setattr(Reader, "read", noted)
    for index in (3, slice(1, 4), np.array([4, 0]), -1):
        read.clear()
        np.testing.assert_array_equal(found[index], kept[index])
        assert len(read) == len(np.atleast_1d(np.arange(5)[index]))  # and no picture more


def test_the_cache_is_read_again_and_made_again_when_a_picture_changes(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    first = image_folder(folder, size=8, cache=cache).images[:]
    monkeypatch.setattr(Reader, "read", lambda *_: pytest.fail("decoded again"))
    again = image_folder(folder, size=8, cache=cache).images
    np.testing.assert_array_equal(again[:], first)
    monkeypatch.undo()
    save(folder / "cats" / "1.png", noise(8, 8, 3))
    changed = image_folder(folder, size=8, cache=cache).images
    assert (changed[1] != first[1]).any()
    np.testing.assert_array_equal(changed[[0, 2, 3, 4]], first[[0, 2, 3, 4]])


def test_a_disk_that_fills_leaves_no_cache(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_decoded", full)
    with pytest.raises(OSError, match="No space left"):
        image_folder(folder, size=8, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_other_proportions(tmp_path: Path, fit: str) -> None:
    path = save(tmp_path / "wide.png", np.tile(np.arange(16, dtype=np.uint8) * 16, (8, 1)))
    found = Reader((4, 4), 1, fit).read(path)[..., 0]
    rows = {"stretch": found, "crop": found, "pad": found[1:3]}[fit]
    assert (np.diff(rows.astype(int), axis=1) > 0).all()  # the brightness rises from left to right
    assert (found[[0, 3]] == 0).all() == (fit == "pad")
    reach = int(rows[0, -1]) - int(rows[0, 0])
    assert (reach > 150) == (fit != "crop")  # cut off on both sides, half of the range is left


MODES: dict[str, tuple[Any, str | None, dict[str, Any]]] = {
    "grey": (noise(6, 6), None, {}),
    "one bit": ((noise(6, 6) > 127), None, {}),
    "grey and alpha": (noise(6, 6, 2), "LA", {}),
    "colour": (noise(6, 6, 3), None, {}),
    "colour and alpha": (noise(6, 6, 4), None, {}),
    "16 bits": (noise(6, 6).astype(np.uint16) * 257, None, {}),
}


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", MODES)
def test_every_mode(tmp_path: Path, kind: str, channels: int) -> None:
    array, mode, options = MODES[kind]
    found = Reader((6, 6), channels).read(save(tmp_path / "a.png", array, mode, **options))
    assert found.shape == (6, 6, channels)
    assert found.dtype == np.uint8
    if array.ndim == 2:
        eight = {np.dtype(bool): lambda a: a * 255, np.dtype(np.uint16): lambda a: a // 257}.get(
            array.dtype, lambda a: a
        )
        np.testing.assert_array_equal(found, np.repeat(eight(array)[..., None], channels, 2))
    elif array.shape[2] in (2, 4):  # over white
        colour, alpha = array[..., :-1].astype(float), array[..., -1:] / 255
        expected = colour * alpha + 255 * (1 - alpha)
        if channels == 3:
            assert np.abs(found - expected).max() <= 1.5
    elif channels == 3:
        np.testing.assert_array_equal(found, array)


def test_palette_animation_and_orientation(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(6, 6, 3)).convert("P") for _ in range(2)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.gif") as animation:
        first = np.asarray(animation.convert("RGB"))
    np.testing.assert_array_equal(Reader((6, 6)).read(tmp_path / "a.gif"), first)
    turned = Image.fromarray(np.repeat(np.repeat(noise(2, 3, 3), 8, 0), 8, 1))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it right
    turned.save(tmp_path / "b.png", exif=exif)
    with Image.open(tmp_path / "b.png") as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    assert expected.shape == (24, 16, 3)
    np.testing.assert_array_equal(Reader((24, 16)).read(tmp_path / "b.png"), expected)


@pytest.mark.filterwarnings("default::PIL.Image.DecompressionBombWarning")
def test_a_picture_that_unpacks_to_a_gigabyte_is_refused(tmp_path: Path) -> None:
    Image.new("1", (13_000, 13_000)).save(tmp_path / "bomb.png")
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(DataError, match="it has 13000 x 13000 pixels, 89478485 are the most"),
    ):
        Reader((32, 32)).read(tmp_path / "bomb.png")


def test_hidden_files_are_left_out(folder: Path) -> None:
    """As those that macOS puts beside pictures on other systems' disks, which have pictures' suffixes."""
    expected = len(image_folder(folder))
    (folder / "cats" / ".trash").mkdir(parents=True)
    for name in ("._1.jpg", ".1.png", ".trash/1.png"):
        (folder / "cats" / name).write_bytes(b"\0\5\x16\7")
    assert len(image_folder(folder)) == expected


def test_a_table_of_paths_and_labels(folder: Path) -> None:
    table = folder / "labels.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("label", "path"), ("dog", "dogs/a.png"), ("cat", "cats/0.png")])
    found = image_table(table, size=8)
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(found.images[0], load(folder / "dogs" / "a.png"))


def test_spaces_in_a_table_make_no_other_class(folder: Path) -> None:
    """As people write commas: " cat" and "cat" were two classes."""
    table, (first, second) = folder / "spaced.csv", sorted((folder / "cats").glob("*"))[:2]
    lines = ["path , label", f"cats/{first.name}, cat", f" cats/{second.name},cat ", f"cats/{first.name}, dog"]
    table.write_text("\n".join(lines))
    found = image_table(table, size=8)
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0, 0, 1]


def test_the_classes_of_a_model_number_those_of_a_folder(folder: Path) -> None:
    assert image_folder(folder, size=8, classes=("dogs", "birds", "cats")).labels.tolist() == [2, 2, 2, 0, 0]
    with pytest.raises(DataError, match="expected the classes dogs, birds; found cats too"):
        image_folder(folder, size=8, classes=("dogs", "birds"))


def test_all_broken_pictures_are_named_before_anything_else(folder: Path) -> None:
    whole = (folder / "cats" / "0.png").read_bytes()
    (folder / "cats" / "0.png").write_bytes(whole[:-40])
    (folder / "dogs" / "a.png").write_bytes(b"hello")
    with pytest.raises(DataError) as caught:
        image_folder(folder, size=8)
    text = str(caught.value)
    assert "2 of 5 pictures cannot be read; repair or remove them" in text
    assert str(folder / "cats" / "0.png") in text
    assert str(folder / "dogs" / "a.png") in text


def test_what_is_no_folder_of_classes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        image_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"expected pictures .* in subfolders, found none; make one subfolder"):
        image_folder(tmp_path)
    save(tmp_path / "only" / "a.png", noise(4, 4))
    with pytest.raises(DataError, match="expected at least two classes, found only 'only'"):
        image_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="the classes empty have no pictures"):
        image_folder(tmp_path)
    with pytest.raises(NotADirectoryError, match="is a file; name the folder"):
        image_folder(tmp_path / "only" / "a.png")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("file,class\na.png,cat\n", "path and label, once each, in its first line, received file, class"),
        (f"y,{','.join(map(str, range(784)))}\n", "received y, 0, 1, 2, 3, 4, 5, 6, 7 and 776 more$"),
        ("path,label\n", "expected a line for each picture, found none"),
        ("path,label\n\na.png,\n", "line 3 has no path or no label"),
        ("path,label\n,cat\n", "line 2 has no path or no label"),
        ("path,label,label\na.png,cat,dog\n", "once each, in its first line, received path, label, label"),
        (
            "path,label\na.png,cat, striped\n",
            "line 2 has 3 cells for 2 columns; put quotes around what has a comma in it",
        ),
        ("path,label\na.png,cat\nb.png,dog\n", "2 of 2 pictures cannot be read"),
        ("path,label\na\ud800.png,cat\n", "expected a table as text in UTF-8"),
        ("path,label\n" + "a" * 200_000 + ",cat\n", "expected a table .*; field larger than field limit"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, lines: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(lines, "utf-8", errors="surrogatepass")
    with pytest.raises(DataError, match=message):
        image_table(tmp_path / "t.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("read", [image_table, npz, read_idx, Reader((4, 4)).read])
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe: expected a file, received a device"):
        read(tmp_path / "pipe")
    with pytest.raises(DataError, match="/dev/null: expected a file, received a device"):
        read(Path("/dev/null"))
    with pytest.raises(DataError, match="expected a file, received a folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 3.0}, "channels must be 1 .grey. or 3 .colour., received 3.0"),
        ({"channels": 2}, "channels must be 1 .grey. or 3 .colour., received 2"),
        ({"fit": "squeeze"}, "unknown fit 'squeeze'"),
        ({"size": (0, 4)}, "size"),
    ],
)
def test_arguments_that_are_wrong(folder: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image_folder(folder, **arguments)


def test_pictures_that_are_arrays() -> None:
    grey = noise(8, 8)
    np.testing.assert_array_equal(Reader((8, 8), 1).of_array(grey), grey[..., None])
    np.testing.assert_array_equal(Reader((8, 8), 1).of_array(grey[..., None]), grey[..., None])
    assert Reader((4, 4), 3).of_array(noise(8, 8, 4)).shape == (4, 4, 3)
    with pytest.raises(ValueError, match="expected a picture as uint8"):
        Reader((4, 4)).of_array(np.zeros((4, 4)))


def test_repr() -> None:
    assert repr(ImageFiles([Path("a.png")], Reader((4, 4)))) == "ImageFiles(1 pictures of 4x4x3, read when asked for)"
