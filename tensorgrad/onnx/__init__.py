"""Models to and from ONNX, the format that other frameworks, phones and browsers read.

>>> import tensorgrad
>>> from tensorgrad.layers import FFL
>>> model = tensorgrad.CNN(seed=0)
>>> model.add(FFL(input_shape=2, neurons=3, activation="softmax"))
>>> tensorgrad.onnx.export(model, "model.onnx")  # doctest: +SKIP
"""

from tensorgrad.onnx import chain_shapes as chain_shapes
from tensorgrad.onnx import chain_weights as chain_weights
from tensorgrad.onnx import shape_forms as shape_forms
from tensorgrad.onnx.export import export as export
from tensorgrad.onnx.forms import form as form
from tensorgrad.onnx.graph import Graph as Graph
from tensorgrad.onnx.graph_writer import GraphWriter as GraphWriter
from tensorgrad.onnx.graph_writer import Value as Value
from tensorgrad.onnx.load import load as load

__all__ = ["Graph", "GraphWriter", "Value", "export", "form", "load"]
