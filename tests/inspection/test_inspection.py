"""The arrays behind the pictures, against manual passes, finite differences and counts by hand."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest

import tensorgrad
from tensorgrad import CNN, Tensor, inspection, no_grad
from tensorgrad.data import one_hot
from tensorgrad.inspection.summary import summarize
from tensorgrad.inspection.tracing import named_layers
from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Pool2d,
    Sequential,
    Upsample,
)
from tensorgrad.saving import ModelFileError
from tensorgrad.saving.assembly import check_extents

RNG = np.random.default_rng(0)


class Twice(Layer):
    """A user's layer with a layer inside, which it calls as a function."""

    def __init__(self) -> None:
        self.inner = [Conv2d(filters=3)]

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return self.inner[0](x) * 2


def nested(channels: int = 1, compiled: bool = True) -> CNN:
    model = CNN(seed=0)
    for layer in (
        Conv2d((8, 8, channels), filters=3, activation="relu"),
        Add([[Conv2d(filters=3), BatchNorm(), Activation("tanh")], []]),
        Twice(),
        Pool2d(),
        Dropout(0.2),
        Flatten(),
        Dropout(0.2),
        FFL(neurons=5, activation="tanh"),
        FFL(neurons=4, activation="softmax"),
    ):
        model.add(layer)
    if compiled:
        model.compile_model(opt="adam", loss="cse")
    return model


def float64(model: CNN) -> CNN:
    """The same model, computing in float64."""
    for layer in named_layers(model).values():
        for name, value in vars(layer).items():
            if isinstance(value, Tensor):
                setattr(layer, name, Tensor(value, dtype="float64", requires_grad=True))
    return model


def images(count: int, channels: int = 1) -> np.ndarray:
    return RNG.standard_normal((count, 8, 8, channels)).astype(np.float32)


# -- weights and maps ------------------------------------------------------------------------------------------


def test_filters_and_dense_weights_are_those_of_the_layers_at_any_depth() -> None:
    model = nested()
    found = inspection.filters(model)
    assert {name: w.shape for name, w in found.items()} == {
        "Input Layer": (3, 1, 3, 3), "Add1.branches.0.layers.0": (3, 3, 3, 3), "Twice2.inner.0": (3, 3, 3, 3),
    }  # fmt: skip
    first: Any = model.layers[0]
    assert (found["Input Layer"][2, 0] == first.weights.numpy()[:, :, 0, 2]).all()
    dense = inspection.dense_weights(model)
    assert {name: w.shape for name, w in dense.items()} == {"FFL7": (5, 3, 4, 4), "Out Layer(FFL)": (4, 5)}
    layer: Any = model.layers[7]
    assert dense["FFL7"][1, 2, 3, 0] == layer.weights.numpy()[(3 * 4 + 0) * 3 + 2, 1]  # row-major over (H, W, C)


def test_dense_weights_after_global_pooling_are_no_images() -> None:
    model = CNN(seed=0)
    for layer in (Conv2d((8, 8, 1), filters=3), GlobalPool(), FFL(neurons=2)):
        model.add(layer)
    assert inspection.dense_weights(model)["Out Layer(FFL)"].shape == (2, 3)


def test_feature_maps_are_a_forward_pass_by_hand() -> None:
    model = nested()
    x = images(1)[0]
    before = copy.deepcopy([vars(layer) for layer in named_layers(model).values()])
    maps = inspection.feature_maps(model, x)
    t = Tensor(x[None])
    for layer in model.layers:
        given, out = maps[layer.name]
        assert (given == t.numpy()[0]).all()
        with no_grad():
            t = layer.forward(t, training=False)
        assert (out == t.numpy()[0]).all()
    np.testing.assert_allclose(maps["Out Layer(FFL)"][1], model.predict(x[None])[0], rtol=1e-6)
    assert list(maps)[:6] == [
        "Input Layer", "Add1.branches.0.layers.0", "Add1.branches.0.layers.1", "Add1.branches.0.layers.2",
        "Add1.branches.0", "Add1.branches.1",
    ]  # fmt: skip
    np.testing.assert_allclose(maps["Add1"][1], maps["Add1.branches.0"][1] + maps["Add1"][0], rtol=1e-6)
    np.testing.assert_allclose(maps["Twice2"][1], 2 * maps["Twice2.inner.0"][1], rtol=1e-6)
    after = [vars(layer) for layer in named_layers(model).values()]
    assert [list(v) for v in after] == [list(v) for v in before]  # nothing was left in the model


