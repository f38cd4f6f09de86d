"""Event files, read back by tbparse, which reads them with TensorBoard's own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tbparse

from tensorgrad.callbacks import TensorBoardLogger
from tests.test_cnn import LABELS, X
from tests.training.test_loggers import compiled


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # tbparse's own
def test_tensorboard(tmp_path: Path) -> None:
    model = compiled()
    model.train(X, LABELS, epochs=2, verbose=0, callbacks=[TensorBoardLogger(tmp_path)])
    history = model.resume(X, LABELS, 3, verbose=0, callbacks=[TensorBoardLogger(tmp_path)])
    for run, prefix in (("train", ""), ("validation", "val_")):
        found = tbparse.SummaryReader(str(tmp_path / run)).scalars
        for name in ("loss", "accuracy"):
            values = found[found["tag"] == name].sort_values("step")
            assert values["step"].tolist() == [0, 1, 2]
            np.testing.assert_allclose(values["value"], history[prefix + name], rtol=1e-6)
    rates = tbparse.SummaryReader(str(tmp_path / "train")).scalars
    np.testing.assert_allclose(rates[rates["tag"] == "learning_rate"]["value"], 0.01, rtol=1e-6)
