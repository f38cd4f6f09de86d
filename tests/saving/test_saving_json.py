"""The text's JSON: files as the text's code writes them, against a reference that walks them in loops."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad
from tensorgrad import CNN
from tensorgrad.layers import FFL, Activation, BatchNorm, Conv2d, Dropout, Flatten, Layer, Pool2d, Upsample
from tensorgrad.saving import ModelFileError
from tests.reference import conv2d

Array = npt.NDArray[Any]
Entry = dict[str, Any]


# -- what the text's code writes ---------------------------------------------------------------------------------


class Writer:
    """Makes the entries of a file as the text's code does, with its peculiarities, layer by layer."""

    def __init__(self, shape: Any, rng: np.random.Generator, windows: bool = False) -> None:
        self.shape: Any = shape
        self.rng = rng
        self.count: Callable[[int], float] = (
            float if windows else int
        )  # NumPy's counts are int32, so floats, on Windows
        self.entries: list[Entry] = []

    def _put(self, type_: str, output: Any, **fields: Any) -> None:
        base = {"type": type_, "input_shape": self.shape, "output_shape": output, "activation": None, "isbias": False}
        self.entries.append(base | {"parameters": 0, "weights": 0.0} | fields)
        self.shape = output

    def conv2d(
        self,
        filters: int,
        size: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        padding: str | None = None,
        activation: str | None = "relu",
        isbias: bool = True,
    ) -> None:
        kernel = (*size, self.shape[2], filters)
        p = 0 if padding is None else 1
        rows, columns = (int((w - f + 2 * p) / s) + 1 for w, f, s in zip(self.shape, size, stride, strict=False))
        self._put(
            "Conv2d",
            [rows, columns, filters],
            filters=filters,
            isbias=isbias,
            activation=activation,
            stride=list(stride),
            padding=padding,
            kernel_size=list(kernel),
            weights=self.rng.normal(0, 1 / math.sqrt(math.prod(kernel)), kernel).tolist(),
            biases=self.rng.normal(0, 0.5, (filters, 1)).tolist(),  # in any case
            parameters=self.count(math.prod(kernel) + filters) if isbias else 1,
        )

    def ffl(self, neurons: int, activation: str | None = None, isbias: bool = True) -> None:
        self._put(
            "FFL",
            neurons,
            neurons=neurons,
            isbias=isbias,
            activation=activation,
            weights=self.rng.standard_normal((self.shape, neurons)).tolist(),
            biases=self.rng.standard_normal(neurons).tolist() if isbias else 0.0,
            parameters=self.shape * neurons + neurons if isbias else 0,
        )

    def pool2d(self, size: tuple[int, int] = (2, 2), stride: tuple[int, int] | None = None, kind: str = "max") -> None:
        step = stride or size
        rows, columns = (int((w - f) / s + 1) for w, f, s in zip(self.shape, size, step, strict=False))
        output = [rows, columns, self.shape[2]]
        self._put("Pool2d", output, padding=None, kernel_size=list(size), stride=list(step), kind=kind)

    def upsample(self, size: tuple[int, int] = (2, 2)) -> None:
        height, width, channels = self.shape
        output = [height * size[0], width * size[1], channels]
        self._put("Upsample", output, kernel_size=list(size), stride=list(size))

    def dropout(self, prob: float = 0.2) -> None:
        self._put("Dropout", self.shape, prob=prob)

    def flatten(self) -> None:
        self._put("Flatten", math.prod(self.shape))

    def file(self, model: str = "CNN") -> dict[str, Any]:
        """The whole: each layer under its name, which the text gives it as more are added."""
        last = len(self.entries) - 1
        names = [
            "Input Layer" if i == 0 else f"Out Layer({e['type']})" if i == last else f"{e['type']}{i}"
            for i, e in enumerate(self.entries)
        ]
        named = {n: e | {"name": n} for n, e in zip(names, self.entries, strict=True)}
        file: dict[str, Any] = json.loads(json.dumps({"model": model} | named))
        return file


# -- what such a file means, sample by sample, in loops ------------------------------------------------------------


