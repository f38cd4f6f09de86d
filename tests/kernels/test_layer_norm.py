"""Layer normalization in tiles against its definition."""

import numpy as np
import pytest

from tensorgrad.kernels import layer_norm, threads


@pytest.mark.usefixtures("any_threads")
@pytest.mark.parametrize("shape", [(3,), (1, 1), (5, 4, 3), (40, 6, 7, 16)])
def test_tiles_are_the_whole(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "TILE", 5000)
    rng = np.random.default_rng(0)
    x, g = 7 + rng.standard_normal(shape), rng.standard_normal(shape)
    w, b = rng.standard_normal((2, shape[-1]))
    inverse = (x.var(-1, keepdims=True) + 1e-3) ** -0.5
    z, h = (x - x.mean(-1, keepdims=True)) * inverse, g * w
    np.testing.assert_allclose(layer_norm.layer_norm(x, w, b, 1e-3), z * w + b, rtol=1e-12, atol=1e-12)
    by_x = (h - h.mean(-1, keepdims=True) - z * (h * z).mean(-1, keepdims=True)) * inverse
    expected = by_x, (g * z).reshape(-1, shape[-1]).sum(0), g.reshape(-1, shape[-1]).sum(0)
    for found, exact in zip(layer_norm.layer_norm_gradients(g, x, w, 1e-3), expected, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-10)
