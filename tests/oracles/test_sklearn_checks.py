"""scikit-learn's own checks of the estimators."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

from tensorgrad.sklearn import CNNClassifier, CNNRegressor

# With mini-batches a sample that counts twice is in one batch, and a sample that is there twice in two.
DECLARED = {
    "check_sample_weight_equivalence_on_dense_data": "mini-batches: a weight of 2 is one step, two samples are two"
}
WHOLE = {"batch_size": None, "shuffle": False, "dtype": "float64"}  # and then there is no such difference


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
@pytest.mark.parametrize(("settings", "declared"), [({}, DECLARED), (WHOLE, {})], ids=["defaults", "full batches"])
def test_scikit_learns_own_checks(
    kind: Any, settings: dict[str, Any], declared: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = check_estimator(kind(**settings), expected_failed_checks=declared, on_fail=None, on_skip=None)
    missed = [row for row in found if row["status"] not in ("passed", "xfail")]
    missed = [row for row in missed if row["check_name"] != "check_array_api_input"]  # run below, with SCIPY_ARRAY_API
    passed = sum(row["status"] == "passed" for row in found)
    with capsys.disabled():
        print(f"\n{kind.__name__}: {passed} of {len(found)} checks passed, {len(declared)} declared")
    assert not missed
    assert {row["check_name"] for row in found if row["status"] == "xfail"} == set(declared)
    assert passed >= 57


def test_the_check_of_the_array_api() -> None:
    program = """
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator
from tensorgrad.sklearn import CNNClassifier, CNNRegressor
for estimator in (CNNClassifier(epochs=2), CNNRegressor(epochs=2)):
    rows = check_estimator(estimator, on_fail=None, on_skip=None)
    print([row["status"] for row in rows if row["check_name"] == "check_array_api_input"])
"""
    environment = {"SCIPY_ARRAY_API": "1", "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split("\n")[:2] == ["['passed']"] * 2


def test_a_search_over_two_processes() -> None:
    images, labels = load_digits(return_X_y=True)
    model = CNNClassifier("conv 4, dense 16", image_shape=(8, 8), epochs=4, random_state=0)
    arguments = {"cv": 2, "refit": False}
    serial, parallel = (GridSearchCV(model, {"lr": [1e-6, 0.01]}, n_jobs=n, **arguments) for n in (None, 2))
    for search in (serial, parallel):
        search.fit(images[:200] / 16, labels[:200])
    assert parallel.best_params_ == {"lr": 0.01}
    assert parallel.cv_results_["mean_test_score"].tolist() == serial.cv_results_["mean_test_score"].tolist()
