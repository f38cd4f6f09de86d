"""Callbacks: what to do at the turns of a training run, a file for each."""

from tensorgrad.training.callbacks.callback import Callback as Callback
from tensorgrad.training.callbacks.callback import LambdaCallback as LambdaCallback
from tensorgrad.training.callbacks.callback import Logs as Logs
from tensorgrad.training.callbacks.checkpoint import ModelCheckpoint as ModelCheckpoint
from tensorgrad.training.callbacks.csv_logger import CSVLogger as CSVLogger
from tensorgrad.training.callbacks.progress import ProgressLogger as ProgressLogger
from tensorgrad.training.callbacks.rates import LearningRateScheduler as LearningRateScheduler
from tensorgrad.training.callbacks.rates import ReduceLROnPlateau as ReduceLROnPlateau
from tensorgrad.training.callbacks.waiting import EarlyStopping as EarlyStopping
