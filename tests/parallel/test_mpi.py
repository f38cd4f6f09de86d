"""Training with several processes that MPI has started."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import types
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, load_model
from tests.conftest import PROFILE
from tests.parallel.networks import SAME, X, Y, assert_alike, dropping, network, trained

LAUNCHER = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
needs_mpi = pytest.mark.skipif(
    LAUNCHER is None or importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py and a runtime with mpiexec"
)
OPEN_MPI = {  # lets its launcher be started by root, as in a container, and start more ranks than there are cores
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}
BEGIN = """
import json, os, signal, sys, time
import numpy as np
from tensorgrad import CNN, load_model
from tensorgrad.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint
from tensorgrad.parallel import communicator, mpi, RankError
from tests.parallel.networks import *

folder = sys.argv[1]

def tell(**found):
    os.write(1, (json.dumps(found | {"rank": rank()}) + "\\n").encode())  # in one piece
"""


def start(ranks: int, code: str, folder: Path) -> subprocess.Popen[str]:
    """Start a script on so many ranks, as a user does."""
    script = folder / "script.py"
    script.write_text(BEGIN + textwrap.dedent(code))
    command = [str(LAUNCHER), "-n", str(ranks), sys.executable, "-W", "error", str(script), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def environment() -> dict[str, str]:
    """Of a launcher: what tests import can be imported by ranks, too."""
    return os.environ | OPEN_MPI | {"PYTHONPATH": os.pathsep.join(sys.path)}


@cache
def is_open_mpi() -> bool:
    """Whether the launcher is that of Open MPI, which ends all ranks itself in some cases."""
    said = subprocess.run([str(LAUNCHER), "--version"], capture_output=True, text=True, check=True, env=environment())
    return "Open MPI" in said.stdout


def told(output: str) -> list[dict[str, Any]]:
    """What the ranks have told, in the order of their numbers."""
    found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return sorted(found, key=lambda each: each["rank"])


def run(ranks: int, code: str, folder: Path) -> list[dict[str, Any]]:
    """What the ranks tell in a script that ends well."""
    with start(ranks, code, folder) as job:
        output, errors = job.communicate(timeout=120)
    assert (job.returncode, errors) == (0, "")
    return told(output)


@needs_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_train_as_one_does(ranks: int, tmp_path: Path) -> None:
    """The script is that of one process; all ranks have the same model and history in the end, and it can be saved."""
    code = """
        for number, (make, options) in enumerate(SAME.values()):
            model = trained(make(), **options)
            model.save_model(f"{folder}/{number}-{rank()}.tgrad")
            model.save_model(f"{folder}/{number}.tgrad")
        one, two = trained(dropping()), trained(dropping())
        apart = difference(one, two)
        tell(losses=one.history["loss"], again=two.history["loss"], times=one.history["time"], apart=apart)
    """
    found = run(ranks, code, tmp_path)
    assert [each["rank"] for each in found] == list(range(ranks))
    assert len({str(each | {"rank": 0}) for each in found}) == 1
    assert found[0]["losses"] == found[0]["again"]
    assert found[0]["apart"] == 0
    for number, (make, options) in enumerate(SAME.values()):
        files = [(tmp_path / f"{number}-{rank}.tgrad").read_bytes() for rank in range(ranks)]
        assert all(file == files[0] for file in files)
        assert_alike(load_model(tmp_path / f"{number}.tgrad"), trained(make(), **options))
    if ranks == 2:
        assert found[0]["losses"] == trained(dropping(), 2).history["loss"]  # as two processes of one machine


@needs_mpi
def test_rank_0_leads(tmp_path: Path) -> None:
    """It alone prints and calls callbacks, for as long as it likes; what they do holds for all."""
    code = """
        communicator.PATIENCE = mpi.PATIENCE = 0.2
        lines = []
        def change(epoch, logs):
            lines.append(epoch)
            model.optimizer.lr *= 0.5
            time.sleep(1.5 * (epoch == 0))
        model = network()
        callbacks = [LambdaCallback(on_epoch_end=change), EarlyStopping("loss", 0, min_delta=10)]
        trained(model, epochs=9, callbacks=callbacks, verbose=2)
        sums = np.arange(100_000, dtype=np.float32) * (rank() + 1) / 3
        expected = [np.arange(100_000, dtype=np.float32) * (r + 1) / 3 for r in range(3)]
        mpi.communicator().sum(sums)
        tell(lines=lines, lr=model.optimizer.lr, epochs=len(model.history), weights=float(model.get_weights()[0].sum()),
             sums=bool(np.array_equal(sums, (expected[0] + expected[1]) + expected[2])))
    """
    with start(3, code, tmp_path) as job:
        output, errors = job.communicate(timeout=60)
    found = told(output)
    assert errors == ""
    assert [each["lines"] for each in found] == [[0, 1], [], []]
    assert [each["lr"] for each in found] == [0.005] * 3
    assert [each["epochs"] for each in found] == [2] * 3
    assert len({each["weights"] for each in found}) == 1
    assert all(each["sums"] for each in found)
    assert output.count("Epoch: ") == 2
    assert re.search(r"3 ranks: 0 is process \d+ on .*, 1 is process \d+ on .*, 2 is process", output)


@needs_mpi
@pytest.mark.parametrize("make", ["network", "synchronized"])
def test_ctrl_c_ends_all_after_the_batch(make: str, tmp_path: Path) -> None:
    code = f"""
        began = LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == 1 and tell(began=True))
        model = trained({make}(), epochs=10**6, callbacks=[began, ModelCheckpoint(folder + "/m.tgrad")])
        tell(steps=model.optimizer.steps, epochs=len(model.history))
    """
    with start(2, code, tmp_path) as job:
        assert job.stdout is not None
        assert told(job.stdout.readline())[0]["began"]
        job.send_signal(signal.SIGINT)
        output, _ = job.communicate(timeout=20)
    if is_open_mpi():  # whose launcher ends all at once, and passes no Ctrl-C on
        assert job.returncode
        assert len(load_model(tmp_path / "m.tgrad").history) >= 1
        return
    first, second = told(output)
    assert first | {"rank": 1} == second
    assert first["steps"] > 3


DISAGREE = {
    "the seed": "trained(network(seed=rank()))",
    "the layers": "trained(network(*[Dropout(0.5)] * rank()))",
    "a layer": "trained(network(Dropout(0.5 * rank())))",
    "the samples": "trained(network(), x=X + rank())",
    "the weights of samples": "trained(network(), sample_weight=np.ones(53) * (1 + rank()))",
    "the metrics": "trained(network(metrics=['f1'] if rank() else None))",
    "clipping": "trained(network(clip_norm=1.0 if rank() else None))",
    "the schedule": "trained(network(lr=half if rank() else 0.02))",
    "augmentation": "trained(network(), augment=Augment(shift=1) if rank() else None)",
    "bad arguments": "trained(network(), epochs=0 if rank() else 3)",
    "the length": "trained(network(), x=X[rank():], y=Y[rank():])",
    "the labels": "trained(network(), y=np.roll(Y, rank()))",
    "the arguments": "trained(network(), epochs=1 + rank())",
    "the optimizer": "trained(network(opt='adam' if rank() else 'sgd'))",
    "the loss": "trained(network(loss='mse' if rank() else 'cse'))",
    "the weights": "trained(loaded())",
    "bad data": "trained(network(), x=X * (np.nan if rank() else 1))",
    "processes": "trained(network(), 2)",
    "a small batch": "trained(network(), batch_size=1)",
    "an error": "trained(network(Faulty('raise', step=1)))",  # the last, as nothing can be exchanged after it
}


@needs_mpi
def test_what_cannot_be_is_refused_by_all_alike(tmp_path: Path) -> None:
    code = f"""
        from tensorgrad.data import Augment
        from tensorgrad.layers import Dropout
        def half(step):
            return 0.02
        def loaded():
            model = network()
            model.layers[0].weights.data = model.layers[0].weights.data + rank()
            return model
        found = {{}}
        for name, call in {DISAGREE!r}.items():
            try:
                eval(call)
            except Exception as error:
                found[name] = f"{{type(error).__name__}}: {{error}}"
        tell(**found)
    """
    with start(2, code, tmp_path) as job:
        output, _ = job.communicate(timeout=60)
    assert job.returncode
    found = told(output)
    same, other = found[0].copy(), found[1].copy()
    assert "ValueError: train: X holds NaN" in other.pop("bad data")
    assert same.pop("bad data").startswith("RankError: train: rank 1 of 2 refuses: ValueError: train: X holds NaN")
    assert other.pop("bad arguments") == "ValueError: train: epochs must be an int of at least 1, received 0"
    assert same.pop("bad arguments").startswith("RankError: train: rank 1 of 2 refuses: ValueError: train: epochs must")
    assert other.pop("an error") == "ArithmeticError: no luck today"
    assert same.pop("an error") == "RankError: train: rank 1 of 2 failed: ArithmeticError: no luck today"
    assert same | {"rank": 1} == other
    expected = {
        "the seed": "the same seed, CNN(seed=...), but rank 0 has 0 and rank 1 has 1",
        "the layers": "the same number of layers, but rank 0 has 4 and rank 1 has 5",
        "a layer": "the same layer 3, but rank 0 has Dropout(prob=0.0) and rank 1 has Dropout(prob=0.5)",
        "the samples": "the same samples, as a hash, but",
        "the weights of samples": "the same sample and class weights, as a hash, but",
        "the metrics": "the same metrics, but rank 0 has ['mse'] and rank 1 has ['f1']",
        "clipping": "the same clip_norm, but rank 0 has None and rank 1 has 1.0",
        "the schedule": "the same learning-rate schedule, but rank 0 has None and rank 1 has <function half>",
        "augmentation": "the same augment, but rank 0 has None and rank 1 has Augment(shift=1",
        "the length": "the same number of samples, but rank 0 has 48 and rank 1 has 47",
        "the labels": "the same labels, as a hash, but",
        "the arguments": "the same epochs, but rank 0 has 1 and rank 1 has 2",
        "the optimizer": "the same optimizer, but rank 0 has ",
        "the loss": "the same loss, but rank 0 has cse and rank 1 has mse",
        "the weights": "the same weights, as a hash, but",
        "processes": "MPI has started this program 2 times, and each would start processes=2 of its own",
        "a small batch": "each of 2 processes needs a sample of every batch, but a batch has 1",
    }
    assert set(expected) == set(same) - {"rank"}
    for name, text in expected.items():
        assert same[name].startswith("ValueError: train: "), name
        assert text in same[name], name


@pytest.mark.parametrize("there", [False, True])
def test_without_mpi4py_or_a_runtime_it_says_what_to_install(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name == "MPI":
                raise RuntimeError("cannot load MPI library")
            raise AttributeError(name)

    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", Broken("mpi4py") if there else None)
    what = r"mpi4py finds no MPI library \(cannot load MPI library\)" if there else "mpi4py is not there"
    with pytest.raises(RuntimeError, match=f"^train: .* has started this program 2 times, but {what}.*pip install"):
        trained(network())
    trained(network(), 1)  # by itself


def test_a_launcher_of_another_mpi_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As srun --mpi=pmi2 with Open MPI: the library takes each process for the only one."""
    library = types.SimpleNamespace(
        COMM_WORLD=types.SimpleNamespace(size=1), Get_library_version=lambda: "Open MPI v5.0.11, package\nmore"
    )
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", types.SimpleNamespace(MPI=library))
    with pytest.raises(
        RuntimeError, match=r"program 2 times, but mpi4py.s library \(Open MPI v5.0.11\) knows of 1, .* srun"
    ):
        trained(network())


