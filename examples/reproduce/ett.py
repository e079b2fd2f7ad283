"""ETT, long-horizon forecasting: our forecasters, DLinear, ridge, seasonal naive; GRU and LSTM.

Reads any csv file laid out as ETTh1.csv is: a column of dates, then one column a channel
(``--data ETTm1``, ``--data exchange_rate``).
The published protocol: of ETT, the first 12 months of rows are for training, the next 4 for
validation, the next 4 for test; of all other series 70, 10 and 20 % of the rows. Scaled by mean
and deviation of the training rows; every window counts, and a window's context may reach back
into the part before. Mean squared and absolute error of the scaled values, over all channels
and steps.

The forecasters are those of the package with their defaults, but for the horizon: they are given
training and validation rows, hold the validation rows out, choose on them and, of their linear
part, learn from them in the end. Ridge and DLinear learn from the training rows, once for each
window length, and the one with the least validation error counts. The seasonal naive forecast
repeats the last season.

On request (``--models GRU LSTM ...``) recurrences in one frame of one configuration, as
`--window-length` says. The last weights are kept: nothing is chosen by the test windows, nor by
when to stop.
"""

import time
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from _report import Report, get, parser, read
from _series import ends_of
from torch import nn
from torch.nn import functional as F

from sklearn_physrnn.datasets import load_multivariate_series
from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster
from sklearn_physrnn.forecasting._sizes import season
from sklearn_physrnn.nn import PETNN
from sklearn_physrnn.nn._forecast import LinearMap, WindowForecaster
from sklearn_physrnn.nn._segments import OscillatorCore, SegmentCore
from sklearn_physrnn.training._engine import TrainingOptions, train
from sklearn_physrnn.training._losses import PerWindow, regression_loss
from sklearn_physrnn.training._random import seeded
from sklearn_physrnn.training._windows import Windows

FRAME = {
    "normalization": "last",
    "linear": True,
    "hidden_size": 64,
    "segment_length": 24,
    "dropout": 0.3,
}
TRAINING = {
    "loss": "absolute_error",
    "learning_rate": 0.003,
    "schedule": "one_cycle",
    "max_epochs": 10,
    "batch_size": 32,
}
LAYERS = {
    "PETNN": PETNN,
    "GRU": partial(nn.GRU, batch_first=True),
    "LSTM": partial(nn.LSTM, batch_first=True),
}
FORECASTERS = {cls.__name__: cls for cls in (PETNNForecaster, HSSMForecaster, DynPMNNForecaster)}
CHOSEN = ("DLinear", "ridge")  # by validation, of these window lengths
WINDOW_LENGTHS = (96, 192, 336, 720)
ALWAYS_ALIKE = ("ridge", "seasonal naive")  # whatever the seed
MODELS = (*FORECASTERS, *CHOSEN, "seasonal naive")
IN_ONE_FRAME = ("PETNN", "HSSM", "GRU", "LSTM")
AT_A_TIME = 1000  # windows of a forecaster


class Ridge(nn.Module):
    """Ridge regression of the horizon on the window, both less the window's last value."""

    penalty = 1000.0  # windows; the validation error hardly depends on it

    def __init__(self, window_length, horizon):
        super().__init__()
        self.linear = nn.Linear(window_length, horizon, bias=False)

    def fit(self, windows):
        """Solve the normal equations."""
        n = self.linear.in_features
        gram, moment = self.penalty * torch.eye(n, dtype=torch.float64), 0.0
        for x, y in batches(windows):
            rows = (x - x[:, -1:]).transpose(1, 2).flatten(0, 1).double()
            targets = (y - x[:, -1:]).transpose(1, 2).flatten(0, 1).double()
            gram, moment = gram + rows.T @ rows, moment + rows.T @ targets
        self.linear.weight.data.copy_(torch.linalg.solve(gram, moment).T)

    def forward(self, x):
        """Map (batch, time, channels) to (batch, horizon, channels, 1)."""
        last = x[:, -1:]
        change = self.linear((x - last).transpose(1, 2)).transpose(1, 2)
        return (last + change).unsqueeze(-1)


