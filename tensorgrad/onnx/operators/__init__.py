"""ONNX's operators: a small function for each, by family. See :mod:`tensorgrad.onnx.operators.placed`."""

from tensorgrad.onnx.operators import elementwise, losses, normalization, reductions, resize, shapes, windows
from tensorgrad.onnx.operators.placed import OPERATORS, Placed

__all__ = ["OPERATORS", "Placed", "elementwise", "losses", "normalization", "reductions", "resize", "shapes", "windows"]
