"""How long an import takes in a fresh process, and how much is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.case import Group, Row
from benchmarks.timing import summarize

MODULES = {"ours": "tensorgrad", "NumPy": "numpy", "PyTorch": "torch", "MyGrad": "mygrad"}
DISTRIBUTIONS = {"ours": "tensorgrad-cnn", "PyTorch": "torch", "MyGrad": "mygrad"}
SHARED = {"numpy", "scipy"}  # what a reader of this page has anyway


def rows(quick: bool, threads: Sequence[int]) -> Iterator[Row]:
    """Import times, by turns; and sizes."""
    rounds = 1 if quick else 15
    times: dict[str, list[float]] = {name: [] for name in MODULES}
    for turn in range(-1, rounds):
        for name, module in MODULES.items():
            seconds = import_seconds(module)
            if turn >= 0:  # the first one reads from disk
                times[name].append(seconds)
    for peer in ("NumPy", "PyTorch", "MyGrad"):
        found = summarize(list(zip(times["ours"], times[peer], strict=True)))
        yield Row.of("startup", "import", peer, 0, "ms", 1e3, found)
    base, own = (statistics.median(times[name]) for name in ("NumPy", "ours"))
    for peer in ("PyTorch", "MyGrad"):
        beyond = [max(seconds - base, 1e-3) for seconds in (own, statistics.median(times[peer]))]
        yield Row.of("startup", "import, beyond NumPy's", peer, 0, "ms", 1e3, summarize([(beyond[0], beyond[1])]))
    own = installed_bytes(DISTRIBUTIONS["ours"])
    for peer in ("PyTorch", "MyGrad"):
        found = summarize([(own, installed_bytes(DISTRIBUTIONS[peer]))])
        yield Row.of("startup", "installed, beyond NumPy and SciPy", peer, 0, "MB", 1e-6, found)


def import_seconds(module: str) -> float:
    """Seconds that an import takes, in a process of its own, from bytecode as pip leaves it."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return float(ran.stdout)


def installed_bytes(distribution: str) -> int:
    """Bytes of a distribution's files, and of those that it needs, without compiled Python."""
    return sum(_files(name) for name in _needed(distribution))


def _needed(distribution: str) -> set[str]:
    """The distribution and what it requires, without extras, NumPy and SciPy."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found or name in SHARED:
            continue
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # required on other systems only
            continue
        found.add(name)
        waiting += [re.split(r"[\s\[;<>=!~(]", need, maxsplit=1)[0] for need in requirements if "extra ==" not in need]
    return found


def _files(name: str) -> int:
    if name == DISTRIBUTIONS["ours"]:  # it may be installed as a link to the checkout: look at the package itself
        spec = importlib.util.find_spec("tensorgrad")
        folders = [Path(folder) for folder in (spec.submodule_search_locations or []) if spec] if spec else []
        paths = [path for folder in folders for path in [*folder.rglob("*"), *_linked(folder)]]
    else:
        paths = [Path(str(file.locate())) for file in importlib.metadata.files(name) or []]
    return sum(path.stat().st_size for path in paths if path.is_file() and path.suffix != ".pyc")


def _linked(folder: Path) -> Iterator[Path]:
    """The files behind links to folders, which rglob does not follow."""
    for link in folder.iterdir():
        if link.is_symlink() and link.is_dir():
            yield from link.resolve().rglob("*")


GROUP = Group("Import and size", rows=rows)
