"""Sums, products, extremes and norms over axes."""

from __future__ import annotations

import numpy as np

from tensorgrad.functional.of_method import of_method
from tensorgrad.tensor import Tensor

__all__ = [
    "all", "any", "argmax", "argmin", "cumsum", "logsumexp", "max", "mean", "min", "norm", "prod", "sort", "std",
    "sum", "var",
]  # fmt: skip

sum = of_method(Tensor.sum, np.sum)
mean = of_method(Tensor.mean, np.mean)
var = of_method(Tensor.var, np.var, correction="ddof")
std = of_method(Tensor.std, np.std, correction="ddof")
max = of_method(Tensor.max, np.max, np.amax)
min = of_method(Tensor.min, np.min, np.amin)
prod = of_method(Tensor.prod, np.prod)
cumsum = of_method(Tensor.cumsum, np.cumsum)
logsumexp = of_method(Tensor.logsumexp)
norm = of_method(Tensor.norm)
sort = of_method(Tensor.sort, np.sort)
argmax = of_method(Tensor.argmax, np.argmax)
argmin = of_method(Tensor.argmin, np.argmin)
any = of_method(Tensor.any, np.any)
all = of_method(Tensor.all, np.all)
