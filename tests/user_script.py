"""A program as a user writes it, away from the checkout: tests/typed.py lets mypy and pyright check it."""

from collections.abc import Mapping
from typing import Any, assert_type

import numpy as np

import tensorgrad as tg
from tensorgrad import CNN, Tensor, functional
from tensorgrad.callbacks import Callback, EarlyStopping
from tensorgrad.layers import FFL, Conv2d, Flatten, Layer
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


@tg.primitive
def cube(x: Any) -> Any:
    """x^3"""
    return x**3


cube.rules(lambda g, _y, x: g * 3 * x**2)
assert_type(cube(x), Tensor)
assert_type(cube(array).mean(), Any)
gradcheck(cube, [1.0, -2.0])


class Double(Layer):
    def forward(self, x: Tensor, training: bool) -> Tensor:
        return 2 * x


class Printer(Callback):
    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        print(epoch, logs["loss"])


model = CNN(seed=0)
model.add(Conv2d(input_shape=(6, 6, 1), filters=2, activation="relu"))
model.add(Double())
model.add(Flatten())
model.add(FFL(neurons=2, activation="softmax"))
model.compile_model(opt="adam", loss="cse")
images, labels = np.zeros((8, 6, 6, 1)), np.arange(8) % 2
history = model.train(images, labels, epochs=1, val_split=0.5, verbose=0, callbacks=[Printer(), EarlyStopping()])
assert_type(model.layers[0].weights, Tensor)
assert_type(model.layers[0].weights.numpy().mean(), Any)
print(history["loss"][0], model.predict(images).argmax(1), model.evaluate(images, labels))
