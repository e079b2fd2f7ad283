"""The parts that a forecaster is made of, each by itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from sklearn_physrnn.forecasting._calendar import FEATURES, calendar_features, resolve_calendar
from sklearn_physrnn.forecasting._calibration import carry_of
from sklearn_physrnn.forecasting._history import History, continued
from sklearn_physrnn.forecasting._horizon import Carry, accumulate, roll_out
from sklearn_physrnn.forecasting._intervals import QUANTILES, Scores, quantiles_around
from sklearn_physrnn.forecasting._sizes import Sizes, choose_sizes, season, split_in_time
from sklearn_physrnn.preparation.clocks import Clock
from sklearn_physrnn.preparation.times import following, step_of


def make_history(index):
    return History(np.arange(float(len(index)))[:, None], index)


# -- time ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (pd.RangeIndex(5, 15), ["15", "16", "17"]),
        (pd.Index(range(3, 13)), ["13", "14", "15"]),
        (pd.period_range("2000-01", periods=10, freq="M"), ["2000-11", "2000-12", "2001-01"]),
        (pd.period_range("2000-01", periods=10, freq="2M"), ["2001-09", "2001-11", "2002-01"]),
        (
            pd.DatetimeIndex(pd.date_range("2000-01-31", periods=10, freq="ME").to_list()),
            ["2000-11-30", "2000-12-31", "2001-01-31"],
        ),
        (
            pd.date_range("2000-01-07", periods=10, freq="B"),
            ["2000-01-21", "2000-01-24", "2000-01-25"],
        ),
    ],
)
def test_times_that_follow(index, expected):
    ahead = following(index[-1], 3, step_of(index))
    assert [str(t)[:10] for t in ahead] == expected


def test_season_follows_the_distance_of_times():
    def of(freq):
        return season(pd.date_range("2000-01-03", periods=30, freq=freq))

    freqs = ("YS", "QS", "MS", "W", "D", "h", "15min", "min", "s")
    assert [of(freq) for freq in freqs] == [1, 4, 12, 52, 7, 24, 96, 60, 60]
    assert season(pd.period_range("2000-01", periods=30, freq="M")) == 12
    assert season(pd.RangeIndex(30)) == 1


def test_sizes_follow_the_season_and_shrink_with_the_series():
    def of(n, index):
        return choose_sizes(n, index, window_length="auto", horizon="auto", segment_length="auto")

    months, numbers = pd.period_range("2000-01", periods=9, freq="M"), pd.RangeIndex(9)
    assert of(200, months) == Sizes(24, 12, 12)
    assert of(200, numbers) == Sizes(12, 6, 3)
    assert of(20, months) == Sizes(6, 5, 2)
    assert of(2, months) == Sizes(1, 1, 1)


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_validation_comes_after_training_without_common_targets(fraction):
    sizes, lengths = Sizes(5, 3, 1), [40, 23]
    training, validation, boundaries = split_in_time(lengths, sizes, fraction)
    offset = 0
    for length, boundary in zip(lengths, boundaries, strict=True):
        for starts, low, high in ((training, 0, boundary), (validation, boundary, length)):
            own = starts[(starts >= offset) & (starts < offset + length)] - offset
            targets = own[:, None] + sizes.window_length + np.arange(sizes.horizon)
            # All times from the first that can be a target to the last one.
            assert targets.min() == max(low, sizes.window_length)
            assert targets.max() == high - 1
        offset += length


def test_continued_takes_up_what_follows():
    known = make_history(pd.RangeIndex(10))
    new = make_history(pd.RangeIndex(8, 13))
    merged, n_new = continued(known, new, Clock(1), 3)
    assert list(merged.index) == list(range(13))
    assert n_new == 3
    np.testing.assert_array_equal(merged.values[:, 0], [*range(8), *range(5)])


def test_continued_goes_back_with_the_cutoff():
    known = make_history(pd.RangeIndex(10))
    merged, n_new = continued(known, make_history(pd.RangeIndex(4, 6)), Clock(1), 3)
    assert list(merged.index) == list(range(6))
    assert n_new == 0


def test_continued_starts_anew_after_a_gap_if_it_can():
    known = make_history(pd.RangeIndex(10))
    apart = make_history(pd.RangeIndex(20, 24))
    assert continued(known, apart, Clock(1), 4, gaps=False) == (apart, 0)
    with pytest.raises(ValueError, match=r"values that follow those up to 9, or at least 5"):
        continued(known, apart, Clock(1), 5, gaps=False)
    far = make_history(pd.RangeIndex(10**9, 10**9 + 4))  # too far for steps between
    assert continued(known, far, Clock(1), 4) == (far, 0)


def test_continued_counts_times_between_as_missing():
    known = make_history(pd.RangeIndex(10))
    merged, n_new = continued(known, make_history(pd.RangeIndex(12, 14)), Clock(1), 3)
    assert list(merged.index) == list(range(14))
    assert n_new == 4
    np.testing.assert_array_equal(merged.values[8:, 0], [8, 9, np.nan, np.nan, 0, 1])


# -- calendar ------------------------------------------------------------------------


def test_calendar_features_lie_on_circles():
    index = pd.date_range("2023-11-05 07:30", periods=900, freq="7h")
    table = calendar_features(index, FEATURES)
    assert table.shape == (900, 2 * len(FEATURES))
    np.testing.assert_allclose(table[:, ::2] ** 2 + table[:, 1::2] ** 2, 1)


def test_calendar_repeats_with_its_cycle():
    index = pd.period_range("2000-01", periods=36, freq="M")
    table = calendar_features(index, ["month"])
    np.testing.assert_allclose(table[:12], table[12:24], atol=1e-12)
    assert len(np.unique(table[:12].round(6), axis=0)) == 12


def test_auto_calendar_depends_on_the_step():
    def of(freq):
        return resolve_calendar("auto", pd.period_range("2000-01-01", periods=9, freq=freq))

    assert of("Y") == ()
    assert of("Q") == ("quarter",)
    assert of("M") == ("month",)
    assert of("W") == ("week",)
    assert of("D") == ("day_of_week", "day_of_year")
    assert of("h") == ("hour", "day_of_week", "day_of_year")
    assert resolve_calendar("auto", pd.RangeIndex(9)) == ()


# -- rolling out ---------------------------------------------------------------------


def test_roll_out_feeds_forecasts_back_with_features_of_their_times():
    seen = []

    def forecast(context, features):
        seen.append((context[:, 0].tolist(), features[:, 0].tolist()))
        return (context[-1, 0] + np.arange(1.0, 3))[:, None, None]

    context, features = np.array([[1.0], [2.0], [3.0]]), np.arange(7.0)[:, None]
    values = roll_out(forecast, context, features, 3, horizon=2)
    np.testing.assert_array_equal(values[:, 0, 0], [4, 5, 6])
    assert seen == [([1, 2, 3], [0, 1, 2, 3, 4]), ([3, 4, 5], [2, 3, 4, 5, 6])]


def test_errors_of_a_random_walk_accumulate_to_its_own():
    horizon, n_steps = 4, 11
    one = np.sqrt(np.arange(n_steps) % horizon + 1.0)[:, None, None]
    all_of_it = Carry.all_of_it(horizon, 1)
    expected = np.sqrt(np.arange(n_steps) + 1)[:, None, None]
    np.testing.assert_allclose(accumulate(one, all_of_it), expected)
    np.testing.assert_allclose(accumulate(-one, all_of_it), -expected)


def test_errors_of_white_noise_do_not_accumulate():
    offsets = np.ones((11, 2, 3)) * [-1, 0, 2]
    np.testing.assert_array_equal(
        accumulate(offsets, Carry(np.zeros((1, 4, 2)), np.zeros(2))), offsets
    )


def test_errors_of_a_process_that_returns_to_its_mean_accumulate_up_to_its_own():
    horizon, n_steps, phi = 4, 14, 0.8
    steps = np.arange(n_steps) + 1
    own = np.sqrt((1 - phi ** (2 * steps)) / (1 - phi**2))
    offsets = own[np.arange(n_steps) % horizon][:, None, None]
    carry = (phi ** (2 * steps[:horizon]))[None, :, None]
    through = np.array([phi ** (2 * horizon)])
    np.testing.assert_allclose(accumulate(offsets, Carry(carry, through))[:8, 0, 0], own[:8])
    # What the later horizons add is spread evenly over them.
    np.testing.assert_allclose(accumulate(offsets, Carry(carry, through))[:, 0, 0], own, rtol=0.05)


def test_how_errors_go_on_is_read_off_those_of_forecasts_rolled_out():
    """As in a walk, as in noise, and not known where none was wrong; each channel by itself."""
    horizon = 3
    steps = np.arange(1, 4 * horizon + 1)
    errors = np.stack((np.sqrt(steps), np.ones(12), np.zeros(12)), axis=1).reshape(4, 3, 3)
    added = carry_of(errors).at(8 * horizon).reshape(8, horizon, 3)
    for channel, expected in enumerate((np.arange(8.0), np.zeros(8), np.arange(8.0))):
        np.testing.assert_allclose(added[..., channel].mean(axis=1), expected, rtol=1e-6)


# -- intervals -----------------------------------------------------------------------


def make_scores(errors, n_quantiles=1):
    _, horizon, n_channels = errors.shape
    scores = Scores.empty((horizon, n_channels, n_quantiles), 99)
    return replace(scores, errors=errors)


def test_scores_pair_each_value_with_its_earlier_forecasts(rng):
    horizon, n = 3, 8
    values = rng.normal(size=(n, 2))
    forecasts = rng.normal(size=(n, horizon, 2, 1))  # forecasts[t] from t, of t + 1 and so on
    spreads = rng.uniform(1, 2, size=(n, 2))
    scores = Scores.empty((horizon, 2, 1), size=5).opened(forecasts[:1], spreads[:1])
    # In one go, or one by one.
    at_once = scores.observe(values[1:], forecasts[1:], spreads[1:])
    for t in range(1, n):
        scores = scores.observe(values[t : t + 1], forecasts[t : t + 1], spreads[t : t + 1])
    np.testing.assert_array_equal(scores.errors, at_once.errors)
    assert len(scores) == 5
    for row, t in enumerate(range(3, 8)):
        for step in range(horizon):
            made = t - step - 1
            expected = (values[t] - forecasts[made, step, :, 0]) / spreads[made]
            np.testing.assert_allclose(scores.errors[row, step], expected)
    assert np.isnan(
        scores.interrupted().observe(values[:1], forecasts[:1], spreads[:1]).errors[-1]
    ).all()


def test_half_widths_are_conformal_ranks():
    errors = np.arange(1.0, 20)[:, None, None]  # 19 of them
    scores = make_scores(errors)
    widths = scores.half_widths(np.array([0.5, 0.8, 0.95]))[:, 0, 0]
    np.testing.assert_array_equal(widths, [10, 16, 19])
    # 19 errors say nothing of 99 %: as a normal distribution has it.
    beyond = scores.half_widths(np.array([0.99]))[0, 0, 0]
    assert beyond == pytest.approx(2.5758 * np.sqrt(np.mean(errors**2)), rel=1e-4)


def test_half_widths_leave_missing_forecasts_out():
    errors = np.array([np.nan, np.nan, 1, 2, 3])[:, None, None]
    assert make_scores(errors).half_widths(np.array([0.5]))[0, 0, 0] == 2


def test_quantiles_around_points_scale_with_the_window(rng):
    scores = make_scores(np.abs(rng.normal(size=(50, 2, 1))))
    point, alphas = np.zeros((5, 1, 1)), np.array([0.1, 0.5, 0.9])
    narrow = quantiles_around(point, np.array([1.0]), scores, alphas)
    wide = quantiles_around(point, np.array([3.0]), scores, alphas)
    np.testing.assert_allclose(wide, 3 * narrow)
    np.testing.assert_array_equal(narrow[:, 0, 1], 0)
    np.testing.assert_allclose(narrow[:, 0, 0], -narrow[:, 0, 2])


def test_learned_quantiles_without_errors_pass_through_the_learned_ones(rng):
    values = np.sort(rng.normal(size=(6, 2, len(QUANTILES))), axis=2)
    scores, spread = Scores.empty((6, 2, len(QUANTILES)), 9), np.ones(2)
    read = quantiles_around(values, spread, scores, np.array(QUANTILES))
    np.testing.assert_allclose(read, values, atol=0.01)
    alphas = np.array([0.001, 0.025, 0.3, 0.4, 0.99])
    more = quantiles_around(values, spread, scores, alphas)
    assert (np.diff(more, axis=2) > 0).all()
    np.testing.assert_allclose(more[..., 1], values[..., 0], atol=0.01)


def test_learned_quantiles_are_read_where_past_values_lay(rng):
    """Quantiles learned three times too narrow cover as they should."""
    levels = ndtri(np.array(QUANTILES))
    values = rng.normal(size=(4001, 1))
    learned = np.broadcast_to(levels / 3, (4001, 1, 1, len(QUANTILES)))
    spreads = np.ones((4001, 1))
    scores = Scores.empty((1, 1, len(QUANTILES)), 4000)
    scores = scores.opened(learned[:1], spreads[:1])
    scores = scores.observe(values[1:], learned[1:], spreads[1:])
    alphas = np.array([0.05, 0.3, 0.5, 0.9])
    read = quantiles_around(learned[0], spreads[0], scores, alphas)
    np.testing.assert_allclose(read[0, 0], ndtri(alphas), atol=0.06)


@pytest.mark.parametrize("start", ["2024-01-01", "2024-08-01"])
def test_days_of_a_time_zone_have_weeks_whenever_clocks_change(start):
    index = pd.date_range(start, periods=150, freq="D", tz="Europe/Berlin")
    assert season(index) == 7
    assert resolve_calendar("auto", index) == ("day_of_week", "day_of_year")
    assert season(pd.date_range(start, periods=150 * 24, freq="h", tz="Europe/Berlin")) == 24
