"""The figures that :mod:`tensorgrad.plot` returns. Imported only where one is drawn, as it needs matplotlib."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class Drawing(Figure):
    """A matplotlib Figure that a notebook shows by itself, where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
