from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import nn

from sklearn_physrnn.training._data import BatchIterator
from sklearn_physrnn.training._engine import TrainingOptions, train
from sklearn_physrnn.training._losses import PerWindow, regression_loss
from sklearn_physrnn.training._threads import work_per_batch
from sklearn_physrnn.training._windows import Windows


@pytest.fixture
def windows():
    """Two series of ten steps, one after the other, and windows that stay in one."""
    values = torch.arange(40.0).reshape(20, 2)
    starts = torch.tensor([0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15])
    features = torch.arange(60.0).reshape(20, 3)
    return Windows(values, starts, window_length=3, horizon=2, features=features)


@pytest.mark.parametrize("index", [slice(5, 8), torch.tensor([11, 0, 6])])
def test_windows_are_cut_from_their_starts(windows, index):
    inputs, (targets, weights) = windows.take(index)
    assert weights is None
    assert inputs["x"].shape == (3, 3, 2)
    assert inputs["features"].shape == (3, 5, 3)
    assert targets.shape == (3, 2, 2)
    for k, start in enumerate(windows.starts[index].tolist()):
        assert torch.equal(inputs["x"][k], windows.values[start : start + 3])
        assert torch.equal(targets[k], windows.values[start + 3 : start + 5])
        assert torch.equal(inputs["features"][k], windows.features[start : start + 5])


def test_without_features_there_are_none(windows):
    inputs, _ = Windows(windows.values, windows.starts, 3, 2).take(slice(0, 2))
    assert set(inputs) == {"x"}


def test_batches_hold_every_window_once(windows):
    batches = list(BatchIterator(windows, 5, torch.Generator().manual_seed(0)))
    assert [len(targets) for _, (targets, _) in batches] == [4, 4, 4]
    first = torch.cat([inputs["x"][:, 0, 0] for inputs, _ in batches])
    assert sorted(first.tolist()) == windows.values[windows.starts, 0].tolist()
    assert first.tolist() != sorted(first.tolist())


def test_memory_is_that_of_the_series():
    values = torch.randn(10_000, 3)
    windows = Windows(values, torch.arange(9_000), 700, 300)
    copied = windows.to(torch.device("cpu"))
    assert len(copied) == 9_000
    assert copied.values.data_ptr() == values.data_ptr()
    view = values.unfold(0, windows.length, 1)
    assert view.data_ptr() == values.data_ptr()


def test_windows_are_frozen(windows):
    with pytest.raises(FrozenInstanceError):
        windows.horizon = 3


def test_work_counts_channels(windows):
    module = nn.Linear(3, 2, bias=False)
    assert work_per_batch(module, windows, 5) == 5 * 2 * 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_length": 0}, "window_length must be at least 1, got 0"),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"starts": torch.tensor([0, 16])}, "between 0 and 15, got starts from 0 to 16"),
        ({"starts": torch.tensor([-1, 3])}, "between 0 and 15, got starts from -1 to 3"),
        ({"features": torch.zeros(19, 1)}, "each of the 20 steps of values, got 19"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(windows, changes, message):
    arguments = {
        "values": windows.values, "starts": windows.starts, "window_length": 3, "horizon": 2,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Windows(**arguments | changes)


class _Lag(nn.Module):
    """Forecast a weighted sum of the window, one weight a lag."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 3))

    def forward(self, x, *, features=None):
        return torch.einsum("blc,hl->bhc", x, self.weight).unsqueeze(-1)


def test_the_engine_learns_from_windows():
    values = torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    for step in range(2, 200):  # each value is minus the one two steps before, and noise
        values[step] = 0.1 * values[step] - values[step - 2]
    windows = Windows(values, torch.arange(150), 3, 2)
    held_out = Windows(values, torch.arange(150, 196), 3, 2)
    module = _Lag()
    options = TrainingOptions(
        max_epochs=60, batch_size=16, learning_rate=0.05, device=torch.device("cpu"), seed=0
    )
    criterion = PerWindow(regression_loss("squared_error"))
    record = train(module, criterion, windows, options, validation=held_out)
    assert len(record.validation_loss_curve) == 60
    inputs, (targets, _) = held_out.take(slice(None))
    with torch.no_grad():
        error = criterion(module(**inputs), targets).mean()
    assert record.validation_loss_curve[-1] == pytest.approx(error.item(), rel=1e-4)
    assert error < 0.1 * targets.square().mean()
    assert module.weight[0, 1].item() == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber"])
def test_a_windows_loss_is_the_mean_over_its_steps_and_channels(name):
    prediction, target = torch.randn(4, 5, 3, 1), torch.randn(4, 5, 3)
    losses = PerWindow(regression_loss(name))(prediction, target)
    each = regression_loss(name)(prediction.reshape(-1, 1), target.reshape(-1, 1))
    torch.testing.assert_close(losses, each.view(4, -1).mean(1))


def test_quantiles_of_a_window_are_told_apart():
    target = torch.zeros(2, 5, 3)
    levels = [0.1, 0.9]
    loss = PerWindow(regression_loss("quantile", levels))
    low, high = torch.zeros(2, 5, 3, 2), torch.zeros(2, 5, 3, 2)
    low[..., 0], high[..., 1] = -1, -1  # too low by one, at either level
    torch.testing.assert_close(loss(low, target), torch.full((2,), 0.1 / 2))
    torch.testing.assert_close(loss(high, target), torch.full((2,), 0.9 / 2))
