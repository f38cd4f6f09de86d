"""A program as a user writes it, away from the checkout: tests/typed.py lets mypy and pyright check it."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, assert_type

import numpy as np

import tensorgrad as tg
from tensorgrad import CNN, History, Tensor, functional, inspection, losses, ops, saving
from tensorgrad.callbacks import Callback, EarlyStopping
from tensorgrad.data import Augment, batches, standardize
from tensorgrad.layers import FFL, BatchNorm, Conv2d, Dropout, Flatten, Layer, Pool2d, Sequential
from tensorgrad.optim import Adam, Cosine, Optimizer, Setting, WarmUp, clip_grad_norm
from tensorgrad.optim.arguments import share
from tensorgrad.testing import gradcheck

x = tg.tensor([1.0, 2.0], requires_grad=True)
array = np.ones(2, np.float32)
assert_type(tg.sin(x), Tensor)
assert_type(tg.sum(array, axis=0, keepdims=True), Tensor)
assert_type(functional.softmax(x), Tensor)
assert_type(tg.conv2d(np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), padding=1), Tensor)
assert_type(x.sum(0) * 2 + 1, Tensor)
assert_type(array * x, Tensor)
assert_type(array - x, Tensor)
sine: Tensor = np.sin(x)
(np.exp(x) + sine).sum().backward()
assert_type(x.grad, Tensor | None)
assert_type(tg.grad((x * x).sum(), x), tuple[Tensor, ...])
assert_type(tg.mse(x, array), Tensor)
assert_type(1 - x / 2 @ x, Tensor)
assert_type(-(abs(x) ** 2), Tensor)
assert_type(x[0], Tensor)
assert_type(x.maximum(0).mean().reshape(1, 1).T, Tensor)
assert_type([row.item() for row in x], list[Any])
assert_type(x.split(2), list[Tensor])
assert_type(x.numpy().shape, tuple[Any, ...])
assert_type(tg.concatenate([x, x]), Tensor)
assert_type(losses.cross_entropy(x.reshape(1, 2), [1]), Tensor)
assert_type(ops.exp(x), Tensor)
assert_type(tg.jacobian(lambda t: t * t, x), Tensor)
assert_type(tg.hvp(lambda t: (t**3).sum(), x, [1.0, 0.0]), Tensor)
with tg.no_grad(), tg.override_rule(ops.relu, 0, lambda g, _y, _x: g):
    assert_type(tg.relu(x), Tensor)


@tg.primitive
def cube(x: Any) -> Any:
    """x^3"""
    return x**3


cube.rules(lambda g, _y, x: g * 3 * x**2)
assert_type(cube(x), Tensor)
assert_type(cube(array).mean(), Any)
gradcheck(cube, [1.0, -2.0])


@saving.register
class Double(Layer):
    def forward(self, x: Tensor, training: bool) -> Tensor:
        return 2 * x


class Printer(Callback):
    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        print(epoch, logs["loss"])


class SignDescent(Optimizer):
    name = "sign"
    beta = Setting(share)

    def __init__(self, params: list[Tensor], lr: float = 0.01) -> None:
        super().__init__(params, lr, beta=0.5)

    def update(self, g: Any, slots: Any, scratch: Any, t: int) -> None:
        np.sign(g, out=g)
        g *= self.lr * self.beta


w = tg.tensor([3.0], requires_grad=True)
optimizer = Adam([{"params": [w], "lr": 0.1}], lr=WarmUp(2, then=Cosine(0.1, total=10))(0))
for by in (optimizer, SignDescent([w])):
    by.zero_grad()
    (w * w).sum().backward()
    assert_type(clip_grad_norm([w], 1.0), float)
    by.step()
assert_type(optimizer.lr, float)
assert_type(optimizer.state_dict(), dict[str, Any])

model = CNN(seed=0)
model.add(Conv2d(input_shape=(6, 6, 1), filters=2, activation="relu"))
model.add(Sequential([BatchNorm(), Dropout(0.1), Pool2d()]))
model.add(Double())
model.add(Flatten())
model.add(FFL(neurons=2, activation="softmax"))
model.compile_model(opt="adam", loss="cse")
images, labels = np.zeros((8, 6, 6, 1)), np.arange(8) % 2
for batch_x, batch_y in batches(standardize(images), labels, batch_size=4):
    assert len(batch_x) == len(batch_y)
history = model.train(
    images, labels, epochs=1, val_split=0.5, verbose=0, callbacks=[Printer(), EarlyStopping()], augment=Augment(shift=1)
)
assert_type(history, History)
assert_type(history["loss"], list[float])
assert_type(model.evaluate(images, labels)["loss"], float)
model.summary()
assert_type([parameter.size for parameter in model.parameters()], list[int])
assert_type(inspection.filters(model)["Input Layer"].shape, tuple[Any, ...])
with TemporaryDirectory() as folder:
    model.save_model(Path(folder) / "model.tgrad")
    assert_type(tg.load_model(f"{folder}/model.tgrad"), CNN)
assert_type(model.layers[0].weights, Tensor)
assert_type(model.layers[0].weights.numpy().mean(), Any)
print(history["loss"][0], model.predict(images).argmax(1), model.evaluate(images, labels))
