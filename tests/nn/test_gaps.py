"""Windows with missing values: what has an effect, and what has none."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_physrnn.nn._forecast import NORMALIZATIONS, LinearMap, WindowForecaster
from sklearn_physrnn.nn._gaps import bridged, held, learn_between, told
from sklearn_physrnn.nn._segments import DynPMNNCore, OscillatorCore, SegmentCore
from sklearn_physrnn.nn.petnn import PETNN
from sklearn_physrnn.training._losses import PerWindow, regression_loss
from sklearn_physrnn.training._windows import Windows

N_STEPS, HORIZON, N_CHANNELS = 9, 4, 2


def observations(share=0.5, n=40):
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(n, N_STEPS, N_CHANNELS)))
    observed = torch.from_numpy(rng.random(x.shape) < share)
    observed[0], observed[1] = False, True
    return x, observed


def core(kind, told):
    sizes = {"n_channels": N_CHANNELS, "window_length": N_STEPS, "horizon": HORIZON, "told": told}
    if kind == "DynPMNN":
        return DynPMNNCore(hidden_size=4, **sizes)
    if kind == "HSSM":
        return OscillatorCore(hidden_size=4, segment_length=2, **sizes)
    return SegmentCore(PETNN(4, 4), 4, segment_length=2, **sizes)


def forecaster(kind, told, normalization="last_standard"):
    torch.manual_seed(0)
    linear = LinearMap(N_STEPS, HORIZON)
    module = WindowForecaster(core(kind, told), normalization=normalization, linear=linear)
    for parameter in module.parameters():  # heads begin at zero
        torch.nn.init.normal_(parameter, std=0.5)
    return module.double().eval()


def test_gaps_are_bridged_as_by_interpolation():
    x, observed = observations()
    found = bridged(x, observed)
    steps = np.arange(N_STEPS)
    for window in range(len(x)):
        for channel in range(N_CHANNELS):
            there = observed[window, :, channel].numpy()
            expected = np.zeros(N_STEPS)
            if there.any():
                known = x[window, :, channel].numpy()[there]
                expected = np.interp(steps, steps[there], known)
            np.testing.assert_allclose(found[window, :, channel], expected, atol=1e-14)
    assert (found[1] == x[1]).all()


def test_a_missing_value_follows_what_other_channels_do_meanwhile():
    rng = np.random.default_rng(0)
    wild = torch.from_numpy(rng.normal(size=(60, N_STEPS, 1)))
    x = torch.cat((wild, 2 * wild + 5, torch.from_numpy(rng.normal(size=wild.shape))), 2)
    everything = torch.ones_like(x, dtype=torch.bool)
    between = learn_between(x, everything)
    assert (between.diagonal() == 0).all()
    np.testing.assert_allclose(between[:2, :2], [[0, 0.5], [2, 0]], rtol=0.03)
    assert between[2].abs().max() < 0.15
    observed = everything.clone()
    observed[:, 4, 1] = False
    alone, among = bridged(x, observed), bridged(x, observed, between)
    assert (alone[observed] == among[observed]).all()
    error, before = ((found - x)[:, 4, 1].square().mean().sqrt() for found in (among, alone))
    assert error < 0.1 * before
    # What is missing in another channel tells nothing.
    observed[:, 4] = False
    np.testing.assert_array_equal(bridged(x, observed, between), bridged(x, observed))


def test_what_channels_say_of_each_other_is_learned_of_what_is_there():
    x, observed = observations()
    module = forecaster("PETNN", True)
    for other in (1e6, torch.nan):
        module.learn_typical(torch.where(observed, x, other), observed)
        torch.testing.assert_close(module.between, learn_between(x, observed))
    assert forecaster("PETNN", False).between is None


def test_the_last_value_is_held_in_a_gap_as_by_filling_forward():
    x, observed = observations()
    expected = np.where(observed, x, np.nan)
    for window, found in zip(expected, held(x, observed), strict=True):
        filled = pd.DataFrame(window).ffill().bfill().fillna(0.0)
        np.testing.assert_array_equal(found, filled)
    assert held(torch.where(observed, x, torch.nan), observed).isfinite().all()


def test_of_each_value_is_told_whether_it_is_missing_and_for_how_long():
    observed = torch.tensor([False, True, False, False, True]).view(1, 5, 1)
    missing, age = told(observed, torch.float64)[0, :, 0].T
    assert missing.tolist() == [1, 0, 1, 1, 0]
    np.testing.assert_allclose(age * 5, [1, 0, 1, 2, 0])


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("kind", ["PETNN", "HSSM", "DynPMNN"])
def test_what_stands_where_nothing_was_observed_has_no_effect(kind, normalization):
    x, observed = observations()
    module = forecaster(kind, True, normalization)
    expected = module(x, observed=observed)
    for other in (1e6, torch.nan, torch.inf):
        changed = torch.where(observed, x, other)
        assert (module(changed, observed=observed) == expected).all()
    assert expected.isfinite().all()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("kind", ["PETNN", "HSSM", "DynPMNN"])
def test_a_window_without_gaps_is_the_same_with_and_without_a_mask(kind, normalization):
    x, _ = observations()
    everything = torch.ones_like(x, dtype=torch.bool)
    for is_told in (False, True):
        module = forecaster(kind, is_told, normalization)
        torch.testing.assert_close(module(x, observed=everything), module(x))


@pytest.mark.parametrize("kind", ["PETNN", "HSSM", "DynPMNN"])
def test_only_a_network_that_is_told_knows_a_bridge_from_values(kind):
    x, observed = observations()
    filled = bridged(x, observed)
    same = forecaster(kind, False, "last")
    torch.testing.assert_close(same(x, observed=observed), same(filled))
    knows = forecaster(kind, True, "last")
    assert ((knows(x, observed=observed) - knows(filled)).abs().amax((1, 2, 3)) > 1e-3)[2:].all()


def test_scale_and_level_are_those_of_the_values_that_are_there():
    x, observed = observations()
    module = forecaster("PETNN", False, "standard")
    window = x[2, observed[2, :, 0], 0]
    _, shift, scale = module._normalize(bridged(x, observed), observed)
    np.testing.assert_allclose(shift[2, 0, 0], window.mean())
    np.testing.assert_allclose(scale[2, 0, 0], window.std(correction=0))
    module.learn_typical(x, observed)
    deviations = [
        row[there].std(correction=0)
        for row, there in zip(x[..., 0], observed[..., 0], strict=True)
        if there.sum() > 1
    ]
    np.testing.assert_allclose(module.typical[0], np.mean(deviations))


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber", "quantile"])
def test_missing_targets_count_for_nothing(name):
    rng = np.random.default_rng(1)
    n_quantiles = 3 if name == "quantile" else 1
    loss = regression_loss(name, (0.1, 0.5, 0.9))
    prediction = torch.from_numpy(rng.normal(size=(5, HORIZON, N_CHANNELS, n_quantiles)))
    target = torch.from_numpy(rng.normal(size=(5, HORIZON, N_CHANNELS)))
    missing = torch.from_numpy(rng.random(target.shape) < 0.4)
    prediction.requires_grad_()
    found = PerWindow(loss, missing=True)(prediction, target.masked_fill(missing, torch.nan))
    for window, value in enumerate(found):
        there = ~missing[window]
        alone = PerWindow(loss)(
            prediction[window][there].view(1, -1, 1, n_quantiles),
            target[window][there].view(1, -1, 1),
        )
        torch.testing.assert_close(value, alone[0] * there.double().mean())
    found.sum().backward()
    assert prediction.grad.isfinite().all()
    assert (prediction.grad[missing] == 0).all()
    assert (prediction.grad[~missing] != 0).any()


def test_a_window_keeps_the_targets_that_are_there():
    values = torch.arange(12.0).view(6, 2)
    observed = torch.tensor([[1, 0], [1, 0], [1, 0], [1, 1], [0, 1], [1, 1]], dtype=torch.bool)
    windows = Windows(values, torch.tensor([0]), 3, 3, observed=observed)
    inputs, (targets, weights) = windows.take(slice(None))
    assert (inputs["observed"] == observed[:3]).all()
    # The second channel has begun too late: nothing in its context tells of its targets.
    expected = torch.tensor([[6.0, torch.nan], [torch.nan, torch.nan], [10.0, torch.nan]])
    torch.testing.assert_close(targets[0], expected, equal_nan=True)
    assert weights is None
