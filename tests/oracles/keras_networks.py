"""Networks of Keras's, small ones of the kinds that people load; images are channels last."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
from keras import layers as L

SHAPE = (16, 16, 3)


def normalized(x: Any, filters: int, size: int, **settings: Any) -> Any:
    """A convolution without a bias, and batch normalization."""
    return L.BatchNormalization()(L.Conv2D(filters, size, padding="same", use_bias=False, **settings)(x))


def lenet(x: Any) -> Any:
    x = L.AveragePooling2D(2)(L.Conv2D(6, 5, padding="same", activation="tanh")(L.Rescaling(1 / 255)(x)))
    x = L.MaxPooling2D(2)(L.Conv2D(8, 3, activation="relu")(x))
    return L.Dense(10, activation="softmax")(L.Flatten()(x))


def vgg(x: Any) -> Any:
    for filters in (8, 12):
        x = L.MaxPooling2D(2)(L.Activation("relu")(normalized(x, filters, 3)))
    return L.Dense(5)(L.Dropout(0.5)(L.Dense(16, activation="relu")(L.Flatten()(x))))


def resnet(x: Any) -> Any:
    x = L.ReLU()(normalized(x, 8, 3))
    for _ in range(2):
        y = L.ReLU()(normalized(x, 4, 1))
        y = normalized(L.ReLU()(normalized(y, 4, 3)), 8, 1)
        x = L.ReLU()(L.Add()([x, y]))
    return L.Dense(5)(L.GlobalAveragePooling2D()(x))


def mobile_v2(x: Any) -> Any:
    x = L.ReLU(max_value=6)(normalized(L.ZeroPadding2D(((0, 1), (0, 1)))(x), 8, 3, strides=2))
    y = L.ReLU(max_value=6)(normalized(x, 16, 1))
    y = L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", use_bias=False)(y))
    x = L.Add()([x, normalized(L.ReLU(max_value=6)(y), 8, 1)])
    return L.Dense(5)(L.GlobalAveragePooling2D()(x))


def gate(x: Any) -> Any:
    """Squeeze and excite."""
    channels = x.shape[-1]
    y = L.GlobalAveragePooling2D(keepdims=True)(x)
    y = L.Conv2D(channels // 2, 1, activation="relu")(y)
    return L.Multiply()([x, L.Conv2D(channels, 1, activation="hard_sigmoid")(y)])


def mobile_v3(x: Any) -> Any:
    x = gate(L.Activation("hard_swish")(normalized(x, 8, 3, strides=2)))
    return L.Dense(5)(L.Activation("hard_swish")(L.Dense(12)(L.GlobalAveragePooling2D()(x))))


def unet(x: Any) -> Any:
    left = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    below = L.Conv2D(8, 3, padding="same", activation="relu")(L.MaxPooling2D(2)(left))
    x = L.Concatenate()([left, L.Conv2DTranspose(4, 2, 2)(below)])
    return L.Conv2D(2, 1)(L.Conv2D(4, 3, padding="same", activation="relu")(x))


def autoencoder(x: Any) -> Any:
    x = L.Conv2D(6, 3, 2, padding="same", activation="relu")(x)
    x = L.Conv2DTranspose(4, 3, 2, padding="same", activation="relu")(x)
    return L.Conv2D(3, 3, padding="same", activation="sigmoid")(L.UpSampling2D(2)(x))


def dense(x: Any) -> Any:
    for _ in range(3):
        y = L.Conv2D(4, 3, padding="same")(L.Activation("relu")(L.BatchNormalization()(x)))
        x = L.Concatenate()([x, y])
    return L.Dense(5)(L.GlobalAveragePooling2D()(x))


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "LeNet": lenet, "VGG": vgg, "ResNet": resnet, "MobileNetV2": mobile_v2, "MobileNetV3": mobile_v3, "U-Net": unet,
    "autoencoder": autoencoder, "DenseNet": dense,
    "squeeze and excite": lambda x: L.Dense(4)(L.Flatten()(gate(L.Conv2D(8, 3)(x)))),
}  # fmt: skip


def network(name: str) -> Any:
    """A network whose running statistics and biases are not those of the start."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    made = keras.Model(inputs, NETWORKS[name](inputs))
    for i, weight in enumerate(made.weights):
        low, high = (0.5, 1.5) if "variance" in weight.path or "gamma" in weight.path else (-0.5, 0.5)
        if len(weight.shape) == 1:
            weight.assign(keras.random.uniform(weight.shape, low, high, seed=i))
    return made
