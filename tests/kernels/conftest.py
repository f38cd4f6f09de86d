"""What tests of kernels vary beside their inputs."""

from collections.abc import Iterator

import pytest

from tensorgrad.kernels import blas, threads


@pytest.fixture(params=[1, 2, 3], ids=["1 thread", "2 threads", "3 threads"])
def any_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Any number of threads, and slices as small as can be."""
    before = threads.get_num_threads()
    threads.set_num_threads(request.param)
    monkeypatch.setattr(threads, "SHARE", 1)
    yield
    threads.set_num_threads(before)


@pytest.fixture(params=[True, False], ids=["small products", "large products"])
def any_blas(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the BLAS of this machine is good at, what is done for others is right too."""
    monkeypatch.setattr(blas, "multiplies_small_matrices_as_they_are", lambda: request.param)
