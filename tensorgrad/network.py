"""Network: layers in order, with their names, parameters and random streams; what it predicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from operator import add
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tensorgrad.attributes import Closed, Foreign
from tensorgrad.checks import brief, numbers, positive
from tensorgrad.engine import no_grad, set_recording, watcher
from tensorgrad.kernels import blas
from tensorgrad.kernels.images_last import LEAST, pays
from tensorgrad.kernels.memory import when_released
from tensorgrad.layers.chain import folding, links, run_chain
from tensorgrad.layers.conv2d import Conv2d
from tensorgrad.layers.layer import Layer, named_layers, named_state, prepares_itself
from tensorgrad.layers.shapes import as_tuple, channels_hint
from tensorgrad.layers.state import Stateful
from tensorgrad.predictor import SLICE, Predictor, Slices, evenly
from tensorgrad.random import generator
from tensorgrad.rows import Indexed, Rows, is_indexed, numeric_rows
from tensorgrad.tensor import Array, Tensor, TensorLike, as_tensor
from tensorgrad.vocabulary import speaks

__all__ = ["Layered", "Network"]

BLOCK = 256  # samples that are predicted at once, at most ...
BLOCK_BYTES = 2**25  # ... and what the widest layer's inputs and outputs for them may take
CACHED = 2**23  # bytes of all layers' outputs, beyond which slices are half as long: 0.91 to 0.97 of the time
_slices = Slices()
when_released(_slices.release)


class Layered(Protocol):
    """Anything with layers in order."""

    layers: list[Layer]


class _Measures(NamedTuple):
    """What prediction needs to know about a network's layers."""

    layers: list[Layer]
    parts: list[Layer]  # the layers and those inside of them
    widest: int  # numbers of one sample that a layer receives and gives, where they are most
    slice: int  # samples that :class:`Slices` takes at a time; 0 where that would not help


