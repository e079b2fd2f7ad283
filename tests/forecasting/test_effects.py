"""What X does at its own step, rare or not."""

import numpy as np
import pandas as pd
import pytest
import torch

import sklearn_physrnn
from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.nn._effects import effects_of

N, KNOWN, HOLIDAYS = 420, 410, [100, 200, 300, 413]


def test_effects_are_found_beside_level_and_season(rng):
    X = rng.normal(size=(300, 2))
    X[:, 1] = 0
    X[[40, 130, 220], 1] = 5.0
    t = np.arange(300)
    season, level = 4 * np.sin(2 * np.pi * t / 7), 0.3 * rng.normal(size=300).cumsum()
    values = np.column_stack((season + level, 50 + level)) + X @ [[0.0, 2.0], [3.0, 0.0]]
    observed = rng.uniform(size=values.shape) > 0.1
    observed[[40, 130, 220]] = True
    found = effects_of(values, X, observed, 7)
    np.testing.assert_allclose(found, [[0.0, 2.0], [3.0, 0.0]], atol=0.25)
    none = effects_of(values, np.ones((300, 1)), observed, 7)
    np.testing.assert_array_equal(none, 0)
    np.testing.assert_array_equal(effects_of(values[:9], X[:9], observed[:9], 7), 0)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    days = pd.date_range("2023-01-01", periods=N, freq="D")
    X = pd.DataFrame({"holiday": np.isin(np.arange(N), HOLIDAYS).astype(float)}, days)
    wave = np.sin(2 * np.pi * np.arange(N) / 7) + 0.2 * rng.normal(size=N)
    y = pd.Series(wave + 6 * X["holiday"], name="sold")
    model = PETNNForecaster(8, window_length=14, horizon=7, max_iter=5, random_state=0)
    return model.fit(y[:KNOWN], X[:KNOWN]), y, X


def test_a_rare_holiday_is_forecast(fitted, tmp_path):
    model, y, X = fitted
    forecast = model.predict(range(1, 8), X[KNOWN:])
    without = model.predict(range(1, 8), 0 * X[KNOWN:])
    assert abs((forecast - without).iloc[3] - 6) < 1.5
    assert np.abs(forecast - y[KNOWN : KNOWN + 7]).max() < 1.5
    assert "effects.weight" in model.module_.state_dict()
    sklearn_physrnn.save(model, tmp_path / "model")
    again = sklearn_physrnn.load(tmp_path / "model")
    assert again.predict(range(1, 8), X[KNOWN:]).equals(forecast)


def test_a_holiday_today_does_not_lift_tomorrow(fitted):
    model, _, _ = fitted
    windows = torch.zeros(1, 14, 1)
    windows[:, -1] = 6 / model._model.scaler.scale[0]
    features = model._model.features.of_history(model._history)
    rows = torch.as_tensor(features[HOLIDAYS[2] - 13 : HOLIDAYS[2] + 8], dtype=torch.float32)
    module = model.module_.eval()
    with torch.no_grad():
        lifted = module(windows, features=rows[None])
        flat = module(torch.zeros(1, 14, 1), features=torch.zeros_like(rows)[None])
    assert (lifted - flat).abs().max() * model._model.scaler.scale[0] < 2
