"""One loss however it is asked for; figures and weights by what the model answers; losses and metrics of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import CNN, Tensor, losses
from tensorgrad.layers import FFL, Activation, BatchNorm, Conv2d, Dropout, Sequential
from tensorgrad.training import metrics
from tensorgrad.training.callbacks import EarlyStopping

RNG = np.random.default_rng(0)


X = RNG.normal(size=(60, 4)).astype(np.float32)


CLASSES = RNG.integers(0, 3, 60)


def flat(outputs: int, activation: str | None, weights: Any = None, inputs: int = 4, **compiled: Any) -> CNN:
    model = CNN(seed=0)
    model.add(FFL(input_shape=inputs, neurons=outputs, activation=activation, weights=weights))
    usual = {"softmax": "cse", "sigmoid": "bce"}.get(str(activation), "mse")
    model.compile_model(**({"loss": usual, "opt": "iterative", "lr": 0.1} | compiled))
    return model


def maps(filters: int, activation: str | None, **compiled: Any) -> CNN:
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(4, 4, 1), filters=filters, activation=activation))
    model.compile_model(**({"loss": "cse", "opt": "iterative", "lr": 0.1} | compiled))
    return model


def one_epoch(model: CNN, x: Any, y: Any, **options: Any) -> float:
    return model.train(x, y, batch_size=100, shuffle=False, val_split=0, verbose=0, **options)["loss"][0]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("outputs", "activation", "compiled", "labels"),
    [
        (3, "softmax", {}, CLASSES),
        (3, "softmax", {"label_smoothing": 0.5}, CLASSES),
        (1, "sigmoid", {"label_smoothing": 0.2}, CLASSES > 0),
        (3, "sigmoid", {"loss": "cse"}, np.eye(3)[CLASSES]),
        (3, None, {"loss": "huber"}, X[:, :3]),
    ],
)
def test_the_steps_written_out_have_the_loss_and_gradient_of_train(
    outputs: int, activation: str | None, compiled: dict[str, Any], labels: Any, weighted: bool
) -> None:
    scale = 200 * np.random.default_rng(1).normal(size=(4, outputs)).astype(np.float32)  # saturated
    one, other = (flat(outputs, activation, scale, **compiled) for _ in range(2))
    weights = {"sample_weight": np.linspace(0, 2, 60)} if weighted else {}
    loss, figure = one.apply_loss(labels, one.feedforward(X), **weights)
    assert figure == pytest.approx(one_epoch(other, X, labels, **weights), rel=1e-6)
    one.backpropagate(loss)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_one_saturated_sample() -> None:
    model = flat(2, "softmax", np.array([[200.0, 0.0], [0.0, 0.0]], np.float32), inputs=2)
    out = model.feedforward(np.array([1.0, 0.0], np.float32))
    loss, figure = model.apply_loss(np.array([0.0, 1.0]), out)
    model.backpropagate(loss, update=False)
    assert figure == 200
    gradient = model.layers[0].parameters()[0].grad
    assert gradient is not None
    np.testing.assert_array_equal(gradient.numpy().ravel(), [1, -1, 0, 0])


def test_probabilities_without_logits_have_a_gradient_too() -> None:
    model = flat(3, "softmax")
    p = Tensor(np.array([[0.0, 1.0, 0.0]], np.float32), requires_grad=True)
    loss, figure = model.apply_loss([0], p)
    loss.backward()
    assert figure == 100
    assert p.grad is not None
    assert p.grad.numpy()[0, 0] < -1e11


def test_accuracy_of_labels_of_which_each_sample_has_one() -> None:
    y = np.random.default_rng(1).integers(0, 10, 500)
    x = np.random.default_rng(2).normal(size=(500, 4))
    model = flat(10, "sigmoid", opt="adam", lr=0.05)
    history = model.train(x, np.eye(10)[y], epochs=3, verbose=0)
    share = (model.predict(x).argmax(1) == y).mean()
    assert model.evaluate(x, np.eye(10)[y])["accuracy"] == pytest.approx(share)
    assert history["accuracy"][-1] < 0.4


def test_accuracy_of_several_labels_is_of_each_and_does_not_depend_on_the_batch() -> None:
    y = (np.random.default_rng(1).random((60, 3)) > 0.5).astype(int)
    y[:30] = np.eye(3)[CLASSES[:30]]  # a whole batch of one-hot rows
    model = flat(3, "sigmoid")
    right = ((model.predict(X) > 0.5) == (y > 0.5)).mean()
    assert model.evaluate(X, y)["accuracy"] == pytest.approx(right)
    assert model.evaluate(X, y, batch_size=30)["accuracy"] == pytest.approx(right)


@pytest.mark.parametrize(("outputs", "activation"), [(1, None), (2, "tanh"), (2, "sigmoid")])
def test_a_regression_has_mae_and_r2_and_no_accuracy(outputs: int, activation: str | None, capsys: Any) -> None:
    from sklearn.metrics import mean_absolute_error, r2_score

    y = (0.5 + 0.2 * X[:, :outputs]) if activation == "sigmoid" else X[:, :outputs] * 100 + 1000
    model = flat(outputs, activation, loss="mse", lr=1e-6, metrics=["mse", "accuracy", "mae"])
    history = model.train(X, y, epochs=2, val_x=X, val_y=y)
    found, p = model.evaluate(X, y, batch_size=7), model.predict(X)
    assert found["mae"] == pytest.approx(mean_absolute_error(y, p), rel=1e-4)
    assert found["r2"] == pytest.approx(r2_score(y, p), rel=1e-4)
    assert list(found.keys()) == ["loss", "mae", "r2", "mse"]
    assert list(history) == ["loss", "mae", "r2", "val_loss", "val_mae", "val_r2", "val_mse", "time"]
    assert model.train_acc == model.val_acc == {}
    text = capsys.readouterr().out
    assert "Accuracy" not in text
    assert re.search(r"Train Loss: \S+ Train MAE: \S+ Train R2: \S+\nVal Loss: \S+ Val MAE: \S+ Val R2: ", text)


@pytest.mark.parametrize(("y", "p", "expected"), [([[1.0]] * 3, [[1.0]] * 3, 1), ([[1.0]] * 3, [[2.0]] * 3, 0)])
def test_r2_of_constant_targets_is_that_of_scikit_learn(y: Any, p: Any, expected: float) -> None:
    from sklearn.metrics import r2_score

    record = metrics.find("r2")
    assert record is not None
    answers = metrics.Answers(np.array(p), np.array(y), flat(1, None).objective.task)
    assert record.function(answers) == expected == r2_score(y, p)


def test_macro_averages_are_over_classes_that_occur_or_are_named() -> None:
    model = flat(3, "softmax", np.eye(3, dtype=np.float32) * 9, 3, metrics=["f1", "precision", "recall"])
    y = np.array([0, 1] * 10)
    found = model.evaluate(np.eye(3)[y], y)
    assert (found["f1"], found["precision"], found["recall"]) == (1, 1, 1)
    found = model.evaluate(np.eye(3)[np.where(np.arange(20) == 0, 2, y)], y)  # one 0 is named 2
    from sklearn.metrics import precision_recall_fscore_support

    said = np.where(np.arange(20) == 0, 2, y)
    expected = precision_recall_fscore_support(y, said, average="macro", zero_division=0)
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx(expected[:3])
    yes = flat(1, "sigmoid", np.full((4, 1), -9, np.float32), metrics=["f1"])
    assert yes.evaluate(np.ones((5, 4)), np.zeros(5))["f1"] == 1  # no yes, and none named


def test_an_evaluation_is_read_by_name_or_unpacked() -> None:
    found: Any = flat(3, "softmax", metrics=["accuracy"]).evaluate(X, CLASSES)
    assert list(found) == [found["loss"], found["accuracy"]]
    assert dict(found.items()) == {"loss": found["loss"], "accuracy": found["accuracy"]}
    with pytest.raises(KeyError, match=re.escape("there is no 'f1'; it has loss, accuracy; go over them with items()")):
        found["f1"]


@pytest.mark.parametrize(
    ("activation", "metrics", "order"),
    [
        ("softmax", {}, ["loss", "accuracy"]),
        ("softmax", {"metrics": ["accuracy", "f1"]}, ["loss", "accuracy", "f1"]),
        ("softmax", {"metrics": ["f1", "accuracy"]}, ["loss", "f1", "accuracy"]),
        ("softmax", {"metrics": ["mse"]}, ["loss", "mse"]),
        (None, {}, ["loss", "mae", "r2"]),
        (None, {"metrics": ["mae"]}, ["loss", "mae"]),
    ],
)
def test_an_evaluation_is_unpacked_as_keras_lists_it(
    tmp_path: Any, activation: Any, metrics: dict[str, Any], order: list[str]
) -> None:
    model = flat(3, activation, **metrics)
    model.save_model(tmp_path / "model.tgrad")
    y = CLASSES if activation else X[:, :3]
    for one in (model, tg.load_model(tmp_path / "model.tgrad")):
        found: Any = one.evaluate(X, y)
        assert list(found) == [found[name] for name in order]
        assert metrics or found["mse"] > 0


@pytest.mark.parametrize("end", ["chain", "chain of chains", "chain with dropout"])
def test_a_softmax_at_the_end_of_a_chain_is_that_of_the_model(end: str, tmp_path: Any) -> None:
    tail: list[Any] = [FFL(neurons=3), Activation("softmax")]
    if end == "chain of chains":
        tail = [tail[0], Sequential([Sequential([]), tail[1]])]
    if end == "chain with dropout":
        tail.insert(1, Dropout(0.25))
    chained, plain = CNN(seed=0), CNN(seed=0)
    for model, layers in ((chained, [Sequential(tail)]), (plain, [FFL(neurons=3, activation="softmax")])):
        for layer in (FFL(4, neurons=5, activation="tanh"), *layers):
            model.add(layer)
        model.compile_model(loss="cse", opt="iterative", lr=0.5)
    chained.set_weights(plain.get_weights())
    np.testing.assert_allclose(chained.predict(X), plain.predict(X), rtol=1e-6)
    assert chained.evaluate(X, CLASSES)["loss"] == pytest.approx(plain.evaluate(X, CLASSES)["loss"], rel=1e-6)
    chained.zerograd()
    loss, _ = chained.apply_loss(CLASSES, chained.feedforward(X))
    chained.backpropagate(loss, update=False)
    if end != "chain with dropout":
        stepped, _ = plain.apply_loss(CLASSES, plain.feedforward(X))
        plain.backpropagate(stepped, update=False)
        for p, q in zip(chained.parameters(), plain.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-6)
    chained.train(X, CLASSES, epochs=2, verbose=0)
    chained.save_model(tmp_path / "model.tgrad")
    again = tg.load_model(tmp_path / "model.tgrad")
    np.testing.assert_array_equal(again.predict(X), chained.predict(X))


def test_a_chain_with_a_forward_of_its_own_is_no_chain() -> None:
    class Halved(Sequential):
        def forward(self, x: Tensor, training: bool) -> Tensor:
            return super().forward(x, training) * 0.5

    model = CNN(seed=0)
    model.add(Halved([FFL(4, neurons=3, activation="softmax")]))
    with pytest.raises(ValueError, match="give it activation='softmax'"):
        model.compile_model(loss="cse")


def losses_by_class(model: CNN, x: Any, y: Any, *weights: Any) -> list[float]:
    return [one_epoch(model, x, y, class_weight=w) for w in weights]


def test_class_weights_as_mapping_array_and_balanced() -> None:
    y = np.array([0] * 45 + [1] * 10 + [2] * 5)
    model = flat(3, "softmax", lr=0.0)
    a, b = losses_by_class(model, X, y, {1: 2.0, 2: 3.0}, np.array([1.0, 2.0, 3.0]))
    assert a == b != one_epoch(model, X, y)
    from sklearn.utils.class_weight import compute_sample_weight

    balanced = one_epoch(model, X, y, class_weight="balanced")
    assert balanced == pytest.approx(one_epoch(model, X, y, sample_weight=compute_sample_weight("balanced", y)))


def test_class_weights_of_labels_are_of_their_own_terms() -> None:
    model, none = flat(3, "sigmoid", lr=0.0), np.zeros((60, 3))
    p = model.predict(X).astype(float)
    expected = -(np.log(1 - p) * [10, 1, 1]).mean()
    assert one_epoch(model, X, none, class_weight={0: 10.0}) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("filters", "activation"), [(3, "softmax"), (1, "sigmoid")])
def test_class_weights_of_label_maps_are_weights_per_pixel(filters: int, activation: str) -> None:
    x = RNG.normal(size=(6, 4, 4, 1))
    y = RNG.integers(0, max(2, filters), (6, 4, 4))
    model = maps(filters, activation, lr=0.0)
    one, other = (
        one_epoch(model, x, y, class_weight={1: 5.0}),
        one_epoch(model, x, y, sample_weight=np.where(y == 1, 5.0, 1.0)),
    )
    assert one == pytest.approx(other)
    assert one != pytest.approx(one_epoch(model, x, y))


@pytest.mark.parametrize(
    ("model", "weight", "message"),
    [
        (lambda: flat(2, None), {1: 5.0}, "class_weight needs classes, but the model's outputs are values"),
        (lambda: flat(3, "softmax"), {3: 1.0}, "class_weight[3] = 1.0: expected classes from 0 to 2"),
        (lambda: flat(3, "softmax"), {0: "a"}, "class_weight[0] = 'a': expected classes from 0 to 2 and finite"),
        (lambda: flat(3, "softmax"), [1.0, 2.0], "class_weight has 2 numbers for 3 classes; give one each"),
        (lambda: flat(3, "softmax"), "even", "class_weight must be a dict, an array of 3 numbers or"),
        (lambda: flat(3, "sigmoid"), "balanced", "received 'balanced' for 3 labels"),
    ],
)
def test_class_weights_that_are_refused(model: Any, weight: Any, message: str) -> None:
    made = model()
    y = X[:, : made.output_shape[0]] if made.objective.loss == "mse" else np.eye(3)[CLASSES]
    with pytest.raises(ValueError, match=re.escape(message)):
        one_epoch(made, X, y, class_weight=weight)


def test_ignore_index_that_is_refused() -> None:
    with pytest.raises(ValueError, match="ignore_index must be an int, and needs the loss 'cse' after softmax"):
        flat(1, "sigmoid", ignore_index=0)
    with pytest.raises(ValueError, match=r"label 255 is out of range.*; labels that do not count need"):
        one_epoch(maps(3, "softmax"), np.ones((2, 4, 4, 1)), np.full((2, 4, 4), 255))


def squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return ((outputs - targets) ** 2).mean(-1)


def mean_of_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return squares(outputs, targets).mean()


def farthest(outputs: Any, targets: Any) -> float:
    return float(np.abs(outputs - targets).max())


@pytest.mark.parametrize("loss", [squares, mean_of_squares])
def test_a_loss_of_one_s_own(loss: Any) -> None:
    own, ours = flat(2, None, loss=loss, metrics=[farthest]), flat(2, None, loss="mse")
    y = X[:, :2] ** 2
    for model in (own, ours):
        one_epoch(model, X, y)
    for a, b in zip(own.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    found = own.evaluate(X, y)
    assert found["loss"] == pytest.approx(ours.evaluate(X, y)["loss"], rel=1e-5)
    assert found["farthest"] == pytest.approx(np.abs(own.predict(X) - y).max(), rel=1e-5)
    weights = np.linspace(0, 1, 60)
    if loss is squares:
        assert one_epoch(own, X, y, sample_weight=weights) == pytest.approx(
            one_epoch(ours, X, y, sample_weight=weights), rel=1e-4
        )
    else:
        with pytest.raises(ValueError, match="loss 'mean_of_squares' gives the mean over the batch, which leaves"):
            one_epoch(own, X, y, sample_weight=weights)


@pytest.fixture
def _registered() -> Iterator[None]:
    losses.register(squares)
    metrics.register(farthest, higher_is_better=False)
    yield
    del losses.LOSSES["squares"], metrics.METRICS["farthest"]


@pytest.mark.usefixtures("_registered")
def test_registered_names_are_known_to_models_callbacks_and_files(tmp_path: Any) -> None:
    model = flat(2, None, loss="squares", metrics=["farthest", "top3"][:1])
    history = model.train(X, X[:, :2], verbose=0, callbacks=[EarlyStopping("val_farthest")])
    assert "val_farthest" in history
    by_function = flat(2, None, loss=squares, metrics=[farthest])
    for each in (model, by_function):
        each.save_model(tmp_path / "own.tgrad")
        again = tg.load_model(tmp_path / "own.tgrad")
        assert (again.objective.loss, again.metrics) == ("squares", ("farthest",))
        assert again.evaluate(X, X[:, :2]) == each.evaluate(X, X[:, :2])
    with pytest.raises(ValueError, match="there is a loss 'squares' already"):
        losses.register(squares)
    with pytest.raises(ValueError, match="there is a metric 'top1' already"):
        metrics.register(farthest, "top1")


def test_unregistered_functions_are_refused_by_files_and_by_callbacks_without_a_direction(tmp_path: Any) -> None:
    model = flat(2, None, loss=squares, metrics=[farthest, "mse"])
    message = "save: the loss or metric 'squares', 'farthest' is a function that no file can name; register it"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.save_model(tmp_path / "own.tgrad")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="nobody said whether a higher 'val_farthest' is better; give mode='min'"):
        model.train(X, X[:, :2], verbose=0, callbacks=[EarlyStopping("val_farthest")])
    model.train(X, X[:, :2], verbose=0, callbacks=[EarlyStopping("val_farthest", mode="min")])
    recorded = flat(2, None, metrics=[metrics.Metric.of(farthest, higher_is_better=False)])
    recorded.train(X, X[:, :2], verbose=0, callbacks=[EarlyStopping("val_farthest")])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda outputs, targets: 1.0, "for 3 samples it gave float"),
        (lambda outputs, targets: (outputs - targets).sum(0), "for 3 samples it gave a Tensor of shape (2,)"),
        (lambda outputs, targets: Tensor(1.0), "it gave a Tensor of shape () without a gradient"),
    ],
)
def test_a_loss_that_is_none_is_refused_when_compiled(loss: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        flat(2, None, loss=loss)


def test_a_metric_that_is_no_number() -> None:
    with pytest.raises(TypeError, match=r"metric 'gap': expected one number, received float32 of shape \(60, 2\)"):
        flat(2, None, metrics=[metrics.Metric.of(lambda a, b: a - b, "gap")]).evaluate(X, X[:, :2])


def test_weights_are_those_of_the_whole_state() -> None:
    def made(seed: int) -> CNN:
        model = CNN(seed=seed)
        model.add(FFL(input_shape=4, neurons=8, activation="relu"))
        model.add(BatchNorm())
        model.add(FFL(neurons=3, activation="softmax"))
        model.compile_model(opt="adam", loss="cse", lr=0.01)
        return model

    a, b = made(0), made(1)
    a.train(X, CLASSES, epochs=2, verbose=0)
    b.set_weights(a.get_weights())
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
