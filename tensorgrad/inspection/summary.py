"""The table of a model's layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from tensorgrad.engine import value
from tensorgrad.inspection.fields import receptive_fields
from tensorgrad.inspection.tracing import top_layers
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import Shape
from tensorgrad.network import Network


@dataclass(frozen=True)
class Row:
    """A layer's row in the table.

    Attributes
    ----------
    name : str
        Of a layer inside of another: its type.
    depth : int
        0 for a layer of the model, 1 for a layer inside of one, and so on.
    input_shape, output_shape : tuple of int, or int
    activation : str or None
    isbias : bool
    parameters : int
        Numbers in its parameters, including those of the layers inside of it.
    macs : int
        Multiply-adds per sample.
    field : (rows, columns), or None
        Its receptive field: the largest part of the image that a pixel of its output sees. None without an image, or
        inside of a layer that gives no rule for it.
    bytes : int
        Size of the parameters.
    buffers, buffer_bytes : int
        Numbers that are kept beside the parameters, such as running means, and their size in bytes.
    frozen, frozen_bytes : int
        Numbers of parameters that are frozen, and their size in bytes.
    trainable : bool
    """

    name: str
    depth: int
    input_shape: Shape | None
    output_shape: Shape | None
    activation: str | None
    isbias: bool
    parameters: int
    macs: int
    field: tuple[int, int] | None
    bytes: int
    buffers: int
    buffer_bytes: int
    frozen: int
    frozen_bytes: int
    trainable: bool

    @property
    def cells(self) -> tuple[str, ...]:
        """The text of each cell."""
        name = self.name if self.trainable else f"{self.name} (frozen)"
        texts = "  " * self.depth + name, *map(str, self.as_tuple()[1:])
        seen = "-" if self.field is None else f"{self.field[0]}x{self.field[1]}"
        return *texts, str(self.macs), seen, str(self.bytes)

    def as_tuple(self) -> tuple[Any, ...]:
        """The tutorial's six columns."""
        return self.name, self.input_shape, self.output_shape, self.activation, self.isbias, self.parameters


COLUMNS = ("Layer Name", "Input", "Output Shape", "Activation", "Bias", "Parameters", "MACs", "Field", "Bytes")


@dataclass(frozen=True)
class Summary:
    """A model's layers as a table: print it, show it in a notebook, or read its rows.

    The columns are the tutorial's six, then the multiply-adds per sample, the receptive field, and the bytes of the
    parameters. The layers inside of a layer follow it, indented; its figures include theirs.

    Attributes
    ----------
    table : tuple of Row
    printed : bool
        Whether it was printed just now, so that a prompt or a notebook need not show it again.
    """

    table: tuple[Row, ...]
    printed: bool = field(default=False, compare=False)

    @property
    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """The tutorial's rows: name, input shape, output shape, activation, whether there are biases, parameters."""
        return tuple(row.as_tuple() for row in self.table if not row.depth)

    @property
    def total(self) -> int:
        """Numbers in the model's parameters, trained or frozen."""
        return self._sum(lambda row: row.parameters)

    @property
    def total_params(self) -> int:
        """Numbers in the model's parameters, trained or frozen."""
        return self.total

    @property
    def buffers(self) -> int:
        """Numbers in the model's buffers, such as running statistics."""
        return self._sum(lambda row: row.buffers)

    @property
    def macs(self) -> int:
        """Multiply-adds per sample."""
        return self._sum(lambda row: row.macs)

    @property
    def bytes(self) -> int:
        """Bytes of the parameters."""
        return self._sum(lambda row: row.bytes)

    def _sum(self, figure: Callable[[Row], int]) -> int:
        return sum(figure(row) for row in self.table if not row.depth)

    @property
    def totals(self) -> tuple[str, ...]:
        """The lines below the table."""
        frozen, frozen_bytes = self._sum(lambda row: row.frozen), self._sum(lambda row: row.frozen_bytes)
        kept_bytes = frozen_bytes + self._sum(lambda row: row.buffer_bytes)
        return (
            f"Total Parameters: {self.total}",
            f"Trained: {self.total - frozen} ({self.bytes - frozen_bytes} bytes), not trained: {self.buffers + frozen} "
            f"({kept_bytes} bytes)",
            f"Multiply-adds (MACs) for one sample: {self.macs}",
        )

    def __str__(self) -> str:
        cells = [COLUMNS, *(row.cells for row in self.table)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join([f"{row[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))])
            for row in cells
        ]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:], rule, *self.totals])

    def __repr__(self) -> str:
        return "" if self.printed else f"Summary({len(self.table)} layers, {self.total} parameters)"

    def _ipython_display_(self) -> None:
        if not self.printed:
            raise NotImplementedError  # a notebook then takes the HTML

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{column}</th>" for column in COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell).replace('  ', '&emsp;')}</td>" for cell in row.cells) + "</tr>"
            for row in self.table
        )
        return f"<table><tr>{head}</tr>{body}</table><p>{'<br>'.join(self.totals)}</p>"


def summarize(model: Network) -> Summary:
    """Make the table of a model's layers, at any depth."""
    fields = {name: field.size for name, field in receptive_fields(model).items()}
    return Summary(tuple(row for name, layer in top_layers(model) for row in _rows(name, name, layer, 0, fields)))


def _rows(path: str, name: str, layer: Layer, depth: int, fields: dict[str, tuple[int, int]]) -> Iterator[Row]:
    """The row of a layer, and those of the layers inside of it."""
    frozen = layer.frozen_parameters()
    both = [*layer.parameters(), *frozen]
    kept = [np.asarray(value(item)) for _, item in layer.named_state()]
    parameters, size = sum(p.size for p in both), sum(p.nbytes for p in both)
    yield Row(
        name=name,
        depth=depth,
        input_shape=layer.input_shape,
        output_shape=layer.output_shape,
        activation=layer.activation,
        isbias=layer.isbias,
        parameters=parameters,
        macs=layer.multiply_adds(),
        field=fields.get(path),
        bytes=size,
        buffers=sum(array.size for array in kept) - parameters,
        buffer_bytes=sum(array.nbytes for array in kept) - size,
        frozen=sum(p.size for p in frozen),
        frozen_bytes=sum(p.nbytes for p in frozen),
        trainable=layer.trainable,
    )
    for part, inner in layer.named_inner_layers():
        yield from _rows(f"{path}.{part}", type(inner).__name__, inner, depth + 1, fields)
