"""The MNIST that comes with the package: its first 10,000 training and first 1,000 test images, with their labels.

The files were made from the four original ones, and can be made again to the byte, by::

    from pathlib import Path
    from tensorgrad.data import read_idx, write_idx

    def embed(original: Path, here: Path) -> None:
        for part, count in (("train", 10_000), ("t10k", 1_000)):
            for kind in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"):
                name = f"{part}-{kind}"
                write_idx(here / name, read_idx(original / name)[:count])
"""
