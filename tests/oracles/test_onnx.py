"""ONNX's own node cases, for the operators that we have: an outside word on values, run in CI.

What is left out is listed below with its reason: operators as a whole, and single cases of those that we have.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tensorgrad import Tensor
from tensorgrad.engine import value
from tests.oracles.onnx_adapter import OPERATORS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # making the cases divides by zero and overflows, on purpose
    from onnx.backend.test.loader import load_model_tests

    ALL = [case for case in load_model_tests(kind="node") if case.model is not None]

AT_LEAST = 700  # so that the suite cannot shrink unseen

# Why: which operators.
LEFT_OUT_OPERATORS: dict[str, str] = {
    "types and bits, strings, sequences: no mathematics": """
        BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Constant ConstantOfShape
        ImageDecoder OptionalGetElement OptionalHasElement RegexFullMatch SequenceInsert SequenceMap Shape
        SplitToSequence StringConcat StringNormalizer StringSplit TfIdfVectorizer
    """,
    "integers in place of floats (quantization)": """
        ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear
    """,
    "control flow is Python's": """
        If Loop Scan
    """,
    "random or generated arrays: NumPy's": """
        Bernoulli BlackmanWindow EyeLike HammingWindow HannWindow MelWeightMatrix Range
    """,
    "sequence models, attention, signals, detection: not of this library": """
        AffineGrid Attention CausalConvWithState DFT DeformConv Det GRU GridSample LRN LSTM LinearAttention
        MaxUnpool NonMaxSuppression RNN ReverseSequence RoiAlign RotaryEmbedding STFT SwiGLU TensorScatter
    """,
    "not among our functions": """
        CenterCropPad CumProd Hardmax IsInf Mod NonZero Scatter ScatterElements ScatterND TopK Unique
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
    "NumPy has no bfloat16": """
        test_celu_bfloat16 test_compress_bfloat16 test_einsum_batch_matmul_bfloat16 test_einsum_sum_bfloat16
        test_einsum_transpose_bfloat16 test_onehot_with_bfloat16_values
    """,
    "the mask comes from ONNX's own random numbers": """
        test_training_dropout_default test_training_dropout_default_mask test_training_dropout
        test_training_dropout_mask
    """,
    "tensors hold numbers": """
        test_equal_string test_equal_string_broadcast
    """,
    "sequences and optional values are no tensors": """
        test_identity_sequence test_identity_opt
    """,
    "our pools do not return where the extreme was": """
        test_maxpool_with_argmax_2d_precomputed_pads test_maxpool_with_argmax_2d_precomputed_strides
    """,
    "a label that is out of range is an error here": """
        test_onehot_out_of_range_indices
    """,
    "the extreme of nothing is an error here, not an infinity": """
        test_reduce_max_empty_set test_reduce_min_empty_set
    """,
    "upsample2d repeats pixels a whole number of times: no interpolation, no other sizes": """
        test_resize_downsample_scales_nearest test_resize_upsample_sizes_nearest
        test_resize_downsample_sizes_nearest test_resize_upsample_scales_linear
        test_resize_upsample_scales_linear_align_corners test_resize_downsample_scales_linear
        test_resize_downsample_scales_linear_align_corners test_resize_upsample_scales_cubic
        test_resize_upsample_scales_cubic_align_corners test_resize_downsample_scales_cubic
        test_resize_downsample_scales_cubic_align_corners test_resize_upsample_sizes_cubic
        test_resize_downsample_sizes_cubic test_resize_upsample_scales_cubic_A_n0p5_exclude_outside
        test_resize_downsample_scales_cubic_A_n0p5_exclude_outside test_resize_upsample_scales_cubic_asymmetric
        test_resize_tf_crop_and_resize test_resize_tf_crop_and_resize_extrapolation_value
        test_resize_downsample_sizes_linear_pytorch_half_pixel
        test_resize_upsample_sizes_nearest_floor_align_corners
        test_resize_upsample_sizes_nearest_round_prefer_ceil_asymmetric
        test_resize_upsample_sizes_nearest_ceil_half_pixel test_resize_downsample_scales_linear_antialias
        test_resize_downsample_sizes_linear_antialias test_resize_downsample_scales_cubic_antialias
        test_resize_downsample_sizes_cubic_antialias test_resize_upsample_sizes_nearest_axes_2_3
        test_resize_upsample_sizes_nearest_axes_3_2 test_resize_tf_crop_and_resize_axes_2_3
        test_resize_tf_crop_and_resize_axes_3_2 test_resize_upsample_sizes_nearest_not_larger
        test_resize_upsample_sizes_nearest_not_smaller test_resize_downsample_sizes_nearest_not_larger
        test_resize_downsample_sizes_nearest_not_smaller test_resize_downsample_scales_linear_half_pixel_symmetric
        test_resize_upsample_scales_linear_half_pixel_symmetric
    """,
}


def names(lists: dict[str, str]) -> list[str]:
    return " ".join(lists.values()).split()


def operator_of(case: Any) -> str | None:
    """The operator of a case of one node; None for a graph of several, and for operators outside of ONNX's core."""
    nodes = case.model.graph.node
    return nodes[0].op_type if len(nodes) == 1 and nodes[0].domain == "" else None


OURS = [case for case in ALL if operator_of(case) in OPERATORS]
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
    assert set(OPERATORS) <= operators
    cases = names(LEFT_OUT_CASES)
    assert len(cases) == len(set(cases))
    assert set(cases) <= {case.name for case in OURS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # infinities and NaN are among the cases' values
def test_node(case: Any) -> None:
    node = case.model.graph.node[0]
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute} | {"outputs": len(node.output)}
    for inputs, outputs in case.data_sets:
        known = {v.name: x for v, x in zip(case.model.graph.input, inputs, strict=True)}
        args = [Tensor(known[name]) if name else None for name in node.input]
        results = OPERATORS[node.op_type](attributes, *args)
        results = results if isinstance(results, tuple) else (results,)
        assert len(results) >= len(outputs)
        for ours, theirs in zip(results, outputs, strict=False):
            array = np.asarray(value(ours))
            assert array.shape == theirs.shape
            np.testing.assert_allclose(array, theirs, rtol=case.rtol, atol=max(case.atol, 1e-6))
