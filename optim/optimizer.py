"""What all optimizers share: which parameters, which hyperparameters, and a state that can be saved.

An optimizer is a subclass of :class:`Optimizer` with one formula, its :meth:`~Optimizer.update`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, ClassVar

import numpy as np

from tensorgrad.attributes import Closed, Foreign, is_ours
from tensorgrad.checks import brief, one_of
from tensorgrad.optim.arguments import count, number
from tensorgrad.optim.flat import BLOCK, Flat, computed_in
from tensorgrad.optim.groups import Params, from_state, grouped
from tensorgrad.optim.setting import Setting
from tensorgrad.tensor import Array, Tensor
from tensorgrad.vocabulary import check_new

OPTIMIZERS: dict[str, type[Any]] = {}  # by name; a class joins it when it is defined


class Optimizer(Closed):
    """Changes parameters by their gradients. A subclass names itself and its slots, and writes :meth:`update`.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize: leaves of a floating dtype that require gradients, each once. Or groups, each a dict with
        its ``"params"`` and whatever is different for them: a ``"name"``, a ``"lr"``, or any other setting.
    lr : float
        The learning rate, at least 0. It may be set anew at any time: ``optimizer.lr = 0.001``. The rate of a group
        then changes in proportion.
    weight_decay : float
        Shrinks the weights a little in every step, at least 0. Added to the gradient as ``weight_decay * w``, which
        is the gradient of ``weight_decay / 2 * sum(w**2)``.
    settings : float or bool
        The others that the class declares. All are attributes, checked whenever they are set, and part of the state.

    Attributes
    ----------
    params : list of Tensor
        What is optimized.
    groups : list of Group
        The same in groups: a single one, unless `params` were dicts.
    steps : int
        How often :meth:`step` was called.

    Raises
    ------
    TypeError, ValueError
        If a parameter cannot be optimized, or a number makes no sense.

    Notes
    -----
    A parameter whose ``grad`` is None is left alone, with its slots, and the step does not count for it.

    Slots have their parameter's dtype, and steps are computed in it; for parameters of float16 it is float32. A step
    makes no arrays: it works in place on flat ones that are kept (:mod:`tensorgrad.optim.flat`).

    Examples
    --------
    An optimizer of one's own, which looks at nothing but the gradient's sign. Once the class is defined, models can
    be compiled with ``opt="sign"``, and files can hold it:

    >>> from tensorgrad.optim.arguments import share
    >>> class SignDescent(Optimizer):
    ...     name = "sign"
    ...     slots = ("mean",)
    ...     beta = Setting(share)
    ...
    ...     def __init__(self, params, lr=0.01, beta=0.5):
    ...         super().__init__(params, lr, beta=beta)
    ...
    ...     def update(self, g, slots, scratch, t):
    ...         (mean,) = slots
    ...         mean *= self.beta
    ...         mean += g
    ...         np.sign(mean, out=g)
    ...         g *= self.lr
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SignDescent([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.75, -1.75], dtype=float32)

    A tenth of the learning rate, and no weight decay, for some of the parameters:

    >>> from tensorgrad.optim import Adam
    >>> b = Tensor([0.0], requires_grad=True)
    >>> Adam([{"params": [w]}, {"params": [b], "name": "biases", "lr": 0.001}], lr=0.01, weight_decay=0.1).groups[1]
    Group('biases', 1 parameters, factor=0.1)

    """

    name: ClassVar[str] = ""  # a class that sets it can be found by it
    slots: ClassVar[tuple[str, ...]] = ()  # arrays that start at zero, of each parameter's shape
    decoupled: ClassVar[bool] = False  # take the weight decay off the weights, instead of adding it to the gradient

    fixed: ClassVar[Mapping[str, str]] = {"params": "make a new optimizer over them"}

    lr = Setting(number)
    weight_decay = Setting(number)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" in vars(cls):
            if not is_ours(cls):  # ours are in the table of words, which an import need not wait for
                check_new(cls.name, "opt", cls.__name__)
            known = OPTIMIZERS.get(cls.name)
            same = known is not None and (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__)
            if known is not None and not same:  # a notebook's cell that is run again defines the same class again
                raise ValueError(
                    f"{cls.__name__}: the name {cls.name!r} is taken by {known.__module__}.{known.__qualname__}; "
                    "give the class another one"
                )
            OPTIMIZERS[cls.name] = cls

    learning_rate = Foreign("set its lr")

    def __init__(self, params: Params, lr: float, weight_decay: float = 0.0, **settings: float | bool) -> None:
        where = type(self).__name__
        declared = self.settings()
        self.values: dict[str, Any] = {}  # each setting's value, by its name
        for key, value in {"lr": lr, "weight_decay": weight_decay, **settings}.items():
            one_of(key, declared, where, "setting")
            setattr(self, key, value)
        self.steps = 0
        self.params, self.groups = grouped(params, where, declared, self.lr, len(self.slots))

    @classmethod
    def settings(cls) -> dict[str, Setting[Any]]:
        """What can be set, by name: the class's own declarations and those that it inherits."""
        classes = reversed(cls.__mro__)
        return {key: value for kind in classes for key, value in vars(kind).items() if isinstance(value, Setting)}

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

    def step(self) -> None:
        """Update every parameter that has a gradient, in place."""
        self._check_gradients()
        self.steps += 1
        common = self.values
        try:
            for group in self.groups:
                self.values = group.merged(common)
                for flat in group.flats:
                    for start, stop, t in flat.gather(weights=self.weight_decay > 0):
                        for first in range(start, stop, BLOCK):
                            self._update(flat, slice(first, min(first + BLOCK, stop)), t)
                    flat.scatter()
        finally:
            self.values = common

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
        """Set every gradient to None."""
        for p in self.params:
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Everything except the parameters that exact resumption needs, as plain Python values and copies of arrays.

        Returns
        -------
        dict
            ``name`` and the settings; ``step``, the number of steps; ``updates``, how many of them changed each
            parameter; ``slots``, by name a list of arrays, one per parameter. If there are groups, ``groups``, each
            with the number of its parameters and its own settings.

        """
        state: dict[str, Any] = {
            "name": self.name,
            **self.values,
            "step": self.steps,
            "updates": [flat.updates[i] for flat, i in self._places()],
            "slots": {
                name: [flat.slot(k, i).copy() for flat, i in self._places()] for k, name in enumerate(self.slots)
            },
        }
        if any(group.differs for group in self.groups):
            state["groups"] = [group.state() for group in self.groups]
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`: same steps, same bits, same groups.

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
        declared = self.settings()
        optional = {"groups"} & set(state)
        self._check_keys(where, state, {"name", "step", "updates", "slots", *declared, *optional})
        settings = {key: setting.check(state[key], where, key) for key, setting in declared.items()}
        steps = count(state["step"], where, "step")
        self._check_length(where, "updates", state["updates"])
        updates = [count(n, where, "updates") for n in state["updates"]]
        self._check_slots(where, state["slots"])
        groups = from_state(state.get("groups"), where, self.params, declared, len(self.slots))
        self.values, self.steps, self.groups = settings, steps, groups
        for j, (flat, i) in enumerate(self._places()):
            flat.updates[i] = updates[j]
            for k, name in enumerate(self.slots):
                flat.slot(k, i)[...] = state["slots"][name][j]

    def __repr__(self) -> str:
        listed = ", ".join(f"{key}={value}" for key, value in self.values.items())
        return f"{type(self).__name__}({len(self.params)} parameters, {listed})"

    # -- checks --------------------------------------------------------------------------------------------

    def _places(self) -> list[tuple[Flat, int]]:
        """The Flat of each parameter and its position there, in the order of `params`."""
        places = {id(p): (flat, i) for group in self.groups for flat in group.flats for i, p in enumerate(flat.params)}
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

    def _check_slots(self, where: str, slots: Any) -> None:
        if not isinstance(slots, Mapping):
            raise TypeError(f"{where}: slots must be a dict of lists of arrays, received {brief(slots)}")
        self._check_keys(where, slots, set(self.slots), "slot ")
        for name in self.slots:
            self._check_length(where, f"slot {name!r}", slots[name])
            for i, (p, values) in enumerate(zip(self.params, slots[name], strict=True)):
                shape, dtype = np.shape(values), getattr(values, "dtype", type(values).__name__)
                expected = computed_in(p.dtype)
                if shape != p.shape or dtype != expected:
                    raise ValueError(
                        f"{where}: slot {name!r} of parameter {i} must be {expected} of shape {p.shape}, "
                        f"received {dtype} of shape {shape}; load the state of a model with the same layers"
                    )

    def _check_length(self, where: str, what: str, values: Any) -> None:
        if not isinstance(values, Sized) or len(values) != len(self.params):
            received = len(values) if isinstance(values, Sized) else repr(values)
            raise ValueError(
                f"{where}: {what} must have {len(self.params)} entries, one per parameter, received {received}"
            )


def by_name(name: str, params: Params, lr: float | None = None, mr: float | None = None) -> Optimizer:
    """Make an optimizer by its name: "sgd", "iterative", "momentum", "rmsprop", "adagrad", "adam", "adamax", ...

    Parameters
    ----------
    name : str
        A key of ``OPTIMIZERS``.
    params : iterable of Tensor, or of dict
        What to optimize.
    lr : float, optional
        The learning rate. Default: the optimizer's own.
    mr : float, optional
        The momentum rate. Default: the optimizer's own. Ignored by those that have none.

    Raises
    ------
    ValueError
        If there is no optimizer of this name; the message lists those that there are.

    """
    one_of(name, OPTIMIZERS, "optim", "optimizer")
    kind = OPTIMIZERS[name]
    rates = {"lr": lr, "mr": mr if "mr" in kind.settings() else None}
    made: Optimizer = kind(params, **{key: rate for key, rate in rates.items() if rate is not None})
    return made
