"""Callbacks: what to do at the turns of a training run, a file for each."""

from tensorgrad.training.callbacks.callback import Callback, LambdaCallback, Logs
from tensorgrad.training.callbacks.checkpoint import ModelCheckpoint
from tensorgrad.training.callbacks.csv_logger import CSVLogger
from tensorgrad.training.callbacks.loggers import JSONLLogger, TensorBoardLogger
from tensorgrad.training.callbacks.progress import ProgressLogger
from tensorgrad.training.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau
from tensorgrad.training.callbacks.waiting import EarlyStopping

__all__ = [
    "CSVLogger", "Callback", "EarlyStopping", "JSONLLogger", "LambdaCallback", "LearningRateScheduler", "Logs",
    "ModelCheckpoint", "ProgressLogger", "ReduceLROnPlateau", "TensorBoardLogger",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)
