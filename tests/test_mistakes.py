"""What people get wrong first, and that the message says what to do instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import tensorgrad
from tensorgrad import Tensor, callbacks, optim
from tensorgrad.training.metrics import Metric

tg: Any = tensorgrad  # type checkers would refuse what is tried below
layers: Any = tg.layers
CNN: Any = tg.CNN
Adam: Any = optim.Adam
EarlyStopping: Any = callbacks.EarlyStopping
FFL, BatchNorm, Conv2d, Dropout = layers.FFL, layers.BatchNorm, layers.Conv2d, layers.Dropout
Flatten, Pool2d, Sequential = layers.Flatten, layers.Pool2d, layers.Sequential

X, Y = np.random.default_rng(0).random((12, 4)), np.arange(12) % 3
ARRAYS = np.empty(3, object)
ARRAYS[:] = [np.ones(4)] * 3
MASKED = np.ma.masked_equal(np.array([1.0, 0.0]), 0.0)
GAPS = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, None, 3.0, 4.0]], object)


class Gaps:
    """Data that are read by indexing, and come masked, as netCDF's do."""

    shape, dtype = (2,), np.dtype(float)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        return MASKED[index]


def net(activation: str | None = "softmax", neurons: int = 3, **settings: Any) -> Any:
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=neurons, activation=activation))
    model.compile_model(**{"opt": "adam", "loss": "cse", **settings})
    return model


def of(*made: Any) -> Any:
    model = CNN(seed=0)
    for layer in made:
        model.add(layer)
    return model


def images() -> Any:
    return of(Conv2d(input_shape=(28, 28, 1), filters=2))


def pairs() -> Any:
    yield X, Y


def leaf(*values: float) -> Any:
    return tg.tensor(list(values), requires_grad=True)


def twice_backward() -> None:
    y = (leaf(1.0) ** 2).sum()
    y.backward()
    y.backward()


def all_frozen() -> None:
    model = net()
    model.trainable = False
    model.fit(X, Y)


def compiled_when_frozen() -> None:
    model = net()
    model.trainable = False
    model.compile_model()


