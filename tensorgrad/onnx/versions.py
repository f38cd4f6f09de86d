"""Nodes of older opsets in terms of the newest: what was an attribute becomes an input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.onnx.contents import Contents, Node

REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

# Which attributes became which inputs, with their dtypes.
INPUTS: dict[str, dict[str, tuple[int, type[Any]]]] = {
    "Squeeze": {"axes": (1, np.int64)},
    "Unsqueeze": {"axes": (1, np.int64)},
    "Slice": {"starts": (1, np.int64), "ends": (2, np.int64), "axes": (3, np.int64)},
    "Pad": {"pads": (1, np.int64), "value": (2, np.float32)},
    "Clip": {"min": (1, np.float32), "max": (2, np.float32)},
    "Upsample": {"scales": (1, np.float32)},
    "Dropout": {"ratio": (1, np.float32)},
    "Split": {"split": (1, np.int64)},
    "TopK": {"k": (1, np.int64)},
}
INPUTS |= {f"Reduce{kind}": {"axes": (1, np.int64)} for kind in REDUCTIONS}


def renewed(contents: Contents) -> None:
    """Change the nodes of a graph to those of the newest opset."""
    for node in contents.nodes:
        for attribute, (place, dtype) in INPUTS.get(node.op, {}).items():
            if attribute in node.attributes:
                name = f"{node.outputs[0]}/{attribute}"
                while name in contents.arrays:
                    name += "'"
                contents.arrays[name] = np.array(node.attributes.pop(attribute), dtype)
                node.inputs += [""] * (place + 1 - len(node.inputs))
                node.inputs[place] = name
        if node.op in MEANINGS:
            MEANINGS[node.op](node, contents.opset)


def _softmax(node: Node, opset: int) -> None:
    if opset < 13:
        node.attributes = {"axis": node.attributes.get("axis", 1), "flat": 1}


def _resize(node: Node, opset: int) -> None:
    if opset < 11:  # the inputs were x and scales, and one way to take pixels was known
        node.inputs = [node.inputs[0], "", node.inputs[1]]
        node.attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def _dropout(node: Node, opset: int) -> None:
    node.inputs = node.inputs[:2]  # whether it is training is the layer's to say
    node.attributes.pop("seed", None)


def _batch_normalization(node: Node, opset: int) -> None:
    node.attributes.pop("training_mode", None)
    node.outputs = node.outputs[:1]
    node.attributes.pop("spatial", None)


MEANINGS: dict[str, Callable[[Node, int], None]] = {
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Hardmax": lambda node, opset: node.attributes.setdefault("axis", 1 if opset < 13 else -1),
    "Resize": _resize,
    "Dropout": _dropout,
    "BatchNormalization": _batch_normalization,
}
