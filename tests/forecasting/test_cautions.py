"""What a forecaster warns of."""

import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn.forecasting import PETNNForecaster

SMALL = {"hidden_size": 4, "window_length": 8, "horizon": 4, "max_iter": 1, "random_state": 0}


def make_demand(share=0.25, n=200):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"parts": (rng.random(n) < share) * rng.poisson(3, n) * 1.0, "sold": rng.normal(size=n)}
    )


def test_a_constant_history_and_the_intervals_from_it_are_warned_of():
    y = pd.DataFrame({"still": np.full(60, 7.5), "moving": np.sin(np.arange(60.0))})
    with pytest.warns(UserWarning, match=r"y is constant over the 60 .* in the column 'still'"):
        model = PETNNForecaster(**SMALL).fit(y)
    with pytest.warns(UserWarning, match=r"Intervals of width zero, in the column 'still'"):
        interval = model.predict_interval([1, 20])
    np.testing.assert_allclose(interval["still"], 7.5, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"interval": "quantile", "loss": "squared_error"}])
def test_the_median_of_intermittent_demand_is_warned_of(options):
    with pytest.warns(UserWarning, match=r"in the column 'parts'.*set loss='squared_error'"):
        PETNNForecaster(**SMALL, **options).fit(make_demand())


@pytest.mark.parametrize(
    ("y", "options"),
    [
        (make_demand(), {"loss": "squared_error"}),
        (make_demand(), {"loss": "huber"}),
        (make_demand(0.8), {}),
        (make_demand().assign(parts=np.r_[np.zeros(120), np.arange(80.0)]), {}),
    ],
    ids=["mean", "huber", "frequent demand", "a launch"],
)
def test_no_warning_without_cause(y, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        PETNNForecaster(**SMALL, **options).fit(y).predict_interval([1, 2])
