"""What all optimizers share: which parameters, which hyperparameters, and a state that can be saved.

An optimizer is a subclass of :class:`Optimizer` with one formula, its :meth:`~Optimizer.update`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, ClassVar

import numpy as np

from tensorgrad.optim.arguments import count, hyperparameter, number, parameters
from tensorgrad.optim.flat import BLOCK, Flat
from tensorgrad.tensor import Array, Tensor


class Optimizer:
    """Changes parameters by their gradients. A subclass names itself and its slots, and writes :meth:`update`.

    Parameters
    ----------
    params : iterable of Tensor
        What to optimize: leaves of a floating dtype that require gradients, each once.
    lr : float
        The learning rate, at least 0. It may be set anew at any time: ``optimizer.lr = 0.001``.
    weight_decay : float
        Shrinks the weights a little in every step, at least 0. Added to the gradient as ``weight_decay * w``, which
        is the gradient of ``weight_decay / 2 * sum(w**2)``.
    hyperparameters : float or bool
        The others; they become attributes, and part of the state.

    Attributes
    ----------
    params : list of Tensor
        What is optimized.
    steps : int
        How often :meth:`step` was called.

    Raises
    ------
    TypeError, ValueError
        If a parameter cannot be optimized, or a number makes no sense.

    Notes
    -----
    A parameter whose ``grad`` is None is left alone, with its slots, and the step does not count for it.

    Slots have their parameter's dtype. A step makes no arrays: it works in place on flat ones that are kept
    (:mod:`tensorgrad.optim.flat`).

    Examples
    --------
    An optimizer of one's own, which looks at nothing but the gradient's sign:

    >>> class SignDescent(Optimizer):
    ...     name = "sign"
    ...
    ...     def update(self, g, slots, scratch, t):
    ...         np.sign(g, out=g)
    ...         g *= self.lr
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SignDescent([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.75, -1.75], dtype=float32)

    """

    name: ClassVar[str] = "optimizer"
    slots: ClassVar[tuple[str, ...]] = ()  # arrays that start at zero, of each parameter's shape
    decoupled: ClassVar[bool] = False  # take the weight decay off the weights, instead of adding it to the gradient

    weight_decay: float

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.0, **hyperparameters: float | bool
    ) -> None:
        self.params = parameters(params, type(self).__name__)
        self.lr = lr
        self.steps = 0
        hyperparameters["weight_decay"] = weight_decay
        self._hyperparameters = tuple(hyperparameters)
        for key, value in hyperparameters.items():
            setattr(self, key, hyperparameter(value, type(self).__name__, key))
        dtypes = dict.fromkeys(p.dtype for p in self.params)
        self._flats = [Flat([p for p in self.params if p.dtype == dtype], len(self.slots)) for dtype in dtypes]

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """Turn the gradient, in place, into the step that is subtracted from the weights.

        All arrays are one-dimensional, of the same length and dtype: a stretch of all the parameters laid end to end.

        Parameters
        ----------
        g : array
            The gradient, on return the step.
        slots : sequence of array
            The slots, in the order of the class's ``slots``; to be updated in place.
        scratch : array
            For intermediate values; its contents do not matter.
        t : int
            The number of this update, from 1.

        """
        raise NotImplementedError(f"{type(self).__name__}: an optimizer must define update(g, slots, scratch, t)")

    @property
    def lr(self) -> float:
        """The learning rate."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = number(value, type(self).__name__, "lr")

    def step(self) -> None:
        """Update every parameter that has a gradient, in place."""
        self._check_gradients()
        self.steps += 1
        for flat in self._flats:
            for start, stop, t in flat.gather(weights=self.weight_decay > 0):
                for first in range(start, stop, BLOCK):
                    self._update(flat, slice(first, min(first + BLOCK, stop)), t)
            flat.scatter()

    def _update(self, flat: Flat, block: slice, t: int) -> None:
        """One block of the flat arrays: the weight decay and the subclass's own formula."""
        g = flat.gradient[block]
        scratch = flat.scratch[: g.size]
        if flat.weights is not None and not self.decoupled:
            g += np.multiply(flat.weights[block], self.weight_decay, out=scratch)
        self.update(g, [slot[block] for slot in flat.slots], scratch, t)
        if flat.weights is not None and self.decoupled:
            g += np.multiply(flat.weights[block], self.lr * self.weight_decay, out=scratch)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.params:
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Everything that going on exactly needs beside the parameters, in plain Python and copies of arrays.

        Returns
        -------
        dict
            ``name``, ``lr`` and the hyperparameters; ``step``, the number of steps; ``updates``, how many of them
            changed each parameter; ``slots``, by name a list of arrays, one per parameter.

        """
        return {
            "name": self.name,
            "lr": self.lr,
            **{key: getattr(self, key) for key in self._hyperparameters},
            "step": self.steps,
            "updates": [flat.updates[i] for flat, i in self._places()],
            "slots": {
                name: [flat.slot(k, i).copy() for flat, i in self._places()] for k, name in enumerate(self.slots)
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`: same steps, same bits.

        Raises
        ------
        ValueError, TypeError
            If the state is of another optimizer or of other parameters. Nothing has changed then.

        """
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, Mapping):
            raise TypeError(f"{where}: expected a dict as state_dict() returns it, received {type(state).__name__}")
        if state.get("name", self.name) != self.name:
            raise ValueError(f"{where}: the state is of {state['name']!r}, this optimizer is {self.name!r}")
        self._check_keys(where, state, {"name", "lr", "step", "updates", "slots", *self._hyperparameters})
        lr = number(state["lr"], where, "lr")
        hyperparameters = {key: hyperparameter(state[key], where, key) for key in self._hyperparameters}
        steps = count(state["step"], where, "step")
        self._check_length(where, "updates", state["updates"])
        updates = [count(n, where, "updates") for n in state["updates"]]
        if not isinstance(state["slots"], Mapping):
            raise TypeError(f"{where}: slots must be a dict of lists of arrays, received {state['slots']!r}")
        self._check_keys(where, state["slots"], set(self.slots), "slot ")
        for name in self.slots:
            self._check_length(where, f"slot {name!r}", state["slots"][name])
            for i, (p, values) in enumerate(zip(self.params, state["slots"][name], strict=True)):
                shape, dtype = np.shape(values), getattr(values, "dtype", type(values).__name__)
                if shape != p.shape or dtype != p.dtype:
                    raise ValueError(
                        f"{where}: slot {name!r} of parameter {i} must be {p.dtype} of shape {p.shape}, "
                        f"received {dtype} of shape {shape}; load the state of a model with the same layers"
                    )
        self.lr, self.steps = lr, steps
        for key, value in hyperparameters.items():
            setattr(self, key, value)
        for j, (flat, i) in enumerate(self._places()):
            flat.updates[i] = updates[j]
            for k, name in enumerate(self.slots):
                flat.slot(k, i)[...] = state["slots"][name][j]

    def __repr__(self) -> str:
        numbers = {"lr": self.lr, **{key: getattr(self, key) for key in self._hyperparameters}}
        listed = ", ".join(f"{key}={value}" for key, value in numbers.items())
        return f"{type(self).__name__}({len(self.params)} parameters, {listed})"

    # -- checks --------------------------------------------------------------------------------------------

    def _places(self) -> list[tuple[Flat, int]]:
        """Where each parameter is, in the order of `params`: in which Flat, at which position."""
        places = {id(p): (flat, i) for flat in self._flats for i, p in enumerate(flat.params)}
        return [places[id(p)] for p in self.params]

    def _check_gradients(self) -> None:
        for i, p in enumerate(self.params):
            g = p.grad
            if g is None:
                continue
            if not isinstance(g, Tensor) or g.array.shape != p.array.shape or g.array.dtype != p.array.dtype:
                received = f"{g.dtype} of shape {g.shape}" if isinstance(g, Tensor) else f"a {type(g).__name__}"
                raise ValueError(
                    f"{type(self).__name__}: the gradient of parameter {i} must be a Tensor of {p.dtype} of shape "
                    f"{p.shape}, received {received}; let backward() compute it"
                )

    def _check_keys(self, where: str, given: Iterable[str], wanted: set[str], kind: str = "") -> None:
        missing, unexpected = sorted(wanted - set(given)), sorted(map(str, set(given) - wanted))
        if missing or unexpected:
            raise ValueError(
                f"{where}: the state does not fit: missing {kind}{missing}, unexpected {kind}{unexpected}; "
                f"load what state_dict() of {self.name!r} returned"
            )

    def _check_length(self, where: str, what: str, values: Any) -> None:
        if not isinstance(values, Sized) or len(values) != len(self.params):
            received = len(values) if isinstance(values, Sized) else repr(values)
            raise ValueError(
                f"{where}: {what} must have {len(self.params)} entries, one per parameter, received {received}"
            )
