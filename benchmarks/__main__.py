"""Measure tensorgrad against PyTorch and MyGrad: times, memory, import, size.

python -m benchmarks                        everything: about half an hour on two cores
python -m benchmarks --quick                a minute, for a change under way: fewer samples, fewer rounds
python -m benchmarks --only training sweep  some of the tables
python -m benchmarks --write                everything, and put it into docs/performance.md
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import page, report
from benchmarks.case import Group, Row, measure
from benchmarks.timing import Effort

GROUPS = (
    "training",
    "ordinary",
    "prediction",
    "onnx",
    "operations",
    "sweep",
    "overhead",
    "peers",
    "memory",
    "reading",
    "data",
    "scaling",
    "startup",
)
FULL = Effort(rounds=5, most=41, seconds=2.0)
QUICK = Effort(rounds=3, most=7, seconds=0.1, block=0.005, trials=1)


def run(name: str, group: Group, quick: bool, threads: Sequence[int]) -> Iterator[Row]:
    """Measure a group, row by row."""
    if group.rows is not None:
        for row in group.rows(quick, threads):
            say(f"{name}: {row.name}")
            yield row
    for case in group.cases(quick) if group.cases is not None else ():
        case.check()
        for n in case.threads or threads:
            say(f"{name}: {case.name}, {n} thread{'s' * (n > 1)}")
            found = measure(case, n, QUICK if quick else FULL)
            yield Row.of(name, case.name, case.peer, n, group.unit, group.factor, found, case.processes)


def say(text: str) -> None:
    """Show what is being measured, on a line that is rewritten."""
    if sys.stderr.isatty():
        print(f"\r{text:78.78}", end="\r", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, print, and write what is to be written."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer samples and rounds")
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="GROUP", help=f"some of {', '.join(GROUPS)}")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N", help="by default 1 2")
    parser.add_argument("--json", type=Path, metavar="PATH", help="save the results there")
    parser.add_argument(
        "--load",
        type=Path,
        metavar="PATH",
        help="start from results that --json saved, and measure only what --only names, or nothing",
    )
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    args = parser.parse_args(argv)
    chosen = args.only or ([] if args.load else GROUPS)
    if args.write and not args.load and (args.quick or args.only):
        parser.error("--write documents a full run: leave out --quick and --only, or --load the rest")

    results = page.load(args.load) if args.load else page.Results.empty()
    started = time.perf_counter()
    for name in chosen:
        group: Group = importlib.import_module(f"benchmarks.{name}").GROUP
        since = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            rows = list(run(name, group, args.quick, args.threads))
        results.put(name, rows)
        say("")
        if rows:
            print(f"\n{group.title} ({time.perf_counter() - since:.0f} s)\n\n{report.aligned(report.table(rows))}\n")
            print(report.summary(rows), flush=True)
    if chosen:
        print(f"\nMeasured in {time.perf_counter() - started:.0f} s.")
    if args.json:
        page.save(results, args.json)
    if args.write:
        page.write(results)


def start() -> None:
    """Call main, in a new process if the environment holds NumPy, and NumPy alone, at kernels of another processor."""
    held = {name for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ}
    if not held:
        main()
        return
    print(f"Without {' and '.join(sorted(held))} of the environment, which would slow down one side only.", flush=True)
    environment = {name: value for name, value in os.environ.items() if name not in held}
    sys.exit(
        subprocess.run([sys.executable, "-m", "benchmarks", *sys.argv[1:]], env=environment, check=False).returncode
    )


if __name__ == "__main__":
    start()
