"""The sharded step: each rank takes its share of a batch, and all of them the same optimizer step.

The gradient of a batch's mean loss is ``sum(n_r * g_r) / sum(n_r)``, where rank r has ``n_r`` of the samples, whose own
mean loss has the gradient ``g_r``. So the shares may be of any sizes. One exchange a step adds up ``n_r * g_r``, and
beside it losses, sizes, the figures' sums, and two flags: that the epoch ends here, and that a callback of the leader
has changed a setting of the optimizer.

A layer that needs the whole batch, as synchronized batch normalization does, speaks with the same layer of the others
within the step. Therefore ranks first agree on whether there is a step, and one without a sample takes part with one
that counts for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, TypeVar

import numpy as np

from tensorgrad.kernels import threads
from tensorgrad.parallel.communicator import Communicator, RankError
from tensorgrad.recording import set_summing
from tensorgrad.rows import Share
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.ranks import Step, apply_gradients, forward
from tensorgrad.training.tally import Tally
from tensorgrad.training.trainee import Trainee

T = TypeVar("T")

HALT, CHANGED, LOSS, SIZE = range(4)  # where the numbers of the exchange stand, before those of parameters and figures


class Sharded:
    """A rank of several that train a model together (:class:`tensorgrad.training.ranks.Ranks`).

    Parameters
    ----------
    model : Trainee
    communicator : Communicator
    most : int
        How many threads this rank may use in a step.
    """

    def __init__(self, model: Trainee, communicator: Communicator, most: int) -> None:
        self.communicator, self.threads = communicator, most
        self.share = Share(communicator.rank, communicator.size)
        self.leads = communicator.rank == 0
        self.optimizer = model.optimizer
        self.params = model.optimizer.params
        by_dtype: dict[Any, list[Tensor]] = {}
        for p in self.params:
            by_dtype.setdefault(p.dtype, []).append(p)
        self.flats: list[Array] = []
        self.views: dict[int, Array] = {}  # of the flat arrays, by the id of the parameter
        for dtype, params in by_dtype.items():
            self.flats.append(np.zeros(sum(p.size for p in params), dtype))
            self.views.update(zip(map(id, params), _views(self.flats[-1], params), strict=True))
        self.within = _within(model)  # whether layers speak with those of the others
        self.numbers = np.zeros(0)
        self.begins = True  # with the next step, an epoch
        self.known = _settings(model)
        self.options = repr(_options(model))
        self.digest = digest(model)

    # -- a step ------------------------------------------------------------------------------------------------

    def step(self, model: Trainee, x: Array, y: Array, weights: Array | None, figures: Tally) -> Step | None:
        """Take one optimizer step on a batch, of which this is the share; None if someone has ended the epoch."""
        self.communicator.work(True)
        if self.begins:
            figures.begin(self.communicator.broadcast(y[:1]))
            self.begins = False
        if self.within and self.any(False):
            return None
        with threads.limited(self.threads):
            self._compute(model, x, y, weights, figures)
        self.numbers[CHANGED] = self.leads and self.known != _settings(model)
        found = self._exchange(model)
        if found is not None:
            figures.merge(self.numbers[SIZE + 1 + len(self.params) :])
        if self.leads:
            self.known = _settings(model)
            self.communicator.work(False)
        return found

    def _compute(self, model: Trainee, x: Array, y: Array, weights: Array | None, figures: Tally) -> None:
        """Put the sums over this rank's samples into place for the exchange."""
        loss, size, scores = 0.0, 0.0, y
        if len(x):  # the last batch may have fewer samples than there are ranks
            with set_summing(self.communicator):
                mean, scores = forward(model, x, y, weights)
                loss, size = float(mean.array), model.objective.size(y)
                mean.backward(np.asarray(size, mean.dtype))
        elif self.within:
            sample, target = (np.zeros((1, *rows.shape[1:]), rows.dtype) for rows in (x, y))
            with set_summing(_Silent(self.communicator)):
                forward(model, sample, target, None)[0].backward()
            self._forget_gradients()
        for p in self.params:
            self.views[id(p)][...] = 0 if p.grad is None else p.grad.array
        loss_sum = loss * size if np.isfinite(loss) else loss
        has_gradient = [p.grad is not None for p in self.params]
        self.numbers = np.concatenate([[0, 0, loss_sum, size], has_gradient, figures.sums(scores, y)])

    def _exchange(self, model: Trainee) -> Step | None:
        """Add up over all ranks, and take the step if the loss is finite."""
        self.communicator.sum(*self.flats, self.numbers)
        halt, changed, loss_sum, size = self.numbers[: SIZE + 1].tolist()
        if halt:
            self._forget_gradients()
            return None
        if changed:
            _set(model, self.communicator.broadcast(_settings(model)))
        found = Step(loss_sum / max(1.0, size), size)
        if not np.isfinite(found.loss):
            self._forget_gradients()
            return found
        for flat in self.flats:
            flat *= 1 / max(1.0, size)
        for p, count in zip(self.params, self.numbers[SIZE + 1 :].tolist(), strict=False):
            p.grad = Tensor.wrap(self.views[id(p)]) if count else None
        apply_gradients(model)
        return found

    def _forget_gradients(self) -> None:
        for p in self.params:
            p.grad = None

    def halt(self, more: bool) -> None:
        """End the epoch after the step that was taken last: the others, who are at the next one, leave that aside."""
        if more and self.within:
            self.any(True)
        elif more:
            self.numbers[:] = 0
            self.numbers[HALT] = 1
            self.communicator.sum(*self.flats, self.numbers)

    # -- an epoch ----------------------------------------------------------------------------------------------

    def follow(self, model: Trainee) -> None:
        """Let all have the leader's weights and settings, which callbacks may have changed, and random streams.

        Dropout of rank r draws from a stream that is seeded by the state of the leader's at the beginning of the epoch
        and by r, so that a run that is resumed goes on as it would have.
        """
        states = self._copy(model)
        self.begins = True
        if not self.leads:
            for stream, state in zip(_streams(model), states, strict=True):
                entropy = hashlib.blake2b(repr(state).encode(), digest_size=16).digest()
                seeds = np.random.SeedSequence([int.from_bytes(entropy, "little"), self.communicator.rank])
                stream.bit_generator.state = np.random.default_rng(seeds).bit_generator.state
            self.communicator.work(True)

    def finish(self, model: Trainee) -> None:
        """Let all have the leader's model, after the callbacks have seen the end of the training."""
        for stream, state in zip(_streams(model), self._copy(model), strict=True):
            stream.bit_generator.state = state

    def _copy(self, model: Trainee) -> list[Any]:
        """Let all have the leader's weights and settings; the states of its random streams."""
        if model.optimizer is not self.optimizer:
            raise RuntimeError(
                "train: a callback has given the model another optimizer, which cannot be while several ranks train "
                "it; do it between two calls of train"
            )
        options: list[Any] | None = _options(model)
        if repr(options) == self.options:
            options = None
        weights = model.state_dict() if self.leads and digest(model) != self.digest else None
        states = [stream.bit_generator.state for stream in _streams(model)]
        told = (weights, _settings(model), options, states, model.stop_training)
        weights, settings, options, states, stop = self.communicator.broadcast(told)
        if not self.leads:
            _set(model, settings)
            model.stop_training = stop
            if options is not None:
                _set_options(model, options)
            if weights is not None:
                model.load_state_dict(weights)
        self.known, self.options = _settings(model), repr(_options(model))
        self.within = _within(model)
        return states

    def end_epoch(self, model: Trainee) -> None:
        """Give all the mean of their running statistics, and raise unless they have the same weights then."""
        running = _running(model)
        if running:
            total = np.concatenate([item.reshape(-1) for item in running], dtype=np.float64)
            self.communicator.sum(total)
            for item, mean in zip(running, _views(total / self.share.size, running), strict=True):
                item[...] = mean
        self.digest = digest(model)
        for rank, other in enumerate(self.communicator.gather(self.digest)):
            if other != self.digest:
                raise RankError(
                    f"train: the weights of ranks {min(rank, self.share.rank)} and {max(rank, self.share.rank)} differ "
                    "after the epoch; a callback may change weights at the beginning and the end of an epoch, not "
                    "between its steps"
                )
        self.communicator.work(False)

    # -- between the steps -------------------------------------------------------------------------------------

    def any(self, flag: bool) -> bool:
        """Whether any rank says so."""
        total = np.array([float(flag)])
        self.communicator.sum(total)
        return bool(total[0])

    def first(self, text: str) -> str:
        """The first text of a rank that is not empty."""
        return next((found for found in self.communicator.gather(text) if found), "")

    def led(self, function: Callable[[], T]) -> T:
        """What the leader's function returned; if it raised, all raise."""
        found: T | None = None
        error: Exception | None = None
        if self.leads:
            try:
                found = function()
            except Exception as raised:
                error = raised
        said = error and f"{type(error).__name__}: {error}"
        found, said = self.communicator.broadcast((found, said))
        if error is not None:
            raise error
        if said is not None:
            raise RankError(f"train: rank 0 failed: {said}")
        return found  # type: ignore[return-value]


