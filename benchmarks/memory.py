"""Memory at the peak of a training step, beyond that of the idle process: each side in processes of its own."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

import tensorgrad as tg
from benchmarks import nets, training
from benchmarks.case import Group, Row
from benchmarks.nets import Net
from benchmarks.timing import summarize
from benchmarks.timing import threads as limited

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
NETS = {
    "experiment-2": (nets.EXPERIMENTS[1], 256),
    "experiment-4": (nets.EXPERIMENTS[3], 256),
    "lenet": (nets.LENET, 256),
    "vgg": (nets.VGG, 128),
    "batch-norm": (nets.NORMED, 128),
    "resnet": (nets.RESNET, 128),
    "u-net": (nets.UNET, 128),
    "mobilenet": (nets.MOBILENET, 128),
    "grey": (nets.GREY, 256),
}
CONVOLUTIONS = {"8 to 16": (256, 26, 8, 16), "32 to 32": (128, 30, 32, 32)}  # images, size, channels, filters


def rows(quick: bool, threads: Sequence[int]) -> Iterator[Row]:
    """Peaks of ours and PyTorch's, and of ours against what im2col of all images at once would take."""
    if not CLEAR.exists():
        return  # only Linux tells the peak since a given moment
    threads = threads[:1] if quick else threads
    for name, (net, batch) in list(NETS.items())[: 1 if quick else None]:
        for n in threads:
            pairs = [(peak("ours", name, n), peak("torch", name, n)) for _ in range(1 if quick else 2)]
            title = f"{net.name}, batch {batch}: a training step"
            yield Row.of("memory", title, "PyTorch", n, "MB", 1e-6, summarize(pairs))
    for name, (count, size, channels, filters) in list(CONVOLUTIONS.items())[: 1 if quick else None]:
        for n in threads:
            lowered = count * (size - 2) ** 2 * 9 * channels * 4
            title = f"conv2d {count}x{size}x{size}x{channels} to {filters} and its gradients, beyond their results"
            pairs = [(peak("scratch", name, n), lowered)]
            yield Row.of("memory", title, "im2col of the batch", n, "MB", 1e-6, summarize(pairs))

    if not quick:
        one, two = (peak("ranks", "experiment-2", n) for n in (1, 2))
        title = "experiment 2, batch 256, training by two processes: what it adds"
        yield Row.of("memory", title, "twice that of one process", 2, "MB", 1e-6, summarize([(two, 2 * one)]))


def peak(side: str, name: str, n: int) -> float:
    """Bytes, measured in a new process."""
    command = [sys.executable, "-m", "benchmarks.memory", side, name, str(n)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def increase(small: Callable[[], object], large: Callable[[], object]) -> int:
    """By how many bytes ``large`` raises the peak of the process, after ``small`` has warmed up what it uses."""
    small()
    base = _status("VmRSS")
    CLEAR.write_text("5", encoding="ascii")  # forget the peak so far
    for _ in range(3):
        large()
    return _status("VmHWM") - base


def _status(key: str) -> int:
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} has no {key}")


def training_step(side: str, net: Net, batch: int) -> int:
    """The increase by a training step."""
    x, labels = net.data(batch)
    ours, few = training.OurTrainer(net, x, labels), training.OurTrainer(net, x[:2], labels[:2])
    if side == "ours":
        few.model = ours.model
        return increase(lambda: few.epochs(2), lambda: ours.epochs(batch))
    theirs = training.TorchTrainer(ours.model, x, labels, net.lr, nets.LAYOUTS[0])
    return increase(lambda: theirs.epoch(2, samples=2), lambda: theirs.epoch(batch))


def scratch(count: int, size: int, channels: int, filters: int) -> int:
    """The increase by a convolution and both its gradients, without the arrays that they return."""
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((count, size, size, channels), np.float32), requires_grad=True)
    w = tg.tensor(rng.standard_normal((3, 3, channels, filters), np.float32), requires_grad=True)

    def step(images: tg.Tensor) -> None:
        y = tg.conv2d(images, w)  # held, as no rule of the sum reads it
        tg.grad(y.sum(), [images, w])

    few = tg.tensor(x.numpy()[:2], requires_grad=True)
    results = 4 * (x.size + 2 * count * (size - 2) ** 2 * filters)  # gradient of x; result, and its gradient
    return increase(lambda: step(few), lambda: step(x)) - results


def ranks(net: Net, batch: int, processes: int) -> int:
    """By how many bytes training raises what all its processes have together; a page that they share counts once."""
    trainer, done = training.OurTrainer(net, *net.data(16 * batch)), threading.Event()
    before = _memory(os.getpid())
    found = [before]

    def sample() -> None:
        while not done.wait(0.01):
            found.append(sum(map(_memory, (os.getpid(), *(p.pid or 0 for p in multiprocessing.active_children())))))

    sampler = threading.Thread(target=sample)
    sampler.start()
    trainer.model.train(trainer.x, trainer.y, epochs=2, batch_size=batch, val_split=0, verbose=0, processes=processes)
    done.set()
    sampler.join()
    return max(found) - before


def _memory(process: int) -> int:
    """The bytes of a process, of a shared page its part; 0 if the process has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def main() -> None:
    """Measure in this process, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=("ours", "torch", "scratch", "ranks"))
    parser.add_argument("name")
    parser.add_argument("threads", type=int)
    args = parser.parse_args()
    if args.side == "ranks":  # of which there are as many as threads otherwise
        print(ranks(*NETS[args.name], args.threads))
        return
    with limited(args.threads):
        if args.side == "scratch":
            print(scratch(*CONVOLUTIONS[args.name]))
        else:
            print(training_step(args.side, *NETS[args.name]))


GROUP = Group("Memory", rows=rows)

if __name__ == "__main__":
    main()
