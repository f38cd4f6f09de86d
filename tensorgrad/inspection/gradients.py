"""Gradients by the image: which pixels matter to a class, and which image excites a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tensorgrad.checks import brief, is_number, whole
from tensorgrad.derivatives import grad
from tensorgrad.engine import no_grad, set_recording
from tensorgrad.functional import softplus
from tensorgrad.inspection.tracing import before_activation, layer_named, sample, top_layers, trace
from tensorgrad.layers.chain import folded, run_chain
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Network
from tensorgrad.tensor import Array, Tensor


def saliency(
    model: Network, image: npt.ArrayLike, label: int | None = None, *, samples: int = 1, noise: float = 0.15
) -> Array:
    """How strongly the score of a class changes with each pixel: ``|d score / d pixel|`` (Simonyan et al. 2013).

    The score is the output before the last activation, as softmax would mix in the other classes. Where the model
    gives a score per pixel, it is the sum over all pixels.

    Parameters
    ----------
    model : Network
    image : array_like, shape=input_shape
    label : int, optional
        The class; by default the one with the highest score.
    samples : int
        If more than 1, the mean gradient over that many noisy copies of the image (SmoothGrad, Smilkov et al. 2017).
    noise : float
        Standard deviation of that noise, as a share of the image's range.

    Returns
    -------
    ndarray, shape=input_shape

    Raises
    ------
    ValueError, TypeError
        If the image does not fit the model, or there is no such class.
    """
    x = sample(model, image, "saliency")
    samples = whole(samples, "saliency", "samples")
    if not (is_number(noise) and 0 <= noise < np.inf):
        raise ValueError(f"saliency: noise must be a finite number of at least 0, received {brief(noise)}")
    label = highest_class(model, x) if label is None else label
    classes = as_tuple(model.layers[-1].output_shape or ())[-1]
    if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < classes:
        raise ValueError(f"saliency: the model has the classes 0 to {classes - 1}, received label={label!r}")
    batch = np.repeat(x, samples, axis=0)
    if samples > 1:
        draws = np.random.default_rng(0).standard_normal(batch.shape).astype(x.dtype)
        batch += noise * (x.max() - x.min()) * draws
    pixels = Tensor(batch, requires_grad=True)
    with set_recording(True):
        score = before_activation(model.layers, pixels)[..., label].sum()
        (gradient,) = grad(score, pixels, allow_unused=True)
    mean: Array = gradient.numpy().mean(0)
    return np.abs(mean)


def highest_class(model: Network, x: Array) -> int:
    """The class with the highest score for a batch of one."""
    with no_grad():
        scores = before_activation(model.layers, Tensor.wrap(x)).numpy()
    return int(scores.reshape(-1, scores.shape[-1]).sum(0).argmax())


def gradient_ascent(
    model: Network,
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

    Each image starts as faint noise and follows the gradient of its unit's output before the activation: of a neuron
    the output itself, of a filter the mean of ``softplus(map)``. Gradient ascent alone ends in noise that the unit
    happens to like. So each step shifts the image at random first (Mordvintsev et al. 2015), and then fades and
    smooths it a little (Yosinski et al. 2015).

    Parameters
    ----------
    model : Network
    layer : str
        The layer's name, as in :func:`feature_maps`.
    units : sequence of int, optional
        Which units; by default all.
    bounds : (low, high), optional
        Limits for the pixels, such as those of the images that the model was trained on.
    steps : int
    step : float
        Root mean square of the change of an image's pixels in one step.
    decay : float, 0 <= decay < 1
        Share by which each pixel fades in one step.
    smooth : float, 0 <= smooth <= 0.25
        Share of the difference to each of its four neighbours that a pixel takes over.
    jitter : int
        Largest shift in pixels; it is undone after the step.
    seed : int
        For the first noise and the shifts.

    Returns
    -------
    ndarray, shape=(units, *input_shape)

    Raises
    ------
    ValueError
        If there is no such layer or unit, or an argument is out of its range.
    """
    target = layer_named(model, layer, "gradient_ascent")
    count = as_tuple(target.output_shape or (1,))[-1]
    chosen = np.arange(count) if units is None else np.asarray(units).ravel()
    if chosen.dtype.kind not in "iu" or not len(chosen) or chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"gradient_ascent: {target.title} has the units 0 to {count - 1}, received units={units!r}")
    steps = whole(steps, "gradient_ascent", "steps")
    ranges = {"step": (step, 0, 1e9), "decay": (decay, 0, 1), "smooth": (smooth, 0, 0.25), "jitter": (jitter, 0, 1000)}
    for name, (given, low, high) in ranges.items():
        if not (is_number(given) and low <= given <= high):
            raise ValueError(f"gradient_ascent: {name} must lie between {low:g} and {high:g}, received {brief(given)}")
    if bounds is not None and not (len(bounds) == 2 and all(map(is_number, bounds)) and bounds[0] < bounds[1]):
        raise ValueError(f"gradient_ascent: bounds must be (low, high) with low < high, received bounds={bounds!r}")
    rng = np.random.default_rng(seed)
    shape = as_tuple(model.layers[0].input_shape or ())
    x = 0.1 * rng.standard_normal((len(chosen), *shape)).astype(model.dtype)
    x += 0 if bounds is None else np.clip(0, *bounds)
    output = _path_to(model, layer)
    for _ in range(steps):
        shift = rng.integers(-jitter, jitter + 1, 2) if len(shape) == 3 else ()
        x = np.roll(x, shift, axis=(1, 2)[: len(shift)])
        x += step * _uphill(output, chosen, x)
        if len(shape) == 3:
            x += smooth * _laplacian(x)
        x = np.roll(x, [-s for s in shift], axis=(1, 2)[: len(shift)]) * (1 - decay)
        if bounds is not None:
            x = x.clip(*bounds)
    return x.astype(model.dtype)


def _path_to(model: Network, name: str) -> Callable[[Tensor], Tensor]:
    """The function from images to a layer's output before its activation."""
    at = next((i for i, (own, _) in enumerate(top_layers(model)) if own == name), None)
    if at is None:  # a layer inside of another
        return lambda x: trace(model, x, until=name)[name].linear
    before, layer = [each for each, _ in folded(model.layers[:at])], model.layers[at]
    return lambda x: before_activation([layer], run_chain(before, x, training=False))


def _uphill(output: Callable[[Tensor], Tensor], units: Array, x: Array) -> Array:
    """The gradient of each unit's output by its own image, scaled to a root mean square of 1."""
    images = Tensor(x, requires_grad=True)
    with set_recording(True):
        out = output(images)  # (N, H, W, units) or (N, units)
        own = out[np.arange(len(units)), ..., units]
        excited = softplus(own).mean((1, 2)) if own.ndim == 3 else own
        (gradient,) = grad(excited.sum(), images, allow_unused=True)
    g = gradient.numpy()
    length = np.sqrt((g * g).mean(axis=tuple(range(1, g.ndim)), keepdims=True))
    direction: Array = np.divide(g, length, out=np.zeros_like(g), where=length > 0)
    return direction


def _laplacian(x: Array) -> Array:
    """Sum of the differences between each pixel and its four neighbours; 0 across the edge."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    neighbours: Array = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    neighbours -= 4 * x
    return neighbours
