"""Predictor: a network's predictions for batches of one size, prepared once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from tensorgrad.checks import numbers, positive
from tensorgrad.engine import no_grad
from tensorgrad.kernels import blas
from tensorgrad.kernels.images_last import LEAST, pays
from tensorgrad.kernels.threads import SHARE, cut, get_num_threads, over_batch
from tensorgrad.layers.chain import bind_chain
from tensorgrad.layers.layer import Layer, named_state, prepares_itself
from tensorgrad.tensor import Array, Tensor

__all__ = ["SLICE", "Plan", "Predicting", "Predictor", "Slices", "evenly"]


SLICE = 64  # samples in a slice, at most


class Predicting(Protocol):
    """What a predictor needs of a network."""

    layers: list[Layer]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the computation."""

    def check_samples(self, X: Any, owner: str) -> Any:
        """Return samples as rows; errors begin with `owner`."""


class Plan:
    """A network's layers, bound to memory for a batch of one size; ``out`` holds what they give for the samples."""

    def __init__(self, network: Predicting, samples: Array) -> None:
        self.layers = list(network.layers)
        self.dtype = network.dtype
        state = named_state((str(i), layer) for i, layer in enumerate(self.layers))
        self.parameters = [item for _, item in state if isinstance(item, Tensor)]
        self.dtypes = [parameter.array.dtype for parameter in self.parameters]
        self.parts = [part for layer in self.layers for part in layer.walk()]
        self.revision = sum(part.revision for part in self.parts)
        self.x = samples.astype(self.dtype)
        with no_grad(), blas.one_thread:
            self.out, self.steps = bind_chain(self.layers, self.x)

    def fits(self, layers: Sequence[Layer]) -> bool:
        """Whether the layers are those that it was made for, with the same settings, and compute in the same dtype."""
        return (
            self.layers == layers
            and [p.array.dtype for p in self.parameters] == self.dtypes
            and sum(part.revision for part in self.parts) == self.revision
        )

    def run(self, samples: Array) -> Array:
        """The outputs for a batch, in memory that the next call overwrites."""
        np.copyto(self.x, samples, casting="unsafe")
        for step in self.steps:
            step()
        return self.out


class Slices:
    """Large batches, slice by slice: each thread has plans for slices of two sizes, of one network at a time."""

    def __init__(self) -> None:
        self._own = threading.local()

    def release(self) -> None:
        """Forget the plans of all threads, and the memory that they keep."""
        self._own = threading.local()

    def run(self, network: Predicting, samples: Array, slices: Iterable[slice]) -> Array:
        """The outputs for slices of the samples, on all threads."""
        cuts = list(slices)

        def computed(some: slice) -> Array:
            return self._computed(network, samples[cuts[some.start]])

        return np.concatenate(over_batch(computed, len(cuts), 1, 2 * SHARE))

    def _computed(self, network: Predicting, samples: Array) -> Array:
        """The outputs for one slice."""
        plans: WeakKeyDictionary[Predicting, list[Plan]] = vars(self._own).setdefault("plans", WeakKeyDictionary())
        held = [plan for plan in plans.get(network, []) if plan.fits(network.layers)]
        for plan in held:
            if len(plan.x) == len(samples):
                return plan.run(samples).copy()
        plans.clear()  # so that memory is kept for one network only
        plan = Plan(network, samples)
        plans[network] = [plan, *held[:1]]
        return plan.out.copy()


def evenly(samples: int, most: int) -> list[slice]:
    """Slices of about equal length, at most `most`, of which each thread has one if that leaves enough for each."""
    shared = -(-samples // get_num_threads())
    return list(cut(0, samples, min(most, max(shared, LEAST))))


class Predictor:
    """Computes what :meth:`tensorgrad.CNN.predict` does, for batches of one size, with little beyond the arithmetic.

    Memory, views of it and the way in which each layer is computed depend on shapes alone, so they are made once. The
    weights are read at each call: what training, ``set_weights`` or ``load_weights`` change is seen. So is a layer that
    is added, a setting such as ``layer.activation``, or another dtype, at the cost of preparing again. The results
    equal those of ``predict`` to rounding, 1e-6 of the largest number in a layer.

    Any thread may call it; each has memory of its own, which is made at its first call.

    Parameters
    ----------
    network : Network
    batch_size : int

    Attributes
    ----------
    batch_size : int

    Examples
    --------
    >>> from tensorgrad import CNN
    >>> from tensorgrad.layers import FFL
    >>> model = CNN(seed=0)
    >>> model.add(FFL(input_shape=2, neurons=3, activation="softmax"))
    >>> p = model.predictor()
    >>> p([1.0, 2.0]).shape
    (1, 3)
    """

    def __init__(self, network: Predicting, batch_size: int = 1) -> None:
        self.batch_size = positive(batch_size, "predictor", "batch_size")
        network.check_samples(np.zeros((1, *network.input_shape), np.float32), "predictor")
        self._network = network
        self._shape = (self.batch_size, *network.input_shape)
        self._own = threading.local()
        self._slices = Slices()

    def __call__(self, X: npt.ArrayLike) -> Array:
        """The outputs for a batch.

        Parameters
        ----------
        X : array_like, shape=(batch_size, *input_shape), or input_shape where the batch has one sample

        Returns
        -------
        ndarray, shape=(batch_size, *output_shape)
            The caller's own. A tuple of arrays if the network was loaded from a file with several outputs.

        Raises
        ------
        ValueError, TypeError
            If X is of another shape, or holds no real numbers.
        """
        known = type(X) is np.ndarray and X.shape == self._shape and X.dtype.kind in "fiub"
        samples: Any = X if known else self._checked(X)
        with no_grad(), blas.one_thread:
            if self._goes_in_slices():
                out = self._slices.run(self._network, samples, evenly(self.batch_size, SLICE))
            else:
                out = self._plan().run(samples).copy()
        found: Array = self._network.layers[-1].separated(out)
        return found

    def _goes_in_slices(self) -> bool:
        """Whether the batch is large, and no layer might look at all of it at once."""
        return pays(self.batch_size // 2) and all(
            prepares_itself(part) for layer in self._network.layers for part in layer.walk()
        )

    def _plan(self) -> Plan:
        plan: Plan | None = getattr(self._own, "plan", None)
        if plan is None or not plan.fits(self._network.layers):
            plan = self._own.plan = Plan(self._network, np.zeros(self._shape, np.float32))
        return plan

    def _checked(self, X: npt.ArrayLike) -> Array:
        given = numbers(X, "predictor", "X")
        one = self.batch_size == 1 and np.shape(given) == self._shape[1:]
        rows = self._network.check_samples(np.asarray(given)[None] if one else given, "predictor")
        if len(rows) != self.batch_size:
            samples = f"{self.batch_size} sample{'s' * (self.batch_size > 1)}"
            raise ValueError(
                f"predictor: expected a batch of {samples}, received {len(rows)}; use predict, or make another with "
                f"predictor(batch_size={len(rows)})"
            )
        return np.asarray(rows[:])
