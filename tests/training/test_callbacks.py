"""Callbacks and the finer points of training: weights, clipping, smoothing, schedules, Ctrl-C, metrics."""

from __future__ import annotations

import copy
import csv
import math
import os
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad import CNN, load_model
from tensorgrad.layers import FFL, BatchNorm, Conv2d, Flatten
from tensorgrad.optim import Cosine, StepDecay
from tensorgrad.training import metrics
from tensorgrad.training.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    JSONLLogger,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from tensorgrad.training.loop import NonFiniteLossError
from tests.test_cnn import LABELS, X, Y, small


class Diary(Callback):
    """Writes down every call."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda *args: self.calls.append((name, *args))
        return object.__getattribute__(self, name)


def test_hooks_come_in_order_with_keras_arguments() -> None:
    diary = Diary()
    model = small()
    model.train(X, Y, epochs=2, batch_size=30, val_split=0, verbose=0, callbacks=[diary])
    names = [call[0] for call in diary.calls]
    batch = ["on_train_batch_begin", "on_train_batch_end"]
    epoch = ["on_epoch_begin", *batch, *batch, "on_epoch_end"]
    assert names == ["on_train_begin", *epoch, *epoch, "on_train_end"]
    assert diary.model is model
    assert [call[1] for call in diary.calls if call[0] == "on_train_batch_end"] == [0, 1, 0, 1]
    last = diary.calls[-2]
    assert last[1] == 1
    assert {"loss", "accuracy", "time"} <= set(last[2])


def falling_then_rising(model: CNN, figures: list[float]) -> Callback:
    """Replaces an epoch's validation loss by one from a list, before other callbacks see it."""

    def replace(epoch: int, logs: dict) -> None:
        logs["val_loss"] = figures[epoch]
        model.history.history["val_loss"][-1] = figures[epoch]

    return LambdaCallback(on_epoch_end=replace)


@pytest.mark.parametrize("ended_by", ["patience", "epochs", "error", "another callback"])
def test_early_stopping_restores_the_best_weights_whatever_ended_it(ended_by) -> None:
    model = small()
    figures = [3.0, 2.0, 1.0, 1.5, 1.6, 1.7, 1.8]
    weights = []

    def watch(epoch: int, logs: dict) -> None:
        weights.append(model.get_weights())
        if epoch == 4 and ended_by == "error":
            raise RuntimeError("power cut")
        if epoch == 4 and ended_by == "another callback":
            model.stop_training = True

    stopping = EarlyStopping(patience=2 if ended_by == "patience" else 100)
    callbacks = [falling_then_rising(model, figures), stopping, LambdaCallback(on_epoch_end=watch)]
    try:
        history = model.train(X, Y, epochs=7, val_split=0.2, verbose=0, callbacks=callbacks)
    except RuntimeError:
        history = model.history
    assert len(history) == {"patience": 6, "epochs": 7}.get(ended_by, 5)
    for best, last, now in zip(weights[2], weights[-1], model.get_weights(), strict=True):
        assert (now == best).all()
        assert (now != last).any()


def test_training_that_was_stopped_early_is_not_resumed_beyond_that(tmp_path) -> None:
    def stopping() -> list[Callback]:
        return [EarlyStopping(patience=1, min_delta=100), ModelCheckpoint(tmp_path / "net.tgrad")]

    history = small().train(X, Y, 9, verbose=0, callbacks=stopping())
    assert len(history) == 3
    again = load_model(tmp_path / "net.tgrad")
    before = again.get_weights()
    assert len(again.resume(X, Y, 9, verbose=0, callbacks=stopping())) == 3
    assert all((a == b).all() for a, b in zip(before, again.get_weights(), strict=True))


def normed(**compiled) -> CNN:
    model = CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=4))
    model.add(BatchNorm())
    model.add(FFL(neurons=2, activation="softmax"))
    model.compile_model(**({"lr": 0.1, "opt": "adam", "loss": "cse"} | compiled))
    return model


