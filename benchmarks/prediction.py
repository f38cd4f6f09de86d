"""Prediction: ``CNN.predict``, and a predictor for one image, against the module in inference mode."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks import nets
from benchmarks.case import Case, Group, agree
from benchmarks.nets import LAYOUTS, Net
from benchmarks.timing import Function


def case(net: Net, batch: int, prepared: bool = False) -> Case:
    """A network, and how many images it sees at once; by ``predict``, or by a predictor that was prepared for it."""
    images, _ = net.data(batch)
    x = images[0] if batch == 1 else images
    model = nets.ours(net)
    ours = model.predictor(batch) if prepared else model.predict

    def predictor(layout: torch.memory_format) -> Function:
        module, tensor = nets.theirs(model, layout).eval(), nets.images_for_torch(images, layout)

        @torch.inference_mode()
        def predict() -> torch.Tensor:
            return torch.softmax(module(tensor), dim=1)

        return predict

    theirs = [predictor(layout) for layout in LAYOUTS]
    name = f"{net.name}, " + ("one image" if batch == 1 else f"{batch} images") + ", prepared" * prepared

    def check() -> None:
        for predict in theirs:
            agree(name, ours(x), predict())  # type: ignore[arg-type]

    return Case(name, lambda: ours(x), theirs, check)


def cases(quick: bool) -> Iterator[Case]:
    """Two experiments and LeNet-5; one image of others, prepared."""
    for batch in (1, 256):
        for net in (nets.EXPERIMENTS[1], nets.EXPERIMENTS[3], nets.LENET):
            yield case(net, batch)
            if batch == 1:
                yield case(net, batch, prepared=True)
    if not quick:
        for net in (nets.VGG, nets.DEPTHWISE, *nets.MODERN, nets.GREY):
            yield case(net, 1, prepared=True)


GROUP = Group("Prediction", cases)
