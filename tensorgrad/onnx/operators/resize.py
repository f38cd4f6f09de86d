"""Resize and Upsample: along each axis, a matrix from the old pixels to the new ones."""

from __future__ import annotations

import numpy as np

from tensorgrad import functional as F
from tensorgrad.onnx.operators.placed import Attributes, Placed, bounded, ints, operator, raw
from tensorgrad.onnx.operators.windows import as_images, images
from tensorgrad.tensor import Array


@operator
def Resize(
    a: Attributes, x: Placed, roi: Placed | None = None, scales: Placed | None = None, sizes: Placed | None = None
) -> Placed:
    """Images of another size: the nearest pixel, or interpolated along each axis."""
    axes = [axis % x.ndim for axis in a.get("axes") or range(x.ndim)]
    shape = x.shape
    factors = [1.0] * len(axes)
    wanted = [shape[axis] for axis in axes]
    if scales is not None and scales.array.size:
        factors = [float(n) for n in raw(scales)]
        wanted = [int(np.floor(shape[axis] * factor)) for axis, factor in zip(axes, factors, strict=True)]
    elif sizes is not None:
        wanted = [n or shape[axis] for axis, n in zip(axes, ints(sizes), strict=True)]
        factors = [n / max(shape[axis], 1) for axis, n in zip(axes, wanted, strict=True)]
        policy = a.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            factor = min(factors) if policy == "not_larger" else max(factors)
            factors = [factor] * len(axes)
            wanted = [int(factor * shape[axis] + 0.5) for axis in axes]
    whole = list(shape)
    for axis, size in zip(axes, wanted, strict=True):
        whole[axis] = size
    bounded(tuple(whole))
    frame = raw(roi) if roi is not None and roi.array.size else np.array([0.0] * len(axes) + [1.0] * len(axes))
    if _is_repeat(a, x, axes, factors):
        times = dict(zip(axes, factors, strict=True))
        return as_images(F.upsample2d(images(x), (int(times.get(2, 1)), int(times.get(3, 1)))), 4)
    y = x.array
    for i, (axis, factor, size) in enumerate(zip(axes, factors, wanted, strict=True)):
        if size == shape[axis] and factor == 1 and a.get("coordinate_transformation_mode") != "tf_crop_and_resize":
            continue
        at, start, end = x.at(axis), float(frame[i]), float(frame[i + len(axes)])
        where = _coordinates(a, shape[axis], size, factor, start, end)
        if a.get("mode", "nearest") == "nearest":
            y = F.take(y, _nearest(a, where).clip(0, shape[axis] - 1), at)
        else:
            matrix = _weights(a, where, shape[axis], factor).astype(y.dtype)
            y = F.moveaxis(F.matmul(F.moveaxis(y, at, -1), matrix.T), -1, at)
        outside = (where < 0) | (where > shape[axis] - 1)
        if a.get("coordinate_transformation_mode") == "tf_crop_and_resize" and outside.any():
            mask = outside.reshape([-1 if j == at else 1 for j in range(x.ndim)])
            y = F.where(mask, a.get("extrapolation_value", 0.0), y)
    return x.like(y)


@operator
def Upsample(a: Attributes, x: Placed, scales: Placed) -> Placed:
    """As Resize was before opset 10."""
    mode = "linear" if a.get("mode") in ("linear", "bilinear") else "nearest"
    options = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    y: Placed = Resize(options, x, None, scales)
    return y


def _is_repeat(a: Attributes, x: Placed, axes: list[int], factors: list[float]) -> bool:
    """Whether each pixel is repeated a whole number of times."""
    how = a.get("coordinate_transformation_mode", "half_pixel"), a.get("nearest_mode", "round_prefer_floor")
    return (
        x.ndim == 4
        and a.get("mode", "nearest") == "nearest"
        and how in (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"))
        and all(f >= 1 and f == int(f) and (f == 1 or axis >= 2) for axis, f in zip(axes, factors, strict=True))
    )


def _coordinates(a: Attributes, old: int, new: int, factor: float, start: float, end: float) -> Array:
    """Where each new pixel lies among the old ones."""
    at = np.arange(new, dtype=np.float64)
    match a.get("coordinate_transformation_mode", "half_pixel"):
        case "asymmetric":
            return at / factor
        case "align_corners":
            return at * (old - 1) / (factor * old - 1) if new > 1 else np.zeros(new)
        case "pytorch_half_pixel":
            return (at + 0.5) / factor - 0.5 if new > 1 else np.zeros(new)
        case "half_pixel_symmetric":
            adjusted = new / (factor * old)
            return old / 2 * (1 - adjusted) + (at + 0.5) / factor - 0.5
        case "tf_crop_and_resize":
            if new > 1:
                return start * (old - 1) + at * (end - start) * (old - 1) / (new - 1)
            return np.full(new, 0.5 * (start + end) * (old - 1))
        case "half_pixel":
            return (at + 0.5) / factor - 0.5
        case other:
            raise ValueError(f"Resize: unknown coordinate_transformation_mode {other!r}")


def _nearest(a: Attributes, where: Array) -> Array:
    match a.get("nearest_mode", "round_prefer_floor"):
        case "floor":
            rounded = np.floor(where)
        case "ceil":
            rounded = np.ceil(where)
        case "round_prefer_ceil":
            rounded = np.floor(where + 0.5)
        case _:
            rounded = np.ceil(where - 0.5)
    return np.asarray(rounded).astype(int)


def _weights(a: Attributes, where: Array, old: int, factor: float) -> Array:
    """What each new pixel takes of the old ones: (new, old)."""
    cubic, coefficient = a["mode"] == "cubic", a.get("cubic_coeff_a", -0.75)
    narrow = min(factor, 1.0) if a.get("antialias", 0) else 1.0
    reach = int(np.ceil((2 if cubic else 1) / narrow))
    matrix = np.zeros(bounded((len(where), old)))
    rows = np.arange(len(where))
    for step in range(-reach, reach + 2):
        taps = np.floor(where).astype(int) + step
        distance = np.abs(taps - where) * narrow
        share = _cubic(distance, coefficient) if cubic else np.clip(1 - distance, 0, 1)
        if a.get("exclude_outside", 0):
            share = np.where((taps >= 0) & (taps < old), share, 0)
        np.add.at(matrix, (rows, taps.clip(0, old - 1)), share)
    return np.asarray(matrix / matrix.sum(1, keepdims=True))


def _cubic(d: Array, a: float) -> Array:
    """Keys's kernel of convolution (1981)."""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))
