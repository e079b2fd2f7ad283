"""Forecasts from series with gaps: taken as they are, and filled before the same forecaster.

The published protocol of long-horizon forecasting (see ett.py), 96 values to 96, of which a share
is dropped at random, in training and in the windows of the test part; the targets of the test part
are complete. "as it is" gives the forecaster NaN. "interpolated" trains it on the series with
straight lines over the gaps, and puts them into each test window by itself, as what comes after it
is not known. "filled forward" fills the whole series, which looks at nothing that comes later.

Then a gap at the window's end: its last 24 values are missing, and the 96 after them are really 25
to 120 steps ahead. Beside it is a forecaster with a horizon of 120 that forecasts those steps from
the complete window before the gap.
"""

import time

import numpy as np
import pandas as pd
from _report import Report, get, n_parameters, parser, read
from _series import ends_of

from sklearn_physrnn.datasets import load_multivariate_series
from sklearn_physrnn.forecasting import HSSMForecaster, PETNNForecaster

FORECASTERS = {"PETNN": PETNNForecaster, "HSSM": HSSMForecaster}
LENGTH, GAP, SEGMENT = 96, 24, 24
EVERY = 12  # windows of the test part that a gap is put at the end of
TRAINING = {
    "hidden_size": 64,
    "segment_length": SEGMENT,
    "interval": None,  # nothing held out, one training
    "learning_rate_init": 0.003,
    "batch_size": 32,
    "max_iter": 10,
}


def load(name, data_home):
    """Give the values, scaled by the training rows, and the ends of the three parts."""
    table = load_multivariate_series(name, data_home=data_home)
    ends = ends_of(name, table)
    training = table.iloc[: ends[0]]
    scaled = (table.iloc[: ends[-1]] - training.mean()) / training.std(ddof=0)
    return scaled.reset_index(drop=True), ends


def stand_in():
    """Thirty days of daily waves in noise."""
    t = np.arange(24 * 30)[:, None]
    waves = np.sin(2 * np.pi * (t / 24 + np.arange(2) / 7))
    noise = np.random.default_rng(0).normal(scale=0.3, size=waves.shape)
    return pd.DataFrame(waves + noise), [400, 440, 720]


def ways(values, share, seed):
    """Give what each way of treating gaps trains on, and what it is asked about."""
    missing = np.random.default_rng(seed).random(values.shape) < share
    holes = values.mask(missing)
    forward = holes.ffill().bfill()
    return {
        "as it is": (holes, holes),
        "interpolated": (holes.interpolate(limit_direction="both"), holes),
        "filled forward": (forward, forward),
    }


def fit(options, model, training, seed, horizon):
    """Fit a forecaster to the training part; give it, and how long it took."""
    settings = {**TRAINING, "max_iter": 1} if options.quick else TRAINING
    start = time.perf_counter()
    forecaster = FORECASTERS[model](
        window_length=options.length, horizon=horizon, random_state=seed, device=options.device,
        **settings,
    )  # fmt: skip
    return forecaster.fit(training), time.perf_counter() - start


def of_test(values, ends, length):
    """Cut out the test part, with the window before it."""
    return values.iloc[ends[1] - length : ends[2]].reset_index(drop=True)


def errors(forecasts, truth):
    """Mean squared and mean absolute error of forecasts (n_windows, horizon, n_channels)."""
    return float(np.mean((forecasts - truth) ** 2)), float(np.mean(np.abs(forecasts - truth)))


def targets(values, length, horizon):
    """Give what follows each window, (n_windows, horizon, n_channels)."""
    after = np.lib.stride_tricks.sliding_window_view(values.to_numpy()[length:], horizon, axis=0)
    return after.transpose(0, 2, 1)


def behind_gaps(options, forecaster, values, ends, far=None):
    """Give errors of the steps 25 to 120 behind windows of the test part.

    The forecaster is asked for 96 steps behind a gap of 24, or one that is trained `far` ahead
    for all of them.
    """
    gap, length = options.gap, options.length
    forecasts, truth = [], []
    for start in range(ends[1] - length, ends[2] - 2 * length - gap + 1, EVERY):
        end = start + length
        part = values.iloc[start : end + gap + length].reset_index(drop=True)
        truth.append(part.iloc[length + gap :].to_numpy())
        if far is not None:
            forecasts.append(forecaster.predict_windows(part)[0, gap:])
            continue
        part.iloc[length : length + gap] = np.nan
        forecasts.append(forecaster.predict_windows(part)[-1])
    return errors(np.stack(forecasts), np.stack(truth))


def main(arguments=None):
    options = parser(__doc__, seeds=1)
    options.add_argument("--data", nargs="*", default=["ETTh1", "exchange_rate"])
    options.add_argument("--shares", type=float, nargs="*", default=[0.5, 0.75])
    options.add_argument("--models", nargs="*", default=["PETNN"], choices=list(FORECASTERS))
    options = read(options, arguments)
    options.length, options.gap = LENGTH, GAP
    if options.quick:
        options.data, options.shares, options.length, options.gap = ["ETTh1"], [0.5], 48, 12
    cases = [
        (data, model, seed)
        for data in options.data
        for model in options.models
        for seed in range(options.seeds)
    ]
    report = Report("gaps in forecasts", options, len(cases) * 2 * (4 + 3 * len(options.shares)))
    for data, model, seed in cases:
        values, ends = get(options, lambda data=data: load(data, options.data_home), stand_in)
        one_series(options, report, data, model, seed, values, ends)
    report.summary()


def one_series(options, report, data, model, seed, values, ends):
    """Report what becomes of one series."""
    length = options.length

    def add(case, way, found, forecaster, seconds):
        for metric, value in zip(("MSE", "MAE"), found, strict=True):
            report.add(
                data=f"{data}, {case}", model=f"{model}, {way}", seed=seed, metric=metric,
                value=value, parameters=n_parameters(forecaster), seconds=seconds,
            )  # fmt: skip

    truth = targets(of_test(values, ends, length), length, length)

    def asked(forecaster, about):
        return errors(forecaster.predict_windows(of_test(about, ends, length)), truth)

    complete, seconds = fit(options, model, values.iloc[: ends[0]], seed, length)
    add("complete", "as it is", asked(complete, values), complete, seconds)
    at_end = f"{options.gap} missing at the end"
    add(at_end, "as it is", behind_gaps(options, complete, values, ends), complete, seconds)
    for share in options.shares:
        for way, (training, about) in ways(values, share, seed).items():
            forecaster, seconds = fit(options, model, training.iloc[: ends[0]], seed, length)
            case = f"{share:.0%} missing"
            add(case, way, asked(forecaster, about), forecaster, seconds)
            if way == "as it is" and share == options.shares[0]:
                found = behind_gaps(options, forecaster, values, ends)
                add(at_end, f"fitted with {share:.0%} missing", found, forecaster, seconds)
    horizon = length + options.gap
    far, seconds = fit(options, model, values.iloc[: ends[0]], seed, horizon)
    found = behind_gaps(options, far, values, ends, far=horizon)
    add(at_end, f"trained {horizon} ahead", found, far, seconds)


if __name__ == "__main__":
    main()
