"""Several processes: what a step takes with n of them, here and as a model of it predicts; the model's constants.

Every figure is taken in processes of its own. The model is that of docs/scaling.md; what it says of clusters is printed
by ``python -m benchmarks.scaling clusters``.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import nets
from benchmarks.case import Group, Row
from benchmarks.nets import Net
from benchmarks.scaling_model import Compute, Link
from tensorgrad.callbacks import Callback
from tensorgrad.kernels.threads import get_num_threads, set_num_threads
from tensorgrad.parallel import leads, mpi
from tensorgrad.parallel.processes import Board, SharedMemory
from tensorgrad.parallel.step import room

NETS: dict[str, Net] = {
    "exp-2": nets.EXPERIMENTS[1],
    "exp-4": nets.EXPERIMENTS[3],
    "lenet": nets.LENET,
    "vgg": nets.VGG,
}
SIZES = 1_000, 1_000_000  # numbers of float32 in an exchange, to tell its latency from its bandwidth
STEPS, EPOCHS = 10, 5  # of a measurement
CLUSTERS = {  # seconds for a message, bytes per second: usual figures of such networks, not measured
    "1 Gbit/s": (50e-6, 0.12e9),
    "10 Gbit/s": (20e-6, 1.2e9),
    "InfiniBand": (2e-6, 12e9),
}


# -- one measurement in a process of its own -----------------------------------------------------------------------


class Clock(Callback):
    """Notes how long the steps of each epoch took, in the rank that leads."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        self.ends.append(time.perf_counter())

    def on_epoch_begin(self, epoch: int, logs: Any) -> None:
        self.ends: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        self.seconds.append(statistics.median(np.diff(self.ends).tolist()))


def step(name: str, batch: int, processes: int | None, threads: int) -> float:
    """Seconds of a step: the median of the epochs, of the median of their steps."""
    set_num_threads(threads)
    net, clock = NETS[name], Clock()
    x, labels = net.data(batch * (STEPS + 1))
    nets.ours(net).train(
        x, labels, epochs=EPOCHS, batch_size=batch, val_split=0, verbose=0, callbacks=[clock], processes=processes
    )
    return statistics.median(clock.seconds[1:]) if clock.seconds else math.nan


def exchanges(ranks: Any, repeats: int) -> dict[int, float]:
    """Seconds of an exchange, by its size."""
    found = {}
    for size in SIZES:
        values, times = np.ones(size, np.float32), []
        for _ in range(repeats if size == min(SIZES) else repeats // 10):
            since = time.perf_counter()
            ranks.sum(values)
            times.append(time.perf_counter() - since)
            values.fill(1)
        found[size] = statistics.median(times)
    return found


def _exchanges_here(board: Board, rank: int) -> dict[int, float]:
    ranks = SharedMemory(board, rank, lambda: None)
    try:
        return exchanges(ranks, 2000)
    finally:
        ranks.close()


def asked(arguments: Sequence[str]) -> Any:
    """What one process measures."""
    what, *rest = arguments
    if what == "step":
        name, batch, processes, threads = rest
        return step(name, int(batch), None if processes == "mpi" else int(processes), int(threads))
    if rest:  # by MPI
        return exchanges(mpi.communicator(), 2000)
    context = multiprocessing.get_context()
    board = Board(context, 2, 4 * max(SIZES))
    other = context.Process(target=_exchanges_here, args=(board, 1), daemon=True)
    other.start()
    found = _exchanges_here(board, 0)
    other.join()
    return found


# -- all of them -----------------------------------------------------------------------------------------------------


def measured(*arguments: Any, ranks: int = 1, copies: int = 1) -> Any:
    """What a new process measures; the worst of several at once; with `ranks`, MPI starts it."""
    command = [sys.executable, "-m", "benchmarks.scaling", *map(str, arguments)]
    if ranks > 1:
        command = [str(launcher()), "-n", str(ranks), *command]
    jobs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(copies)]
    found = [json.loads(job.communicate()[0].splitlines()[-1]) for job in jobs]
    return found[0] if copies == 1 else max(found)


def launcher() -> str | None:
    """The program that starts MPI's processes, if there is one."""
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    return beside or shutil.which("mpiexec")


def rows(quick: bool, threads: Sequence[int]) -> Iterator[Row]:
    """The constants; for some networks, steps with several processes against what the model predicts."""

    def row(name: str, peer: str, unit: str, ours: float, theirs: float) -> Row:
        ratio = ours / theirs if theirs else math.nan
        return Row("scaling", name, peer, 0, unit, ours, theirs, ratio, ratio, ratio, 1, 0.0)

    links = {"processes": Link.fitted(measured("exchange"))}
    if launcher() is not None:
        links["ranks of MPI"] = Link.fitted(measured("exchange", "mpi", ranks=2))
    for form, found in links.items():
        microseconds = 1e6 * found.exchange(2, 40_000)
        yield row(f"2 {form}: an exchange of 40 kB", "latency alone", "us", microseconds, 1e6 * found.latency)
    cores = min(get_num_threads(), 2) if quick else get_num_threads()
    for name in list(NETS)[: 1 if quick else 2]:
        for batch in (256,) if quick else (32, 256):
            title = f"{NETS[name].name}, batch {batch}"
            alone = {n: float(measured("step", name, n, 1, 1)) for n in (batch, batch // 2, batch // 4)}
            compute = Compute.fitted(alone)
            both = float(measured("step", name, batch // 2, 1, 1, copies=cores))
            crowd = both / alone[batch // 2]  # how much slower a core is while the others work, too
            yield row(
                f"{title}: {cores} runs at once, each on half", "one run", "ms", 1e3 * both, 1e3 * alone[batch // 2]
            )
            for ranks in (2,) if quick else (2, 3, 4):
                for form, found in links.items():
                    mine = ("step", name, batch, "mpi" if form != "processes" else ranks, 1)
                    seconds = float(measured(*mine, ranks=ranks if form != "processes" else 1))
                    size = room(nets.ours(NETS[name]))
                    expected = crowd * max(1.0, ranks / cores) * compute.seconds(batch / ranks)
                    expected += found.exchange(ranks, size) * max(1.0, ranks / cores)
                    yield row(f"{title}, {ranks} {form}", "the model", "ms", 1e3 * seconds, 1e3 * expected)
                    if ranks == 2:
                        yield row(f"{title}, 2 {form}", "one process", "ms", 1e3 * seconds, 1e3 * alone[batch])


def clusters() -> str:
    """A table: the share of the time that ranks compute, each with 32 samples of a batch, on networks of clusters."""
    lines = [
        "| network | parameters | a step of 32 | link | 8 ranks | 64 | 512 |",
        "| :-- | --: | --: | :-- | --: | --: | --: |",
    ]
    for name, net in NETS.items():
        model = nets.ours(net)
        size = room(model)
        alone = float(measured("step", name, 32, 1, 1))
        for title, constants in CLUSTERS.items():
            shares = [alone / (alone + Link(*constants).exchange(ranks, size)) for ranks in (8, 64, 512)]
            cells = [net.name, f"{sum(p.size for p in model.parameters()):,}", f"{1e3 * alone:.1f} ms", title]
            lines.append(f"| {' | '.join([*cells, *(f'{share:.0%}' for share in shares)])} |")
    return "\n".join(lines)


def main() -> None:
    """Measure one thing in this process and print it, or all of ``clusters``."""
    if sys.argv[1:] == ["clusters"]:
        print(clusters())
        return
    found = asked(sys.argv[1:])
    if leads():
        print(json.dumps(found), flush=True)


GROUP = Group("Several processes: a step", rows=rows)

if __name__ == "__main__":
    main()
