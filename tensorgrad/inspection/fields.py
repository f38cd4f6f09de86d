"""The receptive field of each layer of a model."""

from __future__ import annotations

from tensorgrad.inspection.tracing import observed, top_layers
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.receptive_field import Field
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Network


def receptive_fields(model: Network) -> dict[str, Field]:
    """The part of the image that each layer's output can see, by the layer's name.

    Each layer has a rule for it (:meth:`tensorgrad.layers.Layer.see`), which counts what a weight connects, whatever
    its value. A layer without a rule is measured: an output sees where its gradient is not zero.

    Returns
    -------
    dict from str to Field
        Empty for a model that starts with flat samples. A sequence is an image one pixel wide.
    """
    fields: dict[str, Field] = {}

    def note(name: str, _layer: Layer, _before: Field, field: Field) -> None:
        fields[name] = field

    shape = as_tuple(model.layers[0].input_shape or ()) if model.layers else ()
    if len(shape) in (2, 3):
        field = Field.of_image(shape[0], shape[1] if len(shape) == 3 else 1)
        for name, layer in top_layers(model):
            field = observed(name, layer, "see", note).see(field)
    return fields