class DLinear(nn.Module):
    """Two linear maps, of a window's moving average and of the rest (arXiv 2205.13504)."""

    def __init__(self, window_length, horizon, width=25):
        super().__init__()
        self.width = width
        self.trend, self.rest = (nn.Linear(window_length, horizon) for _ in range(2))
        for part in (self.trend, self.rest):
            nn.init.constant_(part.weight, 1 / window_length)

    def forward(self, x):
        """Map (batch, time, channels) to (batch, horizon, channels, 1)."""
        rows = x.transpose(1, 2)
        ends = (self.width - 1) // 2
        trend = F.avg_pool1d(F.pad(rows, (ends, ends), mode="replicate"), self.width, 1)
        return (self.trend(trend) + self.rest(rows - trend)).transpose(1, 2).unsqueeze(-1)


def load(name, data_home):
    """Give the scaled values with their dates, and the ends of the three parts."""
    table = load_multivariate_series(name, data_home=data_home)
    ends = ends_of(name, table)
    values = table.to_numpy(np.float64)
    training = values[: ends[0]]
    scaled = (values[: ends[-1]] - training.mean(0)) / training.std(0)
    return table.iloc[: ends[-1]].assign(**dict(zip(table, scaled.T, strict=True))), ends


def split(values, ends, window_length, horizon):
    """Windows of the three parts: those whose horizon lies in the part, all of them."""
    parts = []
    for first, end in zip((window_length, *ends), ends, strict=False):
        starts = torch.arange(first - window_length, end - horizon - window_length + 1)
        parts.append(Windows(values, starts, window_length, horizon))
    return parts


def batches(windows, batch_size=256):
    """Contexts and what follows them."""
    for start in range(0, len(windows), batch_size):
        inputs, (targets, _) = windows.take(slice(start, start + batch_size))
        yield inputs["x"], targets


def build(model, values, window_length, horizon):
    """Build a model by name."""
    if model == "DLinear":
        return DLinear(window_length, horizon)
    if model == "ridge":
        return Ridge(window_length, horizon)
    hidden_size = FRAME["hidden_size"]
    sizes = {
        "n_channels": values.shape[1],
        "window_length": window_length,
        "horizon": horizon,
        "segment_length": FRAME["segment_length"],
        "dropout": FRAME["dropout"],
    }
    if model == "HSSM":
        core = OscillatorCore(hidden_size=hidden_size, **sizes)
    else:
        core = SegmentCore(LAYERS[model](hidden_size, hidden_size), hidden_size, **sizes)
    linear = LinearMap(window_length, horizon, dropout=FRAME["dropout"])
    return WindowForecaster(core, normalization=FRAME["normalization"], linear=linear)


def fit(model, module, training, seed, max_epochs):
    """Train a module as its name asks."""
    if model == "ridge":
        module.fit(training)
        return
    settings = TRAINING
    if model == "DLinear":  # as published
        settings = {**TRAINING, "loss": "squared_error"}
    settings = {**settings, "max_epochs": max_epochs or settings["max_epochs"]}
    criterion = PerWindow(regression_loss(settings.pop("loss")))
    options = TrainingOptions(device=torch.device("cpu"), seed=seed, max_grad_norm=1.0, **settings)
    train(module, criterion, training, options)


@torch.inference_mode()
def errors(module, windows):
    """Mean squared and mean absolute error over all windows, steps and channels."""
    if isinstance(module, nn.Module):
        module.eval()
    squared = absolute = 0.0
    for x, y in batches(windows):
        error = module(x)[..., 0] - y
        squared += float(error.square().mean((1, 2)).sum())
        absolute += float(error.abs().mean((1, 2)).sum())
    return squared / len(windows), absolute / len(windows)


def stand_in(n_channels=3):
    """Sixty days of daily waves in noise."""
    t = np.arange(24 * 60)[:, None]
    waves = np.sin(2 * np.pi * (t / 24 + np.arange(n_channels) / 7))
    noise = np.random.default_rng(0).normal(scale=0.3, size=waves.shape)
    dates = pd.date_range("2020", periods=len(t), freq="h")
    return pd.DataFrame(waves + noise, dates), [800, 1100, 1440]


class Fitted(NamedTuple):
    """Mean squared and absolute error of both held-out parts, and what the fit was."""

    validation: tuple[float, float]
    test: tuple[float, float]
    n_parameters: int
    seconds: float
    detail: str = ""


def fit_module(model, table, ends, horizon, window_length, seed, options):
    """Train one of the modules here."""
    values = torch.tensor(table.to_numpy(), dtype=torch.float32)
    parts = split(values, ends, window_length, horizon)
    with seeded(seed):
        module = build(model, values, window_length, horizon)
    start = time.perf_counter()
    fit(model, module, parts[0], seed, 1 if options.quick else None)
    seconds = time.perf_counter() - start
    valid, test = (errors(module, part) for part in parts[1:])
    return Fitted(valid, test, sum(p.numel() for p in module.parameters()), seconds)


