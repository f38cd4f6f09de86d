"""grad, jacobian, hessian, hvp, jvp: on functions whose derivatives are known."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad import Tensor

A = np.array([[2.0, 1.0], [1.0, 3.0]])
X = np.array([1.0, -2.0])


def quadratic(x: Tensor) -> Tensor:
    return 0.5 * (x @ (A @ x))


def test_a_quadratic_form() -> None:
    np.testing.assert_allclose(tg.jacobian(quadratic, X).numpy(), A @ X)
    np.testing.assert_allclose(tg.hessian(quadratic, X).numpy(), A)
    np.testing.assert_allclose(tg.hvp(quadratic, X, [1.0, 2.0]).numpy(), A @ [1, 2])
    np.testing.assert_allclose(tg.jvp(quadratic, X, [1.0, 2.0]).numpy(), X @ A @ [1, 2])


def test_shapes() -> None:
    def f(x: Tensor) -> Tensor:
        return tg.outer(x.sum(0), x.sum(1))

    x = np.arange(6.0).reshape(2, 3)
    assert tg.jacobian(f, x).shape == (3, 2, 2, 3)
    assert tg.jvp(f, x, x).shape == (3, 2)
    assert tg.hessian(lambda x: f(x).sum(), x).shape == (2, 3, 2, 3)
    assert tg.jacobian(lambda x: x[:0], X).shape == (0, 2)


def test_constants_and_linear_functions() -> None:
    assert not tg.jacobian(lambda x: Tensor(np.ones(3)), X).array.any()
    assert not tg.hessian(lambda x: Tensor(1.0), X).array.any()
    assert not tg.hessian(lambda x: x.sum(), X).array.any()
    assert not tg.jvp(lambda x: Tensor(np.ones(3)), X, X).array.any()
    np.testing.assert_array_equal(tg.jvp(lambda x: x * 2, X, X).array, 2 * X)


def test_dtypes_and_leaves_stay() -> None:
    x = tg.tensor([1.0, 2.0])
    y = tg.tensor([1.0, 2.0], requires_grad=True)
    for at in (x, y):
        for result in (tg.jacobian(tg.exp, at), tg.hessian(lambda t: (t**3).sum(), at), tg.jvp(tg.exp, at, at)):
            assert result.dtype == np.float32
            assert result.requires_grad == at.requires_grad
    assert y.grad is None


def cubes(x: Tensor) -> Tensor:
    return (x**3).sum()


def test_nested() -> None:
    """The derivatives of sum(x^3): 3 x^2, 6 x on the diagonal, and 6 in the corner of three axes."""
    third = 6.0 * np.eye(2)[:, :, None] * np.eye(2)
    v = np.array([0.5, 3.0])
    np.testing.assert_allclose(tg.jacobian(lambda x: tg.hessian(cubes, x), X).numpy(), third)
    np.testing.assert_allclose(tg.jacobian(lambda x: tg.jacobian(lambda y: y**3, x), X).numpy(), third * X)
    np.testing.assert_allclose(tg.jacobian(lambda x: tg.hvp(cubes, x, v), X).numpy(), np.diag(6 * v))
    np.testing.assert_allclose(tg.jacobian(lambda x: tg.jvp(tg.square, x, v), X).numpy(), np.diag(2 * v))
    np.testing.assert_allclose(tg.jacobian(lambda w: tg.hvp(cubes, X, w), v).numpy(), np.diag(6 * X))
    np.testing.assert_allclose(tg.jacobian(lambda w: tg.jvp(tg.square, X, w), v).numpy(), np.diag(2 * X))
    x = tg.tensor(X, requires_grad=True)
    tg.hessian(cubes, x).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), [6, 6])


def test_under_no_grad() -> None:
    x = tg.tensor(X, requires_grad=True)
    with tg.no_grad():
        results = [
            tg.jacobian(cubes, x), tg.hessian(cubes, x), tg.hvp(cubes, x, x), tg.jvp(tg.square, x, x)
        ]  # fmt: skip
    assert not any(result.requires_grad for result in results)
    for result, expected in zip(results, (3 * X**2, np.diag(6 * X), 6 * X**2, 2 * X**2), strict=True):
        np.testing.assert_allclose(result.numpy(), expected)


def test_grad_of_several_inputs_and_weights() -> None:
    x, y = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([3.0, 4.0], requires_grad=True)
    gx, gy = tg.grad(x * y, (x, y), gradient=[1.0, 10.0])
    np.testing.assert_array_equal(gx.numpy(), [3, 40])
    np.testing.assert_array_equal(gy.numpy(), [1, 20])
    (unused,) = tg.grad(x.sum(), [y], allow_unused=True)
    np.testing.assert_array_equal(unused.numpy(), [0, 0])
    once, again = tg.grad(x.sum(), [x, x])
    once.data[:] = 7
    np.testing.assert_array_equal(again.numpy(), [1, 1])
    weights = tg.tensor([1.0, 1.0], requires_grad=True)
    (g,) = tg.grad(x * x, x, weights, create_graph=True)
    np.testing.assert_array_equal(tg.grad(g.sum(), weights)[0].numpy(), [2, 4])


def test_gradient_penalty() -> None:
    """The gradient by the weights of how long the gradient by the input is: two walks, as in WGAN-GP."""
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = tg.tensor([[1.0, 1.0]], requires_grad=True)
    (slope,) = tg.grad((x @ w).sum(), x, create_graph=True)
    ((slope.norm() - 1) ** 2).backward()
    length = np.sqrt(3**2 + 7**2)
    expected = 2 * (length - 1) / length * np.array([[3, 3], [7, 7]])
    assert w.grad is not None
    np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-6)


def test_newton_steps_with_conjugate_gradients() -> None:
    """Hessian-vector products and SciPy's solver: the minimum of a smooth function in a few steps."""
    from scipy.sparse.linalg import LinearOperator, cg

    def f(x: Tensor) -> Tensor:
        return (x**4).sum() + ((x - 1) ** 2).sum() + (x[1:] * x[:-1]).sum()

    x = np.full(5, 2.0)
    for _ in range(8):
        gradient = tg.jacobian(f, x).numpy()
        hessian = LinearOperator((5, 5), matvec=lambda v, x=x: tg.hvp(f, x, v).numpy())
        x = x - cg(hessian, gradient, rtol=1e-10)[0]
    assert np.abs(tg.jacobian(f, x).numpy()).max() < 1e-10
