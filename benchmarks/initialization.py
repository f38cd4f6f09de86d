"""Which accuracy each way to start the weights leads to, beside PyTorch's net with PyTorch's own start.

python -m benchmarks.initialization              the table of docs/initialization.md: half an hour on two cores
python -m benchmarks.initialization --seeds 2    a first look
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from benchmarks import nets
from benchmarks.nets import Net
from benchmarks.training import OurTrainer, TorchTrainer
from tensorgrad.data import mnist, standardize
from tensorgrad.initializers import INITIALIZERS

# The nets, how many digits each is trained on, and for how many epochs: where a good start still shows.
NETS = {net.name: (net, 1000, 8) for net in (*nets.EXPERIMENTS, nets.LENET)}
WAYS = ("default", *(name for name in INITIALIZERS if name != "zeros"))
TESTED = 500


def ours(net: Net, samples: int, epochs: int, way: str, seed: int) -> float:
    """The accuracy on the test images, trained from one start."""
    trainer = OurTrainer(replace(net, initializer=None if way == "default" else way, seed=seed), *net.data(samples))
    trainer.epochs(32, epochs)
    images, labels = mnist().test
    return float((trainer.model.predict(standardize(images[:TESTED])).argmax(1) == labels[:TESTED]).mean())


def theirs(net: Net, samples: int, epochs: int, seed: int) -> float:
    """The same in PyTorch, from PyTorch's start."""
    torch.manual_seed(seed)
    trainer = TorchTrainer(nets.ours(net), *net.data(samples), net.lr, torch.contiguous_format)
    for module in trainer.model:
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.reset_parameters()
    for _ in range(epochs):
        trainer.epoch(32)
    images, labels = mnist().test
    trainer.model.eval()
    with torch.no_grad():
        scores = trainer.model(nets.images_for_torch(standardize(images[:TESTED]), torch.contiguous_format))
    return float((scores.argmax(1).numpy() == labels[:TESTED]).mean())


def cell(accuracies: Sequence[float]) -> str:
    """The mean in percent, and its standard error."""
    error = np.std(accuracies, ddof=1) / np.sqrt(len(accuracies)) if len(accuracies) > 1 else 0.0
    return f"{np.mean(accuracies):.1%} ± {error:.1%}".replace("%", "")


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the arguments, train, print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="how many starts of each kind")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS), metavar="NET")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=WAYS, metavar="WAY")
    args = parser.parse_args(argv)
    print(f"| | {' | '.join(('PyTorch', *args.ways))} |\n|{' --- |' * (len(args.ways) + 2)}", flush=True)
    for name in args.nets:
        net, samples, epochs = NETS[name]
        cells = [cell([theirs(net, samples, epochs, seed) for seed in range(args.seeds)])]
        cells += [cell([ours(net, samples, epochs, way, seed) for seed in range(args.seeds)]) for way in args.ways]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