def test_a_layer_without_a_name_has_its_type_and_place() -> None:
    model = nested()
    model.layers[3].name = ""
    assert "Pool2d3" in inspection.feature_maps(model, images(1)[0])


# -- gradients -------------------------------------------------------------------------------------------------


def score(model: CNN, x: np.ndarray, label: int) -> float:
    with no_grad():
        t = Tensor(x[None])
        for layer in model.layers[:-1]:
            t = layer.forward(t, training=False)
        last: Any = model.layers[-1]
        return float(last.linear(t).numpy()[0, label])


@pytest.mark.parametrize("channels", [1, 3])
def test_saliency_is_the_size_of_finite_differences(channels: int) -> None:
    model = float64(nested(channels))
    x = images(1, channels)[0].astype(np.float64)
    found = inspection.saliency(model, x, 2)
    assert found.shape == x.shape
    assert found.dtype == np.float64
    eps = 1e-6
    for place in [(0, 0, 0), (3, 4, channels - 1), (7, 7, 0), (5, 2, 0)]:
        step = np.zeros_like(x)
        step[place] = eps
        slope = (score(model, x + step, 2) - score(model, x - step, 2)) / (2 * eps)
        assert found[place] == pytest.approx(abs(slope), rel=1e-4, abs=1e-8)


def test_saliency_is_of_what_the_model_says_and_works_without_recording() -> None:
    model = nested(compiled=False)
    x = images(1)[0]
    with no_grad():
        found = inspection.saliency(model, x)
    assert (found == inspection.saliency(model, x, int(model.predict(x).argmax()))).all()
    calm = inspection.saliency(model, x, samples=8)
    assert (calm == inspection.saliency(model, x, samples=8)).all()
    assert (calm != found).any()
    np.testing.assert_allclose(inspection.saliency(model, x, samples=4, noise=0), found, rtol=1e-4, atol=1e-7)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    "layer", ["Input Layer", "Add1.branches.0.layers.0", "Twice2.inner.0", "Twice2", "Out Layer(FFL)"]
)
def test_gradient_ascent_excites_the_unit(layer: str) -> None:
    model = nested(3)
    found = inspection.gradient_ascent(model, layer, steps=30)
    count = tensorgrad.layers.shapes.as_tuple(named_layers(model)[layer].output_shape or ())[-1]
    assert found.shape == (count, 8, 8, 3)
    assert found.dtype == np.float32
    noise = 0.1 * np.random.default_rng(0).standard_normal(found.shape)

    def excitement(batch: np.ndarray, unit: int) -> float:
        outs = [inspection.feature_maps(model, image)[layer][1][..., unit] for image in batch[unit : unit + 1]]
        return float(np.mean(outs))

    for unit in range(count):
        assert excitement(found, unit) > excitement(noise, unit)
    assert (found == inspection.gradient_ascent(model, layer, steps=30)).all()
    chosen = inspection.gradient_ascent(model, layer, [count - 1], steps=1, bounds=(-0.3, 0.4))
    assert chosen.shape == (1, 8, 8, 3)
    assert chosen.min() >= -0.3 - 1e-6
    assert chosen.max() <= 0.4 + 1e-6


def test_gradient_ascent_of_a_linear_neuron_finds_its_weights() -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=6, neurons=3))
    layer: Any = model.layers[0]
    found = inspection.gradient_ascent(model, "Input Layer", steps=200)
    for image, weights in zip(found, layer.weights.numpy().T, strict=True):
        assert image @ weights / np.linalg.norm(image) / np.linalg.norm(weights) > 0.999


