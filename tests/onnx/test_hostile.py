"""Files that were damaged, on purpose or not: they load, or raise one class of errors; in bounded time and memory."""

from __future__ import annotations

import contextlib
import os
import time
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import tensorgrad
from tensorgrad import CNN
from tensorgrad.saving import ModelFileError
from tests.onnx.test_load import made, residual

COUNT = 5000 if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else 150
LARGE = [2**62, 2**40, 2**31, 2**20, 1000, 0, -1, -(2**40)]


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with bytes changed, cut, doubled, or with numbers of its messages that are absurd."""
    if rng.random() < 0.4:
        flawed = bytearray(data)
        for _ in range(rng.integers(1, 6)):
            flawed[rng.integers(len(flawed))] = rng.integers(256)
        start = int(rng.integers(len(flawed)))
        return bytes(flawed[:start] if rng.random() < 0.2 else flawed)
    model = onnx.ModelProto.FromString(data)
    graph = model.graph
    node: Any = graph.node[rng.integers(len(graph.node))]
    number = int(LARGE[rng.integers(len(LARGE))])
    match rng.integers(7):
        case 0:
            shaped = [array for array in graph.initializer if array.dims]
            array = shaped[rng.integers(len(shaped))]
            array.dims[rng.integers(len(array.dims))] = number
        case 1:
            axis = graph.input[0].type.tensor_type.shape.dim[rng.integers(1, 4)]
            axis.dim_value = number
        case 2:
            for attribute in node.attribute:
                if attribute.ints:
                    attribute.ints[rng.integers(len(attribute.ints))] = number
                attribute.i = number
        case 3:
            node.input[rng.integers(len(node.input))] = graph.node[rng.integers(len(graph.node))].output[0]
        case 4:
            node.op_type = ["Expand", "Tile", "ConstantOfShape", "Pad", "Resize", "Range", "Conv"][rng.integers(7)]
        case 5:
            array = graph.initializer[rng.integers(len(graph.initializer))]
            array.data_type = int(rng.integers(25))
        case _:
            del graph.node[int(rng.integers(len(graph.node)))]
    return bytes(model.SerializeToString())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    tensorgrad.onnx.export(residual(), path)
    data, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    tracemalloc.start()
    for _ in range(COUNT):
        path.write_bytes(damaged(data, rng))
        since = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert isinstance(tensorgrad.onnx.load(path), CNN)
        except ModelFileError:
            refused += 1
        assert time.process_time() - since < 2
        assert [other.name for other in tmp_path.iterdir()] == ["model.onnx"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > COUNT / 3
    assert peak < 2**31


HUGE = 2**20 - 1
SQUARES = [helper.make_node("MatMul", [f"y{i}", f"y{i}"], [f"y{i + 1}"]) for i in range(100)]
EXPENSIVE: dict[str, tuple[list[Any], list[int]]] = {
    "a pool of a million pixels": (
        [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1, HUGE + 1], pads=[0, HUGE, 0, HUGE])],
        [2, 4, 4],
    ),
    "a frame of a million pixels": ([helper.make_node("Conv", ["x", "w"], ["y"], pads=[0, HUGE, 0, HUGE])], [2, 4, 4]),
    "pixels a million apart": ([helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[1, HUGE])], [2, 1, 9]),
    "large images": ([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], [2, 1024, 1024]),
    "products of large matrices": (
        [helper.make_node("Identity", ["x"], ["y0"]), *SQUARES, helper.make_node("Relu", ["y100"], ["y"])],
        [1, 2048, 2048],
    ),
    "long sums": ([helper.make_node("Sum", ["x"] * 1000, ["y"])], [1, 2048, 2048]),
}


@pytest.mark.parametrize("what", EXPENSIVE)
def test_a_file_is_looked_at_without_its_work(tmp_path: Path, what: str) -> None:
    nodes, shape = EXPENSIVE[what]
    path = made(tmp_path / "model.onnx", nodes, {"w": np.zeros((2, 2, 3, 3), np.float32)}, shape=["n", *shape])
    since = time.process_time()
    with contextlib.suppress(ModelFileError):
        tensorgrad.onnx.load(path)
    assert time.process_time() - since < 2
