"""The library's own generator: seeds, and processes that are forked."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import pytest

from tensorgrad import random

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked on Windows")


def draw(_: int = 0) -> float:
    return float(random.generator().random())


def drawn_by_workers(count: int = 3) -> list[float]:
    """What one forked process after the other draws first, and this one after that."""
    drawn = []
    for _ in range(count):
        with multiprocessing.get_context("fork").Pool(1) as pool:
            drawn.append(pool.apply(draw))
    return [*drawn, draw()]


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_processes_draw_numbers_of_their_own() -> None:
    assert len(set(drawn_by_workers() + drawn_by_workers())) == 8


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_seed_decides_what_forked_processes_draw() -> None:
    runs = []
    for seed in (5, 5, 6):
        random.seed(seed)
        runs.append(drawn_by_workers())
    assert runs[0] == runs[1]
    assert len({*runs[0], *runs[2]}) == 8
    assert runs[0][-1] == np.random.default_rng(5).random()  # the parent's own numbers are the seed's, as ever


@forks
def test_grandchildren_too() -> None:
    random.seed(5)
    readers = []
    for _ in range(2):
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            if (grandchild := os.fork()) == 0:
                os.write(writing, repr(draw()).encode())
                os._exit(0)
            os.waitpid(grandchild, 0)
            os.write(writing, f",{draw()!r},".encode())
            os._exit(0)
        os.waitpid(child, 0)  # and not for a process of another test
        readers.append(os.read(reading, 1000).decode())
        os.close(reading)
        os.close(writing)
    found = [number for text in readers for number in text.split(",") if number]
    assert len(set(found)) == 4
