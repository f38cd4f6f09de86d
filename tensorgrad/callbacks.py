"""Callbacks, under the name that programs import them by: see :mod:`tensorgrad.training.callbacks`."""

from tensorgrad.training.callbacks import Callback as Callback
from tensorgrad.training.callbacks import CSVLogger as CSVLogger
from tensorgrad.training.callbacks import EarlyStopping as EarlyStopping
from tensorgrad.training.callbacks import LambdaCallback as LambdaCallback
from tensorgrad.training.callbacks import LearningRateScheduler as LearningRateScheduler
from tensorgrad.training.callbacks import ModelCheckpoint as ModelCheckpoint
from tensorgrad.training.callbacks import ProgressLogger as ProgressLogger
from tensorgrad.training.callbacks import ReduceLROnPlateau as ReduceLROnPlateau
from tensorgrad.training.loggers import JSONLLogger as JSONLLogger
from tensorgrad.training.loggers import TensorBoardLogger as TensorBoardLogger
