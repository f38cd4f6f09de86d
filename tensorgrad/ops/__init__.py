"""The primitives: each a NumPy function, with its rule on the next line."""

from tensorgrad.ops import activation, arithmetic, channels, elementwise, linalg, loss, reduction, shaping, windows
from tensorgrad.ops.activation import *
from tensorgrad.ops.arithmetic import *
from tensorgrad.ops.channels import *
from tensorgrad.ops.elementwise import *
from tensorgrad.ops.linalg import *
from tensorgrad.ops.loss import *
from tensorgrad.ops.reduction import *
from tensorgrad.ops.shaping import *
from tensorgrad.ops.windows import *

__all__ = []
__all__ += activation.__all__
__all__ += arithmetic.__all__
__all__ += channels.__all__
__all__ += elementwise.__all__
__all__ += linalg.__all__
__all__ += loss.__all__
__all__ += reduction.__all__
__all__ += shaping.__all__
__all__ += windows.__all__


def __dir__() -> list[str]:
    return sorted(__all__)
