"""Tensor: an array that records what is done with it.

``tensor`` holds the data, the gradient, the operators and protocols; ``methods`` the mathematics of one tensor;
``promotion`` which dtype two operands agree on; ``numpy_protocol`` what NumPy's own functions do with a tensor.
"""

from tensorgrad.tensor.promotion import DEFAULT_DTYPE as DEFAULT_DTYPE
from tensorgrad.tensor.promotion import Array as Array
from tensorgrad.tensor.tensor import Tensor as Tensor
from tensorgrad.tensor.tensor import TensorLike as TensorLike
from tensorgrad.tensor.tensor import as_tensor as as_tensor
from tensorgrad.tensor.tensor import tensor as tensor
