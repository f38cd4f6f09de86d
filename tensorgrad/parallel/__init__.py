"""Training with several ranks, on one machine or on many: each takes its share of every batch.

:meth:`tensorgrad.CNN.train` is the way in: ``train(..., processes=2)``, or ``mpiexec -n 8 python train.py``.
"""

from tensorgrad.parallel.communicator import RankError
from tensorgrad.parallel.form import ranks_as
from tensorgrad.parallel.run import leads

__all__ = ["RankError", "leads", "ranks_as"]


def __dir__() -> list[str]:
    return sorted(__all__)
