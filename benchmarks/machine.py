"""On what it was measured."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np

from tensorgrad.kernels import blas


def describe() -> dict[str, str]:
    """Machine, versions and date."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    loaded = blas.library()
    versions = ", ".join(
        f"{title} {importlib.metadata.version(name)}"
        for title, name in (("NumPy", "numpy"), ("SciPy", "scipy"), ("PyTorch", "torch"), ("MyGrad", "mygrad"))
    )
    return {
        "Machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "Versions": f"tensorgrad {importlib.metadata.version('tensorgrad-cnn')}, {versions}, "
        f"{built['name']} {built['version']}{f' (kernels for {loaded.core})' if loaded else ''}, "
        f"Python {platform.python_version()}",
        "Date": datetime.date.today().isoformat(),
    }


def _processor() -> str:
    """The processor's name, as the system has it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
