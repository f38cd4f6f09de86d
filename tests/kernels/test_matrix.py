"""Matrix products on our own threads."""

from typing import Any

import numpy as np
import pytest

from tensorgrad.kernels import matrix, threads


@pytest.mark.usefixtures("any_blas")
@pytest.mark.parametrize("threads_", [1, 2, 3])
@pytest.mark.parametrize(
    ("left", "right"),
    [((4, 3), (3, 5)), ((700, 64), (64, 300)), ((9, 40, 30), (30, 20)), ((3, 1, 4, 5), (2, 5, 6)), ((0, 3), (3, 2)),
     ((2, 0), (0, 3)), ((0, 2, 3), (3, 1)), ((1, 2, 3), (6, 3, 2)), ((3000, 40), (40, 12)), ((12, 300), (300, 400)),
     ((900, 10), (10, 300))],
)  # fmt: skip
def test_matrix_products_are_numpy_s_on_any_number_of_threads(threads_: int, left: Any, right: Any) -> None:
    rng = np.random.default_rng(0)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(threads_)
        for dtype in (np.float32, np.float64, np.complex128, np.int64):
            x, y = ((rng.standard_normal(shape) * 9).astype(dtype) for shape in (left, right))
            z = matrix.matmul(x, y)
            assert z.dtype == dtype
            np.testing.assert_allclose(z, np.matmul(x, y), rtol=2e-4 if dtype == np.float32 else 1e-10, atol=1e-3)
            swapped = matrix.matmul(y.swapaxes(-1, -2), x.swapaxes(-1, -2))
            np.testing.assert_allclose(swapped, z.swapaxes(-1, -2), rtol=2e-4, atol=1e-3)
    finally:
        threads.set_num_threads(before)
