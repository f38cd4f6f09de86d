"""Training with several ranks on one machine, which are processes or threads."""

from __future__ import annotations

import contextvars
import multiprocessing
import os
import random as any_random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, Tensor, functional, load_model, ops, override_rule, random
from tensorgrad.callbacks import Callback, EarlyStopping, LambdaCallback, ModelCheckpoint
from tensorgrad.data import Augment, Dataset
from tensorgrad.kernels.threads import get_num_threads, set_num_threads
from tensorgrad.layers import FFL, BatchNorm, Dropout, Flatten, Layer
from tensorgrad.layers.shapes import Shape
from tensorgrad.optim import SGD
from tensorgrad.parallel import RankError, choice, processes, ranks_as, thread_team
from tensorgrad.parallel.form import form as form_of_ranks
from tensorgrad.parallel.processes import Board, SharedMemory
from tensorgrad.parallel.shipment import Shipment
from tensorgrad.rows import Share
from tensorgrad.training.course import Course
from tensorgrad.training.loop import NonFiniteLossError
from tensorgrad.training.samples import checked
from tests.conftest import PROFILE
from tests.parallel.networks import (
    AWAKE,
    SAME,
    Faulty,
    Spoiled,
    X,
    Y,
    as_threads,
    assert_alike,
    both_forms,
    difference,
    dropping,
    network,
    normalized,
    synchronized,
    trained,
)

THOROUGH = PROFILE in ("strict", "ci")


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes inherit what a fork does: the context, and numbers that follow from the library's seed."""
    monkeypatch.setattr(multiprocessing, "get_context", partial(multiprocessing.get_context, "fork"))


@pytest.fixture(autouse=True)
def nothing_is_left() -> Any:
    before = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    yield
    assert not multiprocessing.active_children()
    assert not [t for t in threading.enumerate() if t.name.startswith(("tensorgrad-ranks", "tensorgrad rank "))]
    if before:
        left = {name for name in set(os.listdir("/dev/shm")) - before if name.startswith(f"pym-{os.getpid()}")}
        assert not left


# -- the same as one process ---------------------------------------------------------------------------------------


@both_forms
@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("ranks", [2, 3])
def test_processes_train_as_one_does(name: str, ranks: int) -> None:
    make, options = SAME[name]
    one, several = trained(make(), **options), trained(make(), ranks, **options)
    assert_alike(several, one)


@both_forms
def test_the_same_number_of_processes_gives_the_same_result() -> None:
    first, second = trained(dropping(), 2), trained(dropping(), 2)
    assert first.history["loss"] == second.history["loss"]
    assert difference(first, second) == 0
    assert difference(first, trained(dropping(), 3)) > 0  # whose dropout is another


class Careless(Layer):
    """Draws from the library's own generator."""

    def infer_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return functional.dropout(x, 0.3, training=training)


@pytest.mark.parametrize("make", [dropping, normalized, synchronized, lambda: network(Careless())])
def test_threads_give_what_processes_give(make: Callable[[], CNN], forked: None) -> None:
    """To the bit: they too draw numbers of their own, and take over which gradients are overridden."""
    found = []
    for form in ("processes", "threads"):
        with ranks_as(form), override_rule(ops.tanh, 0, lambda g, y, _x: g):
            random.seed(3)
            found.append(trained(make(), 3, augment=Augment(shift=1)))
    assert found[0].history["loss"] == found[1].history["loss"]
    assert difference(*found) == 0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells which threads a process has")
def test_blas_starts_no_threads_beside_the_ranks(forked: None) -> None:
    """It would after a fork, when it is told how many to use, and they would spin on the cores of the ranks."""
    found: list[int] = []

    def count(batch: int, logs: object) -> None:
        found.extend(len(os.listdir(f"/proc/{child.pid}/task")) for child in multiprocessing.active_children())

    before = get_num_threads()
    set_num_threads(2)
    try:
        trained(network(), 2, callbacks=[LambdaCallback(on_train_batch_end=count)])
    finally:
        set_num_threads(before)
    assert found
    assert set(found) == {2}  # one that trains, and one that watches