class Network(Closed, Stateful):
    """Layers in order, the output of each the input of the next.

    Parameters
    ----------
    seed : int, optional
        Makes everything random the same in every run: initial weights, dropout, the order of the samples.

    Attributes
    ----------
    layers : list of Layer
    seed : int
        The one given, or one that was drawn.
    rng : Generator
        Orders the samples while training.

    Examples
    --------
    >>> from tensorgrad.layers import FFL
    >>> network = Network(seed=0)
    >>> network.add(FFL(input_shape=2, neurons=3, activation="tanh"))
    >>> network.add(FFL(neurons=1))
    >>> [name for name, _ in network.named_parameters()]
    ['0.weights', '0.biases', '1.weights', '1.biases']
    >>> network.predict([[1, 2], [3, 4]]).shape
    (2, 1)
    """

    requires_grad = Foreign("set model.trainable = False to freeze it")
    training = Foreign("pass training= to the call, or call train() or eval() of its layers")
    lr = learning_rate = Foreign("set model.optimizer.lr")

    def __init__(self, seed: int | None = None) -> None:
        self.seed = int(generator().integers(2**63)) if seed is None else seed
        self.layers: list[Layer] = []
        self._classes: tuple[str, ...] = ()
        self.picture_fit = "stretch"
        self._measured: _Measures | None = None  # of the layers as they were when somebody asked
        self._passed: tuple[Tensor, Tensor] | None = None  # what the last layer got and gave in feedforward

    @property
    def seed(self) -> int:
        """The seed of the random streams. Setting it restarts them; weights that were drawn stay."""
        return self._seed

    @seed.setter
    def seed(self, seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(
                f"{type(self).__name__}: seed must be an int of at least 0, or None for a new one, "
                f"received {brief(seed)}"
                + ("; layers are added with model.add(layer)" if isinstance(seed, list | tuple | Layer) else "")
            )
        self._seed = int(seed)
        self.rng = self.stream(0)

    def stream(self, *key: int) -> np.random.Generator:
        """Return a generator that depends on the seed and the key alone.

        Key 0 orders the samples, (0, 1) splits them, and ``i + 1`` is for layer i. Drawing from one stream never shifts
        another.
        """
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    # -- building ------------------------------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Append a layer and wire it to the one before.

        The first layer is named ``Input Layer``, the last ``Out Layer(TYPE)``, those between ``TYPEi``.

        Raises
        ------
        TypeError
            If it is not a layer.
        ValueError
            If it does not fit the output of the layer before, or is the first and has no input_shape. Nothing has
            changed then.
        """
        if not isinstance(layer, Layer):
            hint = "; make an instance of it" if isinstance(layer, type) else ""
            if isinstance(layer, list | tuple | Network):
                hint = "; add its layers one by one"
            raise TypeError(f"add: expected a layer, received {brief(layer)} of type {type(layer).__name__}{hint}")
        here = {id(part) for other in self.layers for part in other.walk()}
        for part in layer.walk():
            if id(part) in here:
                raise ValueError(
                    f"add: {part.title} is in this model already; make another one, or share its weights inside of one "
                    "layer: Sequential([layer, layer])"
                )
        if not self.layers:
            name, shape = "Input Layer", layer.input_shape
            if shape is None:
                raise ValueError(
                    f"add: the first layer, {type(layer).__name__}, has no input_shape; "
                    "give it one, such as input_shape=(28, 28, 1)"
                )
        else:
            name, shape = f"Out Layer({type(layer).__name__})", self.layers[-1].output_shape
            if layer.input_shape is not None and as_tuple(layer.input_shape) != as_tuple(shape or ()):
                raise ValueError(
                    f"add: {type(layer).__name__} was made for samples of shape {layer.input_shape}, but "
                    f"{self.layers[-1].title} gives samples of shape {shape}; leave out input_shape, "
                    "the first argument"
                )
        before, layer.name = layer.name, name
        try:
            layer.wire(shape, self.stream(len(self.layers) + 1))  # type: ignore[arg-type]
        except Exception:
            layer.name = before
            raise
        if len(self.layers) > 1:
            previous = self.layers[-1]
            previous.name = f"{type(previous).__name__}{len(self.layers) - 1}"
        self.layers.append(layer)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, which are saved with the model; empty if none were given."""
        return self._classes

    @classes.setter
    def classes(self, names: Sequence[str]) -> None:
        found = (names,) if isinstance(names, str) else tuple(names)
        if not all(isinstance(name, str) for name in found):
            raise TypeError(f"classes: expected names, received {brief(found[:5])}; make strings of them")
        if len(set(found)) < len(found):
            raise ValueError(f"classes: each needs a name of its own, received {', '.join(found)}")
        wanted = max(2, self.output_shape[-1]) if self.layers else len(found)
        if found and len(found) != wanted:
            raise ValueError(f"classes: expected {wanted} names, one for each output, received {len(found)}")
        self._classes = found

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return as_tuple(self.layers[0].input_shape or ()) if self.layers else ()

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one sample's output."""
        return as_tuple(self.layers[-1].output_shape or ()) if self.layers else ()

    @property
    def last_activation(self) -> str | None:
        """The activation that gives the outputs, at the end of the last layer or of the chain inside of it."""
        chain = list(links(self.layers))
        return chain[-1].activation if chain and hasattr(chain[-1], "linear") else None

    # -- parameters and state --------------------------------------------------------------------------------

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """All layers, and all layers inside of them, each once, with paths such as ``"2.branches.0"``."""
        return named_layers((str(i), layer) for i, layer in enumerate(self.layers))

    def named_state(self) -> Iterator[tuple[str, Tensor | Array]]:
        """What a saved model stores, by name: parameters, trained or frozen, and running statistics."""
        return named_state((str(i), layer) for i, layer in enumerate(self.layers))

    @property
    def trainable(self) -> bool:
        """Whether training changes any layer. Setting it sets that of each layer; see :attr:`Layer.trainable`."""
        return any(layer.trainable for _, layer in self.named_layers())

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if not self.layers:
            raise ValueError("trainable: the model has no layers yet; add them first")
        for layer in self.layers:
            layer.trainable = value

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the computation: that of the first parameter, trained or frozen."""
        for layer in self.layers:
            own = (item for item in vars(layer).values() if isinstance(item, Tensor) and item.is_leaf)
            state = own if layer.built else (item for _, item in named_state([("", layer)]) if isinstance(item, Tensor))
            for item in state:
                if item.array.dtype.kind == "f":
                    return item.array.dtype
        return np.dtype(np.float32)

    def astype(self, dtype: npt.DTypeLike) -> None:
        """Compute in another floating dtype: convert parameters and running statistics. Compile the model after it."""
        for layer in self.layers:
            layer.astype(dtype)

    # -- using it --------------------------------------------------------------------------------------------

    def check_samples(self, X: Any, owner: str) -> Rows:
        """Return samples as rows of the shape that the first layer takes; errors begin with `owner`."""
        if not self.layers:
            raise ValueError(f"{owner}: the model has no layers yet; add them first")
        for layer in self.layers:
            if not layer.is_built:
                raise ValueError(
                    f"{owner}: {layer.title} was put into model.layers, where it does not know its input; make a new "
                    "model and call its add(layer) for each layer that you want"
                )
        x = numeric_rows(X, owner, "X")
        shape = self.input_shape
        if not x.size:
            raise ValueError(f"{owner}: X is empty (shape {x.shape}); expected at least one sample of shape {shape}")
        if x.shape[1:] != shape:
            one = x.shape == shape
            raise ValueError(
                f"{owner}: {self.layers[0].title} expects samples of shape {shape}, but X has shape {x.shape}"
                + ("; it is one sample: use X[np.newaxis]" if one else channels_hint(x.shape, shape))
            )
        return x

    def forward(self, x: Tensor, training: bool, *, logits: bool = False) -> Tensor:
        """Apply to a batch; with `logits`, leave out the last activation."""
        if not logits:
            return run_chain(self.layers, x, training)
        *before, last = links(self.layers)
        return last.linear(run_chain(before, x, training))  # type: ignore[attr-defined, no-any-return]

    def __call__(self, x: TensorLike, training: bool | None = None) -> Tensor:
        """Apply to a batch or one sample, as a function on tensors."""
        t = as_tensor(x)
        for layer in self.layers:
            t = layer(t, training)
        return t

    def feedforward(self, x: TensorLike, train: bool = True) -> Tensor:
        """Apply to a batch or one sample, leaving in each layer its ``input`` and ``out`` for inspection.

        With `train` the result has a graph.
        """
        t = last_input = as_tensor(x).floating()
        with set_recording(train):
            for layer in self.layers:
                layer.input = t.numpy()
                for link in links([layer]):
                    last_input, t = t, link(t, train)
                layer.out = t.numpy()
        self._passed = (last_input, t)
        return t

    def logits_of(self, out: TensorLike) -> Tensor | None:
        """The input of the last activation, for the outputs of the last :meth:`feedforward`; None for others."""
        if self._passed is None or out is not self._passed[1]:
            return None
        x, last = self._passed[0], list(links(self.layers))[-1]
        batch = x.reshape((1, *x.shape)) if self._passed[1].shape == self.output_shape else x
        with set_recording(self._passed[1].requires_grad):
            return last.linear(batch)  # type: ignore[attr-defined, no-any-return]

    @speaks("predict")
    def predict(self, X: npt.ArrayLike | Indexed, batch_size: int | None = None) -> Array:
        """The outputs for samples, computed without a graph and in bounded memory.

        Parameters
        ----------
        X : array_like or Indexed, shape=(N, *input_shape) or input_shape
        batch_size : int, optional
            Samples to compute at once; by default as many as take some 32 MB.

        Returns
        -------
        ndarray, shape=(N, *output_shape)
            ``N = 1`` for one sample, which leaves its ``input`` and ``out`` in each layer, as in the tutorial. A tuple
            of arrays if the network was loaded from a file with several outputs.
        """
        given = X if is_indexed(X) else numbers(X, "predict", "X")
        single = bool(self.layers) and getattr(given, "shape", None) == self.input_shape
        x = self.check_samples(np.asarray(given)[None] if single else given, "predict")
        dtype = self.dtype
        with no_grad(), folding(), blas.one_thread:
            parts = []
            size = self._slice() if batch_size is None and not (single or watcher()) else 0
            for block in self.blocks(len(x), 4 * size or batch_size, "predict"):
                samples = x[block]
                if size and len(samples) >= LEAST:
                    parts.append(_slices.run(self, samples, evenly(len(samples), size)))
                else:
                    t = Tensor.wrap(samples.astype(dtype, copy=False))
                    parts.append((self._shown(t) if single else run_chain(self.layers, t, training=False)).array)
        found: Array = self.layers[-1].separated(np.concatenate(parts))
        return found

    def _shown(self, t: Tensor) -> Tensor:
        """Apply to a batch of one sample, leaving in each layer what went in and came out."""
        for layer in self.layers:
            layer.input = t.numpy()[0]
            t = layer.forward(t, training=False)
            layer.out = t.numpy()[0]
        return t

    def predictor(self, batch_size: int = 1) -> Predictor:
        """A function that predicts for batches of one size, faster: for one image at a time, from a camera or a page.

        Parameters
        ----------
        batch_size : int

        Returns
        -------
        Predictor
            ``p(X)`` is ``predict(X)`` for a batch of that size.

        Raises
        ------
        ValueError
            If `batch_size` is no positive int, or the network has no layers yet.
        """
        return Predictor(self, batch_size)

    def blocks(self, samples: int, batch_size: int | None, owner: str) -> Iterator[slice]:
        """Slices that cover the samples, of `batch_size` samples or as many as the bound on memory allows."""
        if batch_size is None:
            fitting = 1 if samples == 1 else BLOCK_BYTES // (self._measures().widest * self.dtype.itemsize)
            size = min(BLOCK, max(1, fitting))
        else:
            size = positive(batch_size, owner, "batch_size", ", or None")
        return (slice(start, start + size) for start in range(0, samples, size))

    def _slice(self) -> int:
        """How many samples at a time :class:`Slices` takes; 0 where it would not help, or could not be relied on."""
        measures = self._measures()
        return measures.slice if pays(measures.slice) and all(map(prepares_itself, measures.parts)) else 0

    def _measures(self) -> _Measures:
        if self._measured is None or self._measured.layers != self.layers:
            parts = [part for layer in self.layers for part in layer.walk()]
            given = [prod(as_tuple(part.input_shape or 1)) for part in parts]
            made = [prod(as_tuple(part.output_shape or 1)) for part in parts]
            held = sum(made) * self.dtype.itemsize  # bytes of all layers' outputs for one sample
            size = min(SLICE, max(CACHED // held, SLICE // 2), BLOCK_BYTES // held) // LEAST * LEAST
            if not any(type(part) is Conv2d for part in parts):
                size = 0
            self._measured = _Measures(list(self.layers), parts, max(map(add, given, made)), size)
        return self._measured
