"""Training: whole epochs of ``CNN.train`` against the usual PyTorch loop over the same arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from benchmarks import nets
from benchmarks.apart import Apart
from benchmarks.case import Case, Group, agree
from benchmarks.nets import LAYOUTS, Array, Net
from tensorgrad import CNN
from tensorgrad.losses import one_hot

PROCESSES = 2


class OurTrainer:
    """A model of ours with its data, in memory."""

    def __init__(self, net: Net, x: Array, labels: Array) -> None:
        self.model = nets.ours(net)
        self.x, self.y = x, one_hot(labels, 10)

    def epochs(self, batch: int, count: int = 1, shuffle: bool = True) -> list[float]:
        """Train; the losses of the epochs."""
        history = self.model.train(
            self.x, self.y, epochs=count, batch_size=batch, shuffle=shuffle, val_split=0, verbose=0
        )
        return history["loss"]


class TorchTrainer:
    """The same in PyTorch: tensors in memory, an index per batch, loss and accuracy as ours counts them."""

    def __init__(self, model: CNN, x: Array, labels: Array, lr: float, layout: torch.memory_format) -> None:
        self.model = nets.theirs(model, layout)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)
        self.x, self.y = nets.images_for_torch(x, layout), torch.from_numpy(labels)
        self.layout = layout
        self.criterion = nn.CrossEntropyLoss()

    def epoch(self, batch: int, shuffle: bool = True, samples: int | None = None) -> float:
        """Train for an epoch; its loss."""
        count = samples or len(self.x)
        self.model.train()
        order = torch.randperm(len(self.x)) if shuffle else torch.arange(len(self.x))
        total = hits = 0.0
        for start in range(0, count, batch):
            index = order[start : start + batch]
            images, labels = self.x[index].contiguous(memory_format=self.layout), self.y[index]
            scores = self.model(images)
            loss = self.criterion(scores, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels)
            hits += (scores.argmax(1) == labels).sum().item()
        return total / count


def case(net: Net, batch: int, count: int, name: str | None = None) -> Case:
    """An epoch over so many samples."""
    x, labels = net.data(count)
    ours = OurTrainer(net, x, labels)
    theirs = [TorchTrainer(ours.model, x, labels, net.lr, layout) for layout in LAYOUTS]

    def check() -> None:
        fixed, few, some = net.without_dropout(), x[:batch], labels[:batch]
        a = OurTrainer(fixed, few, some)
        others = [TorchTrainer(a.model, few, some, net.lr, layout) for layout in LAYOUTS]
        losses = a.epochs(batch, 2, shuffle=False)  # before the first step, and after it
        for other in others:
            agree(f"{net.name}, batch {batch}", losses, [other.epoch(batch, shuffle=False) for _ in range(2)])

    return Case(
        name or f"{net.name}, batch {batch}",
        lambda: ours.epochs(batch),
        [lambda t=t: t.epoch(batch) for t in theirs],  # type: ignore[misc]
        check,
        trials=[lambda t=t: t.epoch(batch, samples=min(4 * batch, count)) for t in theirs],  # type: ignore[misc]
    )


def cases(quick: bool) -> Iterator[Case]:
    """The four experiments and others, at small and large batches."""
    listed = [(net, batch) for batch in (32, 256) for net in nets.EXPERIMENTS]
    listed += [(nets.LENET, 32), (nets.VGG, 32)]
    listed += [] if quick else [(nets.LENET, 256), (nets.VGG, 128)]
    listed += [(net, 32) for net in (nets.STRIDED, nets.POINTWISE, nets.DEPTHWISE, *nets.MODERN, nets.GREY)]
    for net, batch in listed:
        few = batch * (2 if net is nets.VGG or batch > 32 else 8)
        count = min(net.samples, few) if quick else net.samples
        threads = case(net, batch, count)
        yield threads
        x, labels = net.data(count)
        with Apart(nets.ours(net), x, one_hot(labels, 10), batch, PROCESSES) as ours:
            yield replace(threads, ours=ours.epoch, threads=(PROCESSES,), processes=PROCESSES)


GROUP = Group("Training: an epoch", cases)
