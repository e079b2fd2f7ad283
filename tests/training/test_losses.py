import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error
from torch.nn import functional as F

from sklearn_physrnn.training._losses import REGRESSION_LOSSES, CrossEntropy, regression_loss

SKLEARN = {"squared_error": mean_squared_error, "absolute_error": mean_absolute_error}


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_one_value_a_sample(name):
    losses = regression_loss(name)(torch.randn(7, 3), torch.rand(7, 3) + 0.1)
    assert losses.shape == (7,)
    assert (losses >= 0).all()


@pytest.mark.parametrize("name", SKLEARN)
def test_mean_is_scikit_learns_metric(name, rng):
    y, p, w = rng.normal(size=(9, 2)), rng.normal(size=(9, 2)), rng.random(9)
    losses = regression_loss(name)(torch.tensor(p), torch.tensor(y)).numpy()
    assert np.average(losses, weights=w) == pytest.approx(SKLEARN[name](y, p, sample_weight=w))


def test_quantile_is_the_pinball_loss_quantiles_fastest(rng):
    levels = [0.1, 0.5, 0.8]
    y, p = rng.normal(size=(9, 2)), rng.normal(size=(9, 2, 3))
    losses = regression_loss("quantile", levels)(torch.tensor(p).flatten(1), torch.tensor(y))
    expected = np.mean([mean_pinball_loss(y, p[..., k], alpha=q) for k, q in enumerate(levels)])
    assert losses.shape == (9,)
    assert losses.mean().item() == pytest.approx(expected)


def test_huber_is_quadratic_then_linear():
    loss, y = regression_loss("huber"), torch.zeros(1, 1)
    assert loss(torch.tensor([[1.0]]), y).item() == pytest.approx(0.5)
    far, farther = (loss(torch.tensor([[x]]), y).item() for x in (10.0, 11.0))
    assert farther - far == pytest.approx(1.35, rel=1e-4)


def test_cross_entropy():
    logits, y = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    losses = CrossEntropy()(logits, y)
    assert losses.shape == (6,)
    torch.testing.assert_close(losses.mean(), F.cross_entropy(logits, y))
