"""Training on data that is not an array in memory: a memory map, a folder of pictures, what takes time to read."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Group, Row
from benchmarks.timing import Effort, compare, summarize
from benchmarks.timing import threads as limited
from tensorgrad import CNN
from tensorgrad.data import Dataset, image_folder
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d, Rescale

STATUS = Path("/proc/self/status")
SIDE = 64  # of the images in the memory map, in pixels
EFFORT, QUICK = Effort(rounds=3, most=5, seconds=5.0), Effort(rounds=2, most=2, seconds=0.1)


def rows(quick: bool, threads: Sequence[int]) -> Iterator[Row]:
    """Memory against 300 MB; a cached folder against its array; the reading that is not hidden against all of it."""
    if STATUS.exists():  # only Linux tells how much of the memory is not a file's
        size = 2**27 if quick else 2**31
        with tempfile.TemporaryDirectory() as folder:
            np.memmap(Path(folder) / "x", np.float32, "w+", shape=(size // 4,)).flush()  # sparse: it takes no disk
            command = [sys.executable, "-m", "benchmarks.data", str(Path(folder) / "x")]
            peak = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        name = f"an epoch on a memory map of {size / 2**30:g} GB, beside its pages"
        yield Row.of("data", name, "300 MB", 0, "MB", 1e-6, summarize([(peak, 300e6)]))
    for n in threads:
        with limited(n):
            yield folder_row(500 if quick else 20_000, n, QUICK if quick else EFFORT)
            yield ahead_row(10 if quick else 60, n, 2 if quick else 5)


def net(side: int, filters: int = 8) -> CNN:
    """A small classifier of coloured pictures."""
    model = CNN(seed=0)
    model.add(Rescale(1 / 255, input_shape=(side, side, 3)))
    model.add(Conv2d(filters=filters, kernel_size=3, activation="relu"))
    model.add(Pool2d(kernel_size=2))
    model.add(Flatten())
    model.add(FFL(neurons=2, activation="softmax"))
    model.compile_model(opt="adam", loss="cse", lr=0.001)
    return model


def folder_row(count: int, n: int, effort: Effort) -> Row:
    """An epoch on a folder of pictures that were decoded into a cache, against the same pictures as an array."""
    from PIL import Image

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for i, pixels in enumerate(rng.integers(0, 255, (count, 32, 32, 3), np.uint8)):
            place = Path(folder) / "pictures" / f"class {i % 2}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{i}.png", compress_level=1)
        x, y = image_folder(Path(folder) / "pictures", size=32, cache=Path(folder) / "cache")
        model, array = net(32), x[:]
        options: dict[str, Any] = {"batch_size": 32, "val_split": 0, "verbose": 0}
        found = compare(lambda: model.train(x, y, **options), lambda: model.train(array, y, **options), effort)
    return Row.of("data", f"an epoch on a cached folder of {count} pictures", "an array", n, "ms", 1e3, found)


def ahead_row(count: int, n: int, rounds: int) -> Row:
    """What of the time that batches take to read is left when they are read ahead: each as long as it trains."""
    model = net(32, filters=16)
    rng = np.random.default_rng(0)
    data = Dataset(rng.integers(0, 255, (count * 64, 32, 32, 3), np.uint8), np.arange(count * 64) % 2).batch(64)

    def epoch(batches: Dataset) -> float:
        since = time.perf_counter()
        model.train(batches, val_split=0, shuffle=False, verbose=0)
        return time.perf_counter() - since

    def slow(x: Any, y: Any) -> Any:
        time.sleep(reading / count)
        return x, y

    epoch(data)
    pairs = []
    for _ in range(rounds):
        before = reading = epoch(data)
        ahead = epoch(data.map(slow).prefetch())
        pairs.append((max(ahead - (before + epoch(data)) / 2, 0.0), reading))
    name = f"reading that lasts as long as training, {count} batches: what reading ahead does not hide"
    return Row.of("data", name, "all of it", n, "ms", 1e3, summarize(pairs))


def anonymous() -> int:
    """Bytes of the process that are not pages of a file, which the system takes back when it needs them."""
    line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Train on the memory map that the argument names, and print the peak of the process's own memory."""
    numbers = np.memmap(sys.argv[1], np.float32, "r")
    count = len(numbers) // (SIDE * SIDE * 3)
    x = numbers[: count * SIDE * SIDE * 3].reshape(count, SIDE, SIDE, 3)
    peak, done = [anonymous()], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    net(SIDE, filters=2).train(x, np.arange(len(x)) % 2, batch_size=32, verbose=0)
    done.set()
    watcher.join()
    print(peak[0])


GROUP = Group("Data that is not an array in memory", rows=rows)

if __name__ == "__main__":
    main()
