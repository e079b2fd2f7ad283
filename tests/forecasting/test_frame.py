"""The linear map beside the network: solved, chosen, weighed, kept."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_physrnn import load, save
from sklearn_physrnn.forecasting import DynPMNNForecaster
from sklearn_physrnn.forecasting._frame import (
    Linear,
    apply,
    choose,
    lengths_to_try,
    module_of,
    share_of,
    solved,
)
from sklearn_physrnn.forecasting._ridge import Moments
from sklearn_physrnn.forecasting._sizes import stride_of

SMALL = {"hidden_size": 8, "max_iter": 2, "random_state": 0, "horizon": 6}


def walks(n_times, n_channels=2, seed=0):
    steps = np.random.default_rng(seed).normal(size=(n_times, n_channels))
    return steps.cumsum(axis=0) / 10


@pytest.fixture(scope="module")
def waves():
    """Four hundred hours of a daily wave in noise."""
    t = np.arange(400)
    noise = np.random.default_rng(0).normal(scale=0.1, size=(400, 2))
    values = np.stack((np.sin(t * np.pi / 12), 3 + np.cos(t * np.pi / 12)), 1) + noise
    return pd.DataFrame(values, pd.date_range("2024", periods=400, freq="h"), ["a", "b"])


@pytest.fixture(scope="module")
def fitted(waves):
    return DynPMNNForecaster(**SMALL).fit(waves[:360])


def test_moments_are_those_of_all_windows():
    values = walks(60, 3)
    moments = Moments.of(values, 12, 4)
    windows = np.lib.stride_tricks.sliding_window_view(values, 12, axis=0).reshape(-1, 12)
    np.testing.assert_allclose(moments.products, windows.T @ windows)
    z = windows - windows[:, [7]]
    np.testing.assert_allclose(moments.of_differences().products, z.T @ z, atol=1e-9, rtol=1e-9)
    short = z[:, 3:]
    np.testing.assert_allclose(
        moments.of_differences().shorter(5).products, short.T @ short, atol=1e-9, rtol=1e-9
    )


def test_a_hardly_penalised_map_is_the_one_of_least_squares():
    values = walks(300, 1)
    weight, level = solved(values, Linear(4, 1e-10, level=1.0), 2)
    windows = np.lib.stride_tricks.sliding_window_view(values[:, 0], 6)
    expected = np.linalg.lstsq(windows[:, :4], windows[:, 4:], rcond=None)[0]
    found = apply(windows[None, :, :4], weight, level)[0]
    np.testing.assert_allclose(found, windows[:, :4] @ expected, atol=1e-6)


@pytest.mark.parametrize(
    "linear", [Linear(5, 1e12), Linear(5, 1e12, seasonal=4), Linear(5, 1e12, own=1e12)]
)
def test_a_map_that_may_not_learn_repeats(linear):
    values = walks(100)
    weight, level = solved(values, linear, 6)
    contexts = values[-5:].T[:, None]
    expected = np.repeat(contexts[..., -1:], 6, axis=2)
    if linear.seasonal:
        expected = contexts[..., [1, 2, 3, 4, 1, 2]]
    np.testing.assert_allclose(apply(contexts, weight, level), expected, atol=1e-6)


def test_the_module_does_what_was_solved():
    values = walks(200, 3)
    linear = Linear(8, 0.1, level=0.5, own=1.0)
    module = module_of(values, linear, 4, 0.25, torch.float64)
    weight, level = solved(values, linear, 4)
    x = values[-12:][None]
    forecasts = module(torch.from_numpy(x))
    expected = apply(x[:, -8:].transpose(2, 0, 1), weight, level).transpose(1, 2, 0)
    np.testing.assert_allclose(forecasts.numpy(), expected)
    # Of seven quantiles the distances stay, and the middle one is shared.
    network = torch.randn(1, 4, 3, 7, dtype=torch.float64).sort(3).values
    joined = module.joined(network, torch.from_numpy(x))
    torch.testing.assert_close(joined.diff(dim=3), network.diff(dim=3))
    torch.testing.assert_close(joined[..., 3], 0.25 * network[..., 3] + 0.75 * forecasts)


def test_nothing_is_learned_of_a_random_walk_and_much_of_a_wave(waves):
    options = {"season": 24, "levels": (0.0, 0.5, 1.0), "squared": True}
    walk = choose(walks(400), 320, [24, 48], 12, **options)
    naive = next(row for row in walk.evidence if row["penalty"] > 1000 and not row["seasonal"])
    assert walk.error <= naive["error"] <= 1.05 * walk.error
    z = ((waves - waves.mean()) / waves.std()).to_numpy()
    wave = choose(z, 320, [24, 48], 12, **options)
    assert wave.linear.penalty < 1 <= walk.linear.penalty
    assert wave.error < 0.2
    assert wave.error == next(row["error"] for row in wave.evidence if row["chosen"])


@pytest.mark.parametrize("squared", [True, False])
def test_the_share_is_the_one_of_least_error(squared):
    rng = np.random.default_rng(0)
    network, linear = rng.normal(size=(2, 500, 4, 2))
    for true, found in ((0.7, 0.7), (-1.0, 0.0), (3.0, 1.0)):
        targets = linear + true * (network - linear) + rng.normal(scale=0.01, size=linear.shape)
        targets[::7] = np.nan
        share = share_of(network, linear, targets, 1e6, squared=squared)
        assert share == pytest.approx(found, abs=0.01)
        few = share_of(network, linear, targets, 1.0, squared=squared)
        assert abs(few - 0.5) < abs(share - 0.5)


def test_what_is_tried_is_bounded_by_the_series():
    assert lengths_to_try(48, 10_000) == [48, 96, 192, 384, 720]
    assert lengths_to_try(24, 86) == [24]
    assert stride_of("auto", 1999, 24) == 1
    assert stride_of("auto", 8000, 24) == 5
    assert stride_of(3, 8000, 24) == 3


def test_a_forecaster_tells_what_it_chose(fitted):
    assert fitted.choice_["chosen"].sum() == 1
    assert 0 <= fitted.network_share_ <= 1
    assert set(fitted.validation_errors_) == {"linear", "network", "both"}
    assert fitted.window_length_ >= fitted.choice_.query("chosen").window_length.item()


def test_the_frame_sees_more_than_the_network_and_is_kept(fitted, waves, tmp_path):
    module = fitted.module_
    assert module.core.window_length == 48
    assert module.frame.window_length == fitted.choice_.query("chosen").window_length.item()
    save(fitted, tmp_path / "f.safetensors")
    loaded = load(tmp_path / "f.safetensors")
    for ours, theirs in (
        (fitted.predict(fh=[1, 20]), loaded.predict(fh=[1, 20])),
        (fitted.choice_, loaded.choice_),
        (fitted.predict_interval(fh=[1, 20]), loaded.predict_interval(fh=[1, 20])),
    ):
        pd.testing.assert_frame_equal(ours, theirs)
    assert loaded.validation_errors_ == fitted.validation_errors_
    # An update goes on with the network; the map stays.
    loaded.update(waves[360:])
    torch.testing.assert_close(loaded.module_.frame.weight, module.frame.weight)
    assert not torch.equal(next(loaded.module_.core.parameters()), next(module.core.parameters()))


def test_gaps_are_no_hindrance(waves):
    holes = waves[:300].mask(np.random.default_rng(0).random((300, 2)) < 0.3)
    forecaster = DynPMNNForecaster(**SMALL).fit(holes)
    assert forecaster.choice_ is not None
    assert np.isfinite(forecaster.predict(fh=[1, 12]).to_numpy()).all()


def test_without_it_all_is_as_it_was(waves):
    forecaster = DynPMNNForecaster(**SMALL, linear=True, normalization="last").fit(waves[:200])
    assert forecaster.choice_ is None
    assert forecaster.module_.frame is None
    assert forecaster.network_share_ == 1.0
