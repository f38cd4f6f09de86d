"""A classifier's answers compared with the labels: the confusion matrix, and the samples it gets wrong."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Network
from tensorgrad.tensor import Array
from tensorgrad.training import metrics


class Mistakes(NamedTuple):
    """The samples that a model gets wrong, the most confident mistakes first.

    Attributes
    ----------
    indices : ndarray of int, shape=(K,)
        The samples' numbers.
    labels, said : ndarray of int, shape=(K,)
        The right classes, and the model's.
    confidence : ndarray, shape=(K,)
        The output for the model's class: a probability after softmax or sigmoid.
    """

    indices: Array
    labels: Array
    said: Array
    confidence: Array


def confusion_matrix(model: Network, X: npt.ArrayLike, Y: npt.ArrayLike) -> Array:
    """Count the samples of each class (row) that the model takes for each class (column).

    Parameters
    ----------
    model : Network
        A classifier; one with a single output tells two classes apart.
    X : array_like, shape=(N, *input_shape)
    Y : array_like, shape=(N,) or (N, classes)
        Integer labels, or one-hot rows.

    Returns
    -------
    ndarray of int, shape=(classes, classes)

    Raises
    ------
    ValueError, TypeError
        If the samples do not fit the model, a label is no class, or an output is NaN.
    """
    labels, said, _, classes = _answers(model, X, Y, "confusion_matrix")
    return metrics.confusion_matrix(labels, said, classes)


def mistakes(model: Network, X: npt.ArrayLike, Y: npt.ArrayLike) -> Mistakes:
    """Find the samples that a model gets wrong, and how confident it is; arguments as of :func:`confusion_matrix`."""
    labels, said, confidence, _ = _answers(model, X, Y, "mistakes")
    wrong = np.flatnonzero(labels != said)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return Mistakes(wrong, labels[wrong], said[wrong], confidence[wrong])


def _answers(model: Network, X: npt.ArrayLike, Y: npt.ArrayLike, owner: str) -> tuple[Array, Array, Array, int]:
    """The label of each sample, the model's class, its output for that class; and the number of classes."""
    shape = as_tuple(model.layers[-1].output_shape or ()) if model.layers else (1,)
    if len(shape) != 1:
        raise ValueError(
            f"{owner}: expected a classifier, with one output per class; {model.layers[-1].title} gives outputs of "
            f"shape {shape}"
        )
    x, y = model.check_samples(X, owner), np.atleast_1d(np.asarray(Y))
    classes = max(2, shape[0])
    if len(y) != len(x):
        raise ValueError(f"{owner}: X has {len(x)} samples but Y has {len(y)}; each sample needs one label")
    labels = y.argmax(-1) if y.ndim == 2 and y.shape[1] == shape[0] > 1 else y.reshape(len(y), -1)[:, 0]
    if y.size not in (len(y), len(y) * shape[0]) or y.dtype.kind not in "fiub" or (labels % 1 != 0).any():
        raise ValueError(
            f"{owner}: Y must be integer labels of shape ({len(x)},) or one-hot rows of shape ({len(x)}, {shape[0]}); "
            f"received {y.dtype} of shape {y.shape}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"{owner}: Y must hold the classes 0 to {classes - 1}, received {labels.min():g} to {labels.max():g}"
        )
    outputs = model.predict(x)
    bad = np.flatnonzero(np.isnan(outputs).any(axis=1))
    if len(bad):
        raise ValueError(
            f"{owner}: the model's outputs are NaN for {len(bad)} of {len(x)} samples, first for sample {bad[0]}, "
            "so it says no class for them; inspection.statistics(model, X) shows where NaN begins"
        )
    if shape[0] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    return labels.astype(np.int64), outputs.argmax(1), outputs.max(1), classes
