"""Pictures of what a network is and what it learned.

Each function returns a matplotlib Figure. Nothing is shown and nothing is saved unless the caller does so, and pyplot's
global state is left alone. The arrays behind the pictures come from :mod:`tensorgrad.inspection`, by the same names,
without matplotlib.
"""

from tensorgrad.plot.answers import confusion_matrix, mistakes
from tensorgrad.plot.architecture import architecture
from tensorgrad.plot.curves import training_curves
from tensorgrad.plot.gradients import gradient_ascent, saliency
from tensorgrad.plot.maps import feature_maps
from tensorgrad.plot.report import write_report
from tensorgrad.plot.spreads import statistics
from tensorgrad.plot.weights import dense_weights, filters

__all__ = [
    "architecture", "confusion_matrix", "dense_weights", "feature_maps", "filters", "gradient_ascent", "mistakes",
    "saliency", "statistics", "training_curves", "write_report",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)