@both_forms
def test_dropout_draws_other_numbers_in_each_process() -> None:
    """With a step of plain descent on twice the same samples, equal masks would give what one process gives."""
    x, y = np.concatenate([X[:8], X[:8]]), np.concatenate([Y[:8], Y[:8]])

    def once(x: Any, y: Any, ranks: int) -> CNN:
        model = network(Dropout(0.5), opt="iterative")
        return trained(model, ranks, x=x, y=y, epochs=1, batch_size=len(x), shuffle=False, val_split=0)

    assert difference(once(x, y, 2), once(x[:8], y[:8], 1)) > 1e-4


@both_forms
@pytest.mark.parametrize("make", [dropping, normalized])
def test_a_run_that_is_resumed_goes_on_to_the_bit(make: Callable[[], CNN], tmp_path: Path) -> None:
    whole = trained(make(), 2, epochs=4)
    trained(make(), 2, epochs=2, callbacks=[ModelCheckpoint(tmp_path / "m.tgrad")])
    loaded = load_model(tmp_path / "m.tgrad")
    loaded.resume(X, Y, epochs=4, batch_size=16, verbose=0, processes=2)
    assert difference(whole, loaded) == 0
    assert loaded.history["loss"] == whole.history["loss"]


@both_forms
def test_a_whole_batch_may_be_ignored() -> None:
    """The figures have nothing to begin with then."""
    y = np.where(np.arange(len(Y)) < 16, 3, Y)
    options: dict[str, Any] = {"y": y, "shuffle": False, "val_split": 0}
    stop = LambdaCallback(on_train_batch_end=lambda batch, logs: setattr(stop.model, "stop_training", True))
    one, two = (trained(network(ignore_index=3), n, callbacks=[stop], **options) for n in (1, 2))
    assert one.history["accuracy"] == two.history["accuracy"] == [0.0]


