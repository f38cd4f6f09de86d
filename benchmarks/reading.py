"""Reading batches of what lies in memory in another order, or in a file, against one copy of all of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Case, Group, agree
from tensorgrad.data import batches

RECORD = np.dtype([("label", "u1"), ("image", "u1", (32, 32, 3))])  # as in CIFAR's binary files


def read(x: Any) -> list[Any]:
    """Read all of it once, in batches of 32 in a new order; the last batch."""
    last: Any = None
    for batch in batches(x, batch_size=32, rng=0):
        last = batch
    return [last]


def case(name: str, x: Any) -> Case:
    """An epoch of some images, against one copy of all of them into C order."""

    def check() -> None:
        copy = np.array(x, order="C")
        agree(name, read(x), read(copy))

    return Case(
        f"{name}, an epoch in batches of 32", lambda: read(x), [lambda: np.array(x, order="C")], check, peer="one copy"
    )


def cases(quick: bool) -> Iterator[Case]:
    """A view with the channels moved last, Fortran order, a field of records in a memory map."""
    count = 1000 if quick else 4000
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (count, 3, 32, 32), np.uint8)
    yield case("channels moved last", images.transpose(0, 2, 3, 1))
    yield case("Fortran order", np.asfortranarray(images.transpose(0, 2, 3, 1)))
    with tempfile.TemporaryDirectory() as folder:
        records = np.zeros(count, RECORD)
        records["image"] = images.transpose(0, 2, 3, 1)
        records.tofile(Path(folder) / "images.bin")
        yield case("records in a memory map", np.memmap(Path(folder) / "images.bin", RECORD, "r")["image"])


GROUP = Group("Reading: an epoch of batches", cases)