def test_a_dead_unit_leaves_faint_noise() -> None:
    model = CNN(seed=0)
    model.add(Conv2d((6, 6, 1), kernel=np.zeros((3, 3, 1, 1), np.float32)))
    assert np.abs(inspection.gradient_ascent(model, "Input Layer", steps=50)).max() < 0.5


# -- answers ---------------------------------------------------------------------------------------------------


def test_confusion_matrix_and_mistakes_by_hand() -> None:
    model = nested(compiled=False)
    x, labels = images(40), RNG.integers(0, 4, 40)
    outputs = model.predict(x)
    said = outputs.argmax(1)
    counts = inspection.confusion_matrix(model, x, labels)
    assert [[int(((labels == i) & (said == j)).sum()) for j in range(4)] for i in range(4)] == counts.tolist()
    assert (inspection.confusion_matrix(model, x, one_hot(labels, 4)) == counts).all()
    wrong = inspection.mistakes(model, x, labels)
    assert sorted(wrong.indices) == np.flatnonzero(said != labels).tolist()
    assert (wrong.labels == labels[wrong.indices]).all()
    assert (wrong.said == said[wrong.indices]).all()
    assert (wrong.confidence == outputs.max(1)[wrong.indices]).all()
    assert (np.diff(wrong.confidence) <= 0).all()
    model.compile_model(opt="adam", loss="cse")
    assert (model.evaluate(x, labels).confusion == counts).all()
    assert inspection.mistakes(model, x, said).indices.size == 0


def test_one_output_tells_two_classes_apart() -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=3, neurons=1, activation="sigmoid"))
    x = RNG.standard_normal((30, 3))
    said = model.predict(x)[:, 0] > 0.5
    counts = inspection.confusion_matrix(model, x, np.ones((30, 1)))
    assert counts.tolist() == [[0, 0], [(~said).sum(), said.sum()]]
    assert (inspection.mistakes(model, x, np.ones(30)).confidence >= 0.5).all()


# -- statistics ------------------------------------------------------------------------------------------------


def test_statistics_are_those_of_the_outputs_and_of_the_training_gradients() -> None:
    model = nested()
    first: Any = model.layers[0]
    first.biases = np.array([0.1, -100.0, 0.2])  # the second filter is dead
    x, labels = images(10), RNG.integers(0, 4, 10)
    found = inspection.statistics(model, x, labels)
    out = first(x).numpy()
    assert found["Input Layer"].dead == pytest.approx(1 / 3)
    assert found["Input Layer"].activations.mean == pytest.approx(out.mean(), rel=1e-5)
    assert found["Input Layer"].activations.std == pytest.approx(out.std(), rel=1e-5)
    assert found["Input Layer"].activations.zeros == pytest.approx((out == 0).mean())
    spread = found["Input Layer"].activations
    assert spread.counts.sum() == out.size
    assert (spread.edges[0], spread.edges[-1]) == pytest.approx((out.min(), out.max()))

    logits = Tensor(np.stack([[score(model, image, c) for c in range(4)] for image in x]), requires_grad=True)
    model.objective(logits, Tensor(one_hot(labels, 4))).backward()
    assert logits.grad is not None
    assert found["Out Layer(FFL)"].gradients.std == pytest.approx(logits.grad.numpy().std(), rel=1e-4)
    model.objective(model.forward(Tensor(x), False, logits=True), Tensor(one_hot(labels, 4))).backward()
    gradients = np.concatenate([p.grad.numpy().ravel() for p in model.layers[1].parameters()])
    assert found["Add1"].parameter_gradients.mean == pytest.approx(gradients.mean(), rel=1e-3, abs=1e-8)
    assert found["Pool2d3"].parameter_gradients is None
    assert set(found) == set(named_layers(model))


def test_statistics_without_labels_need_no_compiled_model() -> None:
    found = inspection.statistics(nested(compiled=False), images(4))
    assert found["Twice2.inner.0"].gradients is None
    assert all(len(s.activations.counts) == 50 and 0 <= s.dead <= 1 for s in found.values())


# -- structure -------------------------------------------------------------------------------------------------


