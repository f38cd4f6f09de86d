"""tensorgrad: small convolutional networks in NumPy, with gradients that can be read and trusted.

>>> import tensorgrad
>>> x = tensorgrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x**2).sum().backward()
>>> x.grad
Tensor([2., 4., 6.], dtype=float32)

To train a network
    CNN, History               a network: add layers, compile_model, train, evaluate, predict; what training leaves
    tensorgrad.layers          FFL (fully connected), Conv2d, Pool2d, Flatten, Dropout, BatchNorm, Sequential, ...
    tensorgrad.callbacks       EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, CSVLogger, ...
    tensorgrad.data            mnist, fashion_mnist, standardize, one_hot, batches, Augment
    save_model, load_model     files; tensorgrad.saving has the formats
    tensorgrad.onnx            models for other tools, and from them

To look into it
    tensorgrad.inspection      what a network is and has learned, as arrays and text
    tensorgrad.plot            the same as figures (needs matplotlib)
    detect_anomaly             where the first NaN came from
    to_mermaid, to_dot         the graph behind a value, to draw

To compute with gradients
    tensor, Tensor, no_grad    an array that records what is done with it
    grad, jacobian, hessian, hvp, jvp   derivatives, of any order
    tensorgrad.functional      conv2d, softmax, einsum, sum, ...: help(tensorgrad.functional) lists them;
                               each is here too, and most are methods of Tensor
    tensorgrad.losses          cross_entropy, bce, mse, mae, huber, ...: here too
    tensorgrad.optim           Adam, SGD, ..., schedules, clipping, minimize
    seed                       make what is random repeatable
    set_num_threads            how many threads work on a batch
    release_memory             give back what is kept for the next step

To write operations of your own
    primitive, Primitive       a NumPy function and its rules
    tensorgrad.ops             the primitives that are there
    tensorgrad.testing         gradcheck, and strategies for hypothesis

``from tensorgrad import *`` leaves Python's own abs, all, any, max, min and sum as they are.
"""

from __future__ import annotations

import builtins
import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from tensorgrad import functional, losses, ops, random, saving
from tensorgrad.cnn import CNN, load_model, save_model
from tensorgrad.debug import detect_anomaly, to_dot, to_mermaid
from tensorgrad.derivatives import grad, hessian, hvp, jacobian, jvp
from tensorgrad.engine import Primitive, no_grad, primitive
from tensorgrad.functional.activations import *
from tensorgrad.functional.elementwise import *
from tensorgrad.functional.linalg import *
from tensorgrad.functional.normalization import *
from tensorgrad.functional.pooling import *
from tensorgrad.functional.reductions import *
from tensorgrad.functional.shaping import *
from tensorgrad.functional.windows import *
from tensorgrad.kernels.memory import release_memory
from tensorgrad.kernels.threads import get_num_threads, set_num_threads
from tensorgrad.losses import *
from tensorgrad.random import seed
from tensorgrad.rules import override_rule
from tensorgrad.saving import registry
from tensorgrad.tensor import Tensor, tensor
from tensorgrad.training.history import History
from tensorgrad.version import __version__ as __version__
from tensorgrad.vocabulary import no_such_name

__all__ = [
    "CNN", "History", "Primitive", "Tensor", "callbacks", "data", "detect_anomaly", "functional", "get_num_threads",
    "grad", "hessian", "hvp", "inspection", "jacobian", "jvp", "load_model", "losses", "no_grad", "onnx", "ops",
    "override_rule", "plot", "primitive", "random", "release_memory", "save_model", "saving", "seed",
    "set_num_threads", "tensor", "testing", "to_dot", "to_mermaid",
]  # fmt: skip
__all__ += functional.__all__
__all__ += losses.__all__
for _name in set(__all__) & set(dir(builtins)):
    list.remove(__all__, _name)  # unseen by pyright, to which tensorgrad.sum would be private

registry.register_later("Graph", "tensorgrad.onnx")

if TYPE_CHECKING:
    from tensorgrad import callbacks, data, inspection, onnx, plot, testing
    from tensorgrad import page as page
    from tensorgrad import parallel as parallel
    from tensorgrad import sklearn as sklearn
    from tensorgrad import torch as torch
else:
    _LATER = "callbacks", "data", "inspection", "onnx", "page", "parallel", "plot", "sklearn", "testing", "torch"

    def __getattr__(name: str) -> ModuleType:
        """Import what only some programs need when it is first asked for."""
        if name in _LATER:
            return importlib.import_module(f"tensorgrad.{name}")
        raise no_such_name("tensorgrad", name, globals())


def __dir__() -> list[str]:
    return sorted({*__all__, *functional.__all__, "__version__"})
