"""Pictures of what a network is and what it learned.

Each function returns a matplotlib Figure. Nothing is shown and nothing is saved unless the caller does so, and pyplot's
global state is left alone. The arrays behind the pictures come from :mod:`tensorgrad.inspection`, by the same names,
without matplotlib.
"""

from tensorgrad.plot.answers import confusion_matrix as confusion_matrix
from tensorgrad.plot.answers import mistakes as mistakes
from tensorgrad.plot.architecture import architecture as architecture
from tensorgrad.plot.curves import training_curves as training_curves
from tensorgrad.plot.gradients import gradient_ascent as gradient_ascent
from tensorgrad.plot.gradients import saliency as saliency
from tensorgrad.plot.maps import feature_maps as feature_maps
from tensorgrad.plot.report import write_report as write_report
from tensorgrad.plot.spreads import statistics as statistics
from tensorgrad.plot.weights import dense_weights as dense_weights
from tensorgrad.plot.weights import filters as filters
