"""Training on ordinary processors: the same table, with both sides held at AVX2, in a process of its own.

Most processors have no AVX-512. One that has it is told here to do without, by the environment that NumPy's OpenBLAS
and PyTorch read when they are loaded. Where the processor's own kernels are those anyway, nothing is measured twice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from benchmarks import page
from benchmarks.case import Group, Row
from tensorgrad.kernels import blas

HELD = {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
AVX2_CORES = ("haswell", "zen")  # of OpenBLAS, which has the same kernels for both
PROGRAM = "import sys; from benchmarks.__main__ import main; main(sys.argv[1:])"


def coincides() -> bool:
    """Whether both sides use AVX2 here without being told to."""
    library = blas.library()
    known = library is None or library.core.lower() in AVX2_CORES
    return known and torch.backends.cpu.get_cpu_capability() in ("AVX2", "DEFAULT")


def rows(quick: bool, threads: Sequence[int]) -> Iterator[Row]:
    """The rows of training, held at AVX2; none where they would be those of training itself."""
    if coincides():
        print("\nThis processor's own kernels are those of AVX2: the table of training holds for it.", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        arguments = ["--only", "training", "--json", str(path), "--threads", *map(str, threads)]
        command = [sys.executable, "-c", PROGRAM, *arguments, *(["--quick"] if quick else [])]
        subprocess.run(command, env={**os.environ, **HELD}, check=True, stdout=subprocess.DEVNULL)
        yield from page.load(path).groups["training"]


GROUP = Group("Training, both sides held at AVX2", rows=rows)
