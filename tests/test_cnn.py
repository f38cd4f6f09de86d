"""The CNN class: wiring, training, prediction, what it prints, what it says to bad input."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tensorgrad import CNN, Tensor
from tensorgrad.data import mnist, one_hot, standardize
from tensorgrad.layers import FFL, Activation, Conv2d, Dropout, Flatten, Layer, Pool2d, Upsample
from tensorgrad.optim import Adam
from tensorgrad.training.loop import NonFiniteLossError
from tensorgrad.training.terminal import Progress
from tests.optim.problems import NAMES


def small(seed: int = 0, **compiled) -> CNN:
    """A network with every layer of the text, on 8 x 8 images."""
    model = CNN(seed=seed)
    model.add(Conv2d(input_shape=(8, 8, 1), filters=3, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Upsample())
    model.add(Conv2d(filters=4, padding="same", activation="tanh"))
    model.add(Flatten())
    model.add(FFL(neurons=12, activation="relu"))
    model.add(Dropout(0.1))
    model.add(FFL(neurons=3, activation="softmax"))
    model.compile_model(**({"lr": 0.01, "opt": "adam", "loss": "cse"} | compiled))
    return model


def stripes(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that anybody can tell: horizontal stripes, vertical stripes, noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    x = rng.standard_normal((count, 8, 8, 1)).astype(np.float32) * 0.3
    x[labels == 0, ::2] += 1
    x[labels == 1, :, ::2] += 1
    return x, labels


X, LABELS = stripes()
Y = one_hot(LABELS, 3)


# -- wiring ----------------------------------------------------------------------------------------------------


def experiment(number: int) -> CNN:
    model = CNN(seed=0)
    if number == 3:
        model.add(Conv2d(input_shape=(28, 28, 1), filters=4, padding=None, kernel_size=(3, 3), activation="relu"))
        model.add(Pool2d(kernel_size=(2, 2)))
        model.add(Conv2d(filters=8, kernel_size=(3, 3), padding=None, activation="relu"))
        model.add(Dropout(0.2))
        model.add(Flatten())
    else:
        model.add(Conv2d(input_shape=(28, 28, 1), filters=4, padding=None, kernel_size=(3, 3), activation="relu"))
        model.add(Conv2d(filters=8, kernel_size=(3, 3), padding=None, activation="relu"))
        model.add(Pool2d(kernel_size=(2, 2)))
        model.add(Flatten())
        model.add(FFL(neurons=64, activation="relu"))
        model.add(Dropout(0.1))
    model.add(FFL(neurons=10, activation="softmax"))
    return model


def test_summary_is_the_text_s_table(capsys) -> None:
    table = experiment(3).summary()
    assert capsys.readouterr().out == f"{table}\n"
    assert table.rows == (
        ("Input Layer", (28, 28, 1), (26, 26, 4), "relu", True, 40),
        ("Pool2d1", (26, 26, 4), (13, 13, 4), None, False, 0),
        ("Conv2d2", (13, 13, 4), (11, 11, 8), "relu", True, 296),
        ("Dropout3", (11, 11, 8), (11, 11, 8), None, False, 0),
        ("Flatten4", (11, 11, 8), 968, None, False, 0),
        ("Out Layer(FFL)", 968, 10, "softmax", True, 9690),
    )
    assert table.total == table.total_params == 10026
    header, _, first, *_ = str(table).splitlines()
    assert re.split(r"  +", header)[:6] == ["Layer Name", "Input", "Output Shape", "Activation", "Bias", "Parameters"]
    assert re.split(r"  +", first)[:6] == ["Input Layer", "(28, 28, 1)", "(26, 26, 4)", "relu", "True", "40"]
    assert "\nTotal Parameters: 10026\n" in str(table)
    assert table._repr_html_().count("<tr>") == 7
    assert experiment(3)._repr_html_() == table._repr_html_()


def test_experiment_4_has_74778_parameters(capsys) -> None:
    model = experiment(4)
    assert model.summary().total == 74778 == sum(p.size for p in model.parameters())
    names = [row[0] for row in model.summary().rows]
    assert names == ["Input Layer", "Conv2d1", "Pool2d2", "Flatten3", "FFL4", "Dropout5", "Out Layer(FFL)"]


def test_a_refused_layer_changes_nothing() -> None:
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(4, 4, 1), filters=2, padding=None))
    names = [layer.name for layer in model.layers]
    layer = Conv2d(kernel_size=5, padding=None)
    with pytest.raises(ValueError, match=re.escape("Conv2d 'Out Layer(Conv2d)': a 5x5 window does not fit the 2x2")):
        model.add(layer)
    assert [la.name for la in model.layers] == names
    assert layer.name == ""
    assert layer.input_shape is None
    reference = CNN(seed=0)
    reference.add(Conv2d(input_shape=(4, 4, 1), filters=2, padding=None))
    for m in (model, reference):
        m.add(Flatten())
        m.add(FFL(neurons=2))
    assert (model.parameters()[-2].numpy() == reference.parameters()[-2].numpy()).all()  # no stream was shifted


def test_adding_a_layer_does_not_change_the_others_weights() -> None:
    with_dropout, without = CNN(seed=3), CNN(seed=3)
    for model in (with_dropout, without):
        model.add(FFL(input_shape=4, neurons=5))
    with_dropout.add(Dropout(0.5))
    assert (with_dropout.parameters()[0].numpy() == without.parameters()[0].numpy()).all()


# -- training --------------------------------------------------------------------------------------------------


def test_it_learns_what_it_is_shown() -> None:
    model = small()
    history = model.train(X, Y, epochs=25, batch_size=16, val_split=0.2, verbose=0)
    assert len(history) == 25
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert history["val_accuracy"][-1] > 0.9
    assert model.evaluate(X, LABELS)["accuracy"] > 0.95
    assert model.predict(X).argmax(1).tolist() == model.predict(X[:40]).argmax(1).tolist() + (
        model.predict(X[40:]).argmax(1).tolist()
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_by_name_lowers_the_loss(name: str) -> None:
    lr = {"adadelta": 1.0, "sgd": 0.05, "iterative": 0.05, "momentum": 0.02}.get(name, 0.005)
    history = small(opt=name, lr=lr).train(X, Y, epochs=8, batch_size=8, val_split=0, verbose=0)
    assert history["loss"][-1] < 0.8 * history["loss"][0]


def test_labels_in_every_form_give_the_same_weights() -> None:
    weights = []
    for labels in (Y, LABELS, LABELS.astype(np.uint8), Y.astype(bool), Y.astype(int).tolist()):
        model = small()
        model.train(X, labels, epochs=2, verbose=0)
        weights.append(np.concatenate([p.numpy().ravel() for p in model.parameters()]))
    assert all((w == weights[0]).all() for w in weights)


def test_inputs_of_every_dtype_and_no_float64_anywhere() -> None:
    pixels = (X * 20).astype(np.int8)
    reference = None
    for dtype in (np.int8, np.int64, np.float16, np.float32, np.float64):
        model = small()
        model.train(pixels.astype(dtype), Y, epochs=1, verbose=0)
        assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
        assert model.predict(pixels.astype(dtype)).dtype == np.float32
        weights = np.concatenate([p.numpy().ravel() for p in model.parameters()])
        reference = weights if reference is None else reference
        assert (weights == reference).all()


def test_the_last_smaller_batch_counts() -> None:
    seen = []

    class Spy(Layer):
        def forward(self, x, training):
            if training:
                seen.append(x.shape[0])
            return x

    model = CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=2))
    model.add(Spy())
    model.compile_model(opt="iterative", lr=0.1)
    x = np.ones((10, 2), np.float32)
    model.train(x, np.zeros((10, 2)), epochs=1, batch_size=4, val_split=0, verbose=0)
    assert seen == [4, 4, 2]
    assert model.optimizer.steps == 3


def test_training_is_the_steps_written_out() -> None:
    one, other = small(opt="momentum", lr=0.05), small(opt="momentum", lr=0.05)
    one.train(X, Y, epochs=1, batch_size=20, shuffle=False, val_split=0, verbose=0)
    for start in range(0, 60, 20):
        loss, figure = other.apply_loss(Y[start : start + 20], other.feedforward(X[start : start + 20]))
        assert figure == pytest.approx(loss.item())
        other.backpropagate(loss, update=True)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-3, atol=1e-5)


def test_validation_split_is_disjoint_and_the_tail_without_shuffle() -> None:
    seen = []

    class Spy(Layer):
        def forward(self, x, training):
            seen.append((training, x.numpy().ravel().tolist()))
            return x

    for shuffle in (True, False):
        seen.clear()
        model = CNN(seed=1)
        model.add(FFL(input_shape=1, neurons=1, weights=[[1.0]], is_bias=False))
        model.layers.insert(0, Spy())
        model.layers[0].input_shape = 1
        model.compile_model(opt="iterative", lr=0.0)
        model.train(np.arange(20.0).reshape(-1, 1), np.zeros(20), epochs=1, val_split=0.25, shuffle=shuffle, verbose=0)
        trained = [v for training, values in seen if training for v in values]
        held = [v for training, values in seen if not training for v in values]
        assert sorted(trained + held) == list(range(20))
        assert len(held) == 5
        assert (held == [15, 16, 17, 18, 19]) is not shuffle


def test_softmax_and_cross_entropy_do_not_overflow() -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=3, weights=np.full((2, 3), 1e4, np.float32), activation="softmax"))
    model.compile_model(opt="iterative", lr=1e-9, loss="cse")
    x = np.array([[1.0, -1.0], [3e4, 2.0]], np.float32)
    history = model.train(x, [0, 1], epochs=1, val_split=0, verbose=0)
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("loss", "activation", "outputs"),
    [("mse", None, 2), ("mae", "linear", 2), ("huber", "tanh", 1), ("bce", "sigmoid", 1), ("cse", "sigmoid", 2)],
)
def test_losses_go_down(loss, activation, outputs) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 3)).astype(np.float32)
    y = (x @ rng.standard_normal((3, outputs)) > 0).astype(np.float32)
    model = CNN(seed=0)
    model.add(FFL(input_shape=3, neurons=16, activation="tanh"))
    model.add(FFL(neurons=outputs, activation=activation))
    model.compile_model(lr=0.02, opt="adam", loss=loss, metrics=["mse", "accuracy"])
    history = model.train(x, y if outputs > 1 else y[:, 0], epochs=30, verbose=0)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    figures = model.evaluate(x, y)
    own = {"accuracy"} if activation == "sigmoid" else {"mae", "r2"}
    assert (
        figures.keys()
        == {"loss", "mse", *own}
        == {name.removeprefix("val_") for name in history.history} - {"time"} | {"mse"}
    )
    assert figures["mse"] == pytest.approx(np.mean((model.predict(x) - y) ** 2), rel=1e-4)
    if activation == "sigmoid":
        assert figures["accuracy"] == pytest.approx(np.mean((model.predict(x) > 0.5) == (y > 0.5)))


def test_metrics_of_a_classifier() -> None:
    model = small(metrics=["mse", "accuracy", "cse"])
    p = model.predict(X)
    figures = model.evaluate(X, LABELS)
    assert figures["accuracy"] == pytest.approx((p.argmax(1) == LABELS).mean())
    assert figures["mse"] == pytest.approx(((p - Y) ** 2).mean(), rel=1e-4)
    assert figures["cse"] == pytest.approx(-np.log(p[np.arange(60), LABELS]).mean(), rel=1e-4)
    assert figures["loss"] == pytest.approx(figures["cse"], rel=1e-4)
    history = model.train(X, Y, epochs=1, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy", "val_mse", "val_cse", "time"}


def test_an_optimizer_object_and_the_keras_names() -> None:
    model = small()
    optimizer = Adam(model.parameters(), lr=0.01)
    model.compile(opt=optimizer, loss="cse")
    assert model.optimizer is optimizer
    assert model.fit(X, Y, epochs=1, verbose=0)["loss"][0] > 0
    with pytest.raises(ValueError, match=re.escape("must be made over model.parameters()")):
        model.compile(opt=Adam(model.parameters()[:2], lr=0.01), loss="cse")


# -- the same in every run, and nothing left behind --------------------------------------------------------------

SCRIPT = """
import sys, hashlib, numpy as np
sys.path.insert(0, {folder!r})
from tests.test_cnn import small, X, Y
model = small(seed=5)
model.train(X, Y, epochs=3, batch_size=7, verbose=0)
print(hashlib.sha256(b"".join(p.numpy().tobytes() for p in model.parameters())).hexdigest())
"""


def test_the_same_seed_gives_the_same_weights_in_two_processes(request) -> None:
    script = SCRIPT.format(folder=str(request.path.parent))
    digests = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_other_seeds_give_other_weights_and_the_library_s_seed_rules_the_rest() -> None:
    import tensorgrad

    assert (small(1).parameters()[0].numpy() != small(2).parameters()[0].numpy()).any()
    weights = []
    for _ in range(2):
        tensorgrad.seed(11)
        model = CNN()
        model.add(FFL(input_shape=3, neurons=3))
        weights.append(model.parameters()[0].numpy())
    assert (weights[0] == weights[1]).all()


def test_500_steps_leave_memory_flat_without_the_cyclic_collector() -> None:
    model = small()
    model.train(X, Y, epochs=5, batch_size=6, val_split=0, verbose=0)
    gc.collect()
    gc.disable()
    try:
        objects_before = len(gc.get_objects())
        model.train(X, Y, epochs=50, batch_size=6, val_split=0, verbose=0)  # 500 steps
        objects_after = len(gc.get_objects())
        tracemalloc.start()  # which makes a step take five times as long
        model.train(X, Y, epochs=2, batch_size=6, val_split=0, verbose=0)
        bytes_before = array_bytes()
        model.train(X, Y, epochs=10, batch_size=6, val_split=0, verbose=0)
        bytes_after = array_bytes()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert bytes_after - bytes_before < 4_000  # 100 steps: not one array of the smallest layer per step
    assert objects_after - objects_before < 200


def array_bytes() -> int:
    """How many bytes all arrays hold. (Python's own free lists grow to their limits first, and are no leak.)"""
    arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([arrays]).traces)