def test_mermaid_has_a_node_per_layer_and_joins_branches() -> None:
    text = inspection.to_mermaid(nested())
    assert text.startswith("graph TD\n")
    nodes = dict(re.findall(r"^    (n\d+)[\[(]+\"(.*?)\"", text, re.MULTILINE))
    edges = re.findall(r"^    (n\d+) -->\|(.*)\| (n\d+)$", text, re.MULTILINE)
    plus = next(name for name, label in nodes.items() if label == "+")
    assert [nodes[a] for a, _, b in edges if b == plus] == ["Activation: tanh", nodes["n1"]]
    assert "Twice2<br/>Twice: of Conv2d<br/>84 parameters" in nodes.values()
    assert (edges[0][1], edges[-1][1]) == ("8 x 8 x 1", "4")
    assert {a for a, _, _ in edges} | {b for _, _, b in edges} == set(nodes)


class Gate(Layer):
    """A user's layer: what a branch gives times what another gives, drawn and measured by what it says of itself."""

    family = "convolution"
    joined_by = "*"

    def __init__(self) -> None:
        self.parts = [Conv2d(filters=2, kernel_size=1, padding=None), Sequential([Conv2d(filters=2), Flip()])]

    def infer_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:  # type: ignore[override]
        for part in self.parts:
            part.wire(input_shape)
        return (*input_shape[:2], 2)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return self.parts[0].forward(x, training) * self.parts[1].forward(x, training)

    def see(self, field: inspection.Field) -> inspection.Field:
        return self.parts[0].see(field).union(self.parts[1].see(field))


class Flip(Layer):
    """A user's layer that answers for itself."""

    family = "resampling"

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return x[:, ::-1]

    def describe(self) -> str:
        return "upside down"

    def see(self, field: inspection.Field) -> inspection.Field:
        order = np.arange(len(field.rows.first))[::-1, None]
        return inspection.Field(field.rows.at(order), field.columns)

    def multiply_adds(self) -> int:
        return 7

    def extents(self) -> tuple[int, ...]:
        return (10**9,)


def test_a_users_layer_answers_for_itself() -> None:
    model = CNN(seed=0)
    for layer in (Conv2d((6, 5, 1), filters=2, padding=None), Gate(), Flip()):
        model.add(layer)
    fields = inspection.receptive_fields(model)
    assert list(fields) == [
        "Input Layer", "Gate1.parts.0", "Gate1.parts.1.layers.0", "Gate1.parts.1.layers.1", "Gate1.parts.1", "Gate1",
        "Out Layer(Flip)",
    ]  # fmt: skip
    assert fields["Gate1.parts.1"].rows.first.tolist() == [2, 1, 0, 0]  # upside down
    assert fields["Gate1"].rows.first.tolist() == [0, 1, 0, 0]
    assert fields["Gate1"].rows.last.tolist() == [5, 5, 4, 5]
    assert fields["Out Layer(Flip)"].rows.last.tolist() == [5, 4, 5, 5]
    chart = inspection.to_mermaid(model)
    assert '(("*"))' in chart
    assert "Flip: upside down" in chart
    assert [row.macs for row in summarize(model).table if row.name.endswith("(Flip)")] == [7]
    assert set(inspection.filters(model)) == {"Input Layer", "Gate1.parts.0", "Gate1.parts.1.layers.0"}
    with pytest.raises(ModelFileError, match="Flip"):
        check_extents(model.layers[-1])


def test_layers_in_words() -> None:
    assert Conv2d(filters=8, stride=2, activation="relu").describe() == "8 filters of 3 x 3, stride 2 x 2, relu"
    assert Pool2d(3, 2).describe() == "max of 3 x 3, stride 2 x 2"
    assert Upsample().describe() == "2 x 2 copies"
    assert BatchNorm().describe() == Flatten().describe() == ""


# -- weights that are not finite ---------------------------------------------------------------------------------


def broken(value: float = np.nan) -> CNN:
    """The model with one weight of its third layer from the end that is not finite."""
    model = nested()
    layer: Any = model.layers[-2]
    layer.weights.data[3, 1] = value
    return model


