"""A step of the tutorial's experiments 2 and 4 on one core, and four ways to use them all, by turns in one run.

python -m benchmarks.ranks      on free-threaded CPython, too: it needs no PyTorch
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from benchmarks.apart import Apart
from examples import experiments
from tensorgrad.data import mnist, one_hot, standardize
from tensorgrad.kernels.threads import get_num_threads, limited
from tensorgrad.parallel import ranks_as

WAYS: dict[str, tuple[bool, Callable[[int], AbstractContextManager[object]]]] = {  # with all ranks, in which context
    "one thread": (False, lambda cores: limited(1)),
    "kernels' threads": (False, limited),
    "ranks as threads": (True, lambda cores: ranks_as("threads")),
    "ranks as processes": (True, lambda cores: ranks_as("processes")),
}
SAMPLES = 1280


def milliseconds(number: int, batch: int, rounds: int) -> dict[str, float]:
    """A step's, of each way: the lower quartile of the rounds, in which each trains for an epoch.

    What disturbs a round makes it longer, never shorter.
    """
    cores = get_num_threads()
    train, _ = mnist()
    x, y = standardize(train.images[:SAMPLES]), one_hot(train.labels[:SAMPLES], 10)
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    with ExitStack() as stack:
        trainings = {
            way: stack.enter_context(
                Apart(experiments.build(number, 0), x, y, batch, cores if together else 1, inside(cores))
            )
            for way, (together, inside) in WAYS.items()
        }
        for training in trainings.values():
            training.epoch()
        for _ in range(rounds):
            for way, training in trainings.items():
                since = time.perf_counter()
                training.epoch()
                times[way].append(1e3 * (time.perf_counter() - since) / (SAMPLES // batch))
    return {way: statistics.quantiles(found, n=4)[0] for way, found in times.items()}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    lock = "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off"
    print(f"Python {sys.version.split()[0]}, its lock {lock}, {get_num_threads()} cores; milliseconds a step\n")
    print(f"| network, batch | {' | '.join(WAYS)} |\n| :-- |{' --: |' * len(WAYS)}")
    for number in (2, 4):
        for batch in (32, 256):
            found = milliseconds(number, batch, rounds)
            print(f"| experiment {number}, {batch} | {' | '.join(f'{found[way]:.2f}' for way in WAYS)} |", flush=True)


if __name__ == "__main__":
    main()
