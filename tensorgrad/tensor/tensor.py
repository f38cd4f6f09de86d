"""Tensor: an array that records what is done with it: its data, its gradient, its operators and protocols.

The mathematics of one tensor is in :mod:`tensorgrad.tensor.methods`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from tensorgrad import engine, ops
from tensorgrad.checks import check_function, check_unmasked
from tensorgrad.tensor import numpy_protocol
from tensorgrad.tensor.methods import Methods
from tensorgrad.tensor.promotion import DEFAULT_DTYPE as DEFAULT_DTYPE
from tensorgrad.tensor.promotion import Array as Array
from tensorgrad.tensor.promotion import binary, divide, matmul, to_array
from tensorgrad.vocabulary import missing

if TYPE_CHECKING:
    from tensorgrad.tensor.picture import Picture

TensorLike: TypeAlias = "Tensor | npt.ArrayLike"
T = TypeVar("T", bound="Tensor")


class Tensor(Methods):
    """An n-dimensional array that records what is done with it, so that gradients can be computed.

    Parameters
    ----------
    data : array_like
        Copied. An array keeps its dtype; Python numbers and lists of them become float32.
    dtype : dtype, optional
        Convert to this dtype.
    requires_grad : bool
        Record the operations on this tensor, so that :meth:`backward` can fill in its ``grad``.

    Raises
    ------
    TypeError
        If the data is not numeric, or gradients are asked of numbers that are not floating: integers, or complex ones.

    Examples
    --------
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    Tensor([2., 4., 6.], dtype=float32)

    """

    __slots__ = ()

    def __init__(self, data: TensorLike, dtype: npt.DTypeLike | None = None, requires_grad: bool = False) -> None:
        self.array = to_array(data, dtype)
        self.grad = self.hooks = self.memory = self.node = None
        self.needs_grad = False
        self.requires_grad = requires_grad

    # -- what it is ----------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array itself, for reading and writing. ``t.data = values`` keeps the shape and dtype.

        A write between the forward and the backward pass that would falsify a gradient makes the backward pass raise.
        To read only, :meth:`numpy` is cheaper.
        """
        self.array = np.asarray(self.array)  # a NumPy scalar, as reductions make them, becomes a 0-d array
        engine.memory(self).hand_out()
        return self.array

    @data.setter
    def data(self, values: TensorLike) -> None:
        if values is not self.array:  # it is, after ``t.data += 1``, which wrote in place
            check_unmasked(values, "Tensor.data", "values")
            new = np.asarray(engine.value(values))
            if new.dtype.kind not in ("fciub" if self.dtype.kind == "c" else "fiub"):
                raise TypeError(f"Tensor.data: expected numbers for {self.dtype}, received dtype {new.dtype}")
            if new.shape != self.shape:
                raise ValueError(
                    f"Tensor.data: expected values of shape {self.shape}, received shape {new.shape}; "
                    "make a new tensor for another shape"
                )
            self.array = np.asarray(self.array)
            if self.array.flags.writeable:
                np.copyto(self.array, new, casting="unsafe")
            else:  # such as the view that broadcasting makes
                self.array = new.astype(self.dtype)
        engine.wrote(self)

    @property
    def nbytes(self) -> int:
        """The number of bytes that the elements take."""
        return self.array.nbytes

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made by the user, not by a recorded operation."""
        return self.node is None

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted and self.dtype.kind == "c":
            raise TypeError(
                f"requires_grad: a tensor of {self.dtype} has no gradient here; keep the real and the imaginary parts "
                "as two real tensors"
            )
        if wanted and self.dtype.kind != "f":
            raise TypeError(
                f"requires_grad: a tensor of {self.dtype} has no gradient; "
                "make it floating, with dtype='float32' or .astype('float32')"
            )
        if not wanted and self.node is not None:
            raise RuntimeError("requires_grad: only a leaf can be told not to record; use detach() on a result")
        self.needs_grad = bool(wanted)

    def __repr__(self) -> str:
        body = np.array2string(np.asarray(self.array), separator=", ", prefix="Tensor(")
        parts = [body, f"dtype={self.dtype}"]
        if self.node is not None:
            parts.append(f"op={self.node.primitive.name}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        return f"Tensor({', '.join(parts)})"

    # -- out of the graph ----------------------------------------------------------------------------------

    def numpy(self) -> Array:
        """The values as a NumPy array, read-only and without a copy."""
        view = np.asarray(self.array).view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The only element as a Python number."""
        if self.size != 1:
            raise ValueError(f"item: expected a tensor of one element, received shape {self.shape}; index it first")
        return self.array.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.array.tolist()

    def picture(self) -> Picture:
        """The values as a picture, which a notebook shows: an image or a batch of them.

        The shape is ``(H, W)``, ``(H, W, 1 or 3)`` or ``(N, H, W, 1 or 3)``. Integers of 8 bits stay as they are; of
        other numbers the smallest becomes black and the largest white.
        """
        from tensorgrad.tensor.picture import picture  # here, since few need it

        return picture(np.asarray(self.array))

    def detach(self) -> Self:
        """The same memory, out of the graph: a constant."""
        new = type(self).wrap(self.array)
        new.memory = engine.memory(self)
        return new

    # -- differentiation -----------------------------------------------------------------------------------

    def backward(
        self, gradient: TensorLike | None = None, *, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add the gradient of this tensor by every leaf that requires one to that leaf's ``grad``.

        Parameters
        ----------
        gradient : array_like, shape=self.shape, optional
            The gradient of a later result by this tensor; 1 for a single element.
        retain_graph : bool, optional
            Keep the graph for another walk over it. Default: as `create_graph`.
        create_graph : bool
            Record the gradients themselves, so that they can be differentiated.

        Raises
        ------
        RuntimeError
            If nothing was recorded, the graph was freed, or a value was written to that a gradient needs.
        ValueError, TypeError
            If the gradient's shape or dtype is wrong, or it is missing and this tensor has several elements.

        """
        retain = create_graph if retain_graph is None else retain_graph
        seed = self.starting_gradient(gradient, create_graph, "backward")
        engine.backward(self, seed, retain_graph=retain, create_graph=create_graph)

    def starting_gradient(self, gradient: TensorLike | None, create_graph: bool, name: str) -> Any:
        """The gradient that a walk back from this tensor starts with."""
        if not self.needs_grad:
            if self.dtype.kind not in "fc":
                raise TypeError(f"{name}: the output is of {self.dtype}, and integers have no gradient")
            raise RuntimeError(
                f"{name}: nothing to differentiate: no input of the output has requires_grad=True, "
                "or it was computed under no_grad()"
            )
        if gradient is None:
            if self.size != 1:
                raise ValueError(
                    f"{name}: the output has shape {self.shape}, and only a single element has a gradient of its own; "
                    "call .sum() or .mean() first, or pass gradient="
                )
            array = np.ones(self.shape, self.dtype)
        else:
            typed = isinstance(gradient, Tensor | np.ndarray)
            array = np.asarray(engine.value(gradient), dtype=None if typed else self.dtype)
            if array.shape != self.shape:
                raise ValueError(f"{name}: expected a gradient of shape {self.shape}, received shape {array.shape}")
            if array.dtype != self.dtype:
                raise TypeError(
                    f"{name}: expected a gradient of {self.dtype}, received {array.dtype}; convert it with .astype()"
                )
        if create_graph:
            return gradient if isinstance(gradient, Tensor) else type(self).wrap(array)
        return array

    def zero_grad(self) -> None:
        """Set the gradient to None."""
        self.grad = None

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Call ``hook(gradient)`` whenever this tensor's gradient is known; what it returns replaces the gradient.

        Returns
        -------
        remove : callable
            Call it to remove the hook.

        """
        if not self.needs_grad:
            raise RuntimeError("register_hook: this tensor does not require a gradient, so the hook would never run")
        check_function(hook, ("gradient",), "register_hook: the hook")
        origin = engine.origin(self)
        hooks = origin.hooks = {} if origin.hooks is None else origin.hooks
        key = max(hooks, default=0) + 1
        hooks[key] = hook
        return lambda: hooks.pop(key, None) and None

    # -- arithmetic ----------------------------------------------------------------------------------------

    def __add__(self, other: object) -> Tensor:
        return binary(ops.add, self, other)

    def __radd__(self, other: object) -> Tensor:
        return binary(ops.add, other, self)

    def __sub__(self, other: object) -> Tensor:
        return binary(ops.sub, self, other)

    def __rsub__(self, other: object) -> Tensor:
        return binary(ops.sub, other, self)

    def __mul__(self, other: object) -> Tensor:
        return binary(ops.mul, self, other)

    def __rmul__(self, other: object) -> Tensor:
        return binary(ops.mul, other, self)

    def __truediv__(self, other: object) -> Tensor:
        return divide(self, other)

    def __rtruediv__(self, other: object) -> Tensor:
        return divide(other, self)

    def __mod__(self, other: object) -> Tensor:
        return binary(ops.remainder, self, other)

    def __rmod__(self, other: object) -> Tensor:
        return binary(ops.remainder, other, self)

    def __divmod__(self, other: Any) -> tuple[Any, Tensor]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Tensor]:
        return other // self, other % self

    def __pow__(self, other: object) -> Tensor:
        return binary(ops.power, self, other)

    def __rpow__(self, other: object) -> Tensor:
        return binary(ops.power, other, self)

    def __matmul__(self, other: object) -> Tensor:
        return matmul(self, other)

    def __rmatmul__(self, other: object) -> Tensor:
        return matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.neg(self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return ops.absolute(self)

    def __ipow__(self, other: object) -> Tensor:
        return self._in_place(operator.pow, other)

    def __imatmul__(self, other: object) -> Tensor:
        return self._in_place(operator.matmul, other)

    def __iadd__(self, other: object) -> Tensor:
        return self._in_place(operator.add, other)

    def __isub__(self, other: object) -> Tensor:
        return self._in_place(operator.sub, other)

    def __imul__(self, other: object) -> Tensor:
        return self._in_place(operator.mul, other)

    def __itruediv__(self, other: object) -> Tensor:
        return self._in_place(operator.truediv, other)

    def _in_place(self, operation: Callable[[Any, Any], Tensor], other: Any) -> Tensor:
        """``t += other``: a new tensor where operations are recorded, a write to a leaf where they are not."""
        if not (self.needs_grad and self.is_leaf):
            return operation(self, other)
        if engine.recording():
            raise RuntimeError(
                f"{operation.__name__}: in place, this would replace a leaf that requires a gradient by a result; "
                "to update it write `with no_grad(): t += ...`, to compute with it write `u = t + ...`"
            )
        self.data = operation(self, other)
        return self

    # -- comparisons, whole numbers and bits: plain arrays, since none of them has a gradient ------------------

    def __eq__(self, other: object) -> Any:
        return self.array == engine.value(other)

    def __ne__(self, other: object) -> Any:
        return self.array != engine.value(other)

    def __lt__(self, other: Any) -> Any:
        return self.array < engine.value(other)

    def __le__(self, other: Any) -> Any:
        return self.array <= engine.value(other)

    def __gt__(self, other: Any) -> Any:
        return self.array > engine.value(other)

    def __ge__(self, other: Any) -> Any:
        return self.array >= engine.value(other)

    def __floordiv__(self, other: Any) -> Any:
        return self.array // engine.value(other)

    def __rfloordiv__(self, other: Any) -> Any:
        return other // self.array

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.item(), digits) if self.size == 1 else self.array.round(digits or 0)

    def __and__(self, other: Any) -> Any:
        return self.array & engine.value(other)

    def __or__(self, other: Any) -> Any:
        return self.array | engine.value(other)

    def __xor__(self, other: Any) -> Any:
        return self.array ^ engine.value(other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Any:
        return ~self.array

    __hash__ = object.__hash__

    def __setitem__(self, index: Any, values: Any) -> None:
        raise TypeError(
            "Tensor: item assignment would change a value that gradients may need; build a new tensor with where(), "
            "concatenate() or pad(), or write to a leaf's .data[...] outside of a graph"
        )

    # -- Python and NumPy protocols --------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len: a tensor of no axes has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        if not self.ndim:
            raise TypeError("iter: a tensor of no axes has no elements to go through; use .item()")
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> bool:
        return bool((self.array == engine.value(item)).any())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"bool: a tensor of shape {self.shape} is neither true nor false; use .any(), .all() or compare it"
            )
        return bool(self.array)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __index__(self) -> int:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError(
                f"index: only an integer tensor of no axes is an index; received {self.dtype} of shape {self.shape}"
            )
        return int(self.array)

    # If type checkers saw __array__, NumPy's stubs would make array * tensor and np.sin(tensor) arrays. Without it, the
    # first is a Tensor to them and the second Any; they refuse np.sum(tensor), for which there is tensorgrad.sum.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):  # NumPy and others look for protocols
                raise AttributeError(name)
            raise AttributeError(missing("Tensor", name, dir(type(self)), "Tensor"))

        def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
            # np.asarray(t) asks for an array, as t.numpy() does: programs hand weights to matplotlib.
            if copy or (dtype is not None and np.dtype(dtype) != self.dtype):
                if copy is False:
                    raise ValueError(f"__array__: {self.dtype} cannot become {np.dtype(dtype)} without a copy")
                return np.array(self.array, dtype=dtype)
            return self.numpy()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return numpy_protocol.apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return numpy_protocol.apply_function(function, args, kwargs)

    def __dlpack__(self, **kwargs: Any) -> Any:
        if self.needs_grad and engine.recording():
            raise TypeError(
                "from_dlpack: this tensor requires a gradient, and whoever shares its memory could not record; "
                "pass .detach()"
            )
        return self.data.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return np.asarray(self.array).__dlpack_device__()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles and copies as a leaf: values, requires_grad and grad, but not the graph."""
        return _rebuild, (type(self), np.asarray(self.array), self.requires_grad, self.grad)

    def __copy__(self) -> Self:
        return _rebuild(type(self), self.array, self.requires_grad, self.grad)


# NumPy's operators with an array on the left; those that are functions too are registered beside them.
for _ufunc, _operation in ((np.add, ops.add), (np.subtract, ops.sub), (np.multiply, ops.mul)):
    numpy_protocol.implements(_ufunc)(partial(binary, _operation))
numpy_protocol.implements(np.divide)(divide)
numpy_protocol.implements(np.negative)(Tensor.__neg__)
numpy_protocol.implements(np.positive)(Tensor.__pos__)


def tensor(data: TensorLike, dtype: npt.DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Make a :class:`Tensor` of numbers, nested lists or an array; the data is copied.

    Examples
    --------
    >>> tensor([[1, 2], [3, 4]])
    Tensor([[1., 2.],
            [3., 4.]], dtype=float32)

    """
    return Tensor(data, dtype, requires_grad)


def as_tensor(x: TensorLike) -> Tensor:
    """A tensor as it is; anything else made into a constant one."""
    return x if isinstance(x, Tensor) else Tensor(x)


def _rebuild(kind: type[T], array: Array, requires_grad: bool, grad: T | None) -> T:
    new = kind.wrap(np.array(array))
    new.needs_grad = requires_grad
    new.grad = None if grad is None else grad.detach().copy()
    return new