# -- faults --------------------------------------------------------------------------------------------------------


@needs_mpi
@pytest.mark.parametrize("what", ["raise", "kill", "sleep", "stop"])
@pytest.mark.parametrize("make", ["network", "synchronized"])
def test_a_rank_that_fails_is_named(make: str, what: str, tmp_path: Path) -> None:
    """Also where ranks speak within the step."""
    code = f"""
        communicator.PATIENCE = mpi.PATIENCE = 0.5
        trained({make}(Faulty({what!r}, rank=1)), verbose=2)
    """
    since = time.monotonic()
    with start(3, code, tmp_path) as job:
        output, errors = job.communicate(timeout=30)
    assert job.returncode
    assert time.monotonic() - since < 15  # with their start
    said = output + errors
    if what == "kill":  # the launcher ends the others at once, and may name one of these
        pid = re.search(r"PID (\d+) (RUNNING|on node)", said)
        assert pid is not None
        assert f" is process {pid[1]} on" in output
        assert "process rank 1" in said or not is_open_mpi()
    else:
        reason = (
            "failed: ArithmeticError: no luck today" if what == "raise" else "has ended, or hangs in its part of a step"
        )
        assert f"RankError: train: rank 1 of 3 {reason}" in said


@needs_mpi
def test_an_error_before_training_ends_all_where_the_documentation_says_so(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "from mpi4py import MPI\nfrom tests.parallel.networks import network, rank, trained\n"
        "if rank() == 1:\n    raise FileNotFoundError('the data')\ntrained(network())\n"
    )
    command = [str(LAUNCHER), "-n", "2", sys.executable, "-m", "mpi4py", str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=30)
    assert done.returncode
    assert "FileNotFoundError: the data" in done.stderr