def activate(name: str | None, x: Array) -> Array:
    if name == "softmax":
        e = np.exp(x - x.max())
        return np.asarray(e / e.sum())
    if name == "relu":
        return np.where(x > 0, x, 0)
    if name == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-x)))
    return np.tanh(x) if name == "tanh" else x


def reference(file: dict[str, Any], image: Array) -> Array:
    x = np.asarray(image, np.float64)
    for name, entry in file.items():
        if name == "model":
            continue
        kind = entry["type"]
        if kind == "Conv2d":
            x = convolve(entry, x)
        elif kind == "FFL":
            weights, out = entry["weights"], []
            for j in range(int(entry["neurons"])):
                bias = entry["biases"][j] if isinstance(entry["biases"], list) else 0.0
                out.append(math.fsum(x[i] * weights[i][j] for i in range(len(x))) + bias)
            x = activate(entry["activation"], np.array(out))
        elif kind == "Pool2d":
            x = pool(entry, x)
        elif kind == "Upsample":
            rows, columns = entry["kernel_size"]
            x = np.array(
                [[x[i // rows, j // columns] for j in range(x.shape[1] * columns)] for i in range(len(x) * rows)]
            )
        elif kind == "Flatten":
            x = np.array([x[i, j, c] for i in range(x.shape[0]) for j in range(x.shape[1]) for c in range(x.shape[2])])
    return x


def convolve(entry: Entry, x: Array) -> Array:
    p = 0 if entry["padding"] is None else 1
    framed = np.pad(x, ((p, p), (p, p), (0, 0)), mode="edge" if entry["padding"] == "same" else "constant")
    y = conv2d(framed[np.newaxis], np.array(entry["weights"]), entry["stride"])[0]
    return activate(entry["activation"], y + np.ravel(entry["biases"]))


def pool(entry: Entry, x: Array) -> Array:
    out: Array = np.zeros(entry["output_shape"])
    (rows, columns), (down, right) = entry["kernel_size"], entry["stride"]
    for i, j, c in np.ndindex(out.shape):
        window = x[i * down : i * down + rows, j * right : j * right + columns, c]
        values = [float(v) for v in window.ravel()]
        kinds = {"max": max(values), "min": min(values), "average": math.fsum(values) / len(values)}
        out[i, j, c] = kinds[entry["kind"]]
    return out


# -- reading -----------------------------------------------------------------------------------------------------


def write(folder: Path, file: Any) -> Path:
    path = folder / "model.json"
    path.write_text(file if isinstance(file, str) else json.dumps(file))
    return path


def experiment(windows: bool = False) -> Writer:
    """The third experiment of the text, on smaller images."""
    net = Writer([10, 9, 1], np.random.default_rng(0), windows)
    net.conv2d(3)
    net.pool2d()
    net.conv2d(4, (3, 1))
    net.dropout()
    net.flatten()
    net.ffl(5, "softmax")
    return net


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("model", ["CNN", "Sequential"])
def test_a_file_of_the_text_predicts_what_it_says(tmp_path: Path, model: str, windows: bool) -> None:
    file = experiment(windows).file(model)
    loaded = tensorgrad.load_model(write(tmp_path, file))
    image = np.random.default_rng(1).standard_normal((10, 9, 1))
    np.testing.assert_allclose(loaded.predict(image)[0], reference(file, image), rtol=1e-12)
    assert [layer.name for layer in loaded.layers] == [name for name in file if name != "model"]
    assert loaded.dtype == np.float64
    assert loaded.layers[0].output_shape == (8, 7, 3)


@st.composite
def nets(draw: st.DrawFn) -> Writer:
    """Any net that the tutorial's code can make."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = st.integers(5, 9)
    net = Writer([draw(size), draw(size), draw(st.integers(1, 3))], rng, draw(st.booleans()))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    activations = st.sampled_from(["relu", "tanh", "sigmoid", None, "linear"])
    for kind in draw(st.lists(st.sampled_from(["conv2d", "pool2d", "upsample", "dropout"]), max_size=4)):
        kernel, step = draw(pairs), draw(pairs)
        if kind == "conv2d":
            padding = draw(st.sampled_from([None, "zero", "same"]))
            fits = all(k <= n + (2 if padding else 0) for k, n in zip(kernel, net.shape, strict=False))
            if fits:
                net.conv2d(draw(st.integers(1, 3)), kernel, step, padding, draw(activations), draw(st.booleans()))
        elif kind == "pool2d" and all(k <= n for k, n in zip(kernel, net.shape, strict=False)):
            net.pool2d(kernel, draw(st.none() | st.just(step)), draw(st.sampled_from(["max", "min", "average"])))
        elif kind == "upsample" and math.prod(net.shape) < 300:
            net.upsample(draw(pairs))
        elif kind == "dropout":
            net.dropout(draw(st.floats(0, 0.9)))
    if draw(st.booleans()) or not net.entries:
        net.flatten()
        for _ in range(draw(st.integers(0, 2))):
            net.ffl(draw(st.integers(1, 4)), draw(activations), draw(st.booleans()))
            if draw(st.booleans()):
                net.dropout()
        net.ffl(draw(st.integers(1, 4)), draw(st.sampled_from(["softmax", "sigmoid", None])))
    return net


@given(nets())
def test_any_net_of_the_text(tmp_path_factory: pytest.TempPathFactory, net: Writer) -> None:
    file = net.file()
    folder = tmp_path_factory.mktemp("net")
    loaded = tensorgrad.load_model(write(folder, file))
    images = np.random.default_rng(0).standard_normal((2, *net.entries[0]["input_shape"]))
    expected = np.stack([reference(file, image) for image in images])
    close = 1e-10 if loaded.parameters() else 1e-6  # without any, it computes in float32
    np.testing.assert_allclose(loaded.predict(images), expected, rtol=close, atol=close)

    loaded.save_model(folder / "again.json")
    written = json.loads((folder / "again.json").read_text())
    np.testing.assert_allclose([reference(written, image) for image in images], expected, rtol=1e-10, atol=1e-10)
    again = tensorgrad.load_model(folder / "again.json")
    assert np.array_equal(again.predict(images), loaded.predict(images))
    assert repr(again.layers) == repr(loaded.layers)


def test_numbers_may_be_floats_and_pairs_one_number(tmp_path: Path) -> None:
    file = experiment().file()
    plain = tensorgrad.load_model(write(tmp_path, file))
    conv, ffl = file["Input Layer"], file["Out Layer(FFL)"]
    conv |= {"filters": 3.0, "kernel_size": [3.0, 3, 1, 3], "stride": 1, "biases": [b for (b,) in conv["biases"]]}
    conv |= {"input_shape": [10.0, 9, 1], "output_shape": [8.0, 7.0, 3.0]}
    ffl |= {"neurons": 5.0, "input_shape": float(ffl["input_shape"]), "output_shape": 5.0}
    file["Pool2d1"] |= {"kernel_size": 2, "stride": 2.0}
    x = np.ones((10, 9, 1))
    assert np.array_equal(tensorgrad.load_model(write(tmp_path, file)).predict(x), plain.predict(x))


def test_a_kernel_size_is_two_numbers_where_the_texts_own_loader_was_in_between(tmp_path: Path) -> None:
    file = experiment().file()
    plain = tensorgrad.load_model(write(tmp_path, file))
    file["Input Layer"]["kernel_size"], file["Conv2d2"]["kernel_size"] = [3, 3], [3, 1]
    x = np.ones((10, 9, 1))
    assert np.array_equal(tensorgrad.load_model(write(tmp_path, file)).predict(x), plain.predict(x))


def test_biases_count_although_isbias_is_false_as_in_the_text(tmp_path: Path) -> None:
    net = Writer([4, 4, 1], np.random.default_rng(0))
    net.conv2d(2, isbias=False)
    file = net.file()
    loaded = tensorgrad.load_model(write(tmp_path, file)).layers[0]
    assert loaded.isbias
    assert np.array_equal(np.asarray(loaded.biases), np.ravel(file["Input Layer"]["biases"]))
    for none in (0.0, [[0.0], [0.0]]):
        file["Input Layer"]["biases"] = none
        without = tensorgrad.load_model(write(tmp_path, file)).layers[0]
        assert not without.isbias
        assert without.biases is None


@pytest.mark.parametrize("change", [0.0, 1e-12])
def test_weights_are_float32_if_that_is_exact(tmp_path: Path, change: float) -> None:
    net = Writer(3, np.random.default_rng(0))
    net.ffl(2)
    net.entries[0] |= {
        "weights": [[0.5, 0.25], [1, -2], [float(np.float32(0.1)), float(np.float32(1e-45))]],
        "biases": [change, 1.0],
    }
    assert tensorgrad.load_model(write(tmp_path, net.file())).dtype == (np.float64 if change else np.float32)


# -- a round trip --------------------------------------------------------------------------------------------------


def every_layer(dtype: type, seed: int = 0) -> CNN:
    rng = np.random.default_rng(seed)
    model = CNN(seed=seed)
    kernel: Array = rng.standard_normal((3, 3, 1, 3)).astype(dtype)
    model.add(
        Conv2d(input_shape=(8, 8, 1), filters=3, padding=None, activation="relu", kernel=kernel, bias=kernel[0, 0, 0])
    )
    model.add(Pool2d())
    model.add(Upsample((2, 3)))
    model.add(Conv2d(filters=2, padding="same", isbias=False, kernel=rng.standard_normal((3, 3, 3, 2)).astype(dtype)))
    model.add(Pool2d((3, 2), stride=(1, 2), kind="average"))
    model.add(Flatten())
    model.add(Dropout(0.3))
    size = model.layers[-1].output_shape
    weights: Array = rng.normal(0, 0.3, (size, 4)).astype(dtype)
    model.add(FFL(neurons=4, activation="softmax", weights=weights, bias=np.linspace(0, 1, 4, dtype=dtype)))
    return model


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_round_trip_is_exact(tmp_path: Path, dtype: type) -> None:
    model = every_layer(dtype)
    model.save_model(tmp_path / "x.json")
    again = tensorgrad.load_model(str(tmp_path / "x.json"))
    x = np.random.default_rng(1).standard_normal((5, 8, 8, 1))
    assert again.predict(x).dtype == model.predict(x).dtype == dtype
    assert np.array_equal(again.predict(x), model.predict(x))
    assert [repr(layer) for layer in again.layers] == [repr(layer) for layer in model.layers]
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    written = json.loads((tmp_path / "x.json").read_text())
    np.testing.assert_allclose(again.predict(x[0])[0], reference(written, x[0]), rtol=1e-5)


def test_the_model_can_be_an_argument_as_in_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = every_layer(np.float32)
    tensorgrad.save_model(model)
    x = np.ones((8, 8, 1))
    assert np.array_equal(tensorgrad.load_model().predict(x), model.predict(x))
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def test_float64_weights_that_float32_holds_stay_float64(tmp_path: Path) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=1, activation="tanh", weights=np.ones((2, 1)), bias=np.ones(1)))
    model.save_model(tmp_path / "x.json")
    again = tensorgrad.load_model(tmp_path / "x.json")
    x = np.array([[0.1, 0.7]])
    assert again.dtype == np.float64
    assert np.array_equal(again.predict(x), model.predict(x))


def test_what_we_write_is_what_the_text_writes(tmp_path: Path) -> None:
    net = experiment()
    file = net.file()
    tensorgrad.load_model(write(tmp_path, file)).save_model(tmp_path / "ours.json")
    ours = json.loads((tmp_path / "ours.json").read_text())
    assert list(ours) == list(file)
    for name, entry in file.items():
        if name != "model":
            assert {key: ours[name][key] for key in entry} == entry  # nothing is missing, or different
            assert set(ours[name]) - set(entry) <= {"dtype", "biases"}


# -- what is refused -----------------------------------------------------------------------------------------------


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(file: dict[str, Any]) -> Any:
        *outer, last = path.split("/")
        place: Any = file
        for key in outer:
            place = place[int(key) if isinstance(place, list) else key]
        place[int(last) if isinstance(place, list) else last] = value
        return file

    return change


CONV, FFLAST = "Input Layer", "Out Layer(FFL)"
BAD: list[tuple[Any, str]] = [
    (lambda f: "", "not JSON"),
    (lambda f: "[1, 2]", "expected an object"),
    (lambda f: "{}", "'CNN' or 'Sequential'"),
    (lambda f: '{"model": "CNN"}', "no layers"),
    (lambda f: '{"model": "CNN", "model": "CNN"}', "one object has the key 'model' twice"),
    (lambda f: json.dumps(f)[:-1], "not JSON"),
    (lambda f: json.dumps(f).replace("softmax", "soft\\ud800"), "activation"),
    (lambda f: json.dumps(f | {"x": float("nan")}), "NaN"),
    (lambda f: json.dumps(f | {"x": -float("inf")}), "-Infinity"),
    (lambda f: "[" * 200_000, "nested too deeply"),
    (lambda f: '{"model": ' + "9" * 5000 + "}", "not JSON"),
    (changed("model", "MLP"), "'CNN' or 'Sequential'"),
    (changed(CONV, 3), "expected an object"),
    (changed(f"{CONV}/type", "os.system"), "one of FFL, Conv2d"),
    (changed(f"{CONV}/type", ["FFL"]), "one of FFL, Conv2d"),
    (changed(f"{CONV}/isbias", 1), "isbias: expected true or false"),
    (changed(f"{CONV}/parameters", "40"), "parameters: expected a finite number"),
    (changed(f"{CONV}/filters", True), "filters: expected a whole number"),
    (changed(f"{CONV}/filters", -3), "filters: expected a whole number"),
    (changed(f"{CONV}/filters", 3.5), "filters: expected a whole number"),
    (changed(f"{CONV}/filters", 1e300), "filters: expected a whole number"),
    (changed(f"{CONV}/filters", 4), "kernel_size: expected"),
    (changed(f"{CONV}/kernel_size", [3]), "kernel_size: expected"),
    (changed(f"{CONV}/kernel_size", [3, 2]), "weights: expected nested lists"),
    (lambda f: changed(f"{CONV}/input_shape", [10, 9])(changed(f"{CONV}/kernel_size", [3, 3])(f)), "kernel_size: exp"),
    (changed(f"{CONV}/kernel_size/2", 2), "weights: expected nested lists"),
    (changed(f"{CONV}/kernel_size/0", 10**12), "kernel_size: expected a whole number"),
    (changed(f"{CONV}/stride", [1, 1, 1]), "stride: expected"),
    (changed(f"{CONV}/stride", 0), "stride: expected"),
    (changed(f"{CONV}/padding", "valid"), "padding: expected"),
    (changed(f"{CONV}/padding", 1), "padding: expected"),
    (changed(f"{CONV}/activation", "eval"), "activation: expected"),
    (changed(f"{CONV}/activation", {}), "activation: expected"),
    (changed(f"{CONV}/weights", 0.0), "weights: expected nested lists"),
    (changed(f"{CONV}/weights/0/0/0/0", "1.5"), "weights: expected a finite number"),
    (changed(f"{CONV}/weights/0/0/0/0", True), "weights: expected a finite number"),
    (changed(f"{CONV}/weights/0/0/0/0", None), "weights: expected a finite number"),
    (changed(f"{CONV}/weights/0/0/0/0", 10**400), "weights: expected a finite number"),
    (changed(f"{CONV}/weights/0/0/0", [1.0]), "weights: expected nested lists"),
    (changed(f"{CONV}/biases", 0.0), "biases: expected a list of 3"),
    (changed(f"{CONV}/biases", [[1.0], [2.0]]), "biases: expected nested lists"),
    (changed(f"{CONV}/input_shape", None), "input_shape: expected"),
    (changed(f"{CONV}/input_shape", [10, 9]), "expected images"),
    (changed(f"{CONV}/input_shape", [10**6, 10**6, 1]), "turns one sample"),
    (changed(f"{CONV}/input_shape", [10, 9, 2]), "weights of shape"),
    (changed(f"{CONV}/output_shape", [8, 8, 3]), "output_shape: expected"),
    (changed(f"{CONV}/dtype", "float16"), "dtype: expected"),
    (changed(f"{CONV}/dtype", "float32"), "dtype: expected"),
    (changed("Pool2d1/kind", "median"), "unknown kind"),
    (changed("Pool2d1/kernel_size", [20, 20]), "does not fit"),
    (changed("Pool2d1/stride", 10**9), "turns one sample"),
    (changed("Dropout3/prob", 1.0), "prob: expected"),
    (changed("Dropout3/prob", "0.2"), "prob: expected"),
    (changed("Flatten4/output_shape", 7), "output_shape: expected"),
    (changed(f"{FFLAST}/neurons", 10**12), "neurons: expected a whole number"),
    (changed(f"{FFLAST}/neurons", 10**9), "weights: expected nested lists"),
    (changed(f"{FFLAST}/input_shape", [24]), "input_shape: expected"),
    (changed(f"{FFLAST}/biases/0", []), "biases: expected"),
]


@pytest.mark.parametrize(("change", "says"), BAD, ids=[f"{i}: {says}" for i, (_, says) in enumerate(BAD)])
def test_what_is_no_model_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], Any], says: str) -> None:
    path = write(tmp_path, change(experiment().file()))
    with pytest.raises(ModelFileError, match=says.replace("(", r"\(")) as caught:
        tensorgrad.load_model(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 1000


class Own(Layer):
    def forward(self, x: Any, training: bool) -> Any:
        return x


UNWRITABLE: list[tuple[Callable[[], Layer], str]] = [
    (BatchNorm, "no layer like BatchNorm"),
    (lambda: Activation("relu"), "no layer like Activation"),
    (Own, "no layer like Own"),
    (lambda: Conv2d(dilation=2), "dilation or groups"),
    (lambda: Conv2d(padding=2), "padding=2"),
    (lambda: Conv2d(padding=(0, 1)), r"padding=\(0, 1\)"),
    (lambda: Conv2d(kernel=np.full((3, 3, 2, 1), np.nan), isbias=False), "NaN or infinite"),
    (lambda: Conv2d(kernel=np.ones((3, 3, 2, 1), np.float16), isbias=False), "float16"),
    (lambda: Conv2d(kernel=np.ones((3, 3, 2, 1)), bias=np.ones(1, np.float32)), "one of float32 and float64"),
]


@pytest.mark.parametrize(("make", "says"), UNWRITABLE, ids=[says for _, says in UNWRITABLE])
def test_what_the_json_cannot_express_is_not_written(tmp_path: Path, make: Callable[[], Layer], says: str) -> None:
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(6, 6, 1), filters=2))
    model.add(make())
    (tmp_path / "x.json").write_text("before")
    with pytest.raises(ValueError, match=f"{says}.*another suffix"):
        model.save_model(tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_paddings_in_pixels_that_the_text_has_a_word_for(tmp_path: Path) -> None:
    for padding, word in ((0, None), (1, "zero"), ((1, 1), "zero")):
        model = CNN(seed=0)
        model.add(Conv2d(input_shape=(4, 4, 1), padding=padding))
        model.save_model(tmp_path / "x.json")
        assert json.loads((tmp_path / "x.json").read_text())["Input Layer"]["padding"] == word
        x = np.ones((4, 4, 1))
        assert np.array_equal(tensorgrad.load_model(tmp_path / "x.json").predict(x), model.predict(x))


def test_a_model_that_is_too_large_for_json_is_not_written(tmp_path: Path) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=2100, neurons=2000, weights=np.zeros((2100, 2000), np.float32)))
    with pytest.raises(
        ValueError, match=r"too large for JSON: it has \d+ commas, more than the limit of 4194304.*another suffix"
    ):
        model.save_model(tmp_path / "x.json")
    assert not list(tmp_path.iterdir())
    model.save_model(tmp_path / "x.tgrad")
    assert not tensorgrad.load_model(tmp_path / "x.tgrad").predict(np.ones(2100)).any()


def test_two_layers_of_one_name_are_refused(tmp_path: Path) -> None:
    model = every_layer(np.float32)
    model.layers[1].name = "Input Layer"
    with pytest.raises(ValueError, match="two layers are called 'Input Layer'"):
        model.save_model(tmp_path / "x.json")
