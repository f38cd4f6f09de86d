"""What the gradient by the image tells: which pixels matter to a class, and which image a filter wants to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tensorgrad.derivatives import grad
from tensorgrad.engine import no_grad, set_recording
from tensorgrad.functional import softplus
from tensorgrad.inspection.tracing import Passage, layer_named, sample, trace
from tensorgrad.layers.layer import as_tuple
from tensorgrad.tensor import Array, Tensor

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN


def saliency(
    model: CNN, image: npt.ArrayLike, label: int | None = None, *, samples: int = 1, noise: float = 0.15
) -> Array:
    """How strongly the score of a class changes with each pixel: ``|d score / d pixel|`` (Simonyan et al. 2013).

    The score is the output before the last activation: softmax would mix the other classes in.

    Parameters
    ----------
    model : CNN
    image : array_like, shape=input_shape
    label : int, optional
        The class; by default the one that the model says.
    samples : int
        With more than 1, the gradient's mean over that many noisy copies of the image (SmoothGrad, Smilkov et al.
        2017).
    noise : float
        The standard deviation of that noise, as a share of the image's range.

    Returns
    -------
    ndarray, shape=input_shape

    Raises
    ------
    ValueError, TypeError
        If the image does not fit the model, or there is no such class.
    """
    x = sample(model, image, "saliency")
    if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or samples < 1:
        raise ValueError(f"saliency: samples must be an int of at least 1, received {samples!r}")
    if label is None:
        with no_grad():
            label = int(_last(model, x).linear.numpy()[0].argmax(-1).ravel()[0])
    classes = as_tuple(model.layers[-1].output_shape or ())[-1]
    if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < classes:
        raise ValueError(f"saliency: the model has the classes 0 to {classes - 1}, received label={label!r}")
    batch = np.repeat(x, samples, axis=0)
    if samples > 1:
        draws = np.random.default_rng(0).standard_normal(batch.shape).astype(x.dtype)
        batch += noise * (x.max() - x.min()) * draws
    pixels = Tensor(batch, requires_grad=True)
    with set_recording(True):
        score = _last(model, pixels).linear[..., label].sum()
        (gradient,) = grad(score, pixels, allow_unused=True)
    mean: Array = gradient.numpy().mean(0)
    return np.abs(mean)


def _last(model: CNN, x: Array | Tensor) -> Passage:
    """The passage through the last layer."""
    passages = trace(model, x if isinstance(x, Tensor) else Tensor.wrap(x))
    return list(passages.values())[-1]


def gradient_ascent(
    model: CNN,
    layer: str,
    units: Sequence[int] | None = None,
    *,
    bounds: tuple[float, float] | None = None,
    steps: int = 100,
    step: float = 0.1,
    decay: float = 0.02,
    smooth: float = 0.1,
    jitter: int = 1,
    seed: int = 0,
) -> Array:
    """Images that excite the units of a layer: filters of a convolution, neurons, classes (Erhan et al. 2009).

    From faint noise, each image goes up the gradient of what its unit gives: of a filter, the mean of
    ``softplus(map)`` over the map before the activation; of a neuron, its output before the activation. Left to
    itself that makes noise which the unit happens to like; so after each step the image fades a little and is
    smoothed a little (Yosinski et al. 2015), and before it is shifted at random (Mordvintsev et al. 2015).

    Parameters
    ----------
    model : CNN
    layer : str
        The layer's name, as in :func:`feature_maps`.
    units : sequence of int, optional
        Which units; by default all.
    bounds : (low, high), optional
        Keep the pixels between these, such as the least and the greatest of the images that the model knows.
    steps : int
    step : float
        How far an image moves in one step: the root mean square of the change of its pixels.
    decay : float, 0 <= decay < 1
        The share of each pixel that fades.
    smooth : float, 0 <= smooth <= 0.25
        The share of the difference that a pixel takes over from each of its four neighbours.
    jitter : int
        By how many pixels an image may be shifted before a step, and is shifted back after it.
    seed : int
        For the noise and the shifts.

    Returns
    -------
    ndarray, shape=(units, *input_shape)

    Raises
    ------
    ValueError
        If there is no such layer or unit, or an argument is out of range.
    """
    target = layer_named(model, layer, "gradient_ascent")
    count = as_tuple(target.output_shape or (1,))[-1]
    chosen = np.arange(count) if units is None else np.asarray(units, dtype=np.int64).ravel()
    if not len(chosen) or chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"gradient_ascent: {target.title} has the units 0 to {count - 1}, received units={units!r}")
    ranges = {
        "decay": (decay, 0, 1),
        "smooth": (smooth, 0, 0.25),
        "jitter": (jitter, 0, 1000),
        "steps": (steps, 1, 1e9),
    }
    for name, (given, low, high) in ranges.items():
        if not low <= given <= high:
            raise ValueError(f"gradient_ascent: {name} must lie between {low:g} and {high:g}, received {given!r}")
    rng = np.random.default_rng(seed)
    shape = as_tuple(model.layers[0].input_shape or ())
    x = 0.1 * rng.standard_normal((len(chosen), *shape)).astype(model.dtype)
    x += 0 if bounds is None else np.clip(0, *bounds)
    for _ in range(steps):
        shift = rng.integers(-jitter, jitter + 1, 2) if len(shape) == 3 else ()
        x = np.roll(x, shift, axis=(1, 2)[: len(shift)])
        x += step * _uphill(model, layer, chosen, x)
        if len(shape) == 3:
            x += smooth * _laplacian(x)
        x = np.roll(x, [-s for s in shift], axis=(1, 2)[: len(shift)]) * (1 - decay)
        if bounds is not None:
            x = x.clip(*bounds)
    return x.astype(model.dtype)


def _uphill(model: CNN, layer: str, units: Array, x: Array) -> Array:
    """The gradient of each unit's excitement by its own image, as a step of the length 1 (root mean square)."""
    images = Tensor(x, requires_grad=True)
    with set_recording(True):
        out = trace(model, images, until=layer)[layer].linear  # (N, H, W, units) or (N, units)
        excited = softplus(out).mean((1, 2)) if out.ndim == 4 else out
        own = np.zeros(excited.shape, excited.dtype)
        own[np.arange(len(units)), units] = 1
        (gradient,) = grad(excited, images, own, allow_unused=True)
    g = gradient.numpy()
    length = np.sqrt((g * g).mean(axis=tuple(range(1, g.ndim)), keepdims=True))
    direction: Array = np.divide(g, length, out=np.zeros_like(g), where=length > 0)
    return direction


def _laplacian(x: Array) -> Array:
    """For each pixel the sum of its four neighbours' differences from it; beyond the edge there is no difference."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    neighbours: Array = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    neighbours -= 4 * x
    return neighbours
