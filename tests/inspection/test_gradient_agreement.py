"""The report on RHEL's and BPTT's gradients, and the picture of it."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from sklearn_physrnn import HSSMClassifier, HSSMRegressor
from sklearn_physrnn.inspection import GradientAgreementDisplay, gradient_agreement

LINEAR = ["stiffness", "step", "B", "C", "D", "input"]
NONLINEAR = ["w", "c", "alpha", "step", "B", "b", "C", "D", "input"]
SMALL = {"hidden_size": 4, "state_size": 3, "max_iter": 1, "random_state": 0}


@pytest.fixture
def data(rng):
    X = rng.normal(size=(12, 40, 2))
    return X, X[:, :, 0].mean(axis=1)


def _ragged(rng):
    lengths = rng.integers(5, 40, size=12)
    X = [np.c_[rng.normal(size=n), np.cumsum(rng.uniform(size=n))] for n in lengths]
    y = np.full((12, max(lengths) // 3), np.nan)
    for row, x in zip(y, X, strict=True):
        row[: len(x) // 3] = x[2::3, 0]
    return X, y


def _gradients(model, X, y, gradient, dtype):
    """Gradients of the mean loss of a classifier without any of the report's code."""
    module = model.module_
    state = {name: value.clone() for name, value in module.state_dict().items()}
    module = model._make_module().to(dtype)
    module.load_state_dict(state)
    for block in module.blocks:
        block.hru.gradient = gradient
        block.dropout.p = 0.0
    mean, deviation = X.mean((0, 1)), X.std((0, 1))
    x = torch.as_tensor(((X - mean) / deviation).astype(np.float32)).to(dtype)
    torch.nn.functional.cross_entropy(module(x), torch.as_tensor(y).long()).backward()
    return module


def test_equals_gradients_by_hand(data):
    X, y = data
    y = y > 0
    model = HSSMClassifier(**SMALL, dynamics="nonlinear", epsilon=10.0, dropout=0.5).fit(X, y)
    report = gradient_agreement(model, X, y)
    assert report["parameter"].tolist() == NONLINEAR * 2
    assert report["block"].tolist() == [0] * 9 + [1] * 9
    runs = {
        "rhel": _gradients(model, X, y, "rhel", torch.float32),
        "bptt": _gradients(model, X, y, "bptt", torch.float32),
        "exact": _gradients(model, X, y, "bptt", torch.float64),
    }
    for block in (0, 1):
        table = report[report["block"] == block].set_index("parameter")
        for name, raw in (("w", "w_raw"), ("B", "B")):
            grads = {
                who: getattr(module.blocks[block].hru, raw).grad.double().flatten()
                for who, module in runs.items()
            }
            for prefix, a, b in (
                ("", "rhel", "bptt"), ("rhel_", "rhel", "exact"), ("bptt_", "bptt", "exact")
            ):  # fmt: skip
                a, b = grads[a], grads[b]
                cosine = torch.cosine_similarity(a, b, dim=0)
                ratio = a.norm() / b.norm()
                assert table.loc[name, f"{prefix}cosine"] == pytest.approx(float(cosine), abs=1e-9)
                assert table.loc[name, f"{prefix}norm_ratio"] == pytest.approx(
                    float(ratio), rel=1e-5
                )


def test_linear_agrees(data):
    X, y = data
    model = HSSMClassifier(**SMALL, class_weight="balanced").fit(X, y > 0)
    before = {name: value.clone() for name, value in model.module_.state_dict().items()}
    report = gradient_agreement(model, X, y > 0)
    assert report["parameter"].tolist() == LINEAR * 2
    for column in ("cosine", "rhel_cosine", "bptt_cosine"):
        assert (report[column] > 1 - 1e-6).all()
    for column in ("norm_ratio", "rhel_norm_ratio", "bptt_norm_ratio"):
        np.testing.assert_allclose(report[column], 1, atol=1e-4)
    # The precisions are not the same thing, and the model is as it was.
    assert (report["bptt_norm_ratio"] != 1).any()
    assert not model.module_.training
    assert all(p.grad is None for p in model.module_.parameters())
    for name, value in model.module_.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_float64_is_exact(data):
    X, y = data
    report = gradient_agreement(HSSMRegressor(**SMALL, dtype="float64").fit(X, y), X, y)
    assert (report["cosine"] > 1 - 1e-9).all()
    assert (report["bptt_norm_ratio"] == 1).all()


@pytest.mark.parametrize("fitter", ["rhel", "bptt"])
def test_huge_epsilon_disagrees(data, fitter):
    X, y = data
    model = HSSMRegressor(**SMALL, dynamics="nonlinear", epsilon=1e5, fitter=fitter).fit(X, y)
    report = gradient_agreement(model, X, y).set_index("parameter")
    assert report.loc["w", "cosine"].min() < 0.99
    assert report.loc["w", "rhel_cosine"].min() < 0.99
    assert (report["bptt_cosine"] > 1 - 1e-6).all()


