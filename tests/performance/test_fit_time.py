"""A default fit on California Housing against scikit-learn's MLPRegressor.

Not part of the default suite; run ``pytest tests/performance/test_fit_time.py``. The data
come from scikit-learn's data folder (``SCIKIT_LEARN_DATA``) or are fetched into it.
"""

import time
import warnings
from statistics import median

import pytest
from sklearn.datasets import fetch_california_housing
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNRegressor

SEEDS = range(5)


@pytest.fixture(scope="module")
def california():
    try:
        return fetch_california_housing(return_X_y=True)
    except OSError as error:
        pytest.skip(f"California Housing is not to be had: {error}")


def test_at_most_one_and_a_half_times_an_mlp(california, capsys):
    def mlp(seed):
        network = MLPRegressor(
            hidden_layer_sizes=(128, 128), early_stopping=True, random_state=seed
        )
        return make_pipeline(StandardScaler(), network)

    DynPMNNRegressor(max_iter=1).fit(*california)  # warm: compiled, imported
    ours, theirs = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in SEEDS:
            for model, spent in ((DynPMNNRegressor(random_state=seed), ours), (mlp(seed), theirs)):
                start = time.perf_counter()
                model.fit(*california)
                spent.append(time.perf_counter() - start)
    with capsys.disabled():
        print(
            f"\nfit, medians of {len(SEEDS)} seeds: DynPMNNRegressor {median(ours):.1f} s, "
            f"MLPRegressor {median(theirs):.1f} s, {median(ours) / median(theirs):.2f} times"
        )
    assert median(ours) <= 1.5 * median(theirs)
