"""What a network is and what it learned, as arrays and text; :mod:`tensorgrad.plot` draws it, under the same names."""

from tensorgrad.inspection.answers import Mistakes, confusion_matrix, mistakes
from tensorgrad.inspection.fields import receptive_fields
from tensorgrad.inspection.gradients import gradient_ascent, saliency
from tensorgrad.inspection.maps import feature_maps
from tensorgrad.inspection.statistics import LayerStatistics, Spread, statistics
from tensorgrad.inspection.structure import to_mermaid
from tensorgrad.inspection.weights import dense_weights, filters
from tensorgrad.layers.receptive_field import Field

__all__ = [
    "Field", "LayerStatistics", "Mistakes", "Spread", "confusion_matrix", "dense_weights", "feature_maps", "filters",
    "gradient_ascent", "mistakes", "receptive_fields", "saliency", "statistics", "to_mermaid",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)
