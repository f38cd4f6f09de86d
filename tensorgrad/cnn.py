"""CNN: a stack of layers that is wired, trained, and asked for predictions."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from tensorgrad import saving
from tensorgrad.attributes import Checked
from tensorgrad.checks import brief, check_function, is_number, numbers
from tensorgrad.engine import value
from tensorgrad.layers import BatchNorm, Layer, Rescale, Standardize
from tensorgrad.layers.state import StateDifference
from tensorgrad.losses import Loss, LossFunction
from tensorgrad.network import Network
from tensorgrad.optim import Optimizer, by_name
from tensorgrad.rows import Indexed
from tensorgrad.tensor import Array, Tensor, TensorLike, as_tensor
from tensorgrad.training.evaluation import Evaluation, measure
from tensorgrad.training.history import History
from tensorgrad.training.metrics import Metric, MetricFunction
from tensorgrad.training.names import numbered
from tensorgrad.training.objective import Objective
from tensorgrad.training.ranks import apply_gradients
from tensorgrad.training.samples import ClassWeight, Samples, checked, hints, targets, weights_of
from tensorgrad.vocabulary import called, missing, speaks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tensorgrad.data.batches import Augmentation
    from tensorgrad.data.dataset import Dataset
    from tensorgrad.inspection.summary import Summary
    from tensorgrad.training.callbacks import Callback

__all__ = ["CNN", "load_model", "save_model"]

Data: TypeAlias = "npt.ArrayLike | Indexed | Dataset | Iterable[Any]"

_in_training: WeakSet[CNN] = WeakSet()  # those that `train` is at work on, in any thread; a copy of one is not
_in_training_lock = threading.Lock()


def _optimizer(model: Network, optimizer: Optimizer) -> Optimizer:
    """The optimizer of a model, which changes all of its parameters and no others."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"optimizer: expected an Optimizer over model.parameters(), received {brief(optimizer)}; names are for "
            "compile_model(opt=...)"
        )
    if {id(p) for p in optimizer.params} != {id(p) for p in model.parameters()}:
        raise ValueError("compile_model: the optimizer must be made over model.parameters(), all of them")
    return optimizer


def _schedule(schedule: Callable[[int], float], where: str) -> Callable[[int], float]:
    """A function from the number of a step to a learning rate."""
    check_function(schedule, ("step",), where)
    return schedule


def _limit(name: str, limit: float | None) -> float | None:
    """What gradients are cut off or scaled down to."""
    if limit is not None and not (is_number(limit) and limit > 0):
        raise ValueError(f"compile_model: {name} must be positive, received {brief(limit)}")
    return limit