@pytest.mark.parametrize("dynamics", ["linear", "damped", "nonlinear"])
@pytest.mark.parametrize("norm", ["batch", None])
def test_ragged_with_time_stamps_at_every_step(rng, dynamics, norm):
    X, y = _ragged(rng)
    model = HSSMRegressor(
        **SMALL, dynamics=dynamics, norm=norm, readout="sequence", every=3, time_channel=1,
        batch_size=5,
    ).fit(X, y)  # fmt: skip
    report = gradient_agreement(model, X, y)
    assert (report["cosine"] > 1 - 1e-6).all()
    np.testing.assert_allclose(report["norm_ratio"], 1, atol=1e-3)


def test_zero_gradient_is_nan(data):
    X, _ = data
    model = HSSMRegressor(**SMALL).fit(X, np.zeros((12, 1)).ravel())
    with torch.no_grad():
        model.module_.head.weight.zero_()
        model.module_.head.bias.zero_()
    report = gradient_agreement(model, X, np.zeros(12))
    assert report["cosine"].isna().all()
    assert report["norm_ratio"].isna().all()
    figure = GradientAgreementDisplay(report).plot().figure_
    figure.canvas.draw()


def test_refuses(data):
    X, y = data
    with pytest.raises(NotFittedError):
        gradient_agreement(HSSMRegressor(), X, y)
    for wrong in (Ridge().fit(X[:, 0], y), HSSMRegressor, None):
        with pytest.raises(TypeError, match="HSSMClassifier or HSSMRegressor"):
            gradient_agreement(wrong, X, y)
    model = HSSMClassifier(**SMALL).fit(X, y > 0)
    with pytest.raises(ValueError, match="expecting 2 channels"):
        gradient_agreement(model, X[:, :, :1], y > 0)
    with pytest.raises(ValueError, match="labels not seen before"):
        gradient_agreement(model, X, np.arange(12))


def _table():
    columns = ["cosine", "norm_ratio", "rhel_cosine", "rhel_norm_ratio"]
    columns += ["bptt_cosine", "bptt_norm_ratio"]
    rows = [
        (0, "w", 1 - 1e-3, 1.5, 1, 1, 1 - 1e-8, 1.0),
        (0, "input", 1.0, 0.98, 1, 1, 1 - 1e-9, 1 + 1e-6),
        (1, "w", -0.5, 1e9, 1, 1, 0.1, 2.0),
        (1, "input", 0.9, 1.01, 1, 1, 0.99, 1.001),
    ]
    return pd.DataFrame(rows, columns=["block", "parameter", *columns])


def test_display_draws_the_numbers(monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    monkeypatch.setattr(pyplot, "show", lambda: pytest.fail("shown"))
    table = _table()
    display = GradientAgreementDisplay(table)
    assert display.plot() is display
    for points, prefix in ((display.rhel_, ""), (display.bptt_, "bptt_")):
        for i, column in enumerate(("cosine", "norm_ratio")):
            low, high = display.axes_[i].get_xlim()
            for block in (0, 1):
                values = table.loc[table["block"] == block, prefix + column]
                offsets = points[i, block].get_offsets()
                expected = np.maximum(abs(1 - values), 1e-17)
                np.testing.assert_allclose(offsets[:, 0], expected, rtol=1e-12)
                np.testing.assert_allclose(offsets[:, 1], [0, 1], atol=0.3)
                assert (low < offsets[:, 0]).all()
                assert (offsets[:, 0] < high).all()
    labels = [tick.get_text() for tick in display.axes_[0].get_yticklabels()]
    assert labels == ["w", "input"]
    assert "cosine" in display.axes_[0].get_xlabel()
    assert "norm" in display.axes_[1].get_xlabel()
    pyplot.close(display.figure_)


def test_display_from_estimator_on_given_axes(data):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    X, y = data
    model = HSSMRegressor(**SMALL).fit(X, y)
    figure, (_, ax) = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    display = GradientAgreementDisplay.from_estimator(model, X, y, ax=ax)
    pd.testing.assert_frame_equal(display.agreement, gradient_agreement(model, X, y))
    assert display.figure_ is figure
    figure.canvas.draw()
    # Both panels within the Axes that were given.
    assert min(axes.get_position().x0 for axes in display.axes_) > 0.5
    pyplot.close(figure)


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install sklearn-physrnn\[plot\]"):
        GradientAgreementDisplay(_table()).plot()


def test_importing_is_light():
    code = """
import sys
import sklearn_physrnn
assert "sklearn_physrnn.inspection" not in sys.modules
import sklearn_physrnn.inspection
assert "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