@both_forms
def test_running_statistics_are_the_means_over_the_parts() -> None:
    model = network(BatchNorm())
    model.feedforward(X[:32], train=False)
    inputs = np.asarray(model.layers[3].input)
    trained(model, 2, x=X[:32], y=Y[:32], epochs=1, batch_size=32, shuffle=False, val_split=0)
    norm = model.layers[3]
    assert isinstance(norm, BatchNorm)
    parts = inputs[:16], inputs[16:]
    np.testing.assert_allclose(norm.running_mean, 0.1 * np.mean([p.mean(0) for p in parts], 0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(norm.running_var, 0.9 + 0.1 * np.mean([p.var(0, ddof=1) for p in parts], 0), rtol=1e-5)


@both_forms
def test_running_statistics_may_be_more_than_gradients() -> None:
    """Their exchange needs more memory then than that of a step."""
    model = CNN(seed=0)
    model.add(Flatten(input_shape=(6, 6, 400)))
    model.add(BatchNorm())
    model.add(FFL(neurons=1))
    model.compile_model(opt="sgd", loss="mse")
    x = np.random.default_rng(0).random((8, 6, 6, 400), dtype=np.float32)
    trained(model, 2, x=x, y=x[:, 0, 0, :1], epochs=1, batch_size=8, val_split=0)
    norm = model.layers[1]
    assert isinstance(norm, BatchNorm)
    np.testing.assert_allclose(norm.running_mean, 0.1 * x.reshape(8, -1).mean(0), rtol=1e-5)


@both_forms
def test_batches_that_are_given_have_their_own_size() -> None:
    batches = [(X[:16], Y[:16]), (X[16:32], Y[16:32])]
    one, two = (trained(network(), n, x=batches, y=None, batch_size=1) for n in (1, 2))
    assert_alike(two, one)


# -- who does what -------------------------------------------------------------------------------------------------


def whoever() -> str:
    """Which process and which thread this is."""
    return f"{os.getpid()}-{threading.current_thread().name.replace(' ', '-')}"


def note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


@both_forms
def test_callbacks_are_called_in_one_process_and_hold_for_all(tmp_path: Path) -> None:
    """Settings that they change, weights that they change, and that they stop."""

    class Meddler(Callback):
        def on_train_batch_begin(self, batch: int, logs: Any) -> None:
            note(tmp_path / "callers", whoever())
            self.model.optimizer.lr = 0.01 if batch % 2 else 0.03

        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            self.model.load_state_dict({name: values * 0.9 for name, values in self.model.state_dict().items()})

        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            if batch == 1 and len(self.model.history) == 2:
                self.model.stop_training = True

    one, two = (trained(network(), n, epochs=9, callbacks=[Meddler()]) for n in (1, 2))
    assert len(two.history) == 3
    assert two.optimizer.steps == one.optimizer.steps == 8
    assert difference(one, two) < 2e-6
    assert set((tmp_path / "callers").read_text().split()) == {whoever()}


@both_forms
def test_what_else_callbacks_change_holds_for_all(form: str) -> None:
    """What is frozen, how gradients are clipped, and settings of layers, at the beginning of an epoch."""

    class Meddler(Callback):
        def on_epoch_begin(self, epoch: int, logs: Any) -> None:
            layers: Any = self.model.layers
            layers[0].trainable = epoch != 1
            layers[-1].biases.requires_grad = epoch != 2
            layers[3].momentum = 0.1 * (1 + epoch)
            layers[3].synchronized = epoch > 0
            self.model.clip_norm = [None, 0.01, 0.02][epoch]

    def make() -> CNN:
        return network(BatchNorm(synchronized=True), opt="sgd")

    one = trained(make(), callbacks=[Meddler()], batch_size=48)
    assert difference(one, trained(make(), batch_size=48)) > 1e-3

    class FromTheBeginning(Meddler):
        def on_epoch_begin(self, epoch: int, logs: Any) -> None:
            super().on_epoch_begin(epoch, logs)
            self.model.layers[3].synchronized = True

    two = trained(make(), 2, callbacks=[FromTheBeginning()], batch_size=48)
    assert_alike(two, one)
    part = trained(make(), 2, callbacks=[Meddler()], batch_size=48)
    assert difference(one, part) > 1e-4  # by parts in the first epoch


@both_forms
def test_a_callback_that_sets_another_optimizer_is_refused(form: str) -> None:
    def replace(epoch: int, logs: Any) -> None:
        model.optimizer = SGD(model.parameters(), lr=0.1)

    model = network()
    with pytest.raises(RuntimeError, match="a callback has given the model another optimizer, which cannot be while"):
        trained(model, 2, callbacks=[LambdaCallback(on_epoch_end=replace)])


@both_forms
def test_early_stopping_ends_all(capsys: pytest.CaptureFixture[str]) -> None:
    stopping = EarlyStopping(monitor="loss", patience=0, min_delta=10)
    model = trained(network(), 3, epochs=9, callbacks=[stopping], verbose=2)
    assert len(model.history) == 2
    assert capsys.readouterr().out.count("Epoch: ") == 2


@both_forms
def test_ctrl_c_ends_all_after_the_batch() -> None:
    interrupt = LambdaCallback(on_train_batch_end=lambda batch, logs: os.kill(os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background does not have
    try:
        model = trained(network(), 2, callbacks=[interrupt])
    finally:
        signal.signal(signal.SIGINT, before)
    assert model.optimizer.steps == 1
    assert len(model.history) == 0


@both_forms
def test_weights_changed_between_steps_are_noticed() -> None:
    def change(batch: int, logs: Any) -> None:
        model.layers[0].weights.data = model.layers[0].weights.data * 2

    model = network()
    with pytest.raises(RankError, match="the weights of ranks 0 and 1 differ after the epoch"):
        trained(model, 2, callbacks=[LambdaCallback(on_train_batch_end=change)])


class Pictures:
    """Samples that are read by index; it notes how many, and who reads them."""

    shape, dtype = X.shape, X.dtype

    def __init__(self, log: Path) -> None:
        self.log = log

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: Any) -> Any:
        note(self.log, f"{whoever()} {len(index)}")
        return X[index]


@both_forms
def test_each_process_reads_its_own_part(tmp_path: Path) -> None:
    log = tmp_path / "log"
    two = trained(network(), 2, x=Pictures(log), epochs=2, val_split=0)
    counts: dict[str, int] = {}
    for line in log.read_text().splitlines():
        who, count = line.split()
        counts[who] = counts.get(who, 0) + int(count)
    first = counts.pop(whoever())
    assert list(counts.values()) == [2 * 26]
    assert 2 * 27 <= first <= 2 * 27 + 10  # and the first ten samples, for hints
    assert difference(two, trained(network(), epochs=2, val_split=0)) < 2e-6


def test_random_augmentation_differs_by_rank() -> None:
    seeds = np.array([1, 2])
    draws = [Share(rank, size).generator(seeds).random() for rank, size in ((0, 3), (1, 3), (2, 3))]
    assert len(set(draws)) == 3
    trained(network(), 2, epochs=1, augment=Augment(shift=1))


# -- what cannot be ------------------------------------------------------------------------------------------------


BAD: dict[str, tuple[Callable[[], CNN], dict[str, Any], str]] = {
    "0": (network, {"processes": 0}, "processes must be an int of at least 1, 'auto' or None, received 0"),
    "a bool": (network, {"processes": True}, "processes must be an int of at least 1, 'auto' or None, received True"),
    "a float": (network, {"processes": 2.0}, r"processes must be an int of at least 1, 'auto' or None, received 2\.0"),
    "a word": (network, {"processes": "all"}, "processes must be an int of at least 1, 'auto' or None, received 'all'"),
    "a small batch": (network, {"batch_size": 2, "processes": 3}, "3 processes needs a sample .* a batch has 2"),
    "a small batch of a data set": (network, {"x": Dataset(X, Y).batch(2), "y": None, "processes": 3}, "a batch has 2"),
    "few samples": (network, {"x": X[:2], "y": Y[:2], "val_split": 0, "processes": 3}, "a batch has 2"),
    "a part of 1": (
        normalized, {"batch_size": 27, "x": X[:30], "y": Y[:30], "val_split": 0, "processes": 2},
        r"BatchNorm.* needs batches of at least 2 samples, .* has 3, 1 in each of 2 parts",
    ),
    "a generator": (network, {"x": ((X[:9], Y[:9]) for _ in range(2)), "y": None, "epochs": 1, "processes": 2},
                    "the iterable has no length"),
}  # fmt: skip


UNSENT: dict[str, tuple[Callable[[], CNN], dict[str, Any], str]] = {
    "a lambda as a loss": (
        lambda: network(loss=lambda p, t: (p - t) ** 2), {"processes": 2},
        "the loss '<lambda>' cannot be sent: .*; define functions by def at the top of a module",
    ),
    "a lambda as a metric": (lambda: network(metrics=[lambda p, t: 1.0]), {"processes": 2}, "the metric '<lambda>'"),
    "a lambda as augment": (network, {"augment": lambda x, rng: x, "processes": 2}, "augment cannot be sent"),
}  # fmt: skip


class Locked(Augment):
    """What cannot be copied."""

    def __init__(self) -> None:
        super().__init__(shift=1)
        self.lock = threading.Lock()


UNCOPIED: dict[str, tuple[Callable[[], CNN], dict[str, Any], str]] = {
    "a lock": (network, {"augment": Locked(), "processes": 2}, "but augment cannot be copied: .*; use processes=1"),
}


@pytest.mark.parametrize(
    ("form", "name"),
    [("processes", name) for name in BAD | UNSENT] + [("threads", name) for name in BAD | UNCOPIED],
    indirect=["form"],
)
def test_what_cannot_be_is_refused_before_training(name: str) -> None:
    make, options, text = (BAD | UNSENT | UNCOPIED)[name]
    model = make()
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"^train: .*{text}"):
        trained(model, **options)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert len(model.history) == 0


@as_threads
@pytest.mark.parametrize("name", UNSENT)
def test_threads_share_functions_of_any_kind(name: str) -> None:
    make, options, _ = UNSENT[name]
    assert_alike(trained(make(), **options), trained(make(), **options | {"processes": 1}))


def test_a_form_that_is_none() -> None:
    with pytest.raises(ValueError, match="ranks_as: expected 'processes' or 'threads', received 'fibers'"):
        ranks_as("fibers")


@pytest.mark.parametrize("locked", [True, False, None])
def test_ranks_are_threads_where_python_runs_without_its_lock(
    locked: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if locked is None:  # Python 3.12 and older
        monkeypatch.delattr(sys, "_is_gil_enabled", raising=False)
    else:
        monkeypatch.setattr(sys, "_is_gil_enabled", lambda: locked, raising=False)
    context = contextvars.Context()  # in which no form is chosen
    assert context.run(form_of_ranks) == ("threads" if locked is False else "processes")


SLOW = "a step takes 1000.0 ms with 2 threads, "
AUTO: dict[str, tuple[Callable[[], CNN], dict[str, Any], dict[str, float], str]] = {
    "processes": (network, {}, {"part": 0.5, "whole": 1.0}, f"2 processes: {SLOW}500.0 ms in 2 processes"),
    "threads": (network, {}, {"part": 0.999, "whole": 1.0}, f"1 process: {SLOW}999.0 ms in 2 processes"),
    "a short run": (network, {"epochs": 1}, {"whole": 0.6}, r"1 process: .* all of them 1\.8 s, too short to try 2 p"),
    "a lambda": (lambda: network(loss=lambda p, t: (p - t) ** 2), {}, {}, "1 process: processes cannot be given the"),
    "batches": (network, {"x": [(X, Y)], "y": None}, {}, "1 process: batches come from"),
    "a small batch": (network, {"batch_size": 1}, {}, r"1 process: a part of a batch would have fewer than 1 sample\."),
    "a part of 1": (normalized, {"batch_size": 3}, {}, "1 process: a part of a batch would have fewer than 2 samples"),
}  # fmt: skip
AUTO_AS_THREADS: dict[str, tuple[Callable[[], CNN], dict[str, Any], dict[str, float], str]] = {
    "ranks": (network, {}, {"part": 0.5, "whole": 1.0}, f"2 ranks: {SLOW}500.0 ms in 2 threads, each with a part of"),
    "one": (network, {}, {"part": 0.999, "whole": 1.0}, f"1 rank: {SLOW}999.0 ms in 2 threads"),
    "a shorter run": (network, {"epochs": 1}, {"whole": 0.06}, r"1 rank: .* all of them 0\.2 s, too short to try 2"),
    "a lock": (network, {"augment": Locked()}, {}, "1 rank: threads cannot be given the model and the samples"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("form", "name"),
    [("processes", name) for name in AUTO] + [("threads", name) for name in AUTO_AS_THREADS],
    indirect=["form"],
)
def test_auto_takes_what_ends_first_and_says_so(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, options, seconds, text = (AUTO | AUTO_AS_THREADS)[name]
    monkeypatch.setattr(choice, "get_num_threads", lambda: 2)
    monkeypatch.setattr(
        choice, "_seconds", lambda model, samples, course, ranks, form: seconds["whole" if ranks == 1 else "part"]
    )
    model = trained(make(), "auto", verbose=2, **{"epochs": 2, **options})
    assert re.search(text, capsys.readouterr().out)
    assert len(model.history)


def test_auto_starts_no_processes_where_it_cannot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(choice, "get_num_threads", lambda: 2)
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    trained(network(), "auto", verbose=2)
    assert "1 process: a daemon of multiprocessing starts no processes.\n" in capsys.readouterr().out
    monkeypatch.setattr(choice, "get_num_threads", lambda: 1)
    trained(network(), "auto", verbose=2)
    assert "1 process: there is one core, or one thread is wanted.\n" in capsys.readouterr().out


@both_forms
@pytest.mark.parametrize("starts", [0.0, 1e9], ids=["ranks are tried", "and are not"])
def test_a_trial_changes_nothing(starts: float, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither weights nor random numbers: the training is that of one process or of several."""
    monkeypatch.setattr(choice, "get_num_threads", lambda: 2)
    monkeypatch.setattr(choice, "WORTH", starts)
    found = trained(dropping(), "auto").history["loss"]
    assert found in [trained(dropping(), n).history["loss"] for n in (1, 2)]


@pytest.mark.parametrize("lr", [0.02, 1e30])
def test_a_trial_takes_the_steps_of_a_run(lr: float) -> None:
    """With augmentation and weights; a loss that is not finite is for the training to tell."""
    model = network(lr=lr)
    samples = replace(checked(model, X, Y, "train"), weights=np.ones(53, np.float32))
    course = Course(2, 5, 16, True, 1, False, Augment(shift=1))
    before = model.get_weights()
    for ranks in (1, 2):
        since = time.perf_counter()
        assert 0 < choice._seconds(model, samples, course, ranks, "processes") < 5
        assert lr == 1e30 or time.perf_counter() - since >= choice.TRIED  # of steps of a millisecond
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_generator_cannot_be_sent() -> None:
    """But what can be instead is said."""
    batches = (batch for batch in [(X, Y)])
    advice = "the data cannot be sent: .*; give arrays, a list of batches or a Dataset, and define functions by def"
    with pytest.raises(ValueError, match=advice):
        trained(network(), 2, x=batches, y=None, epochs=1, steps_per_epoch=1)


def test_a_daemon_starts_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    with pytest.raises(RuntimeError, match="processes=2 starts processes, which this one, a daemon"):
        trained(network(), 2)


# -- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("raise", "rank 2 of 3 failed: ArithmeticError: no luck today"),
        ("kill", "rank 2 of 3 was ended by the signal SIGKILL"),
        ("sleep", "rank 2 of 3 hangs: it has not finished its part of a step"),
        ("stop", "rank 2 of 3 hangs: it has not finished its part of a step"),
    ],
)
def test_a_process_that_fails_is_named(what: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    since = time.monotonic()
    with pytest.raises(RankError, match=f"^train: {text}"):
        trained(network(Faulty(what, rank=2)), 3)
    assert time.monotonic() - since < 10


@as_threads
@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("raise", "rank 2 of 3 failed: ArithmeticError: no luck today"),
        ("sleep", "rank 2 of 3 hangs: it has not finished its part of a step"),
    ],
)
def test_a_thread_that_fails_is_named(what: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    monkeypatch.setattr(thread_team, "GRACE", 0.3)
    since = time.monotonic()
    with pytest.raises(RankError, match=f"^train: {text}") as caught:
        trained(network(Faulty(what, rank=2)), 3)
    assert time.monotonic() - since < 10
    assert isinstance(caught.value.__cause__, ArithmeticError) == (what == "raise")
    left = [t for t in threading.enumerate() if t.name.startswith("tensorgrad rank ")]
    assert [t.name for t in left] == ["tensorgrad rank 2"] * (what == "sleep")  # which cannot be ended
    notes = getattr(caught.value, "__notes__", [])
    assert [note.startswith("tensorgrad rank 2 cannot be ended, as a thread") for note in notes] == [True] * len(left)
    AWAKE.set()
    for thread in left:
        thread.join(10)  # it meets nobody any more, and ends
    AWAKE.clear()


@both_forms
def test_an_error_of_the_first_ends_the_others() -> None:
    with pytest.raises(ArithmeticError, match="no luck today"):
        trained(network(Faulty("raise", rank=0)), 2)
    with pytest.raises(ZeroDivisionError):
        trained(network(), 2, callbacks=[LambdaCallback(on_epoch_end=lambda epoch, logs: 1 // 0)])


@both_forms
def test_a_loss_that_is_not_finite_ends_all_alike() -> None:
    model = network()
    model.set_weights([10 * w for w in model.get_weights()])
    with pytest.raises(
        NonFiniteLossError,
        match=r"^train: the loss became .* in epoch 0, batch 3; the first bad layer is .*Input Layer",
    ):
        trained(model, 2, x=Spoiled(), shuffle=False, val_split=0)


def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    code = """
        import multiprocessing, sys
        from pathlib import Path
        from tensorgrad.callbacks import LambdaCallback
        from tensorgrad.parallel import ranks_as
        from tests.parallel.networks import network, trained
        if __name__ == "__main__":
            def tell(epoch, logs):
                pids = [str(process.pid) for process in multiprocessing.active_children()]
                print(*pids, flush=True)
            with ranks_as("processes"):
                trained(network(), 3, epochs=10**6, callbacks=[LambdaCallback(on_epoch_begin=tell)])
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment()
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
    deadline = time.monotonic() + 10
    while any(map(exists, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(exists, pids))


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("attempt", range(20 if THOROUGH else 3))
def test_whoever_is_killed_whenever_the_last_checkpoint_goes_on(attempt: int, tmp_path: Path) -> None:
    drawn = any_random.Random(attempt)
    path, ranks = tmp_path / "m.tgrad", drawn.choice([2, 3])
    killed: list[int] = []

    def kill_someone_later(epoch: int, logs: Any) -> None:
        if epoch == 1:
            victim = drawn.choice(multiprocessing.active_children())
            killed.append(int(victim.name.split()[-1]))
            pid = int(victim.pid or 0)
            threading.Timer(drawn.random() * 0.3, lambda: os.kill(pid, signal.SIGKILL)).start()

    with pytest.raises(RankError, match="was ended by the signal SIGKILL") as caught:
        trained(
            network(), ranks, epochs=10**6,
            callbacks=[ModelCheckpoint(path), LambdaCallback(on_epoch_begin=kill_someone_later)],
        )  # fmt: skip
    assert f"rank {killed[0]} of {ranks}" in str(caught.value)
    model = load_model(path)
    done = len(model.history)
    model.resume(X, Y, epochs=done + 2, batch_size=16, verbose=0, processes=drawn.choice([1, 2, 3]))
    whole = trained(network(), epochs=done + 2)
    assert model.history["loss"] == pytest.approx(whole.history["loss"], rel=0.02, abs=1e-4)


# -- how they speak ------------------------------------------------------------------------------------------------


def together(size: int, room: int, function: Callable[[SharedMemory], Any]) -> list[Any]:
    """What each rank's function returns; the ranks are threads of this process, which share what processes would."""
    board = Board(multiprocessing.get_context() if form_of_ranks() == "processes" else None, size, room)
    ranks = [SharedMemory(board, rank, lambda: None) for rank in range(size)]
    found: list[Any] = [None] * size

    def run(rank: int) -> None:
        found[rank] = function(ranks[rank])

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rank in ranks:
        rank.close()
    return found


@both_forms
def test_sums_are_in_the_order_of_the_ranks() -> None:
    values = np.random.default_rng(0).normal(size=(5, 200, 33)).astype(np.float32)

    def add(rank: SharedMemory) -> Any:
        sums = []
        for i in range(200):
            mine, counts = values[rank.rank, i].copy(), np.array([float(rank.rank), i])
            rank.sum(mine, counts)
            sums.append((mine, counts))
        return sums

    expected = ((values[0] + values[1] + values[2]) + values[3]) + values[4]
    for sums in together(5, 1000, add):
        for i, (total, counts) in enumerate(sums):
            assert np.array_equal(total, expected[i])
            assert counts.tolist() == [10, 5 * i]


@pytest.mark.parametrize(
    ("form", "locked", "cores", "at_once"),
    [
        ("processes", True, {3, 2}, True),
        ("processes", True, {0}, False),
        ("threads", True, {0, 1}, False),  # who asks holds the lock
        ("threads", False, {0, 1}, True),
    ],
)
def test_a_rank_has_a_core_and_asks_before_it_sleeps_if_all_can_work_at_once(
    form: str, locked: bool, cores: set[int], at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: locked, raising=False)
    monkeypatch.setattr(processes, "cores", lambda: cores)
    places: list[tuple[int, set[int]]] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda who, where: places.append((who, where)), raising=False)
    board = Board(multiprocessing.get_context() if form == "processes" else None, 2, 1000)
    semaphore, asked = board.woken[0], []

    class Watched:
        def acquire(self, block: bool = True) -> bool:
            asked.append(block)
            return semaphore.acquire(block)

    board.woken[0] = Watched()  # type: ignore[call-overload]
    rank = SharedMemory(board, 0, lambda: None)
    assert places == ([(0, {min(cores)}), (0, cores)] if at_once else [])
    semaphore.release()  # one who has come already
    rank.sum(np.ones(3))
    assert asked == [False]
    other = threading.Timer(0.1, semaphore.release)
    other.start()
    rank.sum(np.ones(3))
    rank.close()
    assert asked.pop()
    assert not any(asked)
    assert (len(asked) > 2) is at_once


@both_forms
def test_objects_of_any_length_are_gathered_and_broadcast() -> None:
    def exchange(rank: SharedMemory) -> Any:
        long = rank.gather(bytes([rank.rank]) * (150_000 * rank.rank))
        return [len(part) for part in long], rank.broadcast({"from": rank.rank}), rank.gather(None)

    assert together(3, 1, exchange) == [([0, 150_000, 300_000], {"from": 0}, [None] * 3)] * 3


@pytest.mark.parametrize("kind", ["memory", "strided", "file", "part of a file", "written privately"])
def test_arrays_are_sent_through_shared_memory_or_their_file(kind: str, tmp_path: Path) -> None:
    array = np.arange(2400, dtype=np.float32).reshape(40, 60)
    if kind == "strided":
        array = array[::2, 3::2]
    elif kind != "memory":
        np.save(tmp_path / "a.npy", array)
        array = np.load(tmp_path / "a.npy", mmap_mode="c" if kind == "written privately" else "r")
        if kind == "part of a file":
            array = np.asarray(array)[3:30:2, ::4].T
    content = {"array": array, "again": array, "text": "x"}
    found = Shipment(multiprocessing.get_context(), content, [array]).unpack()
    assert found["array"] is found["again"]
    assert np.array_equal(found["array"], array)
    assert not found["array"].flags.writeable
    base = found["array"]
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap) == ("file" in kind)


@pytest.mark.parametrize("method", ["spawn", "forkserver"] if THOROUGH else ["spawn"])
def test_processes_that_are_not_forked(method: str, tmp_path: Path) -> None:
    code = f"""
        import multiprocessing
        from tensorgrad.parallel import ranks_as
        from tests.parallel.networks import difference, dropping, trained
        if __name__ == "__main__":
            multiprocessing.set_start_method("{method}")
            with ranks_as("processes"):
                model = trained(dropping(), 2, epochs=2)
                multiprocessing.set_start_method("fork", force=True)
                print(difference(model, trained(dropping(), 2, epochs=2)))
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, env=environment(), timeout=60
    )
    assert (done.stdout, done.stderr) == ("0.0\n", "")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_ctrl_c_comes_to_all_and_ends_them_in_order(method: str, tmp_path: Path) -> None:
    """Also before a process that is not forked has imported what it needs."""
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\nfrom tests.parallel.networks import network, trained\n"
        "from tensorgrad.parallel import team\n"
        "def tell(*args, run=team.loop.run):\n    print(flush=True)\n    run(*args)\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method('{method}')\n"
        "    team.loop.run = tell\n"
        "    print(trained(network(), 3, epochs=10**6).stop_training)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    ) as job:  # fmt: skip
        assert job.stdout is not None
        job.stdout.readline()
        time.sleep(0.3)
        os.killpg(job.pid, signal.SIGINT)
        try:
            output, errors = job.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)  # or they would train on, and keep the test waiting
            raise
    assert (job.returncode, errors) == (0, "")
    assert output.endswith("False\n")


@pytest.mark.parametrize("asked", [2, "auto"])
def test_a_script_without_a_guard_is_told_so(asked: object, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\nfrom tensorgrad.parallel import choice, ranks_as\n"
        "from tests.parallel.networks import network, trained\n"
        "multiprocessing.set_start_method('spawn', force=True)\n"
        "choice.WORTH, choice.get_num_threads = 0, lambda: 2\n"
        f"with ranks_as('processes'):\n    trained(network(), {asked!r})\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment(), timeout=60)
    assert done.returncode
    assert "rank 1 of 2 ended with the code 1; a script that trains with processes needs the line" in done.stderr