class _Silent:
    """A rank that takes part in sums, and adds nothing."""

    def __init__(self, communicator: Communicator) -> None:
        self.communicator = communicator

    def sum(self, *arrays: Array) -> None:
        """What the others have added up."""
        for array in arrays:
            array[...] = 0
        self.communicator.sum(*arrays)


def room(model: Trainee) -> int:
    """Bytes of the largest exchange: the gradients and numbers of a step, or the running statistics of an epoch.

    Synchronized batch normalization adds up as many numbers as it has running statistics, and their count.
    """
    params = model.optimizer.params
    numbers = SIZE + 1 + len(params) + 2 + 3 * prod(model.output_shape)
    step = sum(p.size * p.dtype.itemsize for p in params) + 8 * numbers + 64 * 8
    return max(step, 8 * (1 + sum(item.size for item in _running(model))))


def _within(model: Trainee) -> bool:
    return any(part.needs_whole_batch for layer in model.layers for part in layer.walk())


def _running(model: Trainee) -> list[Array]:
    """The running statistics, which are no tensors."""
    return [item for _, item in model.named_state() if isinstance(item, np.ndarray) and item.dtype.kind == "f"]


def digest(model: Trainee) -> bytes:
    """A hash of all parameters and running statistics."""
    found = hashlib.blake2b(digest_size=16)
    for _, item in model.named_state():
        found.update(np.ascontiguousarray(item.array if isinstance(item, Tensor) else item).tobytes())
    return found.digest()