def test_statistics_say_where_nan_begins() -> None:
    x, y = images(4), np.arange(4)
    found = inspection.statistics(broken(), x, y)
    assert found["Flatten5"].activations.bad == 0
    assert found["FFL7"].activations.bad == pytest.approx(1 / 5)  # one neuron of five, for every sample
    assert np.isfinite(found["FFL7"].activations.mean)
    last = found["Out Layer(FFL)"].activations
    assert last.bad == 1
    assert np.isnan(last.mean)
    assert last.counts.sum() == 0
    gradients = found["Input Layer"].parameter_gradients
    assert gradients is not None
    assert gradients.bad == 1
    whole = inspection.Spread.of(np.array([np.inf, -np.inf, np.nan, 1.0, 3.0, 0.0, 0.0, 0.0]))
    assert (whole.bad, whole.zeros, whole.mean) == (3 / 8, 3 / 8, 0.8)
    assert whole.counts.sum() == 5


@pytest.mark.parametrize("function", [inspection.confusion_matrix, inspection.mistakes])
def test_outputs_that_are_nan_are_no_class(function) -> None:
    with pytest.raises(ValueError, match=f"{function.__name__}: the model's outputs are NaN for 4 of 4 samples"):
        function(broken(), images(4), np.zeros(4, int))


# -- the score of a class ----------------------------------------------------------------------------------------


def ends(*last: Layer) -> CNN:
    model = CNN(seed=0)
    for layer in (Conv2d((6, 6, 1), filters=2), Flatten(), *last):
        model.add(layer)
    return model


@pytest.mark.parametrize(
    "last",
    [
        lambda: [Sequential([FFL(neurons=3, activation="softmax")])],
        lambda: [FFL(neurons=3, activation="softmax"), Dropout(0.5)],
        lambda: [Sequential([FFL(neurons=3), Sequential([Activation("softmax"), Dropout(0.5)])]), Dropout(0.5)],
    ],
)
def test_saliency_is_of_the_score_wherever_the_softmax_stands(last) -> None:
    image = RNG.standard_normal((6, 6, 1)).astype(np.float32)
    plain = ends(FFL(neurons=3))
    model = ends(*last())
    for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
        mine.data = other.array
    expected = inspection.saliency(plain, image, 1)
    np.testing.assert_allclose(inspection.saliency(model, image, 1), expected, rtol=1e-5)
    best = int(plain.predict(image).argmax())
    assert (inspection.saliency(model, image) == inspection.saliency(model, image, best)).all()


def test_gradient_ascent_of_a_chain_is_that_of_its_score() -> None:
    plain = ends(FFL(neurons=3))
    model = ends(Sequential([FFL(neurons=3), Activation("softmax"), Dropout(0.5)]))
    for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
        mine.data = other.array
    found, expected = (inspection.gradient_ascent(m, m.layers[-1].name, steps=3) for m in (model, plain))
    np.testing.assert_allclose(found, expected, atol=1e-5)


# -- what it says to bad input -----------------------------------------------------------------------------------


def flat() -> CNN:
    model = CNN(seed=0)
    model.add(FFL(input_shape=3, neurons=2))
    return model