# The call, and the part of its message that says what to do.
MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    # -- data
    "not compiled": (lambda: of(FFL(input_shape=4, neurons=3)).train(X, Y), "call compile_model(...) first"),
    "too few features": (lambda: net().fit(X[:, :3], Y), "expects samples of shape (4,), but X has shape (12, 3)"),
    "lengths": (lambda: net().fit(X, Y[:5]), "each sample needs one label"),
    "labels from 1": (lambda: net().fit(X, Y + 1), "with 3 classes, expected 0 to 2"),
    "NaN in X": (lambda: net().fit(X * np.nan, Y), "first at sample 0; clean or scale the data first"),
    "class names": (lambda: net().fit(X, np.array(list("abc") * 4)), "np.unique(Y, return_inverse=True)[1]"),
    "written numbers": (lambda: net().fit(X.astype(str), Y), "np.array(X, dtype=float) reads numbers"),
    "array of arrays": (lambda: net().fit(ARRAYS, Y[:3]), "make one array with np.stack(X)"),
    "missing values": (lambda: net().fit(GAPS, Y[:2]), "first at sample 1; fill them in or leave those samples out"),
    "masked": (lambda: net().fit(np.ma.masked_less(X, 0.1), Y), "fill them in with X.filled(value)"),
    "masked labels": (lambda: net().fit(X, np.ma.masked_equal(Y, 2)), "Y has masked values, first at sample 2"),
    "masked to predict": (lambda: net().predict(np.ma.masked_less(X, 0.1)), "predict: X has masked values"),
    "masked, in a list": (lambda: tg.tensor([MASKED, MASKED]), "tensor: data has masked values, first at sample 1"),
    "no word for an axis": (lambda: tg.sum(X, axis=""), "sum: axis must be an int, or a tuple of ints"),
    "a dict for axes": (lambda: tg.max(X, axis={}), "max: axis must be an int, or a tuple of ints"),
    "bytes for counts": (lambda: tg.tile(X, b"ab"), "tile: reps must be an int, or a sequence of ints; received b'ab'"),
    "half a place": (lambda: tg.roll(X, 0.5), "roll: shift must be an int, or a sequence of ints; received 0.5"),
    "no word for parts": (lambda: tg.split(X, ""), "split: parts must be an int, or a sequence of ints"),
    "NaN degrees of freedom": (lambda: tg.std(X, ddof=np.nan), "std: ddof must be a finite number, received nan"),
    "a word for a share": (lambda: tg.dropout(X, "0.5"), "dropout: prob is the share that is dropped, 0 <= prob < 1"),
    "no slope": (lambda: tg.leaky_relu(X, None), "leaky_relu: slope must be a finite number, received None"),
    "no alpha": (lambda: tg.elu(X, None), "elu: alpha must be a finite number, received None"),
    "NaN to ignore": (lambda: tg.cross_entropy(np.eye(2), [0, 1], ignore_index=np.nan), "ignore_index must be an int"),
    "no state": (lambda: net().load_state_dict(None), "load_state_dict: expected a dict of arrays by name"),
    "a list of state": (lambda: net().load_state_dict([X]), "received [array"),
    "no weights": (lambda: net().set_weights(None), "set_weights: expected a list of arrays"),
    "a dict of weights": (lambda: net().set_weights(net().state_dict()), "; load_state_dict takes a dict"),
    "words for weights": (lambda: net().set_weights([w.astype(str) for w in net().get_weights()]), "must be numbers"),
    "masked weights": (lambda: FFL(input_shape=2, neurons=1).set_weights([MASKED[:, None], [0]]), "weights has masked"),
    "masked state": (lambda: FFL(1, neurons=2).load_state_dict({"biases": MASKED}), "biases has masked values"),
    "masked to a predictor": (lambda: net().predictor(12)(np.ma.masked_less(X, 0.1)), "predictor: X has masked values"),
    "words for data": (lambda: setattr(leaf(1.0), "data", ["1"]), "Tensor.data: expected numbers for float32"),
    "imaginary data": (lambda: setattr(leaf(1.0), "data", [1j]), "Tensor.data: expected numbers for float32"),
    "a word for biases": (lambda: Conv2d(filters=2, isbias="no"), "Conv2d: isbias must be True or False"),
    "a word for FFL's biases": (lambda: FFL(neurons=2, is_bias="no"), "FFL: is_bias must be True or False"),
    "a number for a switch": (lambda: Pool2d(ceil_mode=2), "Pool2d: ceil_mode must be True or False, received 2"),
    "a word for ceil_mode": (lambda: tg.max_pool2d(np.ones((4, 4, 1)), 2, ceil_mode="no"), "ceil_mode must be"),
    "a word for drop_last": (lambda: net().fit(X, Y, drop_last="no"), "fit: drop_last must be True or False"),
    "a number of layers": (lambda: Sequential(3), "Sequential: expected a list of layers, received 3"),
    "one layer": (lambda: Sequential(FFL(neurons=2)), "Sequential: expected a list of layers, received FFL("),
    "branches that are none": (lambda: layers.Add([3]), "Add: expected a list of layers, received 3; put it into one"),
    "a word for momentum": (lambda: BatchNorm(momentum="0.1"), "momentum must lie between 0 and 1, received '0.1'"),
    "an array for a name": (lambda: FFL(neurons=2, activation=np.ones(2)), "FFL: unknown activation array([1., 1.])"),
    "an initializer of nothing": (lambda: FFL(neurons=2, initializer=lambda: 1), "must be a function of (shape, rng)"),
    "masked in a data set": (lambda: tg.data.Dataset(MASKED), "array has masked values, first at sample 1"),
    "masked in batches": (lambda: tg.data.batches(MASKED), "fill them in with array.filled(value)"),
    "masked when read": (lambda: next(iter(tg.data.batches(Gaps(), shuffle=False))), "Gaps: data has masked values"),
    "a word for a switch": (lambda: tg.data.batches(X, drop_last="no"), "drop_last must be True or False, "),
    "a word for a seed": (lambda: tg.data.batches(X, rng="a"), "rng must be None, an int of at least 0, "),
    "masked operand": (lambda: tg.tensor([1.0, 2.0]) * MASKED, "data has masked values, first at sample 1"),
    "masked left operand": (lambda: np.multiply(MASKED, tg.tensor([1.0, 2.0])), "data has masked values, first at"),
    "masked assignment": (lambda: setattr(tg.tensor([1.0, 2.0]), "data", MASKED), "Tensor.data: values has masked"),
    "masked condition": (lambda: tg.where(MASKED > 0, 1.0, 2.0), "where: condition has masked values"),
    "masked classes": (lambda: tg.one_hot(MASKED.astype(int), 3), "one_hot: labels has masked values"),
    "masked targets": (lambda: tg.cross_entropy(np.eye(2), MASKED.astype(int)), "cross_entropy: labels has masked"),
    "masked tensor": (lambda: tg.tensor(np.ma.masked_less(X, 0.1)), "fill them in with data.filled(value)"),
    "records": (lambda: net().fit(np.rec.fromarrays(X.T), Y), "np.stack([X[name] for name in X.dtype.names], axis=-1)"),
    "sparse": (lambda: net().fit(scipy.sparse.csr_matrix(X), Y), "make it dense with X.toarray()"),
    "a data set and labels": (lambda: net().fit(tg.data.Dataset(X, Y), Y), "fit: a Dataset brings its labels with it"),
    "a function for a generator": (lambda: net().fit(pairs), "received function alone; call it, pairs()"),
    "a list of arrays": (lambda: tg.data.Dataset([X, Y]), "give arrays one by one, as in Dataset(x, y)"),
    "generator": (lambda: net().fit((row for row in X), Y), "make one with np.array(list(X))"),
    "complex": (lambda: net().fit(X * 1j, Y), "np.stack([X.real, X.imag], axis=-1)"),
    "ragged": (lambda: net().fit([[1.0, 2.0], [1.0]], [0, 1]), "its samples must have one shape"),
    "column of labels": (lambda: net().fit(X, Y[:, None]), "use Y.reshape(12)"),
    "softmax of one": (lambda: net(neurons=1).fit(X, Y % 2), "give the last layer activation='sigmoid'"),
    "channels first": (lambda: images().predict(np.zeros((2, 1, 28, 28))), "use x.transpose(0, 2, 3, 1)"),
    "no channel": (lambda: images().predict(np.zeros((28, 28))), "use x.reshape(-1, 28, 28, 1)"),
    # -- settings of a training
    "no epochs": (lambda: net().fit(X, Y, epochs=0), "fit: epochs must be an int of at least 1"),
    "an epoch before the first": (lambda: net().fit(X, Y, first_epoch=-1), "first_epoch must be an int of at least 0"),
    "the name of an epoch": (lambda: net().fit(X, Y, first_epoch="2"), "an int of at least 0, received '2'"),
    "half a batch": (lambda: net().fit(X, Y, batch_size=2.5), "batch_size must be an int of at least 1"),
    "percent": (lambda: net().fit(X, Y, val_split=20), "val_split must be at least 0 and below 1"),
    "keras's figure": (lambda: net().fit(X, Y, verbose=0)["val_acc"], "did you mean 'val_accuracy'?"),
    "a number of digits": (lambda: tg.data.mnist(1000), "fewer images are x_train[:1000]"),
    "val_x alone": (lambda: net().fit(X, Y, val_x=X), "give the labels, or batches (x, y)"),
    "misspelt": (lambda: net().fit(X, Y, epoch=3), "did you mean 'epochs'?"),
    "data of 3": (lambda: net().fit(X, Y, validation_data=X), "give the labels, or batches (x, y)"),
    "weights to validate": (lambda: net().fit(X, Y, validation_data=(X, Y, X)), "its samples have no weights"),
    "callback's class": (lambda: net().fit(X, Y, callbacks=[EarlyStopping]), "make an instance, EarlyStopping(...)"),
    "one callback": (lambda: net().fit(X, Y, callbacks=EarlyStopping()), "put it into one"),
    "patience as text": (lambda: EarlyStopping(patience="3"), "must be numbers of at least 0, received '3'"),
    "keep as text": (lambda: callbacks.ModelCheckpoint("x", keep="2"), "keep must be an int of at least 1"),
    "hook that is none": (lambda: callbacks.LambdaCallback(on_epoch_end=3), "must be a function of (epoch, logs)"),
    "hook of one": (lambda: callbacks.LambdaCallback(on_epoch_end=lambda e: 0), "of (epoch, logs); it takes"),
    "shuffle as text": (lambda: net().fit(X, Y, shuffle="no"), "shuffle must be True or False"),
    "figure as attribute": (lambda: net().fit(X, Y, verbose=0).loss, "under their names: history['loss']"),
    "no validation": (lambda: net().fit(X, Y, val_split=0, verbose=0, callbacks=[EarlyStopping()]),
                      "validate with val_split or val_x"),
    "unknown class": (lambda: net().fit(X, Y, class_weight={7: 1.0}), "expected classes from 0 to 2"),
    "one weight": (lambda: net().fit(X, Y, sample_weight=[1.0]), "sample_weight must be 12 finite numbers"),
    "no weight": (lambda: net().fit(X, Y, sample_weight=np.zeros(12)), "the weights of all samples are 0, so nothing"),
    "no class weighs": (lambda: net().fit(X, Y, class_weight=[0, 0, 0]), "give some a positive sample_weight or class"),
    "all ignored": (lambda: net(ignore_index=1).fit(X, Y * 0 + 1), "every label of Y is 1, the ignore_index"),
    "verbose": (lambda: net().fit(X, Y, verbose="loud"), "verbose must be 'auto', 0, 1 or 2"),
    "all frozen": (all_frozen, "set trainable = True on a layer"),
    "augment of one": (lambda: net().fit(X, Y, augment=lambda x: x), "a function of (batch, rng); it takes (x)"),
    # -- compile_model
    "loss of one": (lambda: net(loss=lambda o: o), "must be a function of (outputs, targets); it takes (o)"),
    "broadcasting loss": (lambda: net(None, 1, loss=lambda o, t: o - t.reshape(-1)), "gave a Tensor of shape (2, 2)"),
    "two metrics": (lambda: net(metrics=[lambda o, t: 1.0, lambda o, t: 2.0]), "two figures '<lambda>'; give"),
    "metric's name": (lambda: net(metrics=[Metric.of(lambda o, t: 1.0, "loss")]), "there would be two figures 'loss'"),
    "own accuracy": (lambda: net(metrics=[Metric.of(lambda o, t: 1.0, "accuracy")]), "two figures 'accuracy'"),
    "metric of one": (lambda: net(metrics=[lambda o: 1]), "must be a function of (outputs, targets); it takes (o)"),
    "schedule of two": (lambda: net(lr=lambda epoch, lr: lr), "must be a function of (step); it takes (epoch, lr)"),
    "no layers": (lambda: CNN().compile_model(), "add them first"),
    "loss": (lambda: net(loss="msee"), "did you mean 'mse'?"),
    "loss of logits": (lambda: net(loss="CrossEntropyLoss"), "a last layer with activation='softmax'"),
    "no softmax": (lambda: net(None), "give it activation='softmax'"),
    "bce after softmax": (lambda: net(loss="bce"), "give it activation='sigmoid'"),
    "optimizer": (lambda: net(opt="adma"), "did you mean 'adam'?"),
    "optimizer's class": (lambda: net(opt=Adam), "make one with Adam(model.parameters())"),
    "another's optimizer": (lambda: net(opt=Adam([leaf(1.0)])), "made over model.parameters()"),
    "lr as text": (lambda: net(lr="0.1"), "lr must be a number"),
    "negative lr": (lambda: net(lr=-1), "lr must be a finite number, at least 0"),
    "metric": (lambda: net(metrics=["acuracy"]), "did you mean 'accuracy'?"),
    # -- layers
    "layer's class": (lambda: of(FFL), "make an instance of it"),
    "no input_shape": (lambda: of(FFL(neurons=3)), "give it one, such as input_shape=(28, 28, 1)"),
    "two input_shapes": (lambda: of(FFL(input_shape=4, neurons=3), FFL(input_shape=5)), "leave out input_shape"),
    "image into FFL": (lambda: of(Conv2d(input_shape=(8, 8, 1)), FFL(neurons=3)), "add Flatten() before it"),
    "Conv2d after Flatten": (lambda: of(Flatten(input_shape=(8, 8, 1)), Conv2d()), "put it before Flatten()"),
    "Conv2d(32, 3)": (lambda: of(Conv2d(32, 3)), "for 32 filters write Conv2d(filters=32, kernel_size=3)"),
    "Conv2d(1, 32, 5)": (lambda: of(Conv2d(1, 32, 5)), "for 32 filters write Conv2d(filters=32, kernel_size=5)"),
    "Conv2d(bias=False)": (lambda: Conv2d(bias=False), "whether there are biases is said by isbias=False"),
    "PyTorch's Sequential": (
        lambda: layers.Sequential(layers.Flatten(), layers.FFL()),
        "Sequential: 2 arguments without a name are too many; it takes layers",
    ),
    "nothing to concatenate": (lambda: layers.Concatenate(), "missing 1 required positional argument: 'branches'"),
    "large kernel": (lambda: Conv2d(input_shape=(4, 4, 1), kernel_size=7, padding=None), "use a smaller kernel"),
    "groups": (lambda: Conv2d(filters=3, groups=2), "groups must divide the 3 filters"),
    "activation's function": (lambda: FFL(activation=tg.relu), "activation is given by its name, 'relu'"),
    "list of layers": (lambda: of([FFL(3)]), "add its layers one by one"),
    "model as a layer": (lambda: of(net()), "add its layers one by one"),
    "activation": (lambda: FFL(activation="rellu"), "did you mean 'relu'?"),
    "pooling kind": (lambda: Pool2d(kind="averge"), "did you mean 'average'?"),
    "no neurons": (lambda: FFL(neurons=-1), "neurons must be an int of at least 1"),
    "dropout in percent": (lambda: Dropout(50), "prob is the share that is dropped, 0 <= prob < 1"),
    "in_channels": (lambda: Conv2d(in_channels=3), "the channels are the last of input_shape"),
    "LSTM": (lambda: layers.LSTM, "there are no recurrent layers"),
    "BatchNorm of one": (lambda: BatchNorm()(np.ones((1, 4)), training=True), "use a larger batch"),
    "layers to CNN": (lambda: CNN([FFL(input_shape=3)]), "seed must be an int"),
    "score": (lambda: net().score(X, Y), "evaluate(X, Y)['accuracy']"),
    "misspelt method": (lambda: net().predit(X), "did you mean 'predict'?"),
    "a layer saved": (lambda: tg.save_model(Sequential([FFL()]), "m"), "add it to a CNN"),
    "a layer saved there": (lambda: tg.saving.save_model(Sequential([FFL()]), "m"), "add it to a CNN"),
    "loading a model": (lambda: tg.load_model(net()), "expected a path, received CNN"),
    "compiled when frozen": (compiled_when_frozen, "all layers are frozen; set trainable = True on one of them"),
    "path first": (lambda: tg.save_model("m.tgrad", net()), "the model comes first, then the path"),
    "weights of a layer": (lambda: tg.saving.save_weights(FFL(3), "m"), "save_weights: expected a CNN, received FFL"),
    "train() for its mode": (lambda: net().train(), "missing 1 required positional argument: 'X'; it takes X, Y"),
    "eval()": (lambda: net().eval(), "predict and evaluate know what they do"),
    "initial_epoch": (lambda: net().fit(X, Y, epochs=5, initial_epoch=3), "resume(X, Y, epochs=10) trains until"),
    "nn": (lambda: tg.nn, "'nn' of PyTorch is tensorgrad.layers here"),
    "GroupNorm": (lambda: layers.GroupNorm, "BatchNorm or LayerNorm"),
    "AdaptiveAvgPool2d": (lambda: layers.AdaptiveAvgPool2d, "GlobalPool('average')"),
    "betas": (lambda: Adam([leaf(1.0)], betas=(0.9, 0.99)), "beta1= and beta2= here"),
    "silent callback": (lambda: EarlyStopping(verbose=1), "callbacks print nothing"),
    # -- tensors
    "vector backward": (lambda: (leaf(1.0, 2.0) * 2).backward(), "call .sum() or .mean() first, or pass gradient="),
    "backward twice": (twice_backward, "pass retain_graph=True"),
    "integers": (lambda: tg.tensor(np.arange(3), requires_grad=True), "make it floating, with dtype='float32'"),
    "complex leaf": (lambda: tg.tensor(1j, requires_grad=True), "as two real tensors"),
    "item assignment": (lambda: leaf(1.0).__setitem__(0, 1), "build a new tensor with where()"),
    "in place": (lambda: leaf(1.0).__iadd__(1), "with no_grad(): t += ..."),
    "no hook": (lambda: leaf(1.0).register_hook(3), "the hook must be a function of (gradient), received 3"),
    "hook of none": (lambda: leaf(1.0).register_hook(lambda: 1), "must be a function of (gradient); it takes ()"),
    "seed of text": (lambda: tg.seed("abc"), "expected an int of at least 0, received 'abc'"),
    "truth": (lambda: bool(leaf(1.0, 2.0)), "use .any(), .all() or compare it"),
    "list of tensors": (lambda: tg.tensor([leaf(1.0)]), "join them with stack()"),
    "np.median": (lambda: np.median(leaf(1.0)), "or .numpy() to leave it"),
    "broadcasting": (lambda: leaf(1.0, 2.0) + np.ones(3), "use reshape() or expand_dims() on one of them"),
    "optimizer of arrays": (lambda: Adam([X]), "make it one with tensor()"),
    "constant optimized": (lambda: Adam([Tensor([1.0])]), "set requires_grad=True, or leave it out"),
    "number as loss": (lambda: net().backpropagate(3.0), "the first of the two that apply_loss gives"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_the_message_says_what_to_do(name: str) -> None:
    call, remedy = MISTAKES[name]
    with pytest.raises((TypeError, ValueError, RuntimeError, AttributeError, ImportError, KeyError)) as caught:
        call()
    assert re.sub(r"\s+", " ", str(caught.value)) == str(caught.value), "one line"
    assert remedy in str(caught.value)


def test_there_are_sixty() -> None:
    assert len(MISTAKES) >= 60
