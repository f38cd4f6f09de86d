"""How fast tensorgrad is, against PyTorch and MyGrad: ``python -m benchmarks``."""
