"""Is the installed package whole? Run by itself, away from the checkout, in an environment that holds nothing else."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import tensorgrad
import tensorgrad.layers
import tensorgrad.optim

heavy = {"scipy", "matplotlib", "tqdm", "hypothesis"} & set(sys.modules)
where = Path(tensorgrad.__file__).parent
installed = {d.metadata["Name"].lower() for d in importlib.metadata.distributions()}
extra = installed - {"tensorgrad-cnn", "numpy", "scipy", "pip", "setuptools"}
if heavy:
    raise SystemExit(f"import tensorgrad pulls in {sorted(heavy)}")
if extra:
    raise SystemExit(f"the hard dependencies are numpy and scipy, but {sorted(extra)} came along")
if not (where / "py.typed").exists():
    raise SystemExit("py.typed is missing")
if not {"layers", "optim", "ops", "data"} <= {path.name for path in where.iterdir()}:
    raise SystemExit(f"{where} lacks a package")
if len(tensorgrad.data.mnist().train.images) != 10_000:
    raise SystemExit("the embedded MNIST is not whole")
print(f"tensorgrad-cnn {importlib.metadata.version('tensorgrad-cnn')} is whole, in {where.name}")
