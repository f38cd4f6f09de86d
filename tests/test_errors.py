"""A table of bad calls: each says where, what was expected, what came, and, where it helps, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import CNN, engine
from tensorgrad.layers import FFL, Conv2d, Dropout, Reshape

t = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
i = tg.tensor(np.arange(6).reshape(2, 3))
im = tg.tensor(np.random.default_rng(0).random((2, 5, 5, 3)))

CALLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: i.sum().backward(), TypeError,
     "backward: the output is of int64, and integers have no gradient"),
    (lambda: tg.tensor([1.0]).backward(), RuntimeError,
     "backward: nothing to differentiate: no input of the output has requires_grad=True, or it was "
     "computed under no_grad()"),
    (lambda: (t * 2).backward(), ValueError,
     "backward: the output has shape (2, 3), and only a single element has a gradient of its own; call "
     ".sum() or .mean() first, or pass gradient="),
    (lambda: (t * 2).backward(np.ones(3)), ValueError,
     "backward: expected a gradient of shape (2, 3), received shape (3,)"),
    (lambda: (t * 2).backward(np.ones((2, 3))), TypeError,
     "backward: expected a gradient of float32, received float64; convert it with .astype()"),
    (lambda: (t * 2).backward(np.ones((2, 3), int)), TypeError,
     "backward: expected a gradient of float32, received int64; convert it with .astype()"),
    (lambda: tg.tensor(np.arange(3), requires_grad=True), TypeError,
     "requires_grad: a tensor of int64 has no gradient; make it floating, with dtype='float32' or "
     ".astype('float32')"),
    (lambda: t.__setitem__(0, 1), TypeError,
     "Tensor: item assignment would change a value that gradients may need; build a new tensor with "
     "where(), concatenate() or pad(), or write to a leaf's .data[...] outside of a graph"),
    (lambda: t.sum(2), IndexError,
     "sum: axis 2 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: t.mean(-3), IndexError,
     "mean: axis -3 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: t.sum((0, -2)), ValueError,
     "sum: axis=(0, -2) names an axis twice; name each axis once"),
    (lambda: t.sum(1.0), TypeError,
     "sum: axis must be an int, or a tuple of ints where several are meant; received 1.0"),
    (lambda: t.sum('a'), TypeError,
     "sum: axis must be an int, or a tuple of ints where several are meant; received 'a'"),
    (lambda: tg.tensor(1.0).sum(0), IndexError,
     "sum: axis 0 is out of range for a tensor of 0 axes; it has no axes"),
    (lambda: t.argmax(5), IndexError,
     "argmax: axis 5 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: t.sort(2), IndexError,
     "sort: axis 2 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: t.softmax(4), IndexError,
     "softmax: axis 4 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: t + np.ones(4), ValueError,
     "add: the shapes (2, 3) and (4,) do not broadcast; counted from the last axis, lengths must be equal "
     "or 1: use reshape() or expand_dims() on one of them"),
    (lambda: np.ones(4) + t, ValueError,
     "add: the shapes (4,) and (2, 3) do not broadcast; counted from the last axis, lengths must be equal "
     "or 1: use reshape() or expand_dims() on one of them"),
    (lambda: tg.maximum(t, np.ones(4)), ValueError,
     "maximum: the shapes (2, 3) and (4,) do not broadcast; counted from the last axis, lengths must be "
     "equal or 1: use reshape() or expand_dims() on one of them"),
    (lambda: tg.where(np.ones(5) > 0, t, 0), ValueError,
     "where: the shapes (5,) and (2, 3) and () do not broadcast; counted from the last axis, lengths must "
     "be equal or 1: use reshape() or expand_dims() on one of them"),
    (lambda: t ** np.ones(2), ValueError,
     "power: the shapes (2, 3) and (2,) do not broadcast; counted from the last axis, lengths must be "
     "equal or 1: use reshape() or expand_dims() on one of them"),
    (lambda: t.broadcast_to((2, 4)), ValueError,
     "broadcast_to: the shape (2, 3) does not become (2, 4); counted from the last axis, lengths must be "
     "equal, or 1 here"),
    (lambda: t.broadcast_to((3,)), ValueError,
     "broadcast_to: the shape (2, 3) does not become (3,); counted from the last axis, lengths must be "
     "equal, or 1 here"),
    (lambda: t.broadcast_to((-1, 3)), ValueError,
     "broadcast_to: the shape (2, 3) does not become (-1, 3); counted from the last axis, lengths must be "
     "equal, or 1 here"),
    (lambda: t @ t, ValueError,
     "matmul: the last axis of x has length 3, but y takes 2 (x.shape=(2, 3), y.shape=(2, 3))"),
    (lambda: t @ 2.0, ValueError,
     "matmul: expected operands of at least one axis, received shapes (2, 3) and ()"),
    (lambda: tg.tensor(np.ones((2, 2, 3))) @ np.ones((3, 3, 2)), ValueError,
     "matmul: the shapes (2, 2, 3) and (3, 3, 2) do not broadcast; counted from the last axis, lengths "
     "must be equal or 1: use reshape() or expand_dims() on one of them"),
    (lambda: tg.affine(t, np.ones((2, 3))), ValueError,
     "affine: expected x of shape (..., inputs) and w of shape (inputs, units); received (2, 3) and (2, 3)"),
    (lambda: tg.affine(2.0, np.ones((2, 3))), ValueError,
     "affine: expected x of shape (..., inputs) and w of shape (inputs, units); received () and (2, 3)"),
    (lambda: tg.affine(t, np.ones((3, 2)), np.ones((2, 1))), ValueError,
     "affine: expected a bias of shape (2,), one per unit; received shape (2, 1)"),
    (lambda: tg.affine(t, np.ones((3, 2)), activation="gauss"), ValueError,
     "affine: unknown activation 'gauss'; known are 'relu', 'sigmoid', 'tanh'"),
    (lambda: t.reshape(4, 2), ValueError,
     "reshape: 6 elements of shape (2, 3) do not fit the shape (4, 2)"),
    (lambda: t.reshape(-1, 4), ValueError,
     "reshape: 6 elements of shape (2, 3) do not fit the shape (-1, 4)"),
    (lambda: t.reshape(-1, -1), ValueError,
     "reshape: 6 elements of shape (2, 3) do not fit the shape (-1, -1)"),
    (lambda: t.reshape(1.5, 4), TypeError,
     "reshape: expected ints, or one tuple of ints; received (1.5, 4)"),
    (lambda: t.reshape('ab'), TypeError,
     "reshape: expected ints, or one tuple of ints; received ('ab',)"),
    (lambda: t.transpose(0), ValueError,
     "transpose: expected each of the 2 axes once, received (0,)"),
    (lambda: t.transpose(0, 0), ValueError,
     "transpose: expected each of the 2 axes once, received (0, 0)"),
    (lambda: t.transpose(0, 2), IndexError,
     "transpose: axis 2 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: t.squeeze(0), ValueError,
     "squeeze: axis 0 of shape (2, 3) is not of length 1"),
    (lambda: t.expand_dims(5), IndexError,
     "expand_dims: axis 5 is out of range for a tensor of 3 axes; expected -3 to 2"),
    (lambda: t.moveaxis((0, 1), 0), ValueError,
     "moveaxis: expected one destination per source, each once; received (0, 1), 0"),
    (lambda: t.swapaxes(0, 3), IndexError,
     "swapaxes: axis 3 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: tg.concatenate([t, np.ones((2, 2, 2))]), ValueError,
     "concatenate: the shapes may differ along axis 0 only; received [(2, 3), (2, 2, 2)]"),
    (lambda: tg.concatenate([]), ValueError,
     "concatenate: expected at least one tensor, received none"),
    (lambda: tg.concatenate([t, np.ones((2, 2))]), ValueError,
     "concatenate: the shapes may differ along axis 0 only; received [(2, 3), (2, 2)]"),
    (lambda: tg.stack([t, np.ones(3)]), ValueError,
     "stack: expected tensors of one shape, received [(2, 3), (3,)]"),
    (lambda: tg.concatenate(t, 5), IndexError,
     "concatenate: axis 5 is out of range for a tensor of 1 axes; expected -1 to 0"),
    (lambda: t.split(2, 1), ValueError,
     "split: axis 1 of length 3 has no 2 equal parts"),
    (lambda: t.split(0), ValueError,
     "split: axis 0 of length 2 has no 0 equal parts"),
    (lambda: tg.pad(t, -1), ValueError,
     "pad: widths must be non-negative ints, one, a pair, or a pair for each of 2 axes; received -1"),
    (lambda: tg.pad(t, 1, 'wrap'), ValueError,
     "pad: unknown mode 'wrap'; known are 'constant', 'edge', 'reflect'"),
    (lambda: tg.pad(t, 4, 'reflect'), ValueError,
     "pad: 'reflect' cannot make (4, 4) elements from axis 0 of length 2"),
    (lambda: tg.pad(t, ((1, 1), (1, 1), (1, 1))), ValueError,
     "pad: widths must be non-negative ints, one, a pair, or a pair for each of 2 axes; received ((1, 1), "
     "(1, 1), (1, 1))"),
    (lambda: t[2], IndexError,
     "getitem: index 2 is out of bounds for axis 0 with size 2 (received shapes (2, 3))"),
    (lambda: t[0, 0, 0], IndexError,
     "getitem: too many indices for array: array is 2-dimensional, but 3 were indexed (received shapes (2,"
     " 3))"),
    (lambda: t[0.5], IndexError,
     "getitem: only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or "
     "boolean arrays are valid indices (received shapes (2, 3))"),
    (lambda: t[np.array([0, 5])], IndexError,
     "getitem: index 5 is out of bounds for axis 0 with size 2 (received shapes (2, 3))"),
    (lambda: t[np.array([0.5])], IndexError,
     "getitem: an index must be of integers or booleans, received float64"),
    (lambda: t[np.array([True])], IndexError,
     "getitem: boolean index did not match indexed array along axis 0; size of axis is 2 but size of "
     "corresponding boolean axis is 1 (received shapes (2, 3))"),
    (lambda: t['a'], IndexError,
     "getitem: only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or "
     "boolean arrays are valid indices (received shapes (2, 3))"),
    (lambda: t.take([7]), IndexError,
     "take: indices must lie in -6 to 5; received 7 to 7"),
    (lambda: t.take([0.5], 0), TypeError,
     "take: expected integers, received float64"),
    (lambda: t.repeat(-1), ValueError,
     "repeat: expected a count, or one for each of 6 slices; received -1"),
    (lambda: t.repeat([1, 2, 3, 4], 1), ValueError,
     "repeat: expected a count, or one for each of 3 slices; received [1, 2, 3, 4]"),
    (lambda: tg.einsum('ij,jk->ik', t, t), ValueError,
     "einsum: index 'j' of 'ij,jk->ik' is 3 and 2 long"),
    (lambda: tg.einsum('ij', t, t), ValueError,
     "einsum: 'ij' names 1 operands, but 2 were given"),
    (lambda: tg.einsum('ij->k', t), ValueError,
     "einsum: the result 'k' of 'ij->k' must name the operands' indices, each once"),
    (lambda: tg.einsum('ijk->i', t), ValueError,
     "einsum: 'ijk' in 'ijk->i' does not fit an operand of 2 axes"),
    (lambda: tg.einsum('ii->i', t), ValueError,
     "einsum: index 'i' is 2 and 3 long in an operand"),
    (lambda: tg.tensordot(t, t, 1), ValueError,
     "tensordot: the paired axes must have equal lengths; received [1] of (2, 3) and [0] of (2, 3)"),
    (lambda: tg.tensordot(t, t, ((0, 1), (0,))), ValueError,
     "tensordot: the paired axes must have equal lengths; received [0, 1] of (2, 3) and [0] of (2, 3)"),
    (lambda: tg.tensordot(t, t, (0,)), ValueError,
     "tensordot: axes must be an int or a pair, the axes of x and those of y; received (0,)"),
    (lambda: tg.tensordot(t, t, 5), IndexError,
     "tensordot: axis -3 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: tg.dot(t, t), ValueError,
     "tensordot: the paired axes must have equal lengths; received [1] of (2, 3) and [0] of (2, 3)"),
    (lambda: tg.tensor(np.zeros((0, 3))).max(), ValueError,
     "max: the shape (0, 3) has 0 elements over axis=None"),
    (lambda: tg.tensor(np.zeros((0, 3))).mean(0), ValueError,
     "mean: the shape (0, 3) has 0 elements over axis=0"),
    (lambda: tg.tensor(np.zeros((0, 3))).argmax(0), ValueError,
     "argmax: the shape (0, 3) has 0 elements over axis=0"),
    (lambda: tg.tensor([1.0]).var(ddof=1), ValueError,
     "var: the shape (1,) has 1 elements over axis=None, and ddof=1 asks for more"),
    (lambda: t.argmax((0, 1)), TypeError,
     "argmax: axis must be an int, or a tuple of ints where several are meant; received (0, 1)"),
    (lambda: t.argmin((0,)), TypeError,
     "argmin: axis must be an int, or a tuple of ints where several are meant; received (0,)"),
    (lambda: t.norm("fro"), ValueError,
     "norm: ord must be positive, or inf; received 'fro'"),
    (lambda: t.norm(-1), ValueError,
     "norm: ord must be positive, or inf; received -1"),
    (lambda: t.norm(0), ValueError,
     "norm: ord must be positive, or inf; received 0"),
    (lambda: t.cumsum(2), IndexError,
     "cumsum: axis 2 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: t.item(), ValueError,
     "item: expected a tensor of one element, received shape (2, 3); index it first"),
    (lambda: bool(t), ValueError,
     "bool: a tensor of shape (2, 3) is neither true nor false; use .any(), .all() or compare it"),
    (lambda: len(t.sum()), TypeError,
     "len: a tensor of no axes has no length"),
    (lambda: tg.tensor('a'), TypeError,
     "tensor: expected numbers, received 'a', which makes dtype <U1"),
    (lambda: tg.tensor([{}]), TypeError,
     "tensor: expected numbers, received [{}], which makes dtype object"),
    (lambda: tg.tensor([[1], [1, 2]]), ValueError,
     "tensor: the data is not rectangular: "),
    (lambda: tg.tensor([t, t]), TypeError,
     "tensor: a list of tensors would lose their graphs; join them with stack()"),
    (lambda: tg.tensor([1.0, t.sum()]), TypeError,
     "tensor: a list of tensors would lose their graphs; join them with stack()"),
    (lambda: t * [[1.0, 2.0, 3.0], [4.0, 5.0, t.sum()]], TypeError,
     "tensor: a list of tensors would lose their graphs; join them with stack()"),
    (lambda: tg.tensor(None), TypeError,
     "tensor: expected numbers, received None, which makes dtype object"),
    (lambda: tg.grad(t.sum(), tg.tensor([1.0])), ValueError,
     "grad: input 0 does not require a gradient; make it with requires_grad=True"),
    (lambda: tg.grad(t.sum(), tg.tensor([1.0], requires_grad=True)), ValueError,
     "grad: the output does not depend on input 0 (shape (1,)); pass allow_unused=True to get zeros for it"),
    (lambda: tg.grad(t.sum(), (i,)), ValueError,
     "grad: input 0 does not require a gradient; make it with requires_grad=True"),
    (lambda: tg.grad(3.0, t), TypeError,
     "grad: expected a Tensor to differentiate, received float"),
    (lambda: tg.hessian(lambda x: x * 2, [1.0, 2.0]), ValueError,
     "hessian: expected a function of one output, received outputs of shape (2,)"),
    (lambda: tg.hvp(lambda x: (x * x).sum(), [1.0, 2.0], [1.0]), ValueError,
     "hvp: expected v of the shape of x, (2,); received shape (1,)"),
    (lambda: tg.jvp(lambda x: (x * x).sum(), [1.0, 2.0], [1.0]), ValueError,
     "jvp: expected v of the shape of x, (2,); received shape (1,)"),
    (lambda: tg.jacobian(float, [1.0]), TypeError,
     "jacobian: expected a function from a tensor to a tensor; it returned float"),
    (lambda: tg.tensor([1.0]).register_hook(print), RuntimeError,
     "register_hook: this tensor does not require a gradient, so the hook would never run"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 2, 4))), ValueError,
     "conv2d: the images have 3 channels, but the kernels take 2 (x.shape=(2, 5, 5, 3), w.shape=(3, 3, 2, "
     "4), groups=1); the channels come last"),
    (lambda: tg.conv2d(im, np.ones((9, 9, 3, 4))), ValueError,
     "conv2d: a window of 9 x 9 pixels does not fit 5 x 5 pixels with padding (0, 0); use a smaller kernel"
     " or more padding"),
    (lambda: tg.conv2d(im, np.ones((3, 3))), ValueError,
     "conv2d: expected kernels of shape (KH, KW, C / groups, F), received shape (3, 3)"),
    (lambda: tg.conv2d(t, np.ones((3, 3, 3, 1))), ValueError,
     "conv2d: expected images (N, H, W, C), or one sample (H, W, C); received shape (2, 3)"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 1)), stride=0), ValueError,
     "conv2d: stride must be an int of at least 1, or a pair (rows, columns) of them; received 0"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 1)), groups=2), ValueError,
     "conv2d: groups must be an int that divides the 1 filters, received 2"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 2)), np.ones(3)), ValueError,
     "conv2d: expected a bias of shape (2,), one per filter; received shape (3,)"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 2)), padding='same'), ValueError,
     "conv2d: unknown padding 'same'; known are 'valid', 'keep', None, an int, a pair (rows, columns) "
     "and ((top, bottom), (left, right))"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 2)), padding=-1), ValueError,
     "conv2d: padding must be an int of at least 0, or a pair (rows, columns) of them; received -1"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 2)), padding=((0, 1), 2)), ValueError,
     "conv2d: padding must be ((top, bottom), (left, right)), received ((0, 1), 2)"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 2)), groups=1.0), ValueError,
     "conv2d: groups must be an int that divides the 2 filters, received 1.0"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 2)), activation="Gelu"), ValueError,
     "conv2d: unknown activation 'Gelu'; 'GELU' of PyTorch is gelu here"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 2)), groups=[1]), ValueError,  # was "unhashable type"
     "conv2d: groups must be an int that divides the 2 filters, received [1]"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 2)), groups=0), ValueError,
     "conv2d: groups must be an int that divides the 2 filters, received 0"),
    (lambda: tg.conv2d(im, np.ones((3, 3, 3, 0))), ValueError,
     "conv2d: expected at least one tap, channel and filter; received kernels (3, 3, 3, 0)"),
    (lambda: tg.max_pool2d(im, 7), ValueError,
     "max_pool2d: a window of 7 x 7 pixels does not fit 5 x 5 pixels with padding (0, 0); use a smaller "
     "kernel or more padding"),
    (lambda: tg.max_pool2d(im, 2, padding=2), ValueError,
     "max_pool2d: padding=(2, 2) must be smaller than the window (2, 2), or a window would have no pixel of the image"),
    (lambda: tg.avg_pool2d(im, 0), ValueError,
     "avg_pool2d: kernel_size must be an int of at least 1, or a pair (rows, columns) of them; received 0"),
    (lambda: tg.avg_pool2d(im, (1, 2, 3)), ValueError,
     "avg_pool2d: kernel_size must be an int of at least 1, or a pair (rows, columns) of them; received "
     "(1, 2, 3)"),
    (lambda: tg.upsample2d(im, 0.5), ValueError,
     "upsample2d: kernel_size must be an int of at least 1, or a pair (rows, columns) of them; received "
     "0.5"),
    (lambda: tg.im2col(im, 8), ValueError,
     "im2col: a window of 8 x 8 pixels does not fit 5 x 5 pixels with padding (0, 0); use a smaller kernel"
     " or more padding"),
    (lambda: tg.col2im(np.ones((3, 3)), (1, 5, 5, 1), 3), ValueError,
     "col2im: expected a matrix (N OH OW, KH KW C) = (9, 9), received shape (3, 3)"),
    (lambda: tg.col2im(np.ones((3, 3)), (5, 5), 3), ValueError,
     "col2im: input_shape must be (N, H, W, C) or (H, W, C), received (5, 5)"),
    (lambda: tg.conv_transpose2d(im, np.ones((3, 3, 1, 4))), ValueError,
     "conv_transpose2d: expected kernels of shape (KH, KW, C / groups, F) for images of F channels; "
     "received w.shape=(3, 3, 1, 4), x.shape=(2, 5, 5, 3)"),
    (lambda: tg.conv_transpose2d(im, np.ones((3, 3, 1, 3)), output_padding=1), ValueError,
     "conv_transpose2d: output_padding=(1, 1) must be smaller than the stride or the dilation"),
    (lambda: tg.dropout(t, 1.0), ValueError,
     "dropout: prob is the share that is dropped, 0 <= prob < 1; received 1.0"),
    (lambda: tg.batch_norm(t, training=False), ValueError,
     "batch_norm: without training it needs running_mean and running_var; received none"),
    (lambda: tg.batch_norm(tg.tensor([[1.0, 2.0]])), ValueError,
     "batch_norm: training needs at least two values per channel, received shape (1, 2); use a larger "
     "batch"),
    (lambda: tg.batch_norm(t, running_mean=np.ones(3), running_var=np.ones(2)), ValueError,
     "batch_norm: expected a running_var of shape (3,), one per channel; received shape (2,)"),
    (lambda: tg.batch_norm(t, running_mean=np.ones(2), running_var=np.ones(3), training=False), ValueError,
     "batch_norm: expected a running_mean of shape (3,), one per channel; received shape (2,)"),
    (lambda: tg.batch_norm(t, eps=-1), ValueError,
     "batch_norm: eps must be a finite number of at least 0, received -1"),
    (lambda: tg.layer_norm(t, eps=float("nan")), ValueError,
     "layer_norm: eps must be a finite number of at least 0, received nan"),
    (lambda: tg.batch_norm(t, running_mean=np.ones(3)), ValueError,
     "batch_norm: running_mean and running_var are updated together; pass both, or neither"),
    (lambda: tg.layer_norm(t, np.ones(4)), ValueError,
     "layer_norm: a weight of shape (4,) does not go with an input of shape (2, 3)"),
    (lambda: tg.mse(t, np.ones(3)), ValueError,
     "mse: prediction and target must have the same shape; received (2, 3) and (3,)"),
    (lambda: tg.huber(t, t, 0), ValueError,
     "huber: delta must be positive, received 0"),
    (lambda: tg.bce(t, t), ValueError,
     "bce: expected probabilities between 0 and 1; for logits use bce_with_logits"),
    (lambda: tg.mse(t, t, reduction='avg'), ValueError,
     "mse: unknown reduction 'avg'; known are 'mean', 'sum', 'none'"),
    (lambda: tg.cross_entropy(t, [0, 3]), ValueError,
     "cross_entropy: label 3 is out of range; with 3 classes, expected 0 to 2"),
    (lambda: tg.cross_entropy(t, [0, -1]), ValueError,
     "cross_entropy: label -1 is out of range; with 3 classes, expected 0 to 2"),
    (lambda: tg.cross_entropy(t, [0, 1, 2]), ValueError,
     "cross_entropy: labels of int64 and shape (3,) do not go with logits of shape (2, 3); expected integers of "
     "shape (2,) or a distribution of shape (2, 3)"),
    (lambda: tg.one_hot([0.0, 1.0], 2), TypeError,
     "one_hot: expected integer labels, received float64; use astype(int) if they are whole numbers"),
    (lambda: tg.one_hot([0], "2"), ValueError,
     "one_hot: classes must be an int of at least 1, received '2'"),
    (lambda: tg.one_hot([0], -1), ValueError,
     "one_hot: classes must be an int of at least 1, received -1"),
    (lambda: tg.cross_entropy(t, [0.5, 1.0]), ValueError,
     "cross_entropy: labels of float64 and shape (2,) do not go with logits of shape (2, 3); expected integers of "
     "shape (2,) or a distribution of shape (2, 3)"),
    (lambda: tg.cross_entropy(t, [0, 1], label_smoothing=2), ValueError,
     "cross_entropy: label_smoothing must lie in 0 to 1, received 2"),
    (lambda: tg.cross_entropy(t, [0, 1], class_weights=[1.0]), ValueError,
     "cross_entropy: expected 3 class weights, received shape (1,)"),
    (lambda: tg.cross_entropy(1.0, 0), ValueError,
     "cross_entropy: expected logits of shape (..., classes), received a single number"),
    (lambda: tg.cross_entropy(np.zeros((0, 3)), np.zeros(0, int)), ValueError,
     "mean: the shape (0,) has 0 elements over axis=None"),
    (lambda: setattr(t, 'data', np.ones(3)), ValueError,
     "Tensor.data: expected values of shape (2, 3), received shape (3,); make a new tensor for another "
     "shape"),
    (lambda: t.__iadd__(1), RuntimeError,
     "add: in place, this would replace a leaf that requires a gradient by a result; to update it write "
     "`with no_grad(): t += ...`, to compute with it write `u = t + ...`"),
    (lambda: setattr(t * 2, 'requires_grad', False), RuntimeError,
     "requires_grad: only a leaf can be told not to record; use detach() on a result"),
    (lambda: t.clip(2.0, 1.0), ValueError,
     "clip: low must not be above high, received low=2.0 and high=1.0"),
    (lambda: t.astype(int).sum().backward(), TypeError,
     "backward: the output is of int64, and integers have no gradient"),
    (lambda: t.roll(1, 7), IndexError,
     "roll: axis 7 is out of range for a tensor of 2 axes; expected -2 to 1"),
    (lambda: t.tile(-1), ValueError,
     "tile: expected a count, or a sequence of counts, of at least 0; received -1"),
    (lambda: t.tile(1.5), TypeError,
     "tile: reps must be an int, or a sequence of ints; received 1.5"),
    (lambda: t.astype(str), TypeError,
     "astype: expected a dtype of numbers, received <U0"),
    (lambda: t.flip(3), IndexError,
     "flip: axis 3 is out of range for a tensor of 2 axes; expected -2 to 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), CALLS, ids=[text.split(" ")[0] for _, _, text in CALLS])
def test_bad_calls(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    """The whole text, to its last word; nothing was recorded or changed by the attempt."""
    before = t.array.copy()
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(text)
    assert type(caught.value) is kind
    np.testing.assert_array_equal(t.array, before)
    assert t.grad is None


def walked(rule: Any) -> Callable[[], None]:
    """Backward through a primitive with a rule that is wrong in some way."""

    @tg.primitive
    def mine(x: Any, *, power: int) -> Any:
        return x**power

    if rule is not None:
        mine.rules(rule)
    return lambda: mine(tg.tensor([1.0, 2.0], requires_grad=True), power=2).sum().backward()


WALKS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (walked(None), NotImplementedError, r"mine: its input 0 has no rule; give it one with mine.rules\(...\)"),
    (
        walked(lambda g, y, x, *, power: g[:1]),
        ValueError,
        r"mine: the rule for its input 0 must return a gradient of that input's shape \(2,\), .* received shape \(1,\)",
    ),
    (walked(lambda g, y, x, *, power: 3.0), ValueError, "mine: the rule for its input 0 must return .* received 3.0"),
]


@pytest.mark.parametrize(("call", "kind", "text"), WALKS)
def test_bad_rules(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        call()


def test_rules_that_do_not_fit_are_refused_where_they_are_given() -> None:
    with pytest.raises(TypeError, match=r"mine: the rule for its input 0 must take \(g, y, x, \*, power\)"):
        walked(lambda g, y: g)
    with pytest.raises(TypeError, match=r"mine: the rule for its input 0 must take \(g, y, x, \*, power\)"):
        walked(lambda g, y, x: g)

    @tg.primitive
    def mine(x: Any, y: Any) -> Any:
        return x + y

    with pytest.raises(TypeError, match="mine: it has 2 inputs, but received 1 rules; give one for each input"):
        mine.rules(lambda g, z, x, y: g)


def test_a_failure_inside_of_a_rule_names_the_operation() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        walked(lambda g, y, x, *, power: g / (1 // 0))()
    assert caught.value.__notes__ == ["in the rule of mine for its input 0"]


def test_a_forward_function_must_return_an_array() -> None:
    mine = engine.primitive(lambda x: [x])
    mine.name = "mine"
    with pytest.raises(TypeError, match="mine: expected an array from its forward function, received <class 'list'>"):
        mine(t)


def test_hooks_must_return_a_gradient() -> None:
    for returned, text in ((3, "received int"), (tg.tensor([1.0]), r"of shape \(1,\)"), (i[0], "and int64")):
        x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        x.register_hook(partial(lambda returned, g: returned, returned))
        with pytest.raises(TypeError, match=rf"register_hook: .* shape \(3,\) and float32; .*{text}"):
            x.sum().backward()


def test_a_grad_that_cannot_be_added_to() -> None:
    for grad in (3, np.ones(2), tg.tensor([1.0, 2.0, 3.0]), tg.tensor(np.ones(2))):
        x = tg.tensor([1.0, 2.0], requires_grad=True)
        x.grad = grad  # type: ignore[assignment]
        with pytest.raises(
            TypeError, match=r"backward: the grad of a leaf must be None or a Tensor .*\(2,\) and float32"
        ):
            x.sum().backward()


def test_the_library_has_no_assert() -> None:
    """User input is never checked with assert, which ``python -O`` removes."""
    from pathlib import Path

    folder = Path(tg.__file__).parent
    for path in [*folder.rglob("*.py"), *folder.parent.glob("layers/*.py"), *folder.parent.glob("optim/*.py")]:
        assert not re.search(r"^\s*assert\b", path.read_text(), re.MULTILINE), path


LARGE = {
    "array": np.zeros((60, 4)),
    "list": list(range(5000)),
    "list of arrays": [np.zeros((9, 9))] * 3,
    "text": "a\nb" * 3000,
    "dict": dict.fromkeys(range(2000)),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_value_is_named_in_one_short_line(name: str) -> None:
    """``train(x, y, x_test, y_test)`` has an array for the number of epochs."""
    large: Any = LARGE[name]
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=3, activation="softmax"))
    model.compile_model(loss="cse")
    x, y = np.zeros((6, 4)), np.zeros(6, int)
    calls: list[Callable[[], Any]] = [
        lambda: model.train(x, y, large), lambda: model.train(x, y, batch_size=large), lambda: CNN(large),
        lambda: model.train(x, y, val_split=large), lambda: model.train(x, y, verbose=large), lambda: model.add(large),
        lambda: model.compile_model(lr=large), lambda: model.compile_model(opt=large),
        lambda: model.compile_model(loss=large), lambda: model.compile_model(metrics=[large]),
        lambda: model.compile_model(label_smoothing=large), lambda: Conv2d(filters=large),
        lambda: Conv2d(padding=large),
        lambda: Conv2d(kernel_size=large), lambda: Dropout(large), lambda: FFL(activation=large),
        lambda: Reshape(large), lambda: tg.sum(x, large), lambda: tg.concatenate([x, x], large),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises((TypeError, ValueError, IndexError)) as raised:
            call()
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 420
