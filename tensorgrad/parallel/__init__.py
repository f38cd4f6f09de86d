"""Training with several processes, on one machine or on many: each takes its share of every batch.

:meth:`tensorgrad.CNN.train` is the way in: ``train(..., processes=2)``.
"""

from tensorgrad.parallel.communicator import RankError

__all__ = ["RankError"]


def __dir__() -> list[str]:
    return sorted(__all__)
