"""Parameters laid end to end, so that a few passes over long arrays update all of them.

A small network has about ten small parameters, and each NumPy call costs about a microsecond, whatever its size. An
Adam step of LeNet-5 takes 155 us with one parameter after the other, and 100 us laid end to end (PyTorch: 380 us).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from tensorgrad import engine
from tensorgrad.tensor import Array, Tensor

# How many elements are updated at a time, so that they stay in the cache from one pass to the next. All of a small
# network is one block; with 5 million parameters, Adam's step takes 20 % less time than in one piece.
BLOCK = 131_072

Run = tuple[int, int, int]  # start and stop in the flat arrays, and the number of the update for these parameters


def computed_in(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of slots and steps: the parameters' own, but float32 for float16, in which an eps of 1e-8 is 0."""
    return np.promote_types(dtype, np.float32)


class Flat:
    """The parameters of one dtype, with their gradients and slots in flat arrays of all their elements.

    The parameters keep arrays of their own. No view of a flat array is kept, so that a copy (``copy.deepcopy``,
    pickle) is whole.
    """

    def __init__(self, params: Sequence[Tensor], slots: int) -> None:
        ends = list(accumulate(p.size for p in params))
        size, dtype = ends[-1], computed_in(params[0].dtype)
        self.params = list(params)
        self.spans = list(zip([0, *ends], ends, strict=False))
        self.updates = [0] * len(params)  # how often each was updated: fewer than the steps, if a gradient was missing
        self.gradient = np.empty(size, dtype)
        self.slots = [np.zeros(size, dtype) for _ in range(slots)]
        self.scratch = np.empty(min(size, BLOCK), dtype)
        self.weights: Array | None = None  # the parameters themselves, only if the update reads them

    def gather(self, weights: bool) -> list[Run]:
        """Copy the gradients, and the weights if asked to, into the flat arrays.

        Returns
        -------
        list of Run
            What to update: neighbours that have a gradient and were updated equally often. Nearly always a single run
            of everything.

        """
        if weights and self.weights is None:
            self.weights = np.empty_like(self.gradient)
        runs: list[Run] = []
        for i, (p, (start, stop)) in enumerate(zip(self.params, self.spans, strict=True)):
            if p.grad is None:
                continue
            self.gradient[start:stop] = p.grad.array.reshape(-1)
            if self.weights is not None:
                self.weights[start:stop] = p.array.reshape(-1)
            t = self.updates[i] = self.updates[i] + 1
            if runs and runs[-1][1:] == (start, t):
                runs[-1] = (runs[-1][0], stop, t)
            else:
                runs.append((start, stop, t))
        return runs

    def slot(self, number: int, position: int) -> Array:
        """One slot of the parameter at a position: a view, of its shape."""
        start, stop = self.spans[position]
        return self.slots[number][start:stop].reshape(self.params[position].shape)

    def scatter(self) -> None:
        """Subtract the steps, which have replaced the gradients, from the parameters that have a gradient."""
        for p, (start, stop) in zip(self.params, self.spans, strict=True):
            if p.grad is not None:
                array = p.array = np.asarray(p.array)
                array -= self.gradient[start:stop].reshape(array.shape)
                engine.wrote(p)