def test_early_stopping_restores_the_running_statistics_of_the_best_epoch_too() -> None:
    model, x = normed(), DOTS * [3, 5] + 7
    worst_is_best = EarlyStopping(mode="max", patience=100)  # so that it is not the last
    history = model.train(x, SIDES, 6, batch_size=10, val_x=x, val_y=SIDES, verbose=0, callbacks=[worst_is_best])
    assert worst_is_best.best_epoch == np.argmax(history["val_loss"]) < 5
    assert model.evaluate(x, SIDES)["loss"] == max(history["val_loss"])


def test_reduce_on_plateau_and_scheduler_set_the_rate() -> None:
    model = small(lr=0.1, opt="iterative")
    figures = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]
    rates = []
    see = LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(model.optimizer.lr))
    plateau = ReduceLROnPlateau(factor=0.5, patience=1, min_lr=0.04)
    model.train(X, Y, 6, verbose=0, callbacks=[falling_then_rising(model, figures), plateau, see])
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.05, 0.05])
    rates.clear()
    model.train(X, Y, 4, verbose=0, callbacks=[LearningRateScheduler(StepDecay(0.1, every=2)), see])
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01])


def test_reduce_on_plateau_never_raises_the_rate() -> None:
    model = small(lr=0.01)
    model.train(X, Y, 4, verbose=0, callbacks=[ReduceLROnPlateau(patience=0, min_delta=100, min_lr=0.05)])
    assert model.optimizer.lr == 0.01


def test_a_schedule_is_asked_before_each_step() -> None:
    schedule = Cosine(0.1, total=8)
    model = small(lr=schedule, opt="iterative")
    rates = []
    see = LambdaCallback(on_train_batch_end=lambda batch, logs: rates.append(model.optimizer.lr))
    model.train(X, Y, 2, batch_size=15, val_split=0, verbose=0, callbacks=[see])
    assert rates == pytest.approx([schedule(n) for n in range(8)])


def test_csv_log_is_written_as_it_goes(tmp_path) -> None:
    path = tmp_path / "log.csv"
    lines = []
    see = LambdaCallback(on_epoch_end=lambda epoch, logs: lines.append(len(path.read_text().splitlines())))
    history = small().train(X, Y, 3, verbose=0, callbacks=[CSVLogger(path), see])
    assert lines == [2, 3, 4]
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == history["val_loss"]
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]


def test_a_csv_log_of_a_resumed_run_is_that_of_the_whole_run(tmp_path) -> None:
    def run(model: CNN, epochs: int, path, **options) -> None:
        callbacks = [CSVLogger(path, append=True), ModelCheckpoint(tmp_path / "net.tgrad", every=2)]
        model.resume(X, Y, epochs, verbose=0, callbacks=callbacks, **options)

    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    parts.write_text("epoch,loss,accuracy,val_loss,val_accuracy,val_mse,time\n9,1,1,1,1,1,1\n")  # of another run
    run(small(), 5, whole)
    run(small(), 3, parts)
    with parts.open("a") as file:
        file.write("3,0.1")  # killed while it was writing
    model = load_model(tmp_path / "net.tgrad")  # two epochs
    run(model, 5, parts)
    rows = [[line.split(",")[:-1] for line in path.read_text().splitlines()] for path in (whole, parts)]
    assert rows[1] == [rows[0][0], ["9", *["1"] * 5], *rows[0][1:]]
    run(model, 6, parts, val_split=0)  # leaves blank what it has not
    assert parts.read_text().splitlines()[-1].split(",")[3:6] == [""] * 3
    text = parts.read_text()
    with pytest.raises(ValueError, match=r"parts.csv has the columns epoch, .* but an epoch has \['val_f1'\] too"):
        small(metrics=["f1"]).train(X, Y, 1, verbose=0, callbacks=[CSVLogger(parts, append=True)])
    assert parts.read_text() == text


