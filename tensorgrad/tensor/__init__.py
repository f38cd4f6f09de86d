"""Tensor: an array that records what is done with it.

``tensor`` holds the data, the gradient, the operators and protocols; ``methods`` the mathematics of one tensor;
``promotion`` which dtype two operands agree on; ``numpy_protocol`` what NumPy's own functions do with a tensor.
"""

from tensorgrad.tensor.promotion import DEFAULT_DTYPE, Array
from tensorgrad.tensor.tensor import Tensor, TensorLike, as_tensor, tensor

__all__ = ["DEFAULT_DTYPE", "Array", "Tensor", "TensorLike", "as_tensor", "tensor"]


def __dir__() -> list[str]:
    return sorted(__all__)
