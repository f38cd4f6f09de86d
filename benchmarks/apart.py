"""A training with several ranks that goes on for an epoch when it is asked to, so that their start is not timed."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Self

from tensorgrad import CNN
from tensorgrad.callbacks import LambdaCallback
from tensorgrad.tensor import Array


class Apart:
    """Ranks that wait for the next epoch, while the context lasts. `inside` is entered where they are started."""

    def __init__(
        self, model: CNN, x: Array, y: Array, batch: int, processes: int,
        inside: AbstractContextManager[object] | None = None,
    ) -> None:  # fmt: skip
        self.model = model
        self._data = x, y
        self._batch, self._processes, self._inside = batch, processes, inside or nullcontext()
        self._asked, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._ends = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._train, daemon=True)

    def epoch(self) -> None:
        """Train for an epoch."""
        self._asked.release()
        self._done.acquire()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        self._thread.start()
        self.epoch()  # until all processes are there
        return self

    def __exit__(self, *error: object) -> None:
        self._ends = True
        self._asked.release()
        self._thread.join()

    def _train(self) -> None:
        hooks = LambdaCallback(on_epoch_begin=self._wait, on_epoch_end=lambda epoch, logs: self._done.release())
        x, y = self._data
        try:
            with self._inside:
                self.model.train(
                    x, y, epochs=10**9, batch_size=self._batch, val_split=0, verbose=0, callbacks=[hooks],
                    processes=self._processes,
                )  # fmt: skip
        except BaseException as error:
            self._error = error
        self._done.release()

    def _wait(self, epoch: int, logs: object) -> None:
        self._asked.acquire()
        self.model.stop_training = self._ends
