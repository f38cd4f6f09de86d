"""The public functions: each checks its arguments, fills in defaults, and calls the primitives. No rules here.

They take tensors, arrays, numbers and lists of numbers, and return tensors. A function with a method of the same name,
such as :func:`sum`, is made from that method.
"""

from tensorgrad.functional import activations, elementwise, linalg, normalization, pooling, reductions, shaping, windows
from tensorgrad.functional.activations import *
from tensorgrad.functional.activations import ACTIVATIONS as ACTIVATIONS
from tensorgrad.functional.activations import Activation as Activation
from tensorgrad.functional.elementwise import *
from tensorgrad.functional.linalg import *
from tensorgrad.functional.normalization import *
from tensorgrad.functional.pooling import *
from tensorgrad.functional.pooling import POOLINGS as POOLINGS
from tensorgrad.functional.pooling import Pooling as Pooling
from tensorgrad.functional.reductions import *
from tensorgrad.functional.shaping import *
from tensorgrad.functional.windows import *

__all__ = []
__all__ += activations.__all__
__all__ += elementwise.__all__
__all__ += linalg.__all__
__all__ += normalization.__all__
__all__ += pooling.__all__
__all__ += reductions.__all__
__all__ += shaping.__all__
__all__ += windows.__all__


def __dir__() -> list[str]:
    return sorted(__all__)
