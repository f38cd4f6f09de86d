"""What is set on a layer, a model, an optimizer or a callback has an effect, or is refused with what to do."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, callbacks, layers, optim

X, Y = np.random.default_rng(0).standard_normal((24, 6, 6, 1)).astype(np.float32), np.arange(24) % 3


def model(**settings: Any) -> Any:
    made = CNN(seed=0)
    for layer in (
        layers.Conv2d(input_shape=(6, 6, 1), filters=2, activation="relu"),
        layers.BatchNorm(),
        layers.Pool2d(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.FFL(neurons=3, activation="softmax"),
    ):
        made.add(layer)
    made.compile_model(**{"opt": "adam", "loss": "cse", **settings})
    return made


OF_A_MODEL = {
    "opt": ("sgd", "it is an argument: compile_model(opt=...)"),
    "loss": ("mse", "it is an argument: compile_model(loss=...)"),
    "metrics": (["mse"], "pass them to compile_model(metrics=...)"),
    "optimizer": ("sgd", "names are for compile_model(opt=...)"),
    "learning_rate": (0.1, "set model.optimizer.lr"),
    "objective": ("cse", "pass loss= and metrics= to compile_model(...)"),
    "iscompiled": (True, "call compile_model(...)"),
    "compiled": (True, "did you mean 'compile'?"),
    "epochs": (3, "it is an argument: train(epochs=...)"),
    "validation_split": (0.2, "'validation_split' of Keras is val_split here"),
    "schedule": (lambda: 1, "schedule must be a function of (step); it takes ()"),
    "clip_norm": (-1, "clip_norm must be positive"),
    "seed": ("a", "seed must be an int of at least 0"),
    "train": (False, "train is a method, received False in its place; call it: train(...)"),
    "input_shape": (3, "input_shape cannot be set, it follows from the rest"),
    "layer": ([], "did you mean 'layers'?"),
    "notes": ("mine", "what is yours may have a name that begins with _, or be an attribute of a subclass of yours"),
}
OF_LAYERS = {
    (0, "strides"): (2, "'strides' of Keras is stride here"),
    (0, "stride"): (2, "as the layer's shapes go by it; make a new layer, Conv2d(stride=2)"),
    (0, "filters"): (9, "make a new layer, Conv2d(filters=9)"),
    (0, "kernel"): (9, "set its weights"),
    (0, "padding_mode"): ("x", "padding='same' repeats the edge by one pixel"),
    (0, "data_format"): ("channels_first", "channels last"),
    (0, "input_shape"): ((3, 3, 1), "input_shape cannot change any more"),
    (0, "output_shape"): (3, "it follows from the input's shape and the layer's settings"),
    (0, "isbias"): (False, "make a new layer, with or without biases"),
    (0, "activation"): ("rellu", "did you mean 'relu'?"),
    (0, "trainable"): (0, "must be True or False"),
    (0, "requires_grad"): (False, "set layer.trainable = False"),
    (1, "gamma"): (1, "set its weights"),
    (1, "eps"): (-1, "eps must be a finite number of at least 1.2e-38"),
    (1, "epsilon"): (1e-3, "'epsilon' of Keras is eps here"),
    (2, "strides"): (1, "'strides' of Keras is stride here"),
    (2, "kind"): ("averge", "did you mean 'average'?"),
    (4, "rate"): (0.1, "set its prob"),
    (4, "prob"): (50, "prob is the share that is dropped"),
    (5, "units"): (7, "'units' of Keras is neurons here"),
    (5, "neurons"): (7, "make a new layer, FFL(neurons=7)"),
    (5, "forward"): (7, "forward is a method"),
}
OF_OPTIMIZERS = {
    "learning_rate": (0.1, "set its lr"),
    "lr": ("fast", "lr must be a number"),
    "betas": ((0.9, 0.99), "'betas' of PyTorch is beta1= and beta2= here"),
    "beta_1": (0.9, "'beta_1' of Keras is beta1 here"),
    "weight_deca": (0.1, "did you mean 'weight_decay'?"),
    "params": ([], "make a new optimizer over them"),
    "step": (3, "step is a method"),
}
OF_CALLBACKS = {
    "patince": (3, "did you mean 'patience'?"),
    "verbose": (1, "callbacks print nothing"),
    "on_epoch_ends": (print, "did you mean 'on_epoch_end'?"),
    "on_epoch_end": (3, "on_epoch_end is a method"),
}
REFUSED = [
    *((lambda: model(), name, *rest) for name, rest in OF_A_MODEL.items()),
    *((lambda i=i: model().layers[i], name, *rest) for (i, name), rest in OF_LAYERS.items()),
    *((lambda: model().optimizer, name, *rest) for name, rest in OF_OPTIMIZERS.items()),
    *((lambda: callbacks.EarlyStopping(), name, *rest) for name, rest in OF_CALLBACKS.items()),
]


@pytest.mark.parametrize(
    ("make", "name", "value", "remedy"), REFUSED, ids=[f"{i}-{row[1]}" for i, row in enumerate(REFUSED)]
)
def test_what_nobody_would_read_is_refused(make: Any, name: str, value: Any, remedy: str) -> None:
    owner = make()
    before = dict(vars(owner))
    with pytest.raises((AttributeError, TypeError, ValueError), match=re.escape(remedy)) as caught:
        setattr(owner, name, value)
    assert "\n" not in str(caught.value)
    assert vars(owner) == before


def test_what_may_change_has_its_effect() -> None:
    made = model()
    made.layers[0].activation = "tanh"
    made.layers[2].kind = "average"
    made.layers[4].prob = 0.25
    made.layers[1].momentum = 0.5
    made.layers[0].name = "first"
    made.optimizer.lr, made.optimizer.weight_decay = 0.5, 0.1
    made.clip_norm, made.clip_value, made.schedule = 1.0, None, lambda step: 0.25
    other = model()
    for mine, theirs in zip(other.layers, made.layers, strict=True):
        mine.load_state_dict(theirs.state_dict())
    conv = layers.Conv2d((6, 6, 1), filters=2, activation="tanh")
    conv.load_state_dict(made.layers[0].state_dict())
    np.testing.assert_array_equal(made.layers[0](X).numpy(), conv(X).numpy())
    assert not np.array_equal(made.predict(X), other.predict(X))
    made.train(X, Y, verbose=0)
    assert made.optimizer.lr == 0.25
    assert made.layers[0].name == "first"


def test_a_layer_that_is_not_in_use_yet_takes_any_setting_that_its_constructor_takes() -> None:
    conv: Any = layers.Conv2d()
    conv.filters, conv.stride, conv.padding, conv.input_shape = 4, 2, "keep", (7, 7, 3)
    assert conv.stride == (2, 2)
    assert conv(np.zeros((5, 7, 7, 3))).shape == (5, 4, 4, 4)
    dense = layers.FFL(3, neurons=2, weights=np.ones((3, 2)))
    dense.activation = "relu"
    assert dense([1.0, 2.0, -4.0]).numpy().tolist() == [0, 0]
    with pytest.raises(ValueError, match="filters must be an int of at least 1"):
        layers.Conv2d().filters = 0


def test_an_optimizer_may_be_replaced_by_one_over_the_same_parameters() -> None:
    made = model()
    made.optimizer = optim.SGD(made.parameters(), lr=0.5)
    assert made.train(X, Y, verbose=0)["loss"]
    with pytest.raises(ValueError, match="all of them"):
        made.optimizer = optim.SGD(made.parameters()[:1])


def test_users_own_classes_are_open() -> None:
    class Mine(layers.FFL):
        def __init__(self) -> None:
            super().__init__(neurons=2)
            self.mine = 1

    class Model(CNN):
        pass

    class Stop(callbacks.EarlyStopping):
        pass

    layer, made, stop = Mine(), Model(seed=0), Stop()
    layer.whatever = made.whatever = stop.whatever = 3
    layer.input_shape = 3
    made.add(layer)
    assert made.predict(np.ones((2, 3))).shape == (2, 2)


def test_predictors_see_what_changed() -> None:
    made = model()
    predict = made.predictor(24)
    predict(X)
    made.layers[0].activation, made.layers[1].eps, made.layers[2].kind = "tanh", 0.5, "average"
    np.testing.assert_allclose(predict(X), made.predict(X), rtol=1e-5, atol=1e-6)


def test_names_that_begin_with_an_underscore_are_free() -> None:
    made = model()
    made._note = made.layers[0]._note = made.optimizer._note = 3


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_are_closed_too(copied: Any) -> None:
    for owner in (copied(model()), copied(layers.Conv2d(filters=3)), copied(callbacks.EarlyStopping())):
        with pytest.raises(AttributeError, match="nobody would read 'foo'"):
            owner.foo = 3


def test_the_last_activation_may_not_change_behind_the_loss() -> None:
    made = model()
    made.layers[-1].activation = "sigmoid"
    with pytest.raises(ValueError, match=r"ends in 'sigmoid' now, .* ended in 'softmax'; call compile_model"):
        made.train(X, Y)
    made.compile_model(loss="bce")
    made.train(X, np.eye(3)[Y], verbose=0)


def test_a_new_seed_begins_the_streams_again() -> None:
    first, second = model(), CNN(seed=5)
    second.seed = 0
    for layer in (layers.Conv2d(input_shape=(6, 6, 1), filters=2, activation="relu"),):
        second.add(layer)
    np.testing.assert_array_equal(first.layers[0].weights.numpy(), second.layers[0].weights.numpy())
