"""The training loop: when it stops, whom it tells, what it refuses before it begins, and where it prints."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN
from tensorgrad.layers import FFL, BatchNorm, Conv2d
from tensorgrad.training import metrics
from tensorgrad.training.callbacks import Callback, LambdaCallback, LearningRateScheduler, ModelCheckpoint
from tensorgrad.training.loop import NonFiniteLossError
from tensorgrad.training.terminal import Progress

X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 64)


def made(*, normed: bool = False, **compiled: Any) -> CNN:
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=8))
    if normed:
        model.add(BatchNorm())
    model.add(FFL(neurons=3, activation="softmax"))
    model.compile_model(**({"opt": "iterative", "lr": 0.1, "loss": "cse"} | compiled))
    return model


# -- stopping ---------------------------------------------------------------------------


def test_stop_training_stops_after_the_batch_and_ends_the_epoch() -> None:
    model, seen = made(), []

    def stop(batch: int, logs: Any) -> None:
        seen.append(batch)
        model.stop_training = True

    history = model.train(X, Y, batch_size=4, epochs=3, verbose=0, callbacks=[LambdaCallback(on_train_batch_end=stop)])
    assert seen == [0]
    assert model.optimizer.steps == 1
    assert history.epoch == [0]
    assert {"loss", "val_loss"} <= set(history)


@pytest.mark.parametrize("lr", [1e38, 1e25])
def test_weights_that_are_not_finite_after_the_last_step_stop_it_before_a_checkpoint(lr: float, tmp_path: Any) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "net.tgrad")
    model = made(lr=lr)
    with pytest.raises(NonFiniteLossError, match="in epoch 0"):
        model.train(X * 100, Y, batch_size=64, val_split=0.2, verbose=0, callbacks=[checkpoint])
    assert not list(tmp_path.iterdir())


def test_a_figure_of_the_validation_that_is_not_finite_stops_it_before_a_checkpoint(tmp_path: Any) -> None:
    def undefined(outputs: Any, targets: Any) -> float:
        return float("nan")

    metrics.register(undefined)  # as a checkpoint must be able to name it
    try:
        model = made(metrics=["undefined"])
        with pytest.raises(NonFiniteLossError, match="train: val_undefined became nan in epoch 0"):
            model.train(X, Y, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "net.tgrad")])
    finally:
        del metrics.METRICS["undefined"]
    assert not list(tmp_path.iterdir())


def test_running_statistics_are_looked_at_too() -> None:
    model = made(normed=True)

    def spoil(batch: int, logs: Any) -> None:
        model.layers[1].running_var[0] = np.nan  # type: ignore[attr-defined]

    with pytest.raises(NonFiniteLossError, match=r"after its last step the first .* BatchNorm .* its running_var"):
        model.train(X, Y, verbose=0, val_split=0, callbacks=[LambdaCallback(on_train_batch_end=spoil)])


# -- what is known before the first step ---------------------------------------------------------------------------


def test_a_last_batch_of_one_is_refused_before_the_first_step() -> None:
    model = made(normed=True)
    before = model.state_dict()
    message = (
        "train: BatchNorm 'BatchNorm1' needs batches of at least 2 samples, but the last of 33 samples in batches of "
        "32 has 1; give drop_last=True or another batch_size"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        model.train(X[:33], Y[:33], batch_size=32, val_split=0, verbose=0)
    for name, values in model.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    model.train(X[:33], Y[:33], batch_size=32, val_split=0, verbose=0, drop_last=True)
    assert model.optimizer.steps == 1
    model.train(X[:34], Y[:34], batch_size=32, val_split=0, verbose=0)
    images = CNN(seed=0)
    images.add(Conv2d(input_shape=(4, 4, 1), filters=2))
    images.add(BatchNorm())
    images.compile_model(opt="adam")
    images.train(np.ones((3, 4, 4, 1)), np.ones((3, 4, 4, 2)), batch_size=2, val_split=0, verbose=0)


# -- hooks ---------------------------------------------------------------------------


def test_every_hook_is_called_in_keras_order() -> None:
    told: list[str] = []

    def note(name: str) -> Any:
        return lambda self, *arguments: told.append(name)

    hooks = [name for name in dir(Callback) if name.startswith("on_")]
    diary = type("Diary", (Callback,), {name: note(name) for name in hooks})()
    made().train(X, Y, batch_size=64, val_split=0.5, verbose=0, callbacks=[diary])
    assert told == [
        "on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_test_begin",
        "on_test_batch_begin", "on_test_batch_end", "on_test_end", "on_epoch_end", "on_train_end",
    ]  # fmt: skip
    told.clear()

    class Short(Callback):
        def on_batch_begin(self, batch: int, logs: Any) -> None:
            told.append("begin")

        def on_batch_end(self, batch: int, logs: Any) -> None:
            told.append(f"end {sorted(logs)}")

    made().train(X, Y, batch_size=64, val_split=0, verbose=0, callbacks=[Short()])
    assert told == ["begin", "end ['accuracy', 'loss']"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("on_epoch_ends", "did you mean on_epoch_end?"),
        ("on_predict_begin", "it must be one of"),
        ("on_step", "it must"),
    ],
)
def test_a_hook_that_nobody_calls_is_refused(name: str, hint: str) -> None:
    with pytest.raises(TypeError, match=re.escape(f"Mine: nobody calls {name}; {hint}")):
        type("Mine", (Callback,), {name: lambda self, *arguments: None})


def test_a_hook_that_takes_other_arguments_is_refused_where_it_is_defined() -> None:
    """And not after the first epoch."""
    with pytest.raises(TypeError, match=r"Mine: on_epoch_end must be a function of \(self, epoch, logs\); it takes"):
        type("Mine", (Callback,), {"on_epoch_end": lambda self, epoch: None})
    type(
        "Mine",
        (Callback,),
        {"on_epoch_end": lambda self, *arguments: None, "on_train_end": lambda self, logs=None: None},
    )


# -- schedules ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (lambda epoch: 0.1 / (epoch + 1), [0.1, 0.05, 0.1 / 3]),
        (lambda epoch, lr: lr * 0.9, [0.09, 0.081, 0.0729]),
        (lambda epoch, lr=None: lr * 0.9, [0.09, 0.081, 0.0729]),
        (lambda epoch, factor=0.5: factor / (epoch + 1), [0.5, 0.25, 0.5 / 3]),
    ],
)
def test_a_schedule_takes_the_epoch_or_the_epoch_and_the_rate(schedule: Any, expected: list[float]) -> None:
    model, rates = made(), []
    see = LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(model.optimizer.lr))
    model.train(X, Y, epochs=3, verbose=0, callbacks=[LearningRateScheduler(schedule), see])
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda: 0.1, "the schedule must take (epoch) or (epoch, lr); it takes ()"),
        (lambda a, b, c: 0.1, "the schedule must take (epoch) or (epoch, lr); it takes (a, b, c)"),
        (0.1, "the schedule must be a function of (epoch) or (epoch, lr), received 0.1"),
    ],
)
def test_a_schedule_is_looked_at_beforehand(schedule: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(f"LearningRateScheduler: {message}")):
        LearningRateScheduler(schedule)


# -- programs without a console ---------------------------------------------------------------------------


class WriteAlone:
    """As loggers and windows often stand in for a file."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_it_trains_without_a_console(monkeypatch: pytest.MonkeyPatch, verbose: Any) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert "loss" in made().train(X, Y, verbose=verbose)
    stream = WriteAlone()
    monkeypatch.setattr(sys, "stdout", stream)
    made().train(X, Y, verbose=verbose)
    assert "Train Loss" in stream.text
    assert ("\r" in stream.text) == (verbose == 1)
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert "loss" in made().train(X, Y, verbose=verbose)


def test_a_notebook_gets_one_line_that_is_rewritten() -> None:
    stream = type("OutStream", (WriteAlone,), {"__module__": "ipykernel.iostream", "isatty": lambda self: False})()
    assert Progress("auto", stream).live
    assert not Progress("auto", WriteAlone()).live


# -- what is kept ---------------------------------------------------------------------------


def test_training_anew_forgets_the_figures_of_the_training_before() -> None:
    model = made()
    model.train(X, Y, epochs=4, verbose=0)
    history = model.train(X, Y, epochs=2, verbose=0)
    for kept, name in ((model.train_loss, "loss"), (model.val_loss, "val_loss")):
        assert kept == {epoch: round(history[name][epoch], 4) for epoch in (0, 1)}
    assert model.train_acc.keys() == model.val_acc.keys() == {0, 1}
    model.resume(X, Y, epochs=4, verbose=0)
    assert model.train_loss.keys() == {0, 1, 2, 3}


def test_figures_of_a_history_by_name() -> None:
    history = made().train(X, Y, verbose=0)
    assert "loss" in history
    assert "f1" not in history
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy", "val_mse", "time"]
