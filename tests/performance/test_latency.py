"""How long one prediction and an import take.

Not part of the default suite; run ``pytest tests/performance/test_latency.py``.
"""

import subprocess
import sys
from statistics import median

import numpy as np
import pytest

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor

pytest.importorskip("pytest_benchmark")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [DynPMNNRegressor, DynPMNNClassifier])
def test_predict_of_one_row_under_a_millisecond(benchmark, kind, dtype):
    X = np.random.default_rng(0).normal(size=(3000, 8))
    y = X[:, 0] > 0
    model = kind(max_iter=1).fit(X, y.astype(float) if kind is DynPMNNRegressor else y)
    row = X[:1].astype(dtype)
    benchmark.pedantic(model.predict, (row,), rounds=300, warmup_rounds=20)
    assert benchmark.stats.stats.median < 1e-3


_IMPORT = """
import time, torch, sklearn.base, sklearn.model_selection, sklearn.metrics
start = time.perf_counter()
import sklearn_physrnn
print(time.perf_counter() - start)
"""


def test_import_adds_at_most_300_ms(capsys):
    runs = [
        subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    seconds = [float(run.stdout) for run in runs]
    with capsys.disabled():
        print(f"\nimport beyond torch and scikit-learn: {1e3 * median(seconds):.0f} ms")
    assert median(seconds) < 0.3
