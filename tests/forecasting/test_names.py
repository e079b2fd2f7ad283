"""Columns of y go by their names, in whatever order they come."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn import load, save
from sklearn_physrnn.forecasting import PETNNForecaster
from tests.families import FORECASTERS

SMALL = {"hidden_size": 4, "window_length": 8, "horizon": 4, "max_iter": 2, "random_state": 0}
NAMES = ["low", "high", "odd"]


def make_table(n=60):
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(n))[:, None] + rng.normal(0, 0.1, (n, 3)) + [10, 1000, -5]
    return pd.DataFrame(values, pd.date_range("2024-01-01", periods=n), NAMES)


def turned(y):
    return y[["odd", "low", "high"]]


@pytest.fixture(scope="module")
def fitted():
    return PETNNForecaster(**SMALL).fit(make_table()[:50])


def make_panel(n=40):
    return pd.concat({"a": make_table(n), "b": make_table(n) * 2}, names=["id", "day"])


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize("update_params", [False, True])
def test_update_puts_another_order_right(forecaster, update_params):
    y = make_table()
    models = [forecaster(**SMALL).fit(y[:50]) for _ in range(2)]
    for model, new in zip(models, (y[50:], turned(y)[50:]), strict=True):
        model.update(new, update_params=update_params)
    one, other = (model.predict_interval([1, 5]) for model in models)
    pd.testing.assert_frame_equal(other, one)
    assert list(models[1].predict([1]).columns) == NAMES
    assert models[1].predict([1])["high"].iloc[0] > 500


def test_predict_windows_puts_another_order_right(fitted):
    y = make_table()
    np.testing.assert_array_equal(fitted.predict_windows(turned(y)), fitted.predict_windows(y))


def test_update_predict_single_puts_another_order_right(fitted):
    y = make_table()
    one, other = (
        copy.deepcopy(fitted).update_predict_single(new, fh=[1, 2], update_params=False)
        for new in (y[50:], turned(y)[50:])
    )
    pd.testing.assert_frame_equal(one, other)


def test_every_series_of_a_panel_puts_another_order_right():
    y = make_panel()
    model = PETNNForecaster(**SMALL).fit(y)
    expected = copy.deepcopy(model).update(y, update_params=False).predict([1, 2])
    model.update(turned(y), update_params=False)
    pd.testing.assert_frame_equal(model.predict([1, 2]), expected)
    with pytest.raises(ValueError, match=r"lacks \['high'\]"):
        model.update(y.drop(columns="high"))


def test_fit_after_pretrain_and_more_of_it_put_another_order_right(tmp_path):
    panel, y = make_panel(), make_table()
    model = PETNNForecaster(**SMALL).pretrain(panel)
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    one, other = (
        copy.deepcopy(model).fit(data).predict_interval([1, 2]) for data in (y, turned(y))
    )
    pd.testing.assert_frame_equal(one, other)
    for again in (model, loaded):
        with pytest.raises(ValueError, match=r"lacks \['odd'\] and has \['even'\] besides"):
            copy.deepcopy(again).fit(y.rename(columns={"odd": "even"}))
        with pytest.raises(ValueError, match=r"lacks \['low'\]"):
            copy.deepcopy(again).pretrain(panel.drop(columns="low"))
    with pytest.warns(UserWarning, match="columns of y have no names"):
        bare = copy.deepcopy(model).fit(y.set_axis(range(3), axis=1))
    assert list(bare.predict([1]).columns) == [0, 1, 2]
    one, other = (
        copy.deepcopy(model).pretrain(data).pretrained_.loss_curve
        for data in (panel, turned(panel))
    )
    assert one == other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.drop(columns="high"), r"lacks \['high'\]\."),
        (lambda y: y.assign(more=1.0), r"has \['more'\] besides\."),
        (lambda y: y.rename(columns={"odd": "Odd"}), r"lacks \['odd'\] and has \['Odd'\] besid"),
        (lambda y: y.add_prefix("new "), r"lacks \['low', 'high', 'odd'\] and has \['new low'"),
        (lambda y: y.drop(columns="odd").set_axis([0, 1], axis=1), r"fitted to, got 2: \[0, 1\]"),
    ],
)
def test_other_columns_are_named(fitted, change, message):
    y = make_table()
    model = copy.deepcopy(fitted)
    expected = model.predict([1, 2])
    for method in (model.update, model.predict_windows, model.predict_residuals):
        with pytest.raises(ValueError, match=f"columns that PETNNForecaster was.*{message}"):
            method(change(y[40:]))
    pd.testing.assert_frame_equal(model.predict([1, 2]), expected)


def test_columns_without_names_go_by_position_with_a_warning(fitted):
    y = make_table()[50:]
    expected = copy.deepcopy(fitted).update(y, update_params=False).predict([1, 2])
    model = copy.deepcopy(fitted)
    with pytest.warns(UserWarning, match=r"columns of y have no names, .*\['low', 'high', 'odd'"):
        model.update(y.set_axis(range(3), axis=1), update_params=False)
    pd.testing.assert_frame_equal(model.predict([1, 2]), expected)


@pytest.mark.parametrize("name", [None, "sales", 0])
def test_one_series_may_be_nameless(name):
    y = make_table()["low"].rename("sales")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = PETNNForecaster(**SMALL).fit(y[:50])
        model.update(y[50:].rename(name), update_params=False).predict([1])
        assert model.predict_windows(y.to_numpy()).shape == (49, 4, 1)
        PETNNForecaster(**SMALL).fit(y[:50].rename(name)).update(y[50:])


def test_one_series_of_another_name_is_another_series():
    y = make_table()["low"]
    model = PETNNForecaster(**SMALL).fit(y[:50])
    with pytest.raises(ValueError, match=r"lacks \['low'\] and has \['high'\] besides"):
        model.update(y[50:].rename("high"))


def test_what_was_pretrained_on_one_series_serves_one_of_any_name():
    y = make_table()["low"]
    model = PETNNForecaster(**SMALL).pretrain(make_panel()[["low"]])
    assert model.fit(y.rename("visitors")).predict([1]).name == "visitors"


def test_windows_have_their_dates_where_asked_for(fitted):
    y = make_table()
    frame, bare = fitted.predict_windows(y, as_frame=True), fitted.predict_windows(y)
    assert list(frame.columns) == NAMES
    assert frame.index.names == ["cutoff", "time"]
    np.testing.assert_array_equal(frame.to_numpy().reshape(bare.shape), bare)
    for i in (0, 7, len(bare) - 1):
        of_window = frame.loc[y.index[7 + i]]
        pd.testing.assert_index_equal(of_window.index, y.index[8 + i : 12 + i], check_names=False)
        np.testing.assert_array_equal(of_window, bare[i])
