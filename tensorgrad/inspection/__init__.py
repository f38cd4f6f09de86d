"""What a network is and what it learned, as arrays and text; :mod:`tensorgrad.plot` draws it, by the same names."""

from tensorgrad.inspection.answers import Mistakes as Mistakes
from tensorgrad.inspection.answers import confusion_matrix as confusion_matrix
from tensorgrad.inspection.answers import mistakes as mistakes
from tensorgrad.inspection.fields import receptive_fields as receptive_fields
from tensorgrad.inspection.gradients import gradient_ascent as gradient_ascent
from tensorgrad.inspection.gradients import saliency as saliency
from tensorgrad.inspection.maps import feature_maps as feature_maps
from tensorgrad.inspection.statistics import LayerStatistics as LayerStatistics
from tensorgrad.inspection.statistics import Spread as Spread
from tensorgrad.inspection.statistics import statistics as statistics
from tensorgrad.inspection.structure import to_mermaid as to_mermaid
from tensorgrad.inspection.weights import dense_weights as dense_weights
from tensorgrad.inspection.weights import filters as filters
from tensorgrad.layers.receptive_field import Field as Field