@pytest.fixture
def _ctrl_c_as_usual() -> Iterator[None]:
    """Python's own handler: a shell starts what it runs in the background with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_as_usual")
def test_ctrl_c_ends_after_the_batch_with_a_consistent_model() -> None:
    model = small()
    steps = []

    def press(batch: int, logs: dict) -> None:
        steps.append(batch)
        if len(steps) == 7:  # in the second epoch
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    history = model.train(X, Y, 5, batch_size=15, val_split=0, verbose=0,
                          callbacks=[LambdaCallback(on_train_batch_end=press)])  # fmt: skip
    assert len(steps) == 7 == model.optimizer.steps
    assert len(history) == 1
    assert signal.getsignal(signal.SIGINT) is before
    assert all(p.grad is None for p in model.parameters())
    model.train(X, Y, 1, verbose=0)


@pytest.mark.usefixtures("_ctrl_c_as_usual")
def test_ctrl_c_between_two_epochs_begins_no_other() -> None:
    model = small()
    press = LambdaCallback(on_epoch_end=lambda epoch, logs: os.kill(os.getpid(), signal.SIGINT))
    history = model.train(X, Y, 5, batch_size=20, val_split=0, verbose=0, callbacks=[press])
    assert len(history) == 1
    assert model.optimizer.steps == 3


# -- weights, smoothing, clipping ------------------------------------------------------------------------------------


def line(**compiled) -> CNN:
    model = CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=2, activation="softmax"))
    model.compile_model(**({"opt": "iterative", "lr": 0.5, "loss": "cse"} | compiled))
    return model


DOTS = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)
SIDES = (DOTS[:, 0] > 0).astype(int)


def trained(model: CNN, x, y, **options) -> list[np.ndarray]:
    model.train(x, y, 1, batch_size=100, shuffle=False, val_split=0, verbose=0, **options)
    return model.get_weights()


def test_a_weight_of_zero_is_as_if_the_sample_were_not_there() -> None:
    keep = np.arange(40) % 2 == 0
    weighted = trained(line(), DOTS, SIDES, sample_weight=keep * 2.0)
    alone = trained(line(), DOTS[keep], SIDES[keep])
    for a, b in zip(weighted, alone, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_class_weights_multiply_sample_weights() -> None:
    by_class = trained(line(), DOTS, SIDES, class_weight={1: 3.0}, sample_weight=np.full(40, 0.5))
    by_sample = trained(line(), DOTS, SIDES, sample_weight=np.where(SIDES == 1, 1.5, 0.5))
    for a, b in zip(by_class, by_sample, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_clipping_bounds_the_step() -> None:
    free, clipped = line(opt="iterative", lr=1.0), line(opt="iterative", lr=1.0, clip_norm=1e-3)
    start = free.get_weights()
    for model, limit in ((free, math.inf), (clipped, 1e-3)):
        moved = [a - b for a, b in zip(trained(model, DOTS * 50, SIDES), start, strict=True)]
        norm = np.sqrt(sum((m**2).sum() for m in moved))
        assert norm <= limit * (1 + 1e-4)
    valued = line(opt="iterative", lr=1.0, clip_value=1e-3)
    moved = [a - b for a, b in zip(trained(valued, DOTS * 50, SIDES), start, strict=True)]
    assert max(np.abs(m).max() for m in moved) == pytest.approx(1e-3, rel=1e-3)


def test_label_smoothing_is_a_softer_target_in_training_only() -> None:
    smooth = trained(line(label_smoothing=0.2), DOTS, SIDES)
    soft = trained(line(), DOTS, np.eye(2)[SIDES] * 0.8 + 0.1)
    for a, b in zip(smooth, soft, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    one, other = line(label_smoothing=0.2), line()
    assert one.evaluate(DOTS, SIDES) == other.evaluate(DOTS, SIDES)


def test_augmentation_sees_every_training_batch_and_no_validation() -> None:
    seen = []

    def darker(x, rng):
        seen.append(len(x))
        return x * 0.5

    small().train(X, Y, 2, batch_size=16, val_split=0.2, verbose=0, augment=darker)
    assert seen == [16, 16, 16] * 2


# -- metrics ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_confusion_precision_recall_by_counting(pairs) -> None:
    labels, said = (np.array(column) for column in zip(*pairs, strict=True))
    matrix = metrics.confusion_matrix(labels, said, 4)
    precision, recall, f1 = metrics.precision_recall_f1(matrix)
    assert matrix.sum() == len(pairs)
    for c in range(4):
        right = sum(a == b == c for a, b in pairs)
        named, there = (said == c).sum(), (labels == c).sum()
        assert matrix[c, c] == right
        assert precision[c] == pytest.approx(right / named if named else 0)
        assert recall[c] == pytest.approx(right / there if there else 0)
        assert f1[c] == pytest.approx(2 * right / (named + there) if named + there else 0)


def test_metrics_of_an_evaluation() -> None:
    model = small(metrics=["top1", "top_2", "top3", "precision", "recall", "f1"])
    found = model.evaluate(X, LABELS)
    outputs = model.predict(X)
    ranks = (-outputs).argsort(1)
    assert found["top1"] == pytest.approx(found["accuracy"]) == pytest.approx((ranks[:, 0] == LABELS).mean())
    assert found["top_2"] == pytest.approx((ranks[:, :2] == LABELS[:, None]).any(1).mean())
    assert found["top3"] == 1
    assert found.confusion is not None
    assert found.confusion.sum() == 60
    assert np.trace(found.confusion) / 60 == pytest.approx(found["accuracy"])
    assert len(str(found).splitlines()) == 5
    assert metrics.top_k(np.array([[0.5, 0.5]]), np.array([0]), 1) == 0  # a tie counts against it


def test_metrics_of_several_yes_or_no_outputs_are_means_over_them() -> None:
    model, rng = CNN(seed=0), np.random.default_rng(0)
    model.add(FFL(input_shape=4, neurons=3, activation="sigmoid"))
    model.compile_model(loss="bce", metrics=["precision", "recall", "f1"])
    x, y = rng.standard_normal((50, 4)), rng.integers(0, 2, (50, 3))
    found, said = model.evaluate(x, y), model.predict(x) > 0.5
    hits, named, there = (said & (y == 1)).sum(0), said.sum(0), (y == 1).sum(0)
    assert found["precision"] == pytest.approx((hits / named).mean())
    assert found["recall"] == pytest.approx((hits / there).mean())
    assert found["f1"] == pytest.approx((2 * hits / (named + there)).mean())


def test_metrics_of_a_class_for_each_pixel() -> None:
    model, rng = CNN(seed=0), np.random.default_rng(0)
    model.add(Conv2d((4, 4, 1), filters=3, activation="softmax"))
    model.compile_model(loss="cse", metrics=["recall", "top1", "top2"])
    x, labels = rng.standard_normal((9, 4, 4, 1)), rng.integers(0, 3, (9, 4, 4))
    found, said = model.evaluate(x, np.eye(3)[labels]), model.predict(x).argmax(-1)
    assert found["accuracy"] == pytest.approx(found["top1"]) == pytest.approx((said == labels).mean())
    assert found["top2"] > found["top1"]
    assert found["recall"] == pytest.approx(np.mean([(said[labels == c] == c).mean() for c in range(3)]))
    assert found.confusion is not None
    assert found.confusion.sum() == 9 * 4 * 4


BAD = [
    (lambda: LambdaCallback(on_epoch=print), "unknown hook 'on_epoch'; did you mean 'on_epoch_end'? Known are "),
    (lambda: EarlyStopping(mode="up"), "unknown mode 'up'; known are 'auto', 'min', 'max'"),
    (lambda: EarlyStopping(patience=-1), "patience and min_delta must be numbers of at least 0, received -1 and 0"),
    (lambda: ReduceLROnPlateau(factor=2), "factor must lie between 0 and 1, received 2"),
    (lambda: line(label_smoothing=2), "label_smoothing must lie in 0 to 1"),
    (lambda: line(clip_norm=0), "clip_norm must be positive, received 0"),
    (lambda: line(metrics=["top0"]), "unknown metric 'top0'"),
    (lambda: trained(line(), DOTS, SIDES, sample_weight=np.ones(3)), "sample_weight must be 40 finite numbers"),
    (lambda: trained(line(), DOTS, SIDES, sample_weight=-np.ones(40)), "sample_weight must be 40 finite numbers"),
    (lambda: trained(line(), DOTS, SIDES, class_weight={2: 1.0}), "class_weight[2] = 1.0: expected classes from 0"),
    (lambda: trained(line(), DOTS, SIDES, callbacks=[EarlyStopping()]),
     "monitors 'val_loss', but an epoch has 'loss', 'accuracy', 'time'; validate with val_split or val_x"),
    (lambda: trained(line(), DOTS, SIDES, val_x=DOTS, val_y=SIDES, callbacks=[EarlyStopping("val_acc")]),
     "'time'; did you mean 'val_accuracy'?"),
    (lambda: trained(line(), DOTS, SIDES, callbacks=[EarlyStopping("los")]), "'time'; did you mean 'loss'?"),
    (lambda: line().set_weights([]), "set_weights: expected 2 arrays, received 0"),
    (lambda: line().set_weights([np.ones((2, 2)), np.ones(3)]), "0.biases has shape (2,), received shape (3,)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_arguments(call, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    "hopeless", [EarlyStopping("val_lose"), ReduceLROnPlateau("val_f1"), ModelCheckpoint("{val_lose}.tgrad"),
                 ModelCheckpoint("net.tgrad", monitor="f1", save_best_only=True)]
)  # fmt: skip
def test_a_callback_that_cannot_work_is_refused_before_anything_begins(tmp_path, hopeless) -> None:
    model, log = normed(), tmp_path / "log.csv"
    begun: list = []
    history = model.train(DOTS, SIDES, 2, verbose=0, callbacks=[CSVLogger(log)])
    weights, text = model.get_weights(), log.read_text()
    see = LambdaCallback(on_train_begin=begun.append)
    with pytest.raises(ValueError, match=r"an epoch has 'loss', 'accuracy', 'val_loss'|may name epoch, loss, accuracy"):
        model.train(DOTS, SIDES, 2, verbose=0, callbacks=[CSVLogger(log), see, hopeless])
    assert not begun
    assert log.read_text() == text
    assert model.history is history
    assert all((a == b).all() for a, b in zip(weights, model.get_weights(), strict=True))


@pytest.mark.parametrize("setter", [LearningRateScheduler(lambda epoch: 0.1), ReduceLROnPlateau()])
def test_only_one_may_set_the_learning_rate(setter) -> None:
    with pytest.raises(ValueError, match="compiled with a learning-rate schedule, which sets the rate before every"):
        normed(lr=Cosine(0.1, total=8)).train(DOTS, SIDES, 1, verbose=0, callbacks=[setter])


def test_callbacks_are_told_the_figures_that_come(tmp_path) -> None:
    class See(Callback):
        def check_run(self, figures) -> None:
            self.figures = figures

    for metrics_, split in (("mse", 0.2), (["accuracy", "f1", "top2", "cse"], 0.2), ("mse", 0)):
        see = See()
        history = normed(metrics=metrics_).train(DOTS, SIDES, 1, val_split=split, verbose=0, callbacks=[see])
        assert see.figures == list(history.history)


def test_callbacks_must_be_callbacks_and_folders_must_exist(tmp_path) -> None:
    with pytest.raises(TypeError, match="callbacks must be instances of Callback"):
        trained(line(), DOTS, SIDES, callbacks=[print])
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        CSVLogger(tmp_path / "nowhere" / "log.csv")


def test_on_train_end_runs_after_a_bad_loss() -> None:
    ended = []
    model = line(lr=1e30)
    with pytest.raises(NonFiniteLossError):
        model.train(DOTS * 1e6, SIDES, 3, batch_size=10, val_split=0, verbose=0,
                    callbacks=[LambdaCallback(on_train_end=lambda logs: ended.append(True))])  # fmt: skip
    assert ended == [True]


# -- checkpoints -----------------------------------------------------------------------------------------------------


def test_checkpoints_every_few_epochs_keep_the_newest(tmp_path) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "net-{epoch:02d}-{loss:.2f}.tgrad", every=2, keep=2)
    model = small()
    history = model.train(X, Y, 7, verbose=0, callbacks=[checkpoint])
    expected = [tmp_path / f"net-{epoch:02d}-{history['loss'][epoch]:.2f}.tgrad" for epoch in (3, 5)]
    assert checkpoint.saved == expected
    assert sorted(tmp_path.iterdir()) == expected
    assert len(load_model(expected[1]).history) == 6


def test_a_resumed_run_drops_the_old_checkpoints_too(tmp_path) -> None:
    name = tmp_path / "net-{epoch}-{val_loss:.6f}.tgrad"
    model = small()
    model.train(X, Y, 1, val_split=0, verbose=0)  # this epoch has no val_loss
    model.resume(X, Y, 3, verbose=0, callbacks=[ModelCheckpoint(name, keep=2)])
    model = load_model(max(tmp_path.iterdir()))
    model.resume(X, Y, 4, verbose=0, callbacks=[ModelCheckpoint(name, keep=2)])
    assert sorted(path.name.split("-")[1] for path in tmp_path.iterdir()) == ["2", "3"]


@pytest.mark.skipif(os.name != "posix", reason="needs locks, to know whose file it is")
def test_what_a_killed_checkpoint_left_is_removed_when_training_is_resumed(tmp_path) -> None:
    def checkpoints() -> list[Callback]:
        return [ModelCheckpoint(tmp_path / "last.tgrad"), ModelCheckpoint(tmp_path / "{epoch}.tgrad")]

    small().train(X, Y, 2, verbose=0, callbacks=checkpoints())
    (tmp_path / "1.tgrad").rename(tmp_path / ".1.tgrad.0123abcd.part")  # killed while it was written
    load_model(tmp_path / "last.tgrad").resume(X, Y, 3, verbose=0, callbacks=checkpoints())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.tgrad", "2.tgrad", "last.tgrad"]


def test_the_best_checkpoint_is_the_best_epoch(tmp_path) -> None:
    model = small()
    weights = []
    see = LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    best = ModelCheckpoint(tmp_path / "best.tgrad", save_best_only=True)
    model.train(X, Y, 5, verbose=0, callbacks=[falling_then_rising(model, [3.0, 1.0, 2.0, 1.5, 4.0]), best, see])
    for saved, expected in zip(load_model(tmp_path / "best.tgrad").get_weights(), weights[1], strict=True):
        assert (saved == expected).all()


def test_a_checkpoint_s_name_must_be_possible(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        ModelCheckpoint(tmp_path / "nowhere" / "net.tgrad")
    with pytest.raises(ValueError, match=r"cannot be filled in \('lose'\); it may name epoch, loss, accuracy"):
        small().train(X, Y, 1, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "{lose}.tgrad")])
    with pytest.raises(ValueError, match="every must be an int of at least 1"):
        ModelCheckpoint(tmp_path / "net.tgrad", every=0)


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (lambda folder: ModelCheckpoint(folder), "it is a folder; name a file in it"),
        (lambda folder: ModelCheckpoint(folder / "net.safetensors"), "holds weights alone"),
        (lambda folder: ModelCheckpoint(folder / "net.onnx"), "use tensorgrad.onnx.export"),
        (lambda folder: ModelCheckpoint(folder / "net.html"), "use model.export_html"),
        (lambda folder: ModelCheckpoint(folder / "net.json"), "the tutorial's JSON has no layer like BatchNorm"),
        (lambda folder: CSVLogger(folder), "it is a folder; name a file in it"),
        (lambda folder: JSONLLogger(folder), "it is a folder; name a file in it"),
    ],
)
def test_a_file_that_cannot_be_written_is_found_before_training(tmp_path, callback: Any, message: str) -> None:
    model = CNN(seed=0)
    for layer in (Flatten(X.shape[1:]), BatchNorm(), FFL(neurons=3, activation="softmax")):
        model.add(layer)
    model.compile_model(opt="adam", loss="cse")
    model.train(X, Y, 1, verbose=0)
    before, history = model.get_weights(), dict(model.history.history)
    with pytest.raises((OSError, ValueError), match=message):
        model.train(X, Y, 1, verbose=0, callbacks=[callback(tmp_path)])
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert model.history.history == history
    assert not list(tmp_path.iterdir())


def test_a_read_only_folder_is_found_before_training(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match=r"cannot write 'net.tgrad': the folder .* is read-only"):
        small().train(X, Y, 1, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "net.tgrad")])


def test_the_end_of_the_training_is_told_to_all_though_one_raises() -> None:
    told: list[str] = []

    def fail(logs: object) -> None:
        told.append("first")
        raise OSError("the disk is full")

    callbacks = [LambdaCallback(on_train_end=fail), LambdaCallback(on_train_end=lambda logs: told.append("second"))]
    with pytest.raises(OSError, match="the disk is full"):
        small().train(X, Y, epochs=1, val_split=0, verbose=0, callbacks=callbacks)
    assert told == ["first", "second"]


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.train(X, Y, verbose=0),
        lambda model: model.fit(X, Y, verbose=0),
        lambda model: model.resume(X, Y, 9, verbose=0),
        lambda model: model.compile_model(opt="adam", loss="cse"),
        lambda model: model.add(FFL(neurons=3, activation="softmax")),
    ],
)
def test_a_model_in_training_is_left_to_it(change: Any) -> None:
    """A history of both was the result, of which the outer training had the smaller part."""
    model, refused = small(), []

    def meddle(epoch: int, logs: Any) -> None:
        with pytest.raises(RuntimeError, match="the model is in training, and its history would be of both"):
            change(model)
        refused.append(epoch)

    history = model.train(X, Y, 2, verbose=0, callbacks=[LambdaCallback(on_epoch_begin=meddle)])
    assert refused == history.epoch == [0, 1]
    assert history["loss"] == small().train(X, Y, 2, verbose=0)["loss"]
    with pytest.raises(ZeroDivisionError):
        model.train(X, Y, verbose=0, callbacks=[LambdaCallback(on_epoch_begin=lambda epoch, logs: 1 // epoch)])
    change(model)  # which is free again, also after an error


def test_of_several_threads_that_train_a_model_one_does() -> None:
    model, refused, others = small(), [], threading.Semaphore(0)

    def wait(logs: Any) -> None:
        assert all(others.acquire(timeout=60) for _ in range(3))

    def work() -> None:
        try:
            model.train(X, Y, 2, verbose=0, callbacks=[LambdaCallback(on_train_begin=wait)])
        except RuntimeError as error:
            refused.append(str(error))
            others.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    assert all("the model is in training" in text for text in refused)
    assert model.history.epoch == [0, 1]


def test_a_copy_of_a_model_in_training_can_be_trained() -> None:
    model, losses = small(), []

    def train_a_copy(epoch: int, logs: Any) -> None:
        losses.append(copy.deepcopy(model).train(X, Y, verbose=0)["loss"][0])

    assert model.train(X, Y, 2, verbose=0, callbacks=[LambdaCallback(on_epoch_begin=train_a_copy)])["loss"] == losses