@needs_mpi
def test_a_rank_that_never_trains_is_named(tmp_path: Path) -> None:
    """As where only the rank that prints was told to."""
    code = """
        import tensorgrad.parallel
        communicator.PATIENCE = mpi.PATIENCE = 0.5
        if tensorgrad.parallel.leads():
            trained(network())
    """
    with start(2, code, tmp_path) as job:
        _, errors = job.communicate(timeout=30)
    assert job.returncode
    assert "RankError: train: rank 1 of 2 has ended, or hangs in its part of a step" in errors


@needs_mpi
@pytest.mark.parametrize("attempt", range(20 if PROFILE in ("strict", "ci") else 2))
def test_whoever_is_killed_whenever_the_last_checkpoint_goes_on(attempt: int, tmp_path: Path) -> None:
    drawn = random.Random(attempt)
    ranks = drawn.choice([2, 3])
    victim, moment = drawn.randrange(ranks), drawn.random() * 0.3
    code = f"""
        import threading
        def later():
            time.sleep({moment})
            os.kill(os.getpid(), signal.SIGKILL)
        if rank() == {victim}:
            threading.Thread(target=later, daemon=True).start()
        trained(network(), epochs=10**6, callbacks=[ModelCheckpoint(folder + "/m.tgrad")])
    """
    begin = trained(network(), epochs=1)
    begin.save_model(tmp_path / "m.tgrad")  # lest it is killed before the first epoch has ended
    with start(ranks, code, tmp_path) as job:
        output, errors = job.communicate(timeout=30)
    assert job.returncode
    assert "PID" in output + errors
    model: CNN = load_model(tmp_path / "m.tgrad")
    done = len(model.history)
    model.resume(X, Y, epochs=done + 2, batch_size=16, verbose=0, processes=drawn.choice([1, 2, 3]))
    whole = trained(network(), epochs=done + 2)
    np.testing.assert_allclose(model.history["loss"], whole.history["loss"], rtol=0.02, atol=1e-4)
