"""Compare two checkouts of tensorgrad: training and prediction of every network, by turns in two processes.

python -m benchmarks.versions PATH          this checkout against the one at PATH
python -m benchmarks.versions PATH --only "experiment 2" --threads 2

Both are measured by this checkout's benchmark. A pair of processes, one for each checkout, takes turns of a block of
calls each; who goes first alternates. Several pairs are started one after the other, since where memory comes to lie
differs from process to process by more than versions do. With one thread it is the processor time that is compared,
which other processes disturb the least. A ratio below 1 says that this checkout is the faster.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

HERE = Path(__file__).resolve().parents[1]
BLOCK = 0.05  # seconds of a turn, at least
CHILD = "import sys; sys.path.insert(0, sys.argv[1]); import tensorgrad; sys.path[0] = sys.argv[2]; "
CHILD += "from benchmarks.versions import serve; serve(int(sys.argv[3]))"


@dataclass(frozen=True)
class Found:
    """What was measured of a case: seconds per call of this checkout and of the other, round by round."""

    name: str
    pairs: list[tuple[float, float]]

    @property
    def ratios(self) -> list[float]:
        """Time of this checkout by time of the other, in each round."""
        return [a / b for a, b in self.pairs]

    def line(self) -> str:
        """Milliseconds of both sides, the median of the ratios, and their quartiles."""
        ours, theirs = (statistics.median(side) * 1e3 for side in zip(*self.pairs, strict=True))
        low, middle, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return f"{self.name:34} {ours:9.3f} {theirs:9.3f} {middle:7.3f}   {low:.2f} - {high:.2f}"


class Asked(Protocol):
    """What can be told to prepare a case, and to time its calls."""

    def ask(self, **request: Any) -> Any:
        """Send a request, and wait for its answer."""


class Side:
    """A process that has one checkout's library, and calls what it is told to."""

    def __init__(self, checkout: Path, threads: int) -> None:
        command = [sys.executable, "-c", CHILD, str(checkout), str(HERE), str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request: Any) -> Any:
        """Send a request, and wait for its answer."""
        process = self.process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process of a checkout ended with code {process.wait()}; its error is above")
        return json.loads(answer)

    def end(self) -> None:
        """Close its input, at which it ends."""
        self.process.communicate()


def serve(threads: int) -> None:
    """Answer requests from standard input: to prepare a case, and to time a block of its calls."""
    import tensorgrad
    from benchmarks import nets, training

    tensorgrad.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    every = {net.name: net for net in nets.EVERY}
    call: Callable[[], object] = list

    def prepared(name: str, kind: str, batch: int) -> Callable[[], object]:
        net = every[name]
        x, labels = net.data(max(batch, min(net.samples, 8 * batch)) if kind == "training" else batch)
        trainer = training.OurTrainer(net, x, labels)
        return (lambda: trainer.epochs(batch)) if kind == "training" else (lambda: trainer.model.predict(x))

    def timed(repeats: int) -> float:
        start = clock()
        for _ in range(repeats):
            call()
        return (clock() - start) / repeats

    for line in sys.stdin:
        request = json.loads(line)
        if "repeats" in request:
            answer: object = timed(request["repeats"])
        else:
            try:
                call = prepared(**request)
                answer = min(timed(1) for _ in range(3))
                gc.collect()
            except Exception as error:  # a version that does not have it yet
                answer = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)


def cases(only: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows: each network's training, and its predictions."""
    from benchmarks import nets

    for net in nets.EVERY:
        rows = [("training", 32), ("training", 128 if net.shape[2] == 3 else 256)]
        rows += [("prediction", 1), ("prediction", 64), ("prediction", 256)]
        for kind, batch in rows:
            name = f"{net.name}, {kind}, {batch}"
            if not only or any(part in name for part in only):
                yield name, {"name": net.name, "kind": kind, "batch": batch}


def measured(sides: Sequence[Asked], request: dict[str, Any], rounds: int) -> list[tuple[float, float]] | str:
    """Seconds per call of both sides, round by round; or why a side cannot do it."""
    first = [side.ask(**request) for side in sides]
    refused = next((answer for answer in first if isinstance(answer, str)), None)
    if refused is not None:
        return refused
    repeats = max(1, round(BLOCK / max(min(first), 1e-6)))
    pairs = []
    for i in range(rounds):
        order = (0, 1) if i % 2 == 0 else (1, 0)
        times = {side: sides[side].ask(repeats=repeats) for side in order}
        pairs.append((times[0], times[1]))
    return pairs


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, metavar="PATH", help="the other checkout")
    parser.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="rows whose name contains one of these")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--processes", type=int, default=3, metavar="N", help="pairs of processes, by default 3")
    parser.add_argument("--rounds", type=int, default=6, metavar="N", help="turns of each pair and row, by default 6")
    args = parser.parse_args(argv)
    other = args.other.resolve()
    if not (other / "tensorgrad" / "__init__.py").exists():
        parser.error(f"{other} is no checkout of tensorgrad: it has no tensorgrad/__init__.py")
    found: dict[str, list[tuple[float, float]]] = {}
    refused: dict[str, str] = {}
    for i in range(args.processes):
        checkouts = (HERE, other) if i % 2 == 0 else (other, HERE)
        started = {checkout: Side(checkout, args.threads) for checkout in checkouts}
        sides = [started[HERE], started[other]]
        for name, request in cases(args.only):
            if name not in refused:
                result = measured(sides, request, args.rounds)
                if isinstance(result, str):
                    refused[name] = result
                else:
                    found.setdefault(name, []).extend(result)
        for side in sides:
            side.end()
    print(f"{'':34} {'this, ms':>9} {'other, ms':>9} {'ratio':>7}   quartiles")
    for name, pairs in found.items():
        print(Found(name, pairs).line())
    ratios = [statistics.median(Found(name, pairs).ratios) for name, pairs in found.items()]
    if ratios:
        print(f"\nThis / other: geometric mean {statistics.geometric_mean(ratios):.3f}, highest {max(ratios):.3f}.")
    for name, why in refused.items():
        print(f"{name}: not measured, {why}")


if __name__ == "__main__":
    main()
