"""What all layers have in common: shapes, a name, parameters, and how they are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from math import prod
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from tensorgrad.attributes import Closed, Foreign, is_descriptor
from tensorgrad.checks import brief, flag
from tensorgrad.engine import no_grad, wrote
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.kernels.bound import Bound
from tensorgrad.layers.multiply_adds import counted
from tensorgrad.layers.receptive_field import Field, measured
from tensorgrad.layers.shapes import Shape, as_tuple, channels_hint, check_shape, phrase
from tensorgrad.layers.state import Stateful
from tensorgrad.random import RNG, generator
from tensorgrad.tensor import Array, Tensor, TensorLike, as_tensor

COMPUTING = {"forward", "run", "linear", "affine"}  # methods by which a layer says what it computes


class Layer(Closed, Stateful):
    """One step of a network: a function on batches, with parameters of its own.

    A layer of your own is a class with one method, ``forward``. Its parameters are the attributes that are tensors
    with ``requires_grad=True``; attributes that are layers, or lists of layers, are part of it. If the size of
    the parameters depends on the input, make them in ``build``. Arrays that are part of the model and not trained, such
    as running statistics, are named in ``buffers``.

    Attributes
    ----------
    name : str
        Given by the model that the layer is added to.
    input_shape, output_shape : tuple of int, or int
        Of one sample; None until the layer is wired.
    activation : str or None
    isbias : bool
    training : bool
        The mode of calls without ``training=``; see :meth:`train`.
    input, out : ndarray or None
        What went in and came out at the last :meth:`tensorgrad.CNN.feedforward`, or ``predict`` of one sample.

    Examples
    --------
    >>> from tensorgrad.layers import Layer
    >>> class Double(Layer):
    ...     def forward(self, x, training):
    ...         return 2 * x
    >>> Double()([1.0, 2.0])
    Tensor([2., 4.], dtype=float32)
    """

    rank: int | None = None  # how many axes one sample has; None for a layer that takes any
    built: ClassVar[tuple[str, ...]] = ()  # parameters that `build` creates if missing; the first is always created
    buffers: ClassVar[tuple[str, ...]] = ()  # attributes that are arrays, not trained, but part of the model
    initial: ClassVar[tuple[str, ...]] = ()  # constructor's arguments that are values of parameters to start with
    family: ClassVar[str] = ""  # what it is in diagrams: "convolution", "dense", "resampling", or "" for none of these
    is_elementwise: ClassVar[bool] = False  # each number of the output reads one of the input, at the same place
    is_chain: ClassVar[bool] = False  # it is the layers inside of it, one after the other, and nothing else
    changeable: ClassVar[tuple[str, ...]] = ()  # constructor's arguments that may change while the layer is in use
    fixed: ClassVar[Mapping[str, str]] = {
        "output_shape": "it follows from the input's shape and the layer's settings",
        "isbias": "make a new layer, with or without biases",
        "is_bias": "make a new layer, with or without biases",
    }
    joined_by: ClassVar[str] = ""  # if the layers inside of it get the same input: the sign of what joins their outputs

    weights: Tensor  # of the layers that have them, once they know their input
    biases: Tensor
    name: str = ""
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    activation: str | None = None
    isbias: bool = False
    input: np.ndarray[Any, Any] | None = None
    out: np.ndarray[Any, Any] | None = None
    rng: RNG = None
    training: bool = False
    requires_grad = Foreign("set layer.trainable = False to freeze it")
    revision: int = 0  # how often its settings changed while it was in use
    _wired: bool = False
    _wiring: bool = False  # now, in a call of wire
    _held: frozenset[str] | None = None  # of a frozen layer: the attributes that are parameters once it is free again

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("bind", "forward_and_activate"):
            for base in cls.__mro__:
                if name in vars(base):
                    break
                if not COMPUTING.isdisjoint(vars(base)):  # it computes something else than what it inherits that from
                    setattr(cls, name, vars(Layer)[name])
                    break

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Compute the layer's function.

        Parameters
        ----------
        x : Tensor, shape=(N, *input_shape)
        training : bool
            Whether this is a training step, as dropout and batch normalization need to know.

        Returns
        -------
        Tensor, shape=(N, *output_shape)
        """
        raise NotImplementedError(f"{type(self).__name__}: a layer must define forward(self, x, training)")

    def run(self, x: Tensor, training: bool, activation: str | None = None) -> Tensor:
        """Compute the layer's function; a frozen layer with running statistics computes as when predicting.

        With an `activation`, that of a layer which follows is computed as well.

        What contains other layers calls them by this method, or as functions.
        """
        training = training and not (self.buffers and self.is_fixed)
        try:
            if activation is None:
                return self.forward(x, training)
            return self.forward_and_activate(x, training, activation)
        except RecursionError:
            if any(part is self for inner in self.inner_layers() for part in inner.walk()):
                raise self._endless() from None
            raise

    def forward_and_activate(self, x: Tensor, training: bool, activation: str | None) -> Tensor:
        """Compute the layer's function, and then the activation of a layer that follows.

        A layer that can do both in one pass over memory overrides it. A class that overrides ``forward`` does not
        inherit that of another.
        """
        y = self.forward(x, training)
        return y if activation is None else ACTIVATIONS[activation](y)

    def bind(self, x: Array) -> Bound:
        """Prepare to predict for whatever will be in the array `x`, again and again.

        Unless a layer knows better, its ``forward`` is called. A class that overrides ``forward``, or the part of it
        before the activation, does not inherit the ``bind`` of another.

        Returns
        -------
        result : ndarray
            Where the output will be. It may be `x`, or share its memory.
        steps : list of functions
            To be called in order; they leave `x` as it is. Parameters are read at each call.
        """

        def computed() -> Array:
            return self.forward(Tensor.wrap(x.copy()), training=False).array

        result = computed().copy()

        def step() -> None:
            new = computed()
            if new.shape != result.shape or new.dtype != result.dtype:
                raise ValueError(
                    f"{self.title}: a predictor needs outputs of one shape and dtype; first it gave {result.shape} and "
                    f"{result.dtype}, now {new.shape} and {new.dtype}; use predict"
                )
            result[...] = new

        return result, [step]

    def build(self, input_shape: Shape) -> None:
        """Make the parameters whose size depends on the input. Called once, before the first forward pass."""

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The shape of one sample's output, or a ValueError if the layer cannot take such samples.

        Unless a layer knows better, it is found by sending a sample of zeros through it.
        """
        self.build(input_shape)
        with no_grad():
            out = self.forward(Tensor.wrap(np.zeros((1, *as_tuple(input_shape)), np.float32)), training=False)
        shape = out.shape[1:]
        return shape[0] if len(shape) == 1 else shape

    def set_output_shape(self) -> None:
        """Wire the layer for its ``input_shape``: work out the output's shape and make the parameters."""
        if self.input_shape is None:
            raise ValueError(f"{self.title}: it has no input_shape yet; set it, or add the layer to a model")
        self.wire(self.input_shape, self.rng)

    def wire(self, input_shape: Shape, rng: RNG = None) -> None:
        """Fit the layer to samples of a shape; draw its parameters with ``rng``. Nothing changes if it cannot."""
        if self._wiring:
            raise self._endless()
        before = [(layer, dict(vars(layer))) for layer in self.walk()]
        token = _shapes.set({}) if _shapes.get() is None else None
        self._wiring = True
        try:
            self._check_shared(input_shape)
            self.rng = generator(rng)
            for inner in self.inner_layers():  # a stream of its own for each
                inner.rng = generator(int(self.rng.integers(2**63)))
            output_shape = self.infer_shape(input_shape)
            self.build(input_shape)
        except Exception:
            for layer, values in before:
                vars(layer).clear()
                vars(layer).update(values)
            raise
        finally:
            self._wiring = False
            if token is not None:
                _shapes.reset(token)
        vars(self).update(input_shape=input_shape, output_shape=output_shape, _wired=True)
        if self._held is not None:
            self._freeze()  # the new parameters

    def _endless(self) -> ValueError:
        return ValueError(
            f"{self.title}: it stands among the layers that it is made of, so it would never end; take it out there"
        )

    @property
    def is_built(self) -> bool:
        """Whether the layer has the parameters that ``build`` makes, apart from the layers inside of it."""
        return not self.built or getattr(self, self.built[0], None) is not None

    def _check_shared(self, input_shape: Shape) -> None:
        """Raise if a second layer that contains this one has just wired it for another shape."""
        shapes = _shapes.get()
        known = input_shape if shapes is None else shapes.setdefault(id(self), input_shape)
        if as_tuple(known) != as_tuple(input_shape):
            raise ValueError(
                f"{self.title}: it stands in several places, which need one shape of samples, but it gets {known} in "
                f"one and {input_shape} in another; make a layer for each"
            )

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. An array that is assigned to a tensor of the layer is written into it.

        What takes the place of a buffer becomes an array, and must have its shape. A constructor's argument is checked
        as it is there. What nobody would read is refused.
        """
        if self._closed and name not in NOTES and not name.startswith("_"):
            self.check_attribute(name, value)
            if name == "input_shape" or (name in _arguments(type(self)) and not is_descriptor(type(self), name)):
                self._change(name, value)
                return
        old = vars(self).get(name)
        if isinstance(old, Tensor) and old.is_leaf and isinstance(value, np.ndarray | np.generic | float | int | list):
            if np.shape(value) != old.shape:
                raise ValueError(
                    f"{self.title}: expected {name} of shape {old.shape}, received shape {np.shape(value)}; assign a "
                    "tensor to replace it"
                )
            old.data = np.asarray(value)
        elif name in self.buffers and isinstance(old, np.ndarray):
            array = value if isinstance(value, np.ndarray) else np.array(value, old.dtype)
            if array.shape != old.shape:
                raise ValueError(f"{self.title}: expected {name} of shape {old.shape}, received shape {array.shape}")
            object.__setattr__(self, name, array)
        else:
            object.__setattr__(self, name, value)

    def _change(self, name: str, value: Any) -> None:
        """Set one of the constructor's arguments and all that follows from it; raise if it is too late for that."""
        if self._wired and name not in self.changeable:
            call = (
                f"{type(self).__name__}({name}={value!r:.60})" if name in _arguments(type(self)) else "of the same kind"
            )
            raise AttributeError(
                f"{self.title}: {name} cannot change any more, as the layer's shapes go by it; make a new layer, {call}"
            )
        if name not in _arguments(type(self)):
            vars(self)[name] = check_shape(value, self.title)
            return
        made: Layer = type(self)(**{**self.config(), name: value})
        if self._wired and self.input_shape is not None:
            made.infer_shape(self.input_shape)
        keep = {*self.initial, "name"}
        vars(self).update((k, v) for k, v in vars(made).items() if not k.startswith("_") and k not in keep)
        vars(self)["revision"] = self.revision + 1

    def train(self, mode: bool = True) -> Self:
        """Let calls without ``training=`` count as training from now on, here and in the layers inside.

        Only calls of layers as functions follow the mode. :meth:`tensorgrad.CNN.train`, ``predict`` and their like know
        what they do. A new layer is in evaluation mode.
        """
        for layer in self.walk():
            layer.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Let calls without ``training=`` count as predicting from now on: undo :meth:`train`."""
        return self.train(False)

    def __call__(self, x: TensorLike, training: bool | None = None) -> Tensor:
        """Apply to a batch, or to one sample: the result is of the same kind.

        Parameters
        ----------
        x : array_like, shape=(N, *input_shape) or input_shape
        training : bool, optional
            Whether this is a training step; by default the mode that :meth:`train` or :meth:`eval` has set.
        """
        training = self.training if training is None else training
        t = as_tensor(x).floating()
        batched = self._is_batch(t)
        shape = t.shape[1:] if batched else t.shape
        if not self._wired:
            self.wire(shape[0] if len(shape) == 1 else shape, self.rng)
        batch = t if batched else t.reshape((1, *t.shape))
        out = self.run(batch, training)
        return out if batched else out.reshape(out.shape[1:])

    def apply_activation(self, x: TensorLike, train: bool = True) -> Tensor:
        """The forward pass: the linear part, if there is one, and the activation."""
        return self(x, training=train)

    def _is_batch(self, t: Tensor) -> bool:
        """Whether ``t`` is a batch of samples, going by the shape that the layer was wired for, or by its rank."""
        if self.input_shape is not None:
            shape = as_tuple(self.input_shape)
            if t.shape == shape:
                return False
            if t.shape[1:] == shape and t.ndim:
                return True
            raise ValueError(
                f"{self.title}: expected samples of shape {shape}, one or a batch of them; received shape {t.shape}"
                + channels_hint(t.shape, shape)
            )
        if self.rank is None:
            return t.ndim in (2, 4)  # of numbers in a row, or of images; anything else is taken for one sample
        if t.ndim not in (self.rank, self.rank + 1):
            raise ValueError(
                f"{self.title}: expected one sample of {self.rank} axes, or a batch of them; received shape {t.shape}"
            )
        return t.ndim == self.rank + 1

    # -- parameters ----------------------------------------------------------------------------------------

    def inner_layers(self) -> Iterator[Layer]:
        """The layers that this one is made of, not counting theirs."""
        for _, layer in self.named_inner_layers():
            yield layer

    def named_inner_layers(self) -> Iterator[tuple[str, Layer]]:
        """The layers that this one is made of, not counting theirs, with the names of their attributes."""
        for name, value in vars(self).items():
            if isinstance(value, HOLDERS):
                yield from _layers_in(name.lstrip("_"), value)

    def walk(self) -> Iterator[Layer]:
        """The layer itself, then all layers inside of it at any depth, each once."""
        return (layer for _, layer in named_layers([("", self)]))

    def named_state(self) -> Iterator[tuple[str, Tensor | Array]]:
        """What a saved model keeps of the layer: its tensors, trained or frozen, and its ``buffers``.

        A layer that knows its input shape makes its parameters first.
        """
        if not self._wired and self.input_shape is not None:
            self.set_output_shape()
        return named_state([("", self)])

    def preset(self, values: Mapping[str, Array]) -> None:
        """Start with the parameters of a saved model: ``build`` finds them and does not make them again."""
        for attribute in self.built:
            array = values.get(attribute.lstrip("_"))
            if array is not None:
                setattr(self, attribute, Tensor(array, requires_grad=True))
        for part, layer in self.named_inner_layers():
            start = f"{part}."
            layer.preset({key.removeprefix(start): v for key, v in values.items() if key.startswith(start)})

    def astype(self, dtype: npt.DTypeLike) -> None:
        """Compute in another floating dtype: convert the parameters and the buffers, at any depth.

        An optimizer made before keeps hold of the parameters, but not of their dtype: make it afterwards.
        """
        wanted = np.dtype(dtype)
        if wanted.kind != "f":
            raise TypeError(f"{self.title}: astype needs a floating dtype, such as 'float64'; received {brief(dtype)}")
        for layer in self.walk():
            for name, value in vars(layer).items():
                if isinstance(value, Tensor) and value.is_leaf:
                    value.array = value.array.astype(wanted)
                    wrote(value)
                elif name in layer.buffers and value is not None and value.dtype.kind == "f":
                    setattr(layer, name, value.astype(wanted))

    @property
    def parameter_count(self) -> int:
        """The numbers in the parameters, trained or frozen."""
        return sum(parameter.size for parameter in [*self.parameters(), *self.frozen_parameters()])

    @property
    def least_batch(self) -> int:
        """The fewest samples in a batch that it can be trained with."""
        return 1

    @property
    def needs_whole_batch(self) -> bool:
        """Whether it speaks with those who have the other parts of a batch, while it is trained on one part."""
        return False

    def get_parameters(self) -> int:
        """The numbers in the parameters, under the tutorial's name."""
        return self.parameter_count

    @property
    def trainable(self) -> bool:
        """Whether training changes the layer.

        ``layer.trainable = False`` freezes it, and the layers inside of it, at any time: their parameters get no
        gradients, and running statistics stay as they are. A frozen :class:`BatchNorm` standardizes with its running
        statistics in training too, as does one whose parameters all have ``requires_grad = False``. ``True`` frees
        the parameters that ``False`` has frozen; compile a model again that was compiled while they were frozen.
        """
        return self._held is None

    @trainable.setter
    def trainable(self, value: bool) -> None:
        trained = flag(value, self.title, "trainable")
        for layer in self.walk():
            if trained:
                layer._free()
            else:
                layer._freeze()

    @property
    def is_fixed(self) -> bool:
        """Whether nothing in it is trained: it is frozen, or each parameter that ``build`` made is."""
        made = [vars(self)[name] for name in self.built if name in vars(self)]
        return self._held is not None or (bool(made) and not any(parameter.requires_grad for parameter in made))

    def frozen_parameters(self) -> list[Tensor]:
        """The parameters that ``trainable = False`` has frozen, here and in the layers inside."""
        return [vars(layer)[name] for layer in self.walk() for name in vars(layer) if name in (layer._held or ())]

    def _freeze(self) -> None:
        held = {name for name, item in vars(self).items() if isinstance(item, Tensor) and item.requires_grad}
        for name in held:
            parameter = vars(self)[name]
            parameter.requires_grad, parameter.grad = False, None  # an optimizer leaves alone what has no gradient
        self._held = (self._held or frozenset()) | held

    def _free(self) -> None:
        for name in self._held or ():
            vars(self)[name].requires_grad = True
        self._held = None

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    # -- several outputs -----------------------------------------------------------------------------------

    outputs: ClassVar[int] = 1  # how many arrays ``separated`` gives

    def separated(self, outputs: Array) -> Any:
        """What ``predict`` returns for a last layer's outputs; a layer with several outputs separates them here."""
        return outputs

    # -- what it is ----------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """The layer's type and, if it has one, its name, for messages."""
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    def describe(self) -> str:
        """The layer in a few words, for diagrams. Default: the layers inside of it."""
        inner = ", ".join(type(layer).__name__ for layer in self.inner_layers())
        return phrase(inner and f"of {inner}", self.activation)

    def see(self, field: Field) -> Field:
        """The receptive field of the output, given that of the input.

        Unless a layer knows better, it is measured: an output pixel sees where its gradient is not zero. What is no
        image any more sees everything.
        """
        before, after = as_tuple(self.input_shape or ()), as_tuple(self.output_shape or ())
        if self.is_elementwise:
            return field
        if len(before) == len(after) == 3:
            return measured(self.forward, before, after, field)
        return field.whole()

    def multiply_adds(self) -> int:
        """Multiply-adds per sample. Default: counted while a sample passes through."""
        return counted(self.forward, as_tuple(self.input_shape or ()))

    def extents(self) -> tuple[int, ...]:
        """How large one sample makes the layer: the numbers of its output, of a padded input, a window's sides.

        A file with a layer in which one of these is absurd is refused before anything of that size is made.
        """
        return (prod(as_tuple(self.output_shape or 1)),)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments except initial weights, which suffice to make such a layer again."""
        names = _arguments(type(self))
        return {name: getattr(self, name) for name in names if name not in self.initial and hasattr(self, name)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.config().items())})"

    def _repr_html_(self) -> str:
        from html import escape  # here, as only notebooks need it

        shown = self.config() | {
            "output_shape": self.output_shape,
            "parameters": sum(p.size for p in self.parameters()),
        }
        rows = "".join(f"<tr><td>{name}</td><td>{escape(repr(value))}</td></tr>" for name, value in shown.items())
        return f"<b>{escape(self.title)}</b><table>{rows}</table>"


def is_changed(layer: Layer) -> bool:
    """Whether a method of its own was assigned to this one layer, which computes something else since."""
    return not COMPUTING.isdisjoint(vars(layer))


def prepares_itself(layer: Layer) -> bool:
    """Whether the layer knows how to predict in memory that is kept, without its ``forward``."""
    return type(layer).bind is not Layer.bind and not is_changed(layer)


# while a layer is wired: the shape of each layer inside of it that is wired by now, by id
_shapes: ContextVar[dict[int, Shape] | None] = ContextVar("shapes", default=None)
HOLDERS = (Layer, list, tuple)  # what may hold layers: asked first, as most attributes do not, and it is asked often
NOTES = frozenset(("name", "input", "out", "training"))  # attributes that may always be set, and are, for every sample


# the names of the constructor's arguments of a class
_arguments: Callable[[type], tuple[str, ...]] = cache(lambda kind: tuple(inspect.signature(kind).parameters))


def _layers_in(label: str, value: Any) -> Iterator[tuple[str, Layer]]:
    if isinstance(value, Layer):
        yield label, value
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            if isinstance(item, HOLDERS):
                yield from _layers_in(f"{label}.{i}", item)


def named_layers(layers: Iterable[tuple[str, Layer]], seen: set[int] | None = None) -> Iterator[tuple[str, Layer]]:
    """Layers and all layers inside of them, each once, with paths such as ``"2.branches.0"``."""
    seen = set() if seen is None else seen
    for path, layer in layers:
        if id(layer) not in seen:
            seen.add(id(layer))
            yield path, layer
            yield from named_layers(((_joined(path, part), inner) for part, inner in layer.named_inner_layers()), seen)


def named_state(
    layers: Iterable[tuple[str, Layer]], seen: set[int] | None = None
) -> Iterator[tuple[str, Tensor | Array]]:
    """The tensors and buffers of layers, and of the layers inside of them, in the order of their attributes.

    A layer that stands in several places counts once.
    """
    seen = set() if seen is None else seen
    for path, layer in layers:
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        for name, value in vars(layer).items():
            label = _joined(path, name.lstrip("_"))
            if isinstance(value, Tensor):
                if value.is_leaf:
                    yield label, value
            elif name in layer.buffers:
                if value is not None:
                    yield label, value
            elif isinstance(value, HOLDERS):
                yield from named_state(_layers_in(label, value), seen)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
