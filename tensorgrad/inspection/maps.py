"""The maps of each layer for one image."""

from __future__ import annotations

import numpy.typing as npt

from tensorgrad.engine import no_grad
from tensorgrad.inspection.tracing import sample, trace
from tensorgrad.network import Network
from tensorgrad.tensor import Array, Tensor


def feature_maps(model: Network, image: npt.ArrayLike) -> dict[str, tuple[Array, Array]]:
    """What each layer receives and gives for one image, by the layer's name.

    Parameters
    ----------
    model : Network
    image : array_like, shape=input_shape

    Returns
    -------
    dict from str to (ndarray, shape=input_shape of the layer; ndarray, shape=output_shape of the layer)
        The layers inside of another come before it.

    Raises
    ------
    ValueError, TypeError
        If the image does not fit the model.
    """
    with no_grad():
        passages = trace(model, Tensor.wrap(sample(model, image, "feature_maps")))
    return {name: (passed.input.numpy()[0], passed.out.numpy()[0]) for name, passed in passages.items()}
