"""Models to and from ONNX, the format that other frameworks, phones and browsers read.

>>> import tensorgrad
>>> from tensorgrad.layers import FFL
>>> model = tensorgrad.CNN(seed=0)
>>> model.add(FFL(input_shape=2, neurons=3, activation="softmax"))
>>> tensorgrad.onnx.export(model, "model.onnx")  # doctest: +SKIP
"""

from tensorgrad.onnx import chain_shapes, chain_weights, shape_forms  # noqa: F401  # they register what they have
from tensorgrad.onnx.export import export
from tensorgrad.onnx.forms import form
from tensorgrad.onnx.graph import Graph
from tensorgrad.onnx.graph_writer import GraphWriter, Value
from tensorgrad.onnx.load import load

__all__ = ["Graph", "GraphWriter", "Value", "export", "form", "load"]


def __dir__() -> list[str]:
    return sorted(__all__)