def fit_best(model, table, ends, horizon, window_length, seed, options):
    """Train a module for each window length, and take the best on the validation windows."""
    lengths = [n for n in WINDOW_LENGTHS if n + horizon < ends[0] // 2]
    found = [fit_module(model, table, ends, horizon, n, seed, options) for n in lengths]
    best = min(range(len(found)), key=lambda k: found[k].validation[0])
    seconds = sum(one.seconds for one in found)
    return found[best]._replace(seconds=seconds, detail=f"window {lengths[best]}, ")


def fit_naive(model, table, ends, horizon, window_length, seed, options):
    """Repeat the last season."""
    values = torch.tensor(table.to_numpy(), dtype=torch.float32)
    steps = torch.arange(horizon) % (cycle := season(table.index))
    parts = split(values, ends, cycle, horizon)
    valid, test = (errors(lambda x: x[:, steps].unsqueeze(-1), part) for part in parts[1:])
    return Fitted(valid, test, 0, 0.0, f"season {cycle}, ")


def fit_forecaster(model, table, ends, horizon, window_length, seed, options):
    """Fit a forecaster of the package with its defaults."""
    start = time.perf_counter()
    forecaster = FORECASTERS[model](
        horizon=horizon,
        validation_fraction=1 - ends[0] / ends[1],
        random_state=seed,
        device=options.device,
        **({"max_iter": 1} if options.quick else {}),
    ).fit(table[: ends[1]])
    seconds = time.perf_counter() - start
    n_steps = forecaster.window_length_
    last = ends[2] - horizon - n_steps
    total = np.zeros(2)
    for first in range(ends[1] - n_steps, last + 1, AT_A_TIME):
        end = min(first + AT_A_TIME, last + 1) + n_steps + horizon - 1
        rows = table[first:end]
        forecasts = forecaster.predict_windows(rows)
        targets = np.lib.stride_tricks.sliding_window_view(rows.to_numpy(), horizon, axis=0)
        error = forecasts - targets[n_steps:].transpose(0, 2, 1)
        total += [np.mean(e, axis=(1, 2)).sum() for e in (error**2, np.abs(error))]
    found = forecaster.validation_errors_ or {}
    chosen = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    return Fitted(
        (np.nan, np.nan),
        tuple(total / (last + 1 - ends[1] + n_steps)),
        sum(p.numel() for p in forecaster.module_.parameters()),
        seconds,
        f"window {n_steps}, network's share {forecaster.network_share_:.2f}, "
        f"absolute validation errors {chosen}; ",
    )


def fit_any(model, *arguments):
    """Fit what is called so."""
    if model in FORECASTERS:
        return fit_forecaster(model, *arguments)
    if model == "seasonal naive":
        return fit_naive(model, *arguments)
    if model in CHOSEN:
        return fit_best(model, *arguments)
    return fit_module(model, *arguments)


def main(arguments=None):
    options = parser(__doc__)
    options.add_argument("--data", default="ETTh1", help="name of the csv file, without .csv")
    options.add_argument("--horizons", type=int, nargs="*", default=[96, 192, 336, 720])
    options.add_argument("--window-length", type=int, default=96)
    options.add_argument("--models", nargs="*", default=MODELS, choices=(*MODELS, *IN_ONE_FRAME))
    options = read(options, arguments)
    if options.quick:
        options.horizons = [24]
    table, ends = get(options, lambda: load(options.data, options.data_home), stand_in)
    cases = [
        (model, horizon, seed)
        for model in options.models
        for horizon in options.horizons
        for seed in range(1 if model in ALWAYS_ALIKE else options.seeds)
    ]
    report = Report("long horizons", options, 2 * len(cases))
    for model, horizon, seed in cases:
        found = fit_any(model, table, ends, horizon, options.window_length, seed, options)
        for metric, value, validation in zip(
            ("MSE", "MAE"), found.test, found.validation, strict=True
        ):
            report.add(
                data=f"{options.data}, {horizon} ahead", model=model, seed=seed, metric=metric,
                value=value, parameters=found.n_parameters, seconds=found.seconds,
                detail=f"{found.detail}validation {validation:.4f}",
            )  # fmt: skip
    report.summary()


if __name__ == "__main__":
    main()