def _views(flat: Array, like: Any) -> Iterator[Array]:
    """Views of a flat array, one after the other, in the shapes of some arrays."""
    start = 0
    for one in like:
        yield flat[start : start + one.size].reshape(one.shape)
        start += one.size


def _settings(model: Trainee) -> list[dict[str, Any]]:
    """The optimizer's settings, and then those of each group."""
    optimizer = model.optimizer
    return [dict(optimizer.values), *({"factor": group.factor, **group.settings} for group in optimizer.groups)]


def _set(model: Trainee, settings: list[dict[str, Any]]) -> None:
    common, *groups = settings
    for name, value in common.items():
        setattr(model.optimizer, name, value)
    for group, (factor, own) in zip(model.optimizer.groups, ((g.pop("factor"), g) for g in groups), strict=True):
        group.factor, group.settings = factor, own


def _options(model: Trainee) -> list[Any]:
    """What else callbacks may change: how gradients are clipped, the schedule, layers' settings, and what is frozen."""
    layers = [
        ({name: getattr(part, name) for name in part.changeable}, part.trainable)
        for layer in model.layers
        for part in layer.walk()
    ]
    trained = [p.requires_grad for p in model.optimizer.params]
    return [model.clip_norm, model.clip_value, model.schedule, layers, trained]


def _set_options(model: Trainee, options: list[Any]) -> None:
    model.clip_norm, model.clip_value, model.schedule, layers, trained = options
    parts = [part for layer in model.layers for part in layer.walk()]
    for part, (settings, trainable) in zip(parts, layers, strict=True):
        for name, value in settings.items():
            if repr(getattr(part, name)) != repr(value):
                setattr(part, name, value)
        if part.trainable != trainable:
            part.trainable = trainable
    for p, needed in zip(model.optimizer.params, trained, strict=True):
        p.requires_grad = needed


def _streams(model: Trainee) -> list[np.random.Generator]:
    """The generators of the layers and of those inside of them, each once."""
    found = {id(part.rng): part.rng for layer in model.layers for part in layer.walk()}
    return [rng for rng in found.values() if isinstance(rng, np.random.Generator) and rng is not model.rng]
