"""Statistics of each layer's outputs and gradients: nothing is learned if they are too small, too large or all zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tensorgrad.derivatives import grad
from tensorgrad.engine import no_grad, set_recording
from tensorgrad.inspection.tracing import trace
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.samples import checked
from tensorgrad.training.trainee import Trainee

BINS = 50


@dataclass(frozen=True)
class Spread:
    """The distribution of a set of numbers.

    Attributes
    ----------
    mean, std : float
        Of those that are finite; NaN if none is.
    zeros : float
        Share that is exactly 0.
    counts : ndarray of int, shape=(BINS,)
        A histogram of the finite numbers, from the least to the greatest.
    edges : ndarray, shape=(BINS + 1,)
        The edges of its bins.
    bad : float
        Share that is NaN or infinite.
    """

    mean: float
    std: float
    zeros: float
    counts: Array
    edges: Array
    bad: float = 0.0

    @classmethod
    def of(cls, values: Array) -> Self:
        """The distribution of an array's elements."""
        wide = values.astype(np.float64).ravel()
        finite = wide[np.isfinite(wide)]
        counts, edges = np.histogram(finite, BINS)
        mean, std = (float(finite.mean()), float(finite.std())) if finite.size else (np.nan, np.nan)
        return cls(mean, std, float((wide == 0).mean()), counts, edges, 1 - finite.size / wide.size)


@dataclass(frozen=True)
class LayerStatistics:
    """The statistics of one layer over a batch.

    Attributes
    ----------
    activations : Spread
        Of the layer's outputs.
    dead : float
        Share of its units (channels, neurons) whose outputs are all 0.
    gradients : Spread or None
        Of the loss by the outputs; for the last layer by its outputs before the activation, if the loss is computed
        from these. None without labels.
    parameter_gradients : Spread or None
        Of the loss by the layer's parameters. None without labels, or without parameters.
    """

    activations: Spread
    dead: float
    gradients: Spread | None = None
    parameter_gradients: Spread | None = None


def statistics(model: Trainee, X: npt.ArrayLike, Y: npt.ArrayLike | None = None) -> dict[str, LayerStatistics]:
    """The statistics of each layer over a batch, by the layer's name, in prediction, so that nothing is dropped.

    Parameters
    ----------
    model : CNN
    X : array_like, shape=(N, *input_shape)
    Y : array_like, shape=(N, *output_shape) or (N,), optional
        Labels, for the gradients of the loss that the model was compiled for.

    Raises
    ------
    ValueError, TypeError
        If the samples do not fit the model, or there are labels and the model is not compiled.
    """
    if Y is None:
        x = model.check_samples(X, "statistics")[:].astype(model.dtype)
        with no_grad(), np.errstate(all="ignore"):
            passages = trace(model, Tensor.wrap(x))
        return {name: _activity(passed.out.numpy()) for name, passed in passages.items()}
    samples = checked(model, X, Y, "statistics")
    with set_recording(True), np.errstate(all="ignore"):
        passages = trace(model, Tensor(samples.x[:].astype(model.dtype), requires_grad=True))
        *_, (last_name, last) = passages.items()
        outs = {name: passed.out for name, passed in passages.items()}
        if model.objective.from_logits:
            outs[last_name] = last.linear
        loss = model.objective(outs[last_name], Tensor.wrap(samples.y))
        parameters = {name: passed.layer.parameters() for name, passed in passages.items()}
        every = {id(p): p for group in parameters.values() for p in group}
        wanted = [*outs.values(), *every.values()]
        found = dict(zip(map(id, wanted), grad(loss, wanted, allow_unused=True), strict=True))
    result = {}
    for name, passed in passages.items():
        own = [found[id(p)].numpy().ravel() for p in parameters[name]]
        activity = _activity(passed.out.numpy())
        result[name] = LayerStatistics(
            activity.activations,
            activity.dead,
            Spread.of(found[id(outs[name])].numpy()),
            Spread.of(np.concatenate(own)) if own else None,
        )
    return result


def _activity(out: Array) -> LayerStatistics:
    units = out.reshape(-1, out.shape[-1])
    return LayerStatistics(Spread.of(out), float((units == 0).all(axis=0).mean()))
