"""ONNX's own node cases, for the operators that the loader has: an outside word on values, run in CI.

What is left out is listed below with its reason: operators as a whole, and single cases of those that we have.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tensorgrad.engine import value
from tensorgrad.onnx.contents import attributes
from tensorgrad.onnx.operators import OPERATORS, Placed
from tensorgrad.onnx.operators.elementwise import DTYPES, NUMBER_BY_NUMBER
from tensorgrad.onnx.operators.trial import TRIALS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # making the cases divides by zero and overflows, on purpose
    from onnx.backend.test.loader import load_model_tests

    ALL = [case for case in load_model_tests(kind="node") if case.model is not None]

AT_LEAST = 870  # so that the suite cannot shrink unseen

# Why: which operators.
LEFT_OUT_OPERATORS: dict[str, str] = {
    "bits, strings, sequences: no mathematics": """
        BitCast BitShift Constant ImageDecoder OptionalGetElement OptionalHasElement RegexFullMatch SequenceInsert
        SequenceMap SplitToSequence StringConcat StringNormalizer StringSplit TfIdfVectorizer
    """,
    "integers in place of floats (quantization)": """
        ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear
    """,
    "control flow is Python's": """
        If Loop Scan
    """,
    "random or generated arrays: NumPy's": """
        Bernoulli BlackmanWindow HammingWindow HannWindow MelWeightMatrix
    """,
    "sequence models, attention as one operator, signals, detection: not of this library": """
        AffineGrid Attention CausalConvWithState DFT DeformConv GRU GridSample LSTM LinearAttention MaxUnpool
        NonMaxSuppression RNN ReverseSequence RoiAlign RotaryEmbedding STFT Scatter SwiGLU TensorScatter Unique
    """,
}

# Why: which cases of the operators that we have.
LEFT_OUT_CASES: dict[str, str] = {
    "images here have two axes of pixels, not three": """
        test_averagepool_3d_default test_averagepool_3d_dilations_small
        test_averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True
        test_averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False
        test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True
        test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False test_col2im_5d
        test_convtranspose_3d test_lppool_3d_default test_maxpool_3d_default test_maxpool_3d_dilations
        test_maxpool_3d_dilations_use_ref_impl test_maxpool_3d_dilations_use_ref_impl_large
    """,
    "the mask comes from ONNX's own random numbers": """
        test_training_dropout_default test_training_dropout_default_mask test_training_dropout
        test_training_dropout_mask
    """,
    "our pools do not return where the extreme was": """
        test_maxpool_with_argmax_2d_precomputed_pads test_maxpool_with_argmax_2d_precomputed_strides
    """,
}


def names(lists: dict[str, str]) -> list[str]:
    return " ".join(lists.values()).split()


def operator_of(case: Any) -> str | None:
    """The operator of a case of one node; None for a graph of several, and for operators outside of ONNX's core."""
    nodes = case.model.graph.node
    return nodes[0].op_type if len(nodes) == 1 and nodes[0].domain == "" else None


def is_numeric(case: Any) -> bool:
    """Whether all inputs and outputs are tensors of numbers that NumPy has: no bfloat16, float8, strings, sequences."""
    graph = case.model.graph
    return all(
        v.type.HasField("tensor_type") and v.type.tensor_type.elem_type in DTYPES for v in (*graph.input, *graph.output)
    )


OURS = [case for case in ALL if operator_of(case) in OPERATORS and is_numeric(case)]
CASES = [case for case in OURS if case.name not in names(LEFT_OUT_CASES)]


def test_the_suite_does_not_shrink(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(
            f"\n{len(CASES)} of ONNX's node cases, {len(OPERATORS)} operators; {len(ALL) - len(CASES)} cases left out"
        )
    assert len(CASES) >= AT_LEAST


def test_what_is_left_out_was_reviewed() -> None:
    """Every operator is either ours or in the list above, once; and no name in the lists is out of date."""
    operators = {name for case in ALL if (name := operator_of(case)) is not None}
    assert sorted(operators - set(OPERATORS)) == sorted(names(LEFT_OUT_OPERATORS))
    assert set(OPERATORS) - operators == {"GlobalLpPool"}  # which has no case
    cases = names(LEFT_OUT_CASES)
    assert len(cases) == len(set(cases))
    assert set(cases) <= {case.name for case in OURS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # infinities and NaN are among the cases' values
def test_node(case: Any) -> None:
    node = case.model.graph.node[0]
    settings = attributes(onnx, node, None, node.op_type)
    for inputs, outputs in case.data_sets:
        known = {v.name: _array(x) for v, x in zip(case.model.graph.input, inputs, strict=True)}
        results = OPERATORS[node.op_type](settings, *[Placed(known[name]) if name else None for name in node.input])
        results = results if isinstance(results, tuple) else (results,)
        assert len(results) >= len(outputs)
        for ours, theirs in zip(results, map(_array, outputs), strict=False):
            array = np.asarray(value(ours.logical))
            assert array.shape == theirs.shape
            np.testing.assert_allclose(array, theirs, rtol=case.rtol, atol=max(case.atol, 1e-6))


def _array(x: Any) -> Any:
    return numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else np.array(x)


def _moved(x: Any, rng: np.random.Generator) -> Placed:
    """The same array with its axes elsewhere, as it may stand in a network."""
    axes = tuple(int(i) for i in rng.permutation(x.ndim))
    return Placed(np.array(x.transpose(axes), order="C"), axes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_node_with_axes_elsewhere(case: Any) -> None:
    """How arrays stand in memory makes no difference."""
    node, rng = case.model.graph.node[0], np.random.default_rng(0)
    settings = attributes(onnx, node, None, node.op_type)
    for inputs, outputs in case.data_sets:
        known = {v.name: _moved(_array(x), rng) for v, x in zip(case.model.graph.input, inputs, strict=True)}
        results = OPERATORS[node.op_type](settings, *[known[name] if name else None for name in node.input])
        results = results if isinstance(results, tuple) else (results,)
        for ours, theirs in zip(results, map(_array, outputs), strict=False):
            array = np.asarray(value(ours.logical))
            assert array.shape == theirs.shape
            np.testing.assert_allclose(array, theirs, rtol=case.rtol, atol=max(case.atol, 1e-6))


TRIED = {name for name in OPERATORS if TRIALS[name] is not OPERATORS[name]}
ATTEMPTED = [case for case in CASES if operator_of(case) in TRIED]


@pytest.mark.parametrize("case", ATTEMPTED, ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_trial(case: Any) -> None:
    """On trial, an operator says the shape and the dtype that it would give, and number by number the values too."""
    node = case.model.graph.node[0]
    settings = attributes(onnx, node, None, node.op_type)
    for inputs, _ in case.data_sets:
        known = {v.name: _array(x) for v, x in zip(case.model.graph.input, inputs, strict=True)}
        image = np.array(known[node.input[0]])
        number = image.ravel()[:1]
        known[node.input[0]] = np.broadcast_to(number, image.shape) if number.size else image
        given = [Placed(known[name]) if name else None for name in node.input]
        found, want = (table[node.op_type](settings, *given) for table in (TRIALS, OPERATORS))
        assert found.shape == want.shape
        assert found.array.dtype == want.array.dtype
        if node.op_type in NUMBER_BY_NUMBER:
            np.testing.assert_array_equal(value(found.logical), value(want.logical))