GOOD = np.zeros((8, 8, 1))
BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: inspection.filters(flat()), ValueError, "filters: the model has no convolutional layer (Conv2d)"),
    (lambda: inspection.dense_weights(CNN()), ValueError, "no fully connected layer (FFL)"),
    (lambda: inspection.feature_maps(CNN(), GOOD), ValueError, "feature_maps: the model has no layers yet"),
    (
        lambda: inspection.feature_maps(nested(), np.zeros((8, 8))), ValueError,
        "feature_maps: Conv2d 'Input Layer' expects one sample of shape (8, 8, 1), received shape (8, 8); "
        "use x.reshape(8, 8, 1)",
    ),
    (lambda: inspection.feature_maps(nested(), GOOD[None]), ValueError, "; pass one of them, such as x[0]"),
    (lambda: inspection.saliency(nested(3), np.zeros((3, 8, 8))), ValueError, "use x.transpose(1, 2, 0)"),
    (lambda: inspection.saliency(nested(), np.zeros((9, 9, 1))), ValueError, "received shape (9, 9, 1)"),
    (lambda: inspection.saliency(nested(), GOOD * np.nan), ValueError, "saliency: X holds NaN or infinity"),
    (lambda: inspection.saliency(nested(), [["a"]]), TypeError, "saliency: the image must be numbers"),
    (lambda: inspection.saliency(nested(), GOOD, 4), ValueError, "the classes 0 to 3, received label=4"),
    (lambda: inspection.saliency(nested(), GOOD, samples=0), ValueError, "samples must be an int of at least 1"),
    (
        lambda: inspection.gradient_ascent(nested(), "Conv2d1"), ValueError,
        "gradient_ascent: the model has no layer 'Conv2d1'; it has 'Input Layer', 'Add1', 'Add1.branches.0'",
    ),
    (lambda: inspection.gradient_ascent(nested(), "Twice2", [3]), ValueError, "the units 0 to 2, received units=[3]"),
    (lambda: inspection.gradient_ascent(nested(), "Twice2", []), ValueError, "received units=[]"),
    (lambda: inspection.gradient_ascent(nested(), "Twice2", smooth=0.3), ValueError, "must lie between 0 and 0.25"),
    (lambda: inspection.gradient_ascent(nested(), "Twice2", steps=0), ValueError, "steps must be an int of at least 1"),
    (lambda: inspection.gradient_ascent(nested(), "Twice2", [0.7]), ValueError, "received units=[0.7]"),  # type: ignore[list-item]
    (lambda: inspection.gradient_ascent(nested(), "Twice2", [True]), ValueError, "received units=[True]"),
    (lambda: inspection.gradient_ascent(nested(), "Twice2", bounds=(1, 0)), ValueError, "received bounds=(1, 0)"),
    (lambda: inspection.gradient_ascent(nested(), "Twice2", bounds=(0, np.nan)), ValueError, "low < high"),
    (lambda: inspection.gradient_ascent(nested(), "Twice2", step=np.nan), ValueError, "step must lie between 0 and"),
    (lambda: inspection.saliency(nested(), GOOD, samples=2, noise=-1), ValueError, "noise must be a finite number"),
    (lambda: inspection.mistakes(nested(), images(3), [0, 1]), ValueError, "mistakes: X has 3 samples but Y has 2"),
    (lambda: inspection.mistakes(nested(), images(2), [0, 4]), ValueError, "Y must hold the classes 0 to 3"),
    (lambda: inspection.mistakes(nested(), images(2), [0.5, 1]), ValueError, "Y must be integer labels of shape (2,)"),
    (lambda: inspection.mistakes(nested(), images(2), np.ones((2, 3))), ValueError, "or one-hot rows of shape (2, 4)"),
    (lambda: inspection.mistakes(nested(), images(2), ["a", "b"]), ValueError, "Y must be integer labels"),
    (lambda: inspection.confusion_matrix(CNN(), images(2), [0, 1]), ValueError, "the model has no layers yet"),
    (lambda: inspection.confusion_matrix(nested(), images(2, 3), [0, 1]), ValueError, "expects samples of shape"),
    (lambda: inspection.statistics(nested(), images(2, 3)), ValueError, "statistics: Conv2d 'Input Layer' expects"),
    (lambda: inspection.statistics(nested(compiled=False), images(2), [0, 1]), ValueError, "the model is not compiled"),
    (lambda: inspection.to_mermaid(CNN()), ValueError, "to_mermaid: the model has no layers yet"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_input(call, kind, message) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        call()


def test_a_model_of_images_to_images_is_no_classifier() -> None:
    model = CNN(seed=0)
    model.add(Conv2d((8, 8, 1)))
    with pytest.raises(ValueError, match=re.escape("expected a classifier, with one output per class; Conv2d")):
        inspection.mistakes(model, images(2), [0, 1])
    assert inspection.saliency(model, images(1)[0], 0).shape == (8, 8, 1)
