"""The benchmarks' own arithmetic: a clock that is told what time it is, tables, the page. Without PyTorch."""

from __future__ import annotations

import multiprocessing
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import page, plot, report, versions
from benchmarks.apart import Apart
from benchmarks.case import Row, agree
from benchmarks.scaling_model import MESSAGE, Compute, Link
from benchmarks.timing import LONG, Effort, compare, fastest, summarize, threads, ticks_of
from tensorgrad.kernels import blas
from tensorgrad.kernels.threads import get_num_threads
from tests.parallel.networks import X, Y, network


class FakeClock:
    """Time passes only when work is done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, *seconds: float) -> Callable[[], None]:
        """A function that takes so long; several durations are gone through in turn, the last one stays."""
        left = list(seconds)

        def function() -> None:
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return function


def row(
    name: str = "a case",
    threads: int = 1,
    ratio: float = 0.5,
    peer: str = "PyTorch",
    others: float = 0.0,
    processes: int = 1,
) -> Row:
    times = ratio * 20, 20.0, ratio, ratio * 0.9, ratio * 1.1
    return Row("training", name, peer, threads, "ms", *times, 7, others, processes)


def test_ratio_is_ours_by_theirs() -> None:
    clock = FakeClock()
    found = compare(clock.work("a", 0.003), clock.work("b", 0.004), Effort(5, 9, 0.0), clock=clock)
    assert found.ours == pytest.approx(0.003)
    assert found.theirs == pytest.approx(0.004)
    assert (found.ratio, found.low, found.high) == pytest.approx((0.75, 0.75, 0.75))
    assert found.rounds == 5


def test_sides_take_turns_and_change_places() -> None:
    clock = FakeClock()
    compare(clock.work("a", LONG), clock.work("b", 2 * LONG), Effort(4, 4, 0.0), clock=clock)
    assert "".join(clock.calls) == "ab" + "abba" * 2  # one call each to find out how long it takes


def test_median_is_of_the_ratios() -> None:
    found = summarize([(1.0, 1.0), (1.0, 2.0), (9.0, 3.0), (1.0, 4.0), (8.0, 4.0)])
    assert found.ratio == 1.0  # not the ratio of the medians, 1 / 3
    assert (found.low, found.high) == (0.5, 2.0)
    assert (found.ours, found.theirs) == (1.0, 3.0)


def test_units_of_work() -> None:
    found = summarize([(8.0, 2.0)], units=(4, 2))
    assert (found.ours, found.theirs, found.ratio) == (2.0, 1.0, 2.0)


def test_budget_bounds_the_rounds() -> None:
    clock = FakeClock()
    one, other = clock.work("a", 0.5), clock.work("b", 0.5)
    assert compare(one, other, Effort(3, 100, 10.0), clock=clock).rounds == 10
    assert compare(one, other, Effort(3, 6, 10.0), clock=clock).rounds == 6
    assert compare(one, other, Effort(3, 6, 0.0), clock=clock).rounds == 3


def test_settling_is_not_timed() -> None:
    clock = FakeClock()
    slow_at_first = clock.work("a", *[0.004] * 8, 0.001)
    found = compare(slow_at_first, clock.work("b", 0.001), Effort(1, 1, 0.0, block=0.002), settle=0.05, clock=clock)
    assert found.ratio == pytest.approx(1.0)


def test_the_fastest_way_is_taken() -> None:
    clock = FakeClock()
    ways = [clock.work("a", 0.03), clock.work("b", 0.5, 0.02), clock.work("c", 0.025)]
    assert fastest(ways, Effort(1, 1, 0.0), clock=clock) == 1


def test_threads_are_set_and_given_back() -> None:
    before = get_num_threads()
    with threads(before + 1) as settle:
        assert get_num_threads() == before + 1
        assert settle > 0
    assert get_num_threads() == before


def test_sides_must_agree() -> None:
    agree("same", [1.0, 2.0], np.float32([1.0, 2.0001]))
    with pytest.raises(AssertionError, match=r"loss: the sides do not compute the same: they differ by 0\.1 of 2"):
        agree("loss", [1.0, 2.1], [1.0, 2.0])
    with pytest.raises(AssertionError, match=r"shapes \(2,\) and \(3,\)"):
        agree("loss", [1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(AssertionError):
        agree("loss", [np.nan], [1.0])


def test_table_on_the_terminal() -> None:
    rows = [row("an epoch"), row("another", threads=2, ratio=1.25)]
    assert report.aligned(report.table(rows)).splitlines() == [
        "case      threads  ours, ms  PyTorch, ms  ratio    quartiles",
        "------------------------------------------------------------",
        "an epoch        1      10.0         20.0   0.50  0.45 - 0.55",
        "another         2      25.0         20.0   1.25  1.12 - 1.38",
    ]
    assert report.summary(rows).splitlines() == [
        "Ours / PyTorch, 1 thread: geometric mean 0.50, highest 0.50; 0 of 1 above 1.",
        "Ours / PyTorch, 2 threads: geometric mean 1.25, highest 1.25; 1 of 1 above 1.",
    ]


def test_processes_are_a_way_of_their_own_beside_threads() -> None:
    rows = [row("a", threads=2, ratio=1.25), row("a", threads=2, processes=2, ratio=0.75)]
    rows += [row("b", threads=2, ratio=0.5), row("b", threads=2, processes=2, ratio=1.0)]
    assert [line[1] for line in report.table(rows)] == ["threads", "2", "2 processes", "2", "2 processes"]
    assert [line.partition(": geometric mean ")[::2] for line in report.summary(rows).splitlines()] == [
        ("Ours / PyTorch, 2 threads", "0.79, highest 1.25; 1 of 2 above 1."),
        ("Ours / PyTorch, 2 processes", "0.87, highest 1.00; 0 of 2 above 1."),
        ("Ours / PyTorch, the better of 2 threads and 2 processes", "0.61, highest 0.75; 0 of 2 above 1."),
    ]


def at_work() -> None:
    while True:
        pass


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")
def test_time_of_ranks_is_not_taken_for_that_of_others() -> None:
    rank = multiprocessing.get_context("fork").Process(target=at_work, daemon=True)
    rank.start()
    until = time.monotonic() + 20
    while ticks_of(rank) < 5 and time.monotonic() < until:
        time.sleep(0.02)
    assert 5 <= ticks_of(rank) < 50
    rank.kill()
    rank.join()
    assert ticks_of(rank) == 0


def test_columns_come_when_they_say_something() -> None:
    header = report.table([row(peer="PyTorch"), row(peer="MyGrad", others=0.31)])[0]
    assert header == ["case", "against", "threads", "ours, ms", "theirs, ms", "ratio", "quartiles", "others"]


def test_a_disturbed_row_is_called_so() -> None:
    rows = [row(), row(others=0.31)]
    assert [line[-1] for line in report.table(rows)] == ["others", "", "31%"]
    assert report.summary(rows).endswith("Not quiet: in 1 of 2 rows other processes used the processors as well.")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123"), (0.0, "0.0")],
)
def test_three_digits(value: float, text: str) -> None:
    assert report.figure(value) == text


def test_page_keeps_its_text(tmp_path: Path) -> None:
    target = tmp_path / "performance.md"
    target.write_text(page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    results = page.Results({"Machine": "a test", "Date": "today"}, {"training": [row(), row(threads=2)]})
    page.write(results, target)
    once = target.read_text(encoding="utf-8")
    page.write(results, target)
    assert target.read_text(encoding="utf-8") == once
    assert "- Machine: a test\n- Date: today\n" in once
    assert "| case | threads | ours, ms | PyTorch, ms | ratio | quartiles |" in once
    assert "## Where PyTorch is ahead, and why" in once
    assert target.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_page_without_a_place() -> None:
    with pytest.raises(ValueError, match="no place for 'sweep'"):
        page.replaced("nothing here", "sweep", "")


def test_results_are_saved_and_loaded(tmp_path: Path) -> None:
    results = page.Results({"Machine": "a test"}, {"training": [row()], "memory": []})
    page.save(results, tmp_path / "results.json")
    assert page.load(tmp_path / "results.json") == results


def test_kernels_of_another_processor_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import __main__ as program

    called: list[Any] = []
    monkeypatch.setattr(program, "main", lambda: called.append("here"))
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.delenv("OPENBLAS_L2_SIZE", raising=False)
    program.start()
    assert called == ["here"]

    def run(command: list[str], env: dict[str, str], check: bool) -> subprocess.CompletedProcess[str]:
        called.append((command[1:3], "OPENBLAS_CORETYPE" in env))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SystemExit, match="3"):
        program.start()
    assert called == ["here", (["-m", "benchmarks"], False)]


def test_every_table_has_its_place_on_the_page() -> None:
    from benchmarks.__main__ import GROUPS

    text = page.PAGE.read_text(encoding="utf-8")
    for name in (*GROUPS, "machine"):
        assert f"<!-- {name} -->\n" in text
        assert f"<!-- /{name} -->\n" in text
    assert set(plot.PANELS) <= set(GROUPS)


class FakeSide:
    """A process of a checkout, whose calls take so long; or that cannot do it."""

    def __init__(self, *seconds: float, refused: str = "") -> None:
        self.seconds, self.refused = list(seconds), refused
        self.asked: list[dict[str, Any]] = []

    def ask(self, **request: Any) -> Any:
        self.asked.append(request)
        if self.refused:
            return self.refused
        return 0.01 if "repeats" not in request else self.seconds.pop(0)


def test_versions_are_compared_round_by_round() -> None:
    ours, theirs = FakeSide(1.0, 2.0, 4.0), FakeSide(2.0, 2.0, 2.0)
    pairs = versions.measured([ours, theirs], {"name": "a net", "kind": "training", "batch": 32}, rounds=3)
    assert pairs == [(1.0, 2.0), (2.0, 2.0), (4.0, 2.0)]
    assert ours.asked[1:] == theirs.asked[1:] == [{"repeats": 5}] * 3
    line = versions.Found("a net", [(1.0, 2.0), (2.0, 2.0), (4.0, 2.0)]).line()
    assert line.split() == ["a", "net", "2000.000", "2000.000", "1.000", "0.75", "-", "1.50"]


def test_what_a_version_cannot_do_is_said() -> None:
    old = FakeSide(refused="TypeError: no such layer")
    assert versions.measured([FakeSide(), old], {"name": "a net"}, rounds=3) == "TypeError: no such layer"


def test_another_checkout_must_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        versions.main([str(tmp_path)])
    assert f"{tmp_path} is no checkout of tensorgrad" in capsys.readouterr().err


@pytest.mark.parametrize(("core", "capability", "same"), [
    ("Haswell", "AVX2", True), ("Zen", "AVX2", True), ("SkylakeX", "AVX512", False), ("Haswell", "AVX512", False),
])  # fmt: skip
def test_training_is_measured_at_avx2_where_that_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], core: str, capability: str, same: bool
) -> None:
    torch = pytest.importorskip("torch")
    from benchmarks import ordinary

    monkeypatch.setattr(blas, "library", lambda: blas.Library(lambda: 1, lambda n: None, core))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    asked: list[list[str]] = []

    def run(command: list[str], env: dict[str, str], **_: Any) -> None:
        assert ordinary.HELD.items() <= env.items()
        asked.append(command)
        page.save(page.Results({}, {"training": [row("held")]}), Path(command[command.index("--json") + 1]))

    monkeypatch.setattr(subprocess, "run", run)
    assert [found.name for found in ordinary.rows(True, [1, 2])] == ([] if same else ["held"])
    assert ("own kernels are those of AVX2" in capsys.readouterr().out) is same
    assert len(asked) == (not same)


def test_the_model_of_an_exchange() -> None:
    """One message between two; all to all where that is little; twice a part of it from each of many otherwise."""
    wire = Link(1e-3, 1e6)
    assert wire.exchange(1, 10**6) == 0
    assert wire.exchange(2, 10**6) == pytest.approx(1e-3 + 1)
    assert wire.exchange(8, 1000) == pytest.approx(3e-3 + 7e-3)
    assert wire.exchange(8, 10**6) == pytest.approx(6e-3 + 7 * (MESSAGE + 2 / 8))
    assert Link.fitted({"1000": 1e-3 + 4e-3, "1000000": 1e-3 + 4}) == pytest.approx(wire)


def test_the_time_of_a_step_is_a_line() -> None:
    found = Compute.fitted({32: 0.42, 64: 0.74, 128: 1.38})
    assert found == pytest.approx((0.1, 0.01))
    assert found.seconds(10) == pytest.approx(0.2)
    assert Compute.fitted({1: 1.0, 2: 3.0}).step == 0  # no time is below 0


def test_processes_are_measured_epoch_by_epoch() -> None:
    with Apart(network(), X, Y, 32, 2) as ours:
        ours.epoch()
        assert len(ours.model.history) == 2
    assert not multiprocessing.active_children()
