"""Networks as scikit-learn's estimators: for its pipelines, searches and cross-validation. Needs the extra "sklearn".

>>> from sklearn.datasets import load_digits
>>> from tensorgrad.sklearn import CNNClassifier
>>> images, labels = load_digits(return_X_y=True)
>>> found = CNNClassifier("conv 8, pool, dense 32", image_shape=(8, 8, 1), epochs=5, random_state=0)
>>> found.fit(images[:1500] / 16, labels[:1500]).score(images[1500:] / 16, labels[1500:]) > 0.85
True
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tensorgrad import designs
from tensorgrad.checks import brief, without
from tensorgrad.cnn import CNN
from tensorgrad.layers import FFL, Layer
from tensorgrad.layers.shapes import as_tuple, check_shape
from tensorgrad.tensor import Array
from tensorgrad.training.callbacks import Callback, EarlyStopping
from tensorgrad.training.history import History

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets, unique_labels
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise without("tensorgrad.sklearn", "scikit-learn 1.6 or newer", "sklearn") from error

__all__ = ["CNNClassifier", "CNNRegressor"]

Layers = str | Sequence[Layer] | Callable[[tuple[int, ...]], Sequence[Layer]] | None

BLOCK = 64  # samples predicted at once: always as many, so that a sample's prediction does not depend on its neighbours


class _Network(BaseEstimator):  # type: ignore[misc]
    """What the two estimators share: the parameters, and the network that is trained."""

    model_: CNN
    history_: History
    n_iter_: int
    n_features_in_: int

    def __init__(
        self,
        layers: Layers = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 50,
        batch_size: int | None = 32,
        optimizer: str = "adam",
        lr: float = 0.003,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        dtype: str = "float32",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.layers = layers
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    # -- what a subclass says ------------------------------------------------------------------------------------

    def _output(self, y: Array) -> FFL:
        """The output layer for targets."""
        raise NotImplementedError

    _loss: str

    # -- samples -------------------------------------------------------------------------------------------------

    def _samples(self, X: Any, *, reset: bool) -> Array:
        """Samples as scikit-learn checks them, and of the shape that the network takes."""
        x = validate_data(
            self, X, reset=reset, dtype=np.dtype(self.dtype), allow_nd=True, ensure_min_features=1, order="C"
        )
        return self._shaped(x)

    def _shaped(self, x: Array) -> Array:
        if self.image_shape is None:
            if x.ndim == 3:  # grey images
                return x[..., np.newaxis]
            return x
        shape = as_tuple(check_shape(self.image_shape, type(self).__name__))
        shape = (*shape, 1) if len(shape) == 2 else shape
        if x.ndim == 2 and x.shape[1] != prod(shape):
            raise ValueError(
                f"{type(self).__name__}: image_shape={self.image_shape} has {prod(shape)} numbers, but a sample of X "
                f"has {x.shape[1]}; give the height, width and channels of what was flattened"
            )
        if x.ndim > 2 and x.shape[1:] not in (shape, shape[:2]):
            raise ValueError(
                f"{type(self).__name__}: image_shape={self.image_shape}, but X has samples of shape {x.shape[1:]}; "
                "leave image_shape out for samples that are images already"
            )
        return x.reshape(len(x), *shape)

    # -- the network -----------------------------------------------------------------------------------------------

    def _made(self, x: Array, y: Array, seed: int) -> CNN:
        """A new network for samples and targets, compiled."""
        shape: Any = x.shape[1:] if x.ndim > 2 else x.shape[1]
        output = self._output(y)
        if self.layers is None or isinstance(self.layers, str):
            text = designs.suggested(shape) if self.layers is None else self.layers
            layers = designs.from_text(text, shape, output)
        else:
            given: Any = self.layers(as_tuple(shape)) if callable(self.layers) else self.layers
            hidden = list(given) if isinstance(given, Iterable) else [given]
            if not all(isinstance(layer, Layer) for layer in hidden):
                raise TypeError(
                    f"{type(self).__name__}: layers must be a design as text, such as 'conv 16, pool, dense 64', a "
                    f"list of Layer, or a function of the samples' shape that gives one; received {brief(given)}"
                )
            layers = [*(hidden if callable(self.layers) else copy.deepcopy(hidden)), output]
        model = CNN(seed=seed)
        layers[0].input_shape = shape
        for layer in layers:
            model.add(layer)
        model.astype(self.dtype)
        model.compile_model(lr=self.lr, opt=self.optimizer, loss=self._loss)
        return model

    def _fit(self, x: Array, y: Array, weight: Array | None, *, epochs: int, go_on: bool) -> Self:
        """Train a new network, or the fitted one further; a run that fails leaves nothing behind."""
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31 - 1))
        model = self.model_ if go_on else self._made(x, y, seed)
        callbacks: list[Callback] = []
        validation: dict[str, Any] = {"val_split": 0}
        if self.early_stopping and not go_on:
            x, y, weight, validation = self._split(x, y, weight, seed)
            callbacks.append(EarlyStopping("val_loss", patience=self.n_iter_no_change))
        if weight is not None:
            weight = weight * (len(weight) / weight.sum())  # so that the loss is the weighted mean
        model.train(
            x,
            y,
            epochs=epochs,
            batch_size=len(x) if self.batch_size is None else self.batch_size,
            shuffle=self.shuffle,
            verbose=self.verbose,
            sample_weight=weight,
            callbacks=callbacks,
            **validation,
        )
        self.model_ = model
        self.history_ = model.history
        self.n_iter_ = (getattr(self, "n_iter_", 0) if go_on else 0) + len(model.history)
        return self

    def _split(
        self, x: Array, y: Array, weight: Array | None, seed: int
    ) -> tuple[Array, Array, Array | None, dict[str, Any]]:
        """Set a share of the samples aside for early stopping."""
        share = self.validation_fraction
        kept, aside = train_test_split(np.arange(len(x)), test_size=share, random_state=seed, stratify=self._strata(y))
        validation = {"val_x": x[aside], "val_y": y[aside]}
        return x[kept], y[kept], None if weight is None else weight[kept], validation

    def _strata(self, y: Array) -> Array | None:
        return None

    def _goes_on(self, x: Array) -> bool:
        """Whether to train the fitted network further."""
        return bool(self.warm_start) and hasattr(self, "model_")

    def _outputs(self, X: Any) -> Array:
        """The network's outputs, computed in blocks that always have the same size."""
        check_is_fitted(self)
        x = self._samples(X, reset=False)
        full = np.concatenate([x, np.zeros((-len(x) % BLOCK, *x.shape[1:]), x.dtype)])
        parts = [self.model_.predict(full[start : start + BLOCK]) for start in range(0, len(full), BLOCK)]
        return np.concatenate(parts)[: len(x)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


class CNNClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A small network for classification, as a scikit-learn estimator.

    Parameters
    ----------
    layers : str, callable or list of Layer, optional
        The hidden layers; the output layer is added, since it follows from y. A design as text, such as
        ``"conv 16, pool, dense 64"`` (see :mod:`tensorgrad.designs`); or a function from a sample's shape to a list of
        layers; or such a list, which is copied. By default a design that suits the samples.
    image_shape : (height, width) or (height, width, channels), optional
        Of samples that were flattened, as most of scikit-learn's tools need them. X may also have the shape
        (n, height, width) or (n, height, width, channels), and then this is left out.
    epochs : int
        How often to go over the samples.
    batch_size : int or None
        Samples per step; None for all of them.
    optimizer : str
        A name from ``tensorgrad.optim.OPTIMIZERS``.
    lr : float
        The learning rate.
    shuffle : bool
        Take the samples in a new order in every epoch.
    early_stopping : bool
        Set a share of the samples aside, stop when their loss has not improved for a while, and keep the best weights.
    validation_fraction : float
        That share.
    n_iter_no_change : int
        That while, in epochs.
    warm_start : bool
        ``fit`` goes on with the network that is there, instead of a new one.
    dtype : "float32" or "float64"
        What the network computes in.
    random_state : int, RandomState or None
        Where weights, order and dropout come from. With an int every run gives the same.
    verbose : 0, 1 or 2
        As of :meth:`tensorgrad.CNN.train`.
    class_weight : dict, "balanced" or None
        What the losses of a class are multiplied by: by label, or inversely to how often it occurs.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted; columns of :meth:`predict_proba` are in this order.
    model_ : CNN
        The trained network; its output layer has one unit per class, with softmax.
    history_ : History
        Loss and accuracy by epoch.
    n_iter_ : int
        How many epochs were trained.
    """

    _loss = "cse"
    classes_: Array

    def __init__(
        self,
        layers: Layers = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 50,
        batch_size: int | None = 32,
        optimizer: str = "adam",
        lr: float = 0.003,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
        warm_start: bool = False,
        dtype: str = "float32",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            layers,
            image_shape=image_shape,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            lr=lr,
            shuffle=shuffle,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            dtype=dtype,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train on samples and their labels.

        Parameters
        ----------
        X : array_like, shape=(n, features), (n, height, width) or (n, height, width, channels)
        y : array_like, shape=(n,)
            Labels: strings, integers, or what else can be told apart.
        sample_weight : array_like, shape=(n,), optional
            What each sample counts.
        """
        x, labels, weight = self._checked(X, y, sample_weight)
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(f"{type(self).__name__}: y has 1 class, {classes[0]}; it takes two to tell them apart")
        go_on = self._goes_on(x)
        if go_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"{type(self).__name__}: warm_start goes on with the classes {self.classes_}, but y has {classes}; "
                "set warm_start=False to begin anew"
            )
        self.classes_ = classes
        return self._fit(x, np.searchsorted(classes, labels), weight, epochs=self.epochs, go_on=go_on)

    def partial_fit(
        self, X: Any, y: Any, classes: npt.ArrayLike | None = None, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Train the fitted network, or a new one, on the samples once.

        Parameters
        ----------
        X, y, sample_weight
            As of :meth:`fit`.
        classes : array_like, optional
            All labels that will ever come, for the first call; by default those in y.
        """
        first = not hasattr(self, "model_")
        x, labels, weight = self._checked(X, y, sample_weight, reset=first)
        if first:
            known = unique_labels(y if classes is None else np.asarray(classes))
        else:
            known = self.classes_
            if classes is not None and not np.array_equal(np.unique(np.asarray(classes)), known):
                raise ValueError(f"partial_fit: classes={classes!r} differ from those of the first call, {known}")
        unseen = np.setdiff1d(labels, known)
        if len(unseen):
            raise ValueError(
                f"partial_fit: y holds {brief(unseen[:5].tolist())}, which are not among the classes {known}; "
                "name all of them in the first call, with classes="
            )
        if len(known) < 2:
            raise ValueError("partial_fit: expected at least 2 classes; name all of them with classes=")
        self.classes_ = known
        return self._fit(x, np.searchsorted(known, labels), weight, epochs=1, go_on=not first)

    def _checked(self, X: Any, y: Any, sample_weight: Any, reset: bool = True) -> tuple[Array, Array, Array | None]:
        """Samples, labels and weights, with the weights of the classes among them."""
        reset = reset and not self._goes_on(np.empty(0))
        x, labels = validate_data(self, X, y, reset=reset, dtype=np.dtype(self.dtype), allow_nd=True, order="C")
        check_classification_targets(labels)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if self.class_weight is not None:
            by_class = compute_sample_weight(self.class_weight, labels)
            weight = by_class if weight is None else weight * by_class
        return self._shaped(x), labels, weight

    def _output(self, y: Array) -> FFL:
        return FFL(neurons=len(self.classes_), activation="softmax")

    def _strata(self, y: Array) -> Array | None:
        return y

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: ``(n, classes)``, in the order of ``classes_``."""
        return self._outputs(X)

    def predict(self, X: Any) -> Array:
        """The most probable class of each sample: ``(n,)``."""
        outputs = self._outputs(X)
        labels: Array = self.classes_[outputs.argmax(axis=1)]
        return labels


class CNNRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A small network for regression, as a scikit-learn estimator.

    The parameters are those of :class:`CNNClassifier`, but for ``class_weight``, which it has not.

    Attributes
    ----------
    model_ : CNN
        The trained network; its output layer has one unit per target. It is trained on targets of mean 0 and
        variance 1, and :meth:`predict` undoes that.
    target_mean_, target_scale_ : ndarray
        What the targets had.
    history_ : History
        Loss by epoch.
    n_iter_ : int
        How many epochs were trained.
    """

    _loss = "mse"
    target_mean_: Array
    target_scale_: Array

    def fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train on samples and their values.

        Parameters
        ----------
        X : array_like, shape=(n, features), (n, height, width) or (n, height, width, channels)
        y : array_like, shape=(n,) or (n, targets)
        sample_weight : array_like, shape=(n,), optional
            What each sample counts.
        """
        return self._train(X, y, sample_weight, epochs=self.epochs, go_on=self._goes_on(np.empty(0)))

    def partial_fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train the fitted network, or a new one, on the samples once; the arguments are those of :meth:`fit`."""
        return self._train(X, y, sample_weight, epochs=1, go_on=hasattr(self, "model_"))

    def _train(self, X: Any, y: Any, sample_weight: Any, *, epochs: int, go_on: bool) -> Self:
        x, values = validate_data(
            self,
            X,
            y,
            reset=not go_on,
            dtype=np.dtype(self.dtype),
            allow_nd=True,
            order="C",
            multi_output=True,
            y_numeric=True,
        )
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        columns = np.asarray(values, np.float64).reshape(len(values), -1)
        if not go_on:
            self._single = values.ndim == 1
            self.target_mean_ = np.average(columns, axis=0, weights=weight)
            scale = np.sqrt(np.average((columns - self.target_mean_) ** 2, axis=0, weights=weight))
            self.target_scale_ = np.where(scale > 0, scale, 1.0)
        targets = ((columns - self.target_mean_) / self.target_scale_).astype(self.dtype)
        return self._fit(self._shaped(x), targets, weight, epochs=epochs, go_on=go_on)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _output(self, y: Array) -> FFL:
        return FFL(neurons=y.shape[1])

    def predict(self, X: Any) -> Array:
        """The values of each sample: ``(n,)``, or ``(n, targets)`` if y was of that shape."""
        values: Array = self._outputs(X) * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._single else values