def test_pickle_and_deepcopy_share_nothing() -> None:
    model = small()
    model.train(X, Y, epochs=1, verbose=0)
    expected = model.predict(X)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert (other.predict(X) == expected).all()
        other.train(X, Y, epochs=1, verbose=0)
        assert (other.predict(X) != expected).any()
        assert (model.predict(X) == expected).all()


# -- looking at it ------------------------------------------------------------------------------------------------


def test_feedforward_leaves_what_each_layer_saw() -> None:
    model = small()
    out = model.feedforward(X[0], train=False)
    assert out.shape == (3,)
    assert not out.requires_grad
    shapes = [(layer.input.shape, layer.out.shape) for layer in model.layers]
    assert shapes[0] == ((8, 8, 1), (6, 6, 3))
    assert shapes[1] == ((6, 6, 3), (3, 3, 3))
    for before, after in zip(model.layers, model.layers[1:], strict=False):
        assert (before.out == after.input).all()
    np.testing.assert_allclose(out.numpy(), model.predict(X[0])[0], rtol=1e-5)
    assert model.feedforward(X[:4]).requires_grad


def test_predict_takes_one_sample_or_many_and_keeps_no_graph() -> None:
    model = small()
    assert model.predict(X[0]).shape == (1, 3)
    assert model.predict(X).shape == (60, 3)
    assert model.predict(np.concatenate([X] * 10)).shape == (600, 3)
    np.testing.assert_allclose(model.predict(X).sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(model(X).numpy(), model.predict(X), rtol=1e-5, atol=1e-6)


def test_predict_of_one_sample_leaves_what_the_layers_met() -> None:
    model = small()
    out = model.predict(X[0])
    shapes = [(layer.input.shape, layer.out.shape) for layer in model.layers]
    assert shapes[:2] == [((8, 8, 1), (6, 6, 3)), ((6, 6, 3), (3, 3, 3))]
    assert (model.layers[0].input == X[0]).all()
    assert (model.layers[-1].out == out[0]).all()
    kept = [layer.out.copy() for layer in model.layers]
    model.predict(X[1:])  # a batch leaves nothing, and reuses no memory that is still looked at
    assert all((layer.out == before).all() for layer, before in zip(model.layers, kept, strict=True))


def test_what_is_printed(capsys) -> None:
    small().train(X, Y, epochs=3, show_every=2, val_x=X[:10], val_y=Y[:10])
    text = capsys.readouterr().out
    assert "\r" not in text  # this is no terminal
    assert "Validation data found." in text
    assert "Total 60 samples.\nTraining samples: 60 Validation samples: 10.\n" in text
    assert "Total 2 batches, most batch has 32 samples." in text
    block = r"Epoch: {}:\nTime: [\d.]+sec\nTrain Loss: [\d.]+ Train Accuracy: [\d.]+%\nVal Loss: [\d.]+ Val Accuracy: "
    assert re.search(block.format(0), text)
    assert re.search(block.format(2), text)
    assert "Epoch: 1:" not in text
    small().train(X, Y, epochs=1, verbose=0)
    assert capsys.readouterr().out == ""


def test_the_text_s_dictionaries() -> None:
    model = small()
    history = model.train(X, Y, epochs=3, show_every=2, verbose=0)
    for kept, name, factor in (
        (model.train_loss, "loss", 1), (model.val_loss, "val_loss", 1),
        (model.train_acc, "accuracy", 100), (model.val_acc, "val_accuracy", 100),
    ):  # fmt: skip
        assert kept == {e: round(factor * history[name][e], 4) for e in (0, 2)}
    assert "val_loss" in str(history)
    assert len(str(history).splitlines()) == 4
    with pytest.raises(KeyError, match="there is no 'mse'"):
        history["mse"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_that_is_rewritten() -> None:
    stream = Terminal()
    progress = Progress("auto", stream)
    for done in range(1, 4):
        progress._due = 0.0
        progress.batch(0, 2, done, 3, 0.5)
    progress.epoch(0, {"time": 1.0, "loss": 0.5, "accuracy": 0.75})
    text = stream.getvalue()
    assert text.count("\rEpoch 1/2 [") == 3
    assert "[========================] 3/3  loss 0.5000" in text
    assert text.endswith("Epoch: 0:\nTime: 1.000sec\nTrain Loss: 0.5000 Train Accuracy: 75.00%\n\n")
    plain = io.StringIO()
    Progress("auto", plain).batch(0, 2, 1, 3, 0.5)
    assert plain.getvalue() == ""


# -- when it goes wrong -------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_with_epoch_batch_and_layer() -> None:
    model = small(opt="iterative", lr=1e30)
    with pytest.raises(NonFiniteLossError, match=r"in epoch 0, batch [12]; the first bad layer is \w+ '[^']+': its"):
        model.train(X, Y, epochs=2, batch_size=10, verbose=0)


def compiled(activation: str | None = "softmax", **options) -> CNN:
    model = CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=3, activation=activation))
    model.compile_model(**({"opt": "iterative", "loss": "cse"} | options))
    return model


