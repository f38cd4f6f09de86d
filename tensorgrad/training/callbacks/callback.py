"""Callback: what to do at the turns of a training run. The hooks have Keras's names and arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, ClassVar, TypeAlias

from tensorgrad.attributes import Closed
from tensorgrad.checks import brief, check_function, one_of
from tensorgrad.signatures import parameters
from tensorgrad.training.trainee import Trainee

Logs: TypeAlias = Mapping[str, float]


class Callback(Closed):
    """Does nothing; subclass it and override the hooks you need. ``self.model`` is the model that is trained.

    Raises
    ------
    TypeError
        When a subclass is defined that has a method ``on_...`` of another name, which nobody would call, or one that
        takes other arguments.
    """

    model: Trainee
    comes_last: ClassVar[bool] = False  # its turn is after all others, wherever it stands among them

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in vars(cls):
            if name.startswith("on_") and name not in HOOKS:
                from difflib import get_close_matches  # here, as only this error needs it

                near = get_close_matches(name, HOOKS, 1, cutoff=0.8)
                hint = f"did you mean {near[0]}? It" if near else "it"
                raise TypeError(f"{cls.__name__}: nobody calls {name}; {hint} must be one of {', '.join(HOOKS)}")
            if name in HOOKS and isinstance(vars(cls)[name], FunctionType):
                check_function(vars(cls)[name], _arguments(name, "self"), f"{cls.__name__}: {name}")

    def check_run(self, figures: Sequence[str]) -> None:
        """Raise, before training begins, if it cannot work with an epoch's figures, whose names these are."""

    def on_train_begin(self, logs: Logs) -> None:
        """Before the first epoch; logs has "epochs", "first_epoch" and "batches"."""

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        """Before an epoch; logs is empty."""

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None:
        """Before a step; logs is empty. Calls :meth:`on_batch_begin`."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """After a step; logs has the epoch's "loss" and "accuracy" so far. Calls :meth:`on_batch_end`."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs) -> None:
        """Another name for :meth:`on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        """Another name for :meth:`on_train_batch_end`."""

    def on_test_begin(self, logs: Logs) -> None:
        """Before the validation of an epoch; logs is empty."""

    def on_test_batch_begin(self, batch: int, logs: Logs) -> None:
        """Before a block of the validation; logs is empty."""

    def on_test_batch_end(self, batch: int, logs: Logs) -> None:
        """After a block of the validation; logs is empty."""

    def on_test_end(self, logs: Logs) -> None:
        """After the validation; logs has its figures, as "loss" and "accuracy"."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch and its validation; logs has the epoch's figures, which the history holds too."""

    def on_train_end(self, logs: Logs) -> None:
        """After the last epoch, whatever ended the training: its end, another callback, Ctrl-C or an error."""


def callbacks_of(given: Any) -> tuple[Callback, ...]:
    """The callbacks that ``train`` is given, or an error if something else is among them."""
    if given is None:
        return ()
    if not isinstance(given, Iterable):
        raise TypeError(f"train: callbacks must be a list of Callback, received {brief(given)}; put it into one")
    callbacks = tuple(given)
    for callback in callbacks:
        if not isinstance(callback, Callback):
            remedy = f"; make an instance, {callback.__name__}(...)" if isinstance(callback, type) else ""
            raise TypeError(f"train: callbacks must be instances of Callback, received {brief(callback)}{remedy}")
    return callbacks


def _arguments(hook: str, *first: str) -> tuple[str, ...]:
    """What a hook is called with."""
    return (*first, *parameters(getattr(Callback, hook))[0][1:])


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """Calls a function at each of the given hooks.

    Parameters
    ----------
    **hooks : callable
        Under a hook's name, a function with the hook's arguments: ``on_epoch_end=lambda epoch, logs: ...``.
    """

    def __init__(self, **hooks: Callable[..., None]) -> None:
        for name, function in hooks.items():
            one_of(name, HOOKS, "LambdaCallback", "hook")
            check_function(function, _arguments(name), f"LambdaCallback: {name}")
            setattr(self, name, function)