class CNN(Network):
    """A stack of layers, the output of each the input of the next.

    Parameters
    ----------
    seed : int, optional
        Makes everything that is random the same in every run: weights, dropout, the order of the samples.

    Attributes
    ----------
    layers : list of Layer
    train_loss, val_loss, train_acc, val_acc : dict
        By epoch, for the epochs that were shown: losses as means per sample, accuracies in percent.

    Examples
    --------
    >>> from tensorgrad.layers import FFL
    >>> model = CNN(seed=0)
    >>> model.add(FFL(input_shape=2, neurons=8, activation="tanh"))
    >>> model.add(FFL(neurons=1, activation="sigmoid"))
    >>> model.compile_model(lr=0.05, opt="adam", loss="bce")
    >>> x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> history = model.train(x, y, epochs=200, batch_size=4, val_split=0, verbose=0)
    >>> model.predict(x).round().ravel()
    array([0., 1., 1., 0.], dtype=float32)
    """

    arguments_of = ("compile_model", "train")
    fixed = {  # noqa: RUF012  # the base declares it
        "metrics": "pass them to compile_model(metrics=...)",
        "iscompiled": "call compile_model(...)",
        "objective": "pass loss= and metrics= to compile_model(...)",
    }
    optimizer = Checked(_optimizer)
    schedule = Checked[Callable[[int], float] | None](lambda _, f: f and _schedule(f, "schedule"), None)
    clip_norm = Checked[float | None](lambda _, limit: _limit("clip_norm", limit), None)
    clip_value = Checked[float | None](lambda _, limit: _limit("clip_value", limit), None)
    stop_training: bool = False

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed)
        self._objective: Objective | None = None
        self.forget()

    # -- building ------------------------------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Append a layer and wire it to the one before; the model must then be compiled again."""
        self._check_idle("add")
        super().add(layer)
        self._objective = None

    def summary(self) -> Summary:
        """Print the table of the layers, and return it."""
        from tensorgrad.inspection.summary import summarize

        table = summarize(self)
        print(table)
        return replace(table, printed=True)

    def _repr_html_(self) -> str:
        from tensorgrad.inspection.summary import summarize

        return summarize(self)._repr_html_()

    def to_mermaid(self) -> str:
        """The layers as a Mermaid flow chart (see :func:`tensorgrad.inspection.to_mermaid`)."""
        from tensorgrad.inspection import to_mermaid

        return to_mermaid(self)

    def visualize(self) -> Figure:
        """The training curves: loss and accuracy by epoch, as a matplotlib Figure (see :mod:`tensorgrad.plot`)."""
        if not len(self.history):
            raise ValueError(
                "visualize: the model has not been trained yet, so there are no curves; call train(...) first"
            )
        from tensorgrad import plot

        return plot.training_curves(self.history)

    @speaks("compile_model")
    def compile_model(
        self,
        lr: float | Callable[[int], float] = 0.01,
        mr: float = 0.001,
        opt: str | Optimizer = "sgd",
        loss: str | LossFunction | Loss = "mse",
        metrics: str | Sequence[str | MetricFunction | Metric] | None = None,
        *,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        """Say how to train.

        Parameters
        ----------
        lr : float or schedule
            Learning rate, for an optimizer given by name. A schedule of :mod:`tensorgrad.optim`, or any function from
            the number of steps that were taken to a learning rate, is asked before each step.
        mr : float
            Momentum rate, for "sgd".
        opt : str or Optimizer
            A name from ``tensorgrad.optim.OPTIMIZERS``, or an optimizer over ``model.parameters()``.
        loss : "mse", "cse", "mae", "huber", "bce", or callable
            Mean squared error; cross-entropy, after softmax or sigmoid; mean absolute error; Huber's; binary
            cross-entropy, after sigmoid. A function of your own gets outputs and targets as Tensors, and gives the loss
            of each sample or their mean; :func:`tensorgrad.losses.register` gives it a name that files can hold.
        metrics : sequence of names or callables
            By default "mse", as in the tutorial. Of "mse", "mae", "r2", "cse", "precision", "recall", "f1", "top3" (or
            any other k): what :meth:`evaluate` and the validation report besides the loss and the accuracy of a
            classifier, or the mean absolute error and r2 of a regression. ("accuracy" may be named, and changes only
            what an evaluation is unpacked into.) Precision, recall and F1 are means over the classes that occur or are
            named. A function of your own gets outputs and targets as arrays, and gives a number;
            :func:`tensorgrad.training.metrics.register` gives it a name that files can hold.
        label_smoothing : float
            While training, the share of each target that is spread evenly over the classes.
        ignore_index : int, optional
            An integer label that does not count, such as 255 for pixels at a border: neither in the loss nor in any
            figure. For the loss "cse" after softmax.
        clip_norm, clip_value : float, optional
            Scale the gradients down to this global norm; cut each off at this value.
        """
        self._check_idle("compile_model")
        if not self.layers:
            raise ValueError("compile_model: the model has no layers yet; add them first")
        if isinstance(opt, type):
            raise TypeError(
                f"compile_model: opt must be a name or an optimizer, received the class {opt.__name__}; make one with "
                f"{opt.__name__}(model.parameters())"
            )
        names = (metrics,) if isinstance(metrics, str) else metrics
        if not isinstance(names, Iterable | None):
            raise TypeError(f"compile_model: metrics must be a sequence of names, received {brief(metrics)}")
        last = self.layers[-1]
        if last.outputs > 1:
            raise ValueError(
                f"compile_model: {last.title} has {last.outputs} outputs, but a loss needs one; add a layer that makes "
                "one of them all, such as FFL"
            )
        names = None if names is None else tuple(names)
        shape = self.output_shape
        objective = Objective(loss, names, self.last_activation, shape, label_smoothing, ignore_index)
        _limit("clip_norm", clip_norm)
        _limit("clip_value", clip_value)
        schedule = _schedule(lr, "compile_model: lr") if callable(lr) else None
        if not isinstance(opt, Optimizer):
            parameters = self.parameters()
            if not parameters and not self.trainable:
                raise ValueError("compile_model: all layers are frozen; set trainable = True on one of them")
            opt = by_name(opt, parameters, lr=lr(0) if callable(lr) else lr, mr=mr)
        self.optimizer = opt  # first, as it is checked whether it is over this model's parameters
        self._objective, self.schedule = objective, schedule
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.history = History()

    compile = called(compile_model, "compile")

    @property
    def iscompiled(self) -> bool:
        """Whether the model knows how to train: it was compiled, and no layer was added since."""
        return self._objective is not None

    @property
    def objective(self) -> Objective:
        """What the model was compiled for."""
        if self._objective is None:
            raise AttributeError("CNN has no objective yet; call compile_model(...) first")
        return self._objective

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics that the model was compiled with."""
        return () if self._objective is None else tuple(metric.name for metric in self._objective.metrics)

    # -- training ------------------------------------------------------------------------------------------

    def check_trainnable(self, X: npt.ArrayLike, Y: npt.ArrayLike) -> None:
        """Raise unless the model can be trained on these samples: compiled, shapes, finite values, labels in range."""
        checked(self, X, Y, "check_trainnable")

    @speaks("train")
    def train(
        self,
        X: Data,
        Y: npt.ArrayLike | None = None,
        epochs: int = 1,
        show_every: int = 1,
        batch_size: int = 32,
        shuffle: bool = True,
        val_split: float = 0.1,
        val_x: Data | None = None,
        val_y: npt.ArrayLike | None = None,
        verbose: str | int = "auto",
        *,
        callbacks: Sequence[Callback] | None = (),
        sample_weight: npt.ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        augment: Augmentation | None = None,
        drop_last: bool = False,
        first_epoch: int = 0,
        steps_per_epoch: int | None = None,
        processes: int | Literal["auto"] | None = None,
    ) -> History:
        """Train on samples, epoch by epoch.

        Parameters
        ----------
        X : array_like or Indexed, shape=(N, *input_shape); or Dataset, or iterable of batches
            Numbers of any float or integer dtype. What is indexed by an array of indices (HDF5, Zarr, files, a class of
            your own) is read batch by batch. Without Y: a :class:`tensorgrad.data.Dataset`, or any iterable of batches
            ``(x, y)`` or ``(x, y, weights)``, of which nothing is set aside for validation.
        Y : array_like, shape=(N, *output_shape) or (N,), optional
            One-hot rows or values; or integer labels.
        epochs : int
            How many times to go over all samples.
        show_every : int
            Print, and keep in ``train_loss`` and its like, every so many epochs.
        batch_size : int
            Samples per optimizer step; the last batch of an epoch may be smaller.
        shuffle : bool
            Take the samples in a new random order in every epoch.
        val_split : float, 0 <= val_split < 1
            The share of the samples to set aside for validation if there is no `val_x`: chosen at random, the same
            ones in every call for the same samples; or the last ones without `shuffle`.
        val_x, val_y : array_like
            Samples to validate with; as X and Y, `val_x` alone may be a Dataset or an iterable of batches.
        verbose : "auto", 0, 1 or 2
            0 is silent, 1 shows a progress line, 2 plain lines; "auto" is 1 on a terminal and 2 elsewhere.
        callbacks : sequence of Callback
            What to do at the turns of the training (see :mod:`tensorgrad.training.callbacks`).
        sample_weight : array_like, shape=(N,) or, for maps, (N, H, W)
            What the loss of each sample, or each pixel, is multiplied by.
        class_weight : mapping from a class to a number, array_like, shape=(classes,), or "balanced"
            What the losses of its samples, or pixels, are multiplied by; 1 for a class that a mapping leaves out.
            "balanced" gives all classes the same sum of weights. Where a sample may have several labels, the weight
            of each label's own terms.
        augment : callable
            Changes each batch of inputs while training, such as :class:`tensorgrad.data.Augment`.
        drop_last : bool
            Leave out the last batch of an epoch where it is smaller than the others.
        first_epoch : int
            The number of the first epoch; see :meth:`resume`.
        steps_per_epoch : int, optional
            Batches of an epoch, of an iterable; by default an epoch is one pass over it. The next epoch goes on where
            this one stops.
        processes : int, optional
            Divide each batch among so many processes on this machine (threads where Python runs without its lock), each
            with a copy of the model, and add up their gradients; see docs/scaling.md. Callbacks are called in this
            process alone. Batch normalization takes the statistics of each part of a batch, or with
            ``BatchNorm(synchronized=True)`` those of all of it. "auto" takes one per core or one alone, whichever a
            trial of some steps finds to end first. By default one; or, where ``mpiexec`` or its like has started this
            program several times, all of those.

        Returns
        -------
        History
            Loss and accuracy of each epoch, as the batches were met, and those of the validation after it.

        Raises
        ------
        ValueError, TypeError
            If the samples or arguments do not go with the model. Nothing has changed then.
        RuntimeError
            If the model is in training already, in another thread or as one of its callbacks calls this.
        NonFiniteLossError
            If the loss becomes NaN or infinite: with the epoch, the batch and the first bad layer.
        """
        from tensorgrad.parallel import run  # here, because programs that only predict need not wait for these
        from tensorgrad.training.callbacks import ProgressLogger
        from tensorgrad.training.callbacks.callback import callbacks_of
        from tensorgrad.training.course import Course
        from tensorgrad.training.sources import described, sources

        self._check_idle("train")
        asked = run.check(processes)
        with run.alike(asked):
            course = Course.of(
                epochs,
                first_epoch=first_epoch,
                batch_size=batch_size,
                shuffle=shuffle,
                show_every=show_every,
                drop_last=drop_last,
                augment=augment,
            )
            others = callbacks_of(callbacks)
            logger = ProgressLogger(verbose if asked is not None or run.leads() else 0, course.show_every)
            samples, aside = sources(
                self,
                X,
                Y,
                val_x=val_x,
                val_y=val_y,
                val_split=val_split,
                choice=self.stream(0, 1),
                sample_weight=sample_weight,
                class_weight=class_weight,
                steps=steps_per_epoch,
                course=course,
            )
            if not self.parameters():
                raise ValueError(
                    "train: all parameters are frozen, so nothing would change; set trainable = True on a layer, and "
                    "call compile_model(...) again"
                )
        if isinstance(samples, Samples):
            scales = isinstance(self.layers[0], Rescale | Standardize | BatchNorm)
            for hint in hints(None if scales else samples.x[:10], self.optimizer.lr):
                logger.progress.say(f"Note: {hint}.\n")
        logger.progress.say("\nValidation data found.\n" if val_x is not None else "")
        logger.progress.say(described(samples, aside, course.batch_size, val_x is not None))
        ranks, said = run.described(self, samples, course, asked)
        if said:
            logger.progress.say(said)
        with _in_training_lock:
            self._check_idle("train")  # again, as another thread may have begun meanwhile
            _in_training.add(self)
        try:
            run.train(self, samples, aside, course, (logger, *others), ranks)
        finally:
            _in_training.discard(self)
        return self.history

    fit = called(train, "fit")

    def resume(self, X: Data, Y: npt.ArrayLike | None = None, epochs: int = 1, **arguments: Any) -> History:
        """Train on until `epochs` epochs are done in all, counting those that the history has.

        After :func:`tensorgrad.load_model` of our own file it goes on as if training had never stopped: the same
        weights and figures, to the bit, given the same samples and arguments.

        Parameters
        ----------
        X, Y, **arguments
            As of :meth:`train`.
        epochs : int
            How many epochs are to be done in the end. Nothing happens if they are done.

        Returns
        -------
        History
            Of all epochs, those before included.
        """
        done = self.history.epoch[-1] + 1 if self.history.epoch else 0
        if done >= epochs > 0:
            return self.history
        return self.train(X, Y, epochs - done, first_epoch=done, **arguments)

    def _check_idle(self, owner: str) -> None:
        if self in _in_training:
            raise RuntimeError(
                f"{owner}: the model is in training, and its history would be of both; in a callback, set "
                "model.stop_training = True and do this after train has returned, or do it to copy.deepcopy(model)"
            )

    def forget(self) -> None:
        """Begin a new history, and the tutorial's dictionaries with it."""
        self.history = History()
        self.train_loss: dict[int, float] = {}
        self.val_loss: dict[int, float] = {}
        self.train_acc: dict[int, float] = {}
        self.val_acc: dict[int, float] = {}

    def remember(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Keep a shown epoch's figures where the tutorial keeps them, rounded as it does."""
        self.train_loss[epoch] = round(figures["loss"], 4)
        if "accuracy" in figures:
            self.train_acc[epoch] = round(100 * figures["accuracy"], 4)
        if "val_loss" in figures:
            self.val_loss[epoch] = round(figures["val_loss"], 4)
        if "val_accuracy" in figures:
            self.val_acc[epoch] = round(100 * figures["val_accuracy"], 4)

    # -- the steps of training, one by one -------------------------------------------------------------------

    def apply_loss(
        self, y: TensorLike, out: TensorLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[Tensor, float]:
        """The loss that :meth:`train` minimizes, as a tensor for :meth:`backpropagate` and as a number.

        Parameters
        ----------
        y : array_like, shape=(N, *output_shape) or (N,), or of one sample
        out : Tensor
            What :meth:`feedforward` gave. From other outputs, whose logits are not at hand, the loss is less exact
            where probabilities are near 0 or 1.
        sample_weight : array_like, shape=(N,), optional
        """
        if not self.iscompiled:
            raise ValueError("apply_loss: the model is not compiled; call compile_model(...) first")
        outputs = as_tensor(out).floating()
        single = outputs.shape == self.output_shape
        label = numbers(numbered(value(y), self.classes, "apply_loss"), "apply_loss", "Y")
        target = targets(label[None] if single else label, self.output_shape, self.objective, "apply_loss")
        count = 1 if single else len(outputs)
        if count != len(target):
            raise ValueError(f"apply_loss: {count} outputs but {len(target)} labels; each output needs one")
        weights = weights_of(self.objective, target, self.objective.task, sample_weight, None, "apply_loss")
        logits = self.logits_of(out) if self.objective.from_logits else None
        batch = outputs.reshape((count, *self.output_shape)) if logits is None else logits
        function = self.objective.of_outputs if logits is None else self.objective
        loss = function(batch, Tensor.wrap(target), weights, training=outputs.requires_grad)
        return loss, float(loss.array)

    def backpropagate(self, loss: Tensor, update: bool = True) -> None:
        """Add the gradients of a loss to the parameters'; with `update`, let the optimizer step and forget them."""
        if not isinstance(loss, Tensor):
            raise TypeError(
                f"backpropagate: expected the loss as a tensor, the first of the two that apply_loss gives; received "
                f"{type(loss).__name__}"
            )
        loss.backward()
        if update:
            apply_gradients(self)

    def zerograd(self) -> None:
        """Forget all gradients."""
        for layer in self.layers:
            layer.zero_grad()

    # -- using it ------------------------------------------------------------------------------------------

    @speaks("evaluate")
    def evaluate(self, X: Data, Y: npt.ArrayLike | None = None, batch_size: int | None = None) -> Evaluation:
        """The loss, the accuracy and the compiled metrics on samples, as a dict.

        Unpacked, as in ``loss, accuracy = model.evaluate(x, y)``, it is what Keras gives: the loss and the metrics that
        the model was compiled with, in their order; without any, the loss and the accuracy, or the errors of a
        regression. For classifiers, also includes the confusion matrix; ``str()`` makes a table of each class's
        figures.
        """
        from tensorgrad.training.sources import source

        samples = source(self, X, Y, "evaluate", batch_size=batch_size)
        found = measure(self, samples.blocks(self, batch_size, "evaluate"), samples.task)
        found.classes = self.classes
        return found

    @speaks("predict")
    def predict(self, X: Data, batch_size: int | None = None) -> Array:
        """As :meth:`tensorgrad.network.Network.predict`; also of batches.

        They are a Dataset, taken in order, or another iterable of ``x``, ``(x, y)`` or ``(x, y, weights)``, of which
        x alone is used.
        """
        from tensorgrad.training.sources import inputs

        batches = inputs(self, X)
        if batches is None:
            return super().predict(X, batch_size)  # type: ignore[arg-type]
        return np.concatenate([super(CNN, self).predict(x, batch_size) for x in batches])

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):
                raise AttributeError(f"CNN has no {name} yet; call compile_model(...) first")
            raise AttributeError(missing("CNN", name, dir(type(self))))

    # -- keeping it ----------------------------------------------------------------------------------------

    def classify(self, picture: Any) -> dict[str, float]:
        """Name what is on a picture.

        Parameters
        ----------
        picture : path, binary file, or ndarray of uint8
            It is made to fit the model's input, as the pictures were that the model was trained on. Files need the
            extra "images".

        Returns
        -------
        dict from str to float
            The probability of each class, the most probable first. Without names, classes are called by their numbers.

        Raises
        ------
        ValueError
            If the model is no classifier of pictures, or its first layer does not prepare their pixels.
        tensorgrad.data.DataError
            If the picture cannot be read.
        """
        shape = self.input_shape
        if len(shape) != 3 or len(self.output_shape) != 1 or self.last_activation not in ("softmax", "sigmoid"):
            raise ValueError(
                "classify: expected a classifier of pictures, with softmax or sigmoid at the end; the model takes "
                f"samples of shape {shape} and gives {self.output_shape}; use predict"
            )
        if not isinstance(self.layers[0], Rescale | Standardize | BatchNorm):
            raise ValueError(
                f"classify: the first layer, {self.layers[0].title}, does not prepare pixels from 0 to 255; begin the "
                "model with Rescale() or Standardize(), or prepare them as in training and use predict"
            )
        from tensorgrad.data.reader import Reader

        reader = Reader((shape[0], shape[1]), shape[2], self.picture_fit)
        pixels = reader.of_array(picture) if isinstance(picture, np.ndarray) else reader.read(picture)
        outputs = self.predict(pixels[np.newaxis])[0].astype(np.float64)
        shares = np.array([1 - outputs[0], outputs[0]]) if len(outputs) == 1 else outputs
        names = self.classes or tuple(map(str, range(len(shares))))
        return {names[i]: float(shares[i]) for i in np.argsort(-shares, kind="stable")}

    def save_model(self, path: str | os.PathLike[str] = "model.json") -> None:
        """Save the model to a file, whole or not at all; :func:`tensorgrad.load_model` loads it.

        Parameters
        ----------
        path : path
            ``.json`` is the tutorial's own JSON, which holds the tutorial's kinds of layers and their weights. Any
            other suffix, such as ``.tgrad``, holds every kind of layer, and all that training needs to go on:
            optimizer, schedule, random states and history.

        Raises
        ------
        ValueError
            If the file could not hold the model: a layer that is not registered (:func:`tensorgrad.saving.register`),
            or that the tutorial's JSON does not have. If the suffix is that of an export, ``.onnx`` or ``.html``.
            Nothing is written then.
        OSError
            If it cannot be written. What was at `path` before is still there.
        """
        saving.save_model(self, path)

    def check_saving(self, path: str | os.PathLike[str]) -> None:
        """Raise what :meth:`save_model` would, without writing a file; a full disk is not foreseen.

        :class:`tensorgrad.callbacks.ModelCheckpoint` calls it before the first epoch.
        """
        saving.check_model(self, path)

    def export_html(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write one web page with the model in it, to draw on; see :func:`tensorgrad.page.export_html`."""
        from tensorgrad.page import export_html

        export_html(self, path, **options)

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Save parameters and running statistics alone; ``.safetensors`` needs the extra of that name."""
        saving.save_weights(self, path)

    def load_weights(
        self, path: str | os.PathLike[str], strict: bool = True, layout: Literal["torch"] | None = None
    ) -> StateDifference:
        """Copy parameters and running statistics from any file of a model or of weights.

        Parameters
        ----------
        path : path
        strict : bool
            Load all or none: names, shapes and dtypes must be the model's. Otherwise what fits is loaded, such as all
            layers but the last of a model for other classes.
        layout : "torch", optional
            The file is a PyTorch ``state_dict``, in safetensors, of the same layers in the same order.

        Returns
        -------
        StateDifference
            The names that are ``missing`` in the file, ``unexpected`` there, or ``reshaped``: of another shape.

        Raises
        ------
        tensorgrad.saving.ModelFileError
            If `strict` and something differs; it lists what. Nothing has changed then.
        """
        return saving.load_weights(self, path, strict, layout)


def save_model(model: CNN, path: str | os.PathLike[str] = "model.json") -> None:
    """Save a model; see :meth:`CNN.save_model`."""
    saving.save_model(model, path)


def load_model(path: str | os.PathLike[str] = "model.json") -> CNN:
    """Load a model that :meth:`CNN.save_model` or the tutorial's code has saved.

    Nothing in a file is run, and objects are made of registered classes alone (:func:`tensorgrad.saving.register`).
    The file's length and its number of parameters bound memory and time.

    Parameters
    ----------
    path : path
        ``.json`` is the tutorial's JSON, whose weights become float32 if that holds all of them exactly, and float64
        otherwise. Any other suffix is our own format.

    Returns
    -------
    CNN
        Its predictions equal those of the saved model to the bit. From our own format it is compiled as the saved model
        was, and its training goes on: see :meth:`CNN.resume`.

    Raises
    ------
    tensorgrad.saving.ModelFileError
        If the file is no model, is damaged, is of a newer version, or holds a layer that is not registered.
    OSError
        If the file cannot be read.
    """
    model = CNN()
    saving.load_model(path, model)
    return model