def uncompiled() -> CNN:
    model = CNN()
    model.add(FFL(input_shape=2, neurons=3, activation="softmax"))
    return model


GOOD_X, GOOD_Y = np.ones((4, 2)), [0, 1, 2, 0]
NAN = np.array([[1.0, 2.0], [np.nan, 0.0], [1.0, 1.0], [0.0, 0.0]])


def test_a_model_computes_in_the_dtype_of_its_first_parameter() -> None:
    assert CNN().dtype == np.float32
    model = small()
    assert model.dtype == np.float32
    first = Conv2d((4, 4, 1), filters=2, kernel=np.ones((3, 3, 1, 2)), bias=np.zeros(2))
    double = CNN(seed=0)
    double.add(first)
    assert double.dtype == np.float64
    assert double.predict(np.ones((1, 4, 4, 1), np.float32)).dtype == np.float64


class NoArray:
    """Like PyTorch's tensors that need a gradient."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("use detach() first")


BAD = [
    (lambda: CNN().add(FFL), TypeError, "add: expected a layer, received <class"),
    (lambda: CNN().add("FFL"), TypeError, "received 'FFL' of type str"),
    (lambda: CNN().add(Flatten()), ValueError, "the first layer, Flatten, has no input_shape"),
    (lambda: uncompiled().add(Conv2d()), ValueError, "Conv2d 'Out Layer(Conv2d)': expected images"),
    (
        lambda: uncompiled().add(FFL(input_shape=4)),
        ValueError,
        "was made for samples of shape 4, but FFL 'Input Layer'",
    ),
    (lambda: (m := uncompiled()).add(m.layers[0]), ValueError, "is in this model already"),
    (lambda: CNN().compile_model(), ValueError, "the model has no layers yet"),
    (lambda: compiled(opt="sdg"), ValueError, "unknown optimizer 'sdg'; did you mean 'sgd'? Known are 'adam', 'adamw'"),
    (lambda: compiled(loss="cross"), ValueError, "unknown loss 'cross'; known are 'mse', 'cse'"),
    (lambda: compiled(metrics=["auc"]), ValueError, "'AUC' of Keras is a function of your own here"),
    (lambda: compiled(metrics=["mse", 3]), ValueError, "unknown metric 3; known are 'mse', 'accuracy', 'cse'"),
    (lambda: compiled(metrics=3), TypeError, "compile_model: metrics must be a sequence of names, received 3"),
    (
        lambda: compiled(opt=Adam),
        TypeError,
        "opt must be a name or an optimizer, received the class Adam; make one with Adam(model.parameters())",
    ),
    (lambda: compiled(clip_norm="1"), ValueError, "compile_model: clip_norm must be positive, received '1'"),
    (lambda: compiled(label_smoothing=None), ValueError, "label_smoothing must lie in 0 to 1, and needs the loss"),
    (lambda: compiled("relu"), ValueError, "loss 'cse' needs probabilities, but the last layer's activation is 'relu'"),
    (lambda: compiled(loss="bce"), ValueError, "loss 'bce' needs probabilities, but the last layer's activation"),
    (lambda: compiled(lr=-1), ValueError, "lr"),
    (lambda: uncompiled().train(GOOD_X, GOOD_Y, 1), ValueError, "train: the model is not compiled"),
    (lambda: uncompiled().evaluate(GOOD_X, GOOD_Y), ValueError, "evaluate: the model is not compiled"),
    (lambda: CNN().predict(GOOD_X), ValueError, "predict: the model has no layers yet"),
    (lambda: compiled().train(GOOD_X, GOOD_Y, epochs=0), ValueError, "epochs must be an int of at least 1, received 0"),
    (lambda: compiled().train(GOOD_X, GOOD_Y, batch_size=0), ValueError, "batch_size must be an int of at least 1"),
    (lambda: compiled().train(GOOD_X, GOOD_Y, epochs=1.5), ValueError, "epochs must be an int of at least 1"),
    (lambda: compiled().train(GOOD_X, GOOD_Y, val_split=1), ValueError, "val_split must be at least 0 and below 1"),
    (
        lambda: compiled().train(GOOD_X, GOOD_Y, val_split=None),
        ValueError,
        "train: val_split must be at least 0 and below 1, received None",
    ),
    (lambda: compiled().backpropagate(0.5), TypeError, "the first of the two that apply_loss gives; received float"),
    (lambda: compiled().train(GOOD_X, GOOD_Y, val_x=GOOD_X), TypeError, "train, validation: Y is missing"),
    (lambda: compiled().train(GOOD_X, GOOD_Y, verbose=3), ValueError, "train: verbose must be 'auto', 0, 1 or 2"),
    (lambda: compiled().train(GOOD_X, GOOD_Y, callbacks=3), TypeError, "train: callbacks must be a list of Callback"),
    (lambda: compiled().train(GOOD_X, GOOD_Y[:3]), ValueError, "X has 4 samples but Y has 3"),
    (lambda: compiled().train(np.ones((0, 2)), []), ValueError, "X is empty"),
    (lambda: compiled().train(np.ones((4, 3)), GOOD_Y), ValueError, "FFL 'Input Layer' expects samples of shape (2,)"),
    (lambda: compiled().train(GOOD_X, [0, 1, 2, 3]), ValueError, "label 3 is out of range; with 3 classes"),
    (lambda: compiled().train(GOOD_X, [0, -1, 2, 1]), ValueError, "label -1 is out of range"),
    (
        lambda: compiled().train(GOOD_X, np.ones((4, 2))),
        ValueError,
        "the last layer gives samples of shape (3,), but Y",
    ),
    (lambda: compiled().train(GOOD_X, np.ones((4, 3))), ValueError, "every row of Y is a distribution, but one adds"),
    (lambda: compiled().train(GOOD_X, np.full((4, 3), -1.0)), ValueError, "needs targets between 0 and 1"),
    (lambda: compiled().train(NAN, GOOD_Y), ValueError, "X holds NaN or infinity (as float32), first at sample 1"),
    (
        lambda: compiled().train(np.where(np.isnan(NAN), 1e300, NAN), GOOD_Y),
        ValueError,
        "X holds NaN or infinity (as float32), first at sample 1",
    ),
    (lambda: compiled(None, loss="mse").train(GOOD_X, np.full((4, 3), np.inf)), ValueError, "Y holds NaN or infinity"),
    (
        lambda: compiled().train([["a", "b"]] * 4, GOOD_Y),
        TypeError,
        "train: X must be numbers, received dtype <U1; 'a' is none: give such columns numbers, or leave them out",
    ),
    (
        lambda: compiled().train([["1", "-.5"]] * 4, GOOD_Y),
        TypeError,
        "train: X must be numbers, received dtype <U3; np.array(X, dtype=float) reads numbers that are written out",
    ),
    (
        lambda: compiled().train(pd.DataFrame({"a": [1, 2], "b": ["red", "blue"]}), GOOD_Y),
        TypeError,
        "train: X must be numbers, received dtype object; 'red' is none: give such columns numbers",
    ),
    (
        lambda: compiled().train({"a": GOOD_X}, GOOD_Y),
        TypeError,
        "train: X must be an array of numbers, received dict; give one of its arrays",
    ),
    (lambda: compiled().train({1, 2}, GOOD_Y), TypeError, "received set; give an array, in which the samples have an"),
    (lambda: compiled().train("x.npy", GOOD_Y), TypeError, "an array of numbers, received str; read the file first"),
    (lambda: compiled().train(Path("x"), GOOD_Y), TypeError, "Path; read the file first"),
    (lambda: compiled().predict(b"abc"), TypeError, "predict: X must be an array of numbers, received bytes; read the"),
    (lambda: compiled().predict(NoArray()), TypeError, "predict: X, NoArray, gives no array: use detach() first"),
    (
        lambda: compiled().train(GOOD_X, ["cat"] * 4),
        TypeError,
        "train: Y must be numbers, received names such as 'cat'; set model.classes to the names",
    ),
    (lambda: compiled().train(GOOD_X, None), TypeError, "train: Y is missing; give the labels"),
    (
        lambda: compiled().train((x for x in GOOD_X), GOOD_Y),
        TypeError,
        "train: X must be an array of numbers, received generator; make one with np.array(list(X))",
    ),
    (lambda: compiled().train(GOOD_X, 3), ValueError, "train: X has 4 samples but Y has only one number; each sample"),
    (
        lambda: compiled().train([[1.0, 2.0], [3.0]], GOOD_Y),
        ValueError,
        "train: X is not rectangular, its samples must have one shape: ",
    ),
    (
        lambda: compiled().train(GOOD_X[:2][0], [0]),
        ValueError,
        "expects samples of shape (2,), but X has shape (2,); it is one sample: use X[np.newaxis]",
    ),
    (
        lambda: compiled().train(GOOD_X, [0.0, 1.0, 2.0, 0.0]),
        ValueError,
        "but Y has shape (4,); expected (4, 3), or integer labels of shape (4,): use np.asarray(Y).astype(int)",
    ),
    (
        lambda: compiled().train(GOOD_X, np.array([[0], [1], [2], [0]])),
        ValueError,
        "but Y has shape (4, 1); expected (4, 3), or integer labels of shape (4,): use Y.reshape(4)",
    ),
    (
        lambda: compiled("sigmoid").train(GOOD_X, GOOD_Y),
        ValueError,
        "expected (4, 3); for one class of 3 use activation='softmax' with loss='cse', or",
    ),
    (lambda: compiled().apply_loss([0, 1], np.ones((3, 3))), ValueError, "apply_loss: 3 outputs but 2 labels"),
    (
        lambda: compiled().predict(np.ones((4, 3))),
        ValueError,
        "predict: FFL 'Input Layer' expects samples of shape (2,)",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_input(call, kind, message) -> None:
    with pytest.raises(kind, match=re.escape(message.removesuffix("$")) + "$" * message.endswith("$")):
        call()


def test_bad_samples_change_nothing() -> None:
    model = compiled()
    before = [p.numpy().copy() for p in model.parameters()]
    state = model.rng.bit_generator.state
    for x, y in ((NAN, GOOD_Y), (GOOD_X, [0, 1, 2, 3]), (np.ones((4, 3)), GOOD_Y)):
        with pytest.raises(ValueError, match="train"):
            model.train(x, y, verbose=0)
    assert all((a == p.numpy()).all() for a, p in zip(before, model.parameters(), strict=True))
    assert model.rng.bit_generator.state == state
    assert model.optimizer.steps == 0
    assert not model.train_loss


def test_the_embedded_digits_are_learned() -> None:
    (x, y), (x_test, y_test) = mnist()
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(28, 28, 1), filters=4, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Flatten())
    model.add(FFL(neurons=10, activation="softmax"))
    model.compile_model(lr=0.01, opt="adam", loss="cse")
    model.train(standardize(x[:1000]), y[:1000], epochs=5, verbose=0)
    assert model.evaluate(standardize(x_test), y_test)["accuracy"] > 0.83


def test_an_activation_layer_can_end_a_model() -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=3))
    model.add(Activation("softmax"))
    model.compile_model(lr=0.1, opt="adam", loss="cse")
    x = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    assert model.train(x, (x[:, 0] > 0).astype(int), epochs=20, verbose=0)["accuracy"][-1] > 0.8
    np.testing.assert_allclose(model.predict(x).sum(1), 1, rtol=1e-5)
    assert isinstance(model(x), Tensor)
