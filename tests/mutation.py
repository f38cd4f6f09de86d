"""Break the rules on purpose, one at a time, and see that the table of primitives catches every one.

    python tests/mutation.py                         # all mutations
    python tests/mutation.py --sample 8 --offset 27  # every eighth, another eighth for every offset: for CI

Each rule of each primitive is broken in each of these ways, where the way changes anything at all:

- its sign; a factor; it forgets the incoming gradient's size (a constant in its place);
- the gradient's first and last axis exchanged, and its elements reversed (a transposed axis, a shifted index);
- one element of the gradient dropped;
- recorded as a constant: right at order 1, and zero at order 2;
- the forward function's value off by a little, so that value and rule part.

And the engine: it forgets to sum what was broadcast along leading or inner axes, to add up a value's uses, to copy
what a leaf keeps, to match dtypes; it walks in the wrong order.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, Phase, settings

from tensorgrad import engine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the tests are a package beside tensorgrad

from tests.ops import test_gradients
from tests.ops.table import ROWS, Row

Mutation = Callable[[Any], Any]


def _sign(h: Any) -> Any:
    return -h


def _factor(h: Any) -> Any:
    return h * 1.001


def _elsewhere(h: Any) -> Any:
    """The first and the last axis exchanged, where both have the same length; else reversed along the longest."""
    shape = engine.value(h).shape
    order = list(range(len(shape)))
    if len(shape) > 1 and shape[0] == shape[-1]:
        order[0], order[-1] = order[-1], order[0]
        return h.transpose(order)
    return h[tuple(slice(None, None, -1) for _ in shape)] if shape else h * 2


def _dropped(h: Any) -> Any:
    array = engine.value(h)
    kept = np.ones(array.shape, array.dtype)
    kept.reshape(-1)[-1:] = 0
    return h * kept


def _constant(h: Any) -> Any:
    return engine.value(h)


MUTATIONS: dict[str, Mutation] = {
    "sign": _sign, "factor": _factor, "elsewhere": _elsewhere, "dropped element": _dropped, "not recorded": _constant,
}  # fmt: skip


@contextmanager
def broken_rule(row: Row, position: int, mutation: Mutation) -> Iterator[None]:
    """Change what one rule of a primitive returns."""
    whole = type(row.primitive).rule

    def rule(self: Any, at: int) -> Any:
        found, reads = whole(self, at)
        if self is not row.primitive or at != position or found is None:
            return found, reads
        return (lambda *args, **params: mutation(found(*args, **params))), reads

    with mock.patch.object(type(row.primitive), "rule", rule):
        yield


@contextmanager
def broken_value(row: Row) -> Iterator[None]:
    whole = row.primitive.forward
    with mock.patch.object(
        row.primitive, "forward", lambda *a, **k: whole(*a, **k) * 1.001 if _floats(a) else whole(*a, **k)
    ):
        yield


def _floats(arrays: Any) -> bool:
    return any(np.asarray(a).dtype.kind in "fc" for a in arrays)


QUICK = settings(max_examples=25, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                 suppress_health_check=list(HealthCheck))  # fmt: skip
TABLE = [
    QUICK(test)
    for test in (
        test_gradients.test_values_and_what_gradients_are_made_of,
        test_gradients.test_gradients,
    )
]


def caught(row: Row) -> str | None:
    """The test of the table that fails on this row, if one does."""
    for test in TABLE:
        try:
            test(row=row)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return test.__name__
    return None


# -- the engine -------------------------------------------------------------------------------------------------------

# Text of engine.py that is replaced, and by what: the tests of the engine and of the table must notice each.
# tests/test_mutation.py sees to it that each text is still there.
ENGINE_MUTATIONS = {
    "dropped un-broadcast: leading axes": (
        "if i < extra or n != shape[i - extra]",
        "if i >= extra and n != shape[i - extra]",
    ),
    "dropped un-broadcast: inner axes": ("if i < extra or n != shape[i - extra]", "if i < extra"),
    "a use forgotten": ("else add\n", "else lambda total, h: h\n"),
    "a use forgotten in place": ("= iadd if ours", "= (lambda total, h: total) if ours"),
    "gradient of a leaf shared": ("own = g if fresh else g.copy()", "own = g"),
    "the first gradient mutated": ("h is not g and not create_graph and not is_view(h)", "True"),
    "dtype not matched": ("return h if value(h).dtype == dtype else converted(", "return h if True else converted("),
    "wrong order": ("node = order.pop()", "node = order.pop(0)"),
    "nothing freed": ("if not retain_graph:", "if False:"),
    "everything freed": ("if not retain_graph:", "if True:"),
    "constants walked": ("if a.needs_grad:", "if True:"),
    "a result freed that is read again": ("or primitive.rereads_result or", "or"),
    "hooks forgotten": ("if node.hooks:", "if False:"),
    "writes not seen": ("if unreadable:", "if False:"),
    "views without memory": ("if result.base is not None or result is arrays[0]:", "if False:"),
    "no_grad ignored": ("recorded = needs_grad and recording()", "recorded = needs_grad"),
    "accumulation replaces": ("leaf.grad = leaf.grad + g", "leaf.grad = leaf.grad"),
    "create_graph not recorded": ("with set_recording(create_graph):", "with set_recording(False):"),
    "last step skipped": ("if primitive.last_step is not None:", "if False:"),
    "zero gradients missing": ("found.append((target, kind.wrap(zero) if create_graph else zero, True))", "pass"),
}
ENGINE_TESTS = ("test_engine.py", "functional/test_functional.py", "tensor/test_tensor.py", "ops/test_gradients.py")


def run_engine_mutations(chosen: Callable[[int], bool]) -> Iterator[tuple[str, bool]]:
    """Break the engine's source in a copy of the checkout, and run its tests there."""
    root = Path(__file__).resolve().parent.parent
    for number, (name, (old, new)) in enumerate(ENGINE_MUTATIONS.items()):
        if not chosen(number):
            continue
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder)
            for part in ("tensorgrad", "layers", "optim", "tests"):
                shutil.copytree(root / part, copy / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy(root / "pyproject.toml", copy)
            source = copy / "tensorgrad" / "engine.py"
            source.write_text(source.read_text("utf-8").replace(old, new), "utf-8")
            tests = [f"tests/{name}" for name in ENGINE_TESTS]
            ran = subprocess.run(
                [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
                cwd=copy, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(copy)},
            )  # fmt: skip
            if ran.returncode not in (0, 1):  # 1: tests failed; anything else: they did not run
                raise SystemExit(f"mutation {name!r}: the tests did not run:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
            yield name, ran.returncode == 1


def main(argv: list[str] | None = None) -> int:
    """Return 0 if every mutation was caught."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sample", type=int, default=1, help="only every n-th mutation")
    parser.add_argument("--offset", type=int, default=0, help="which of them: the day of the year lets CI see all")
    parser.add_argument("--only", default="", help="only primitives whose name contains this")
    options = parser.parse_args(argv)
    start = time.perf_counter()
    counts: Counter[str] = Counter()
    by_test: Counter[str] = Counter()
    survivors: list[str] = []
    number = 0

    def chosen(n: int) -> bool:
        return n % options.sample == options.offset % options.sample

    for row in ROWS:
        name = row.primitive.name
        if options.only not in name:
            continue
        if caught(row) is not None:
            raise SystemExit(f"{name} fails before anything is broken")
        for position in range(3):
            try:
                rule, _ = row.primitive.rule(position)
            except NotImplementedError:
                break
            if rule is None or (position and row.primitive._rule_for_each is not None):
                continue
            for title, mutation in MUTATIONS.items():
                number += 1
                if not chosen(number) or (name, position, title) in EQUIVALENT:
                    continue
                with broken_rule(row, position, mutation):
                    test = caught(row)
                counts[title] += 1
                by_test[test or "nothing"] += 1
                if test is None:
                    survivors.append(f"{name}, rule {position}: {title}")
        number += 1
        if chosen(number):
            with broken_value(row):
                test = caught(row)
            counts["value"] += 1
            by_test[test or "nothing"] += 1
            if test is None:
                survivors.append(f"{name}: value")
    if not options.only:
        for title, found in run_engine_mutations(chosen):
            counts["engine"] += 1
            if not found:
                survivors.append(f"engine: {title}")
    total = sum(counts.values())
    print(f"{total} mutations, {total - len(survivors)} caught, in {time.perf_counter() - start:.0f} s")
    print("by kind:", ", ".join(f"{k} {n}" for k, n in counts.items()))
    print("caught by:", ", ".join(f"{k} {n}" for k, n in by_test.items()))
    for survivor in survivors:
        print("NOT CAUGHT:", survivor)
    return 1 if survivors else 0


# Mutations that change nothing: a linear map's gradient does not depend on its input, so order 2 has no path there.
EQUIVALENT: set[tuple[str, int, str]] = set()

if __name__ == "__main__":
    raise SystemExit(main())
