"""The package onnx, which the extra of that name installs."""

from __future__ import annotations

from typing import Any

from tensorgrad.checks import without


def package(what: str) -> Any:
    """Return the package onnx, with its helpers; an ImportError that names the extra if it is not there."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
        import onnx.shape_inference
    except ImportError:
        raise without(what, "the package onnx", "onnx") from None
    return onnx
