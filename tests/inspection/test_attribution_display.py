"""Pictures of attributions."""

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn import HSSMRegressor, PETNNClassifier
from sklearn_physrnn.inspection import AttributionDisplay, integrated_gradients


def test_sequences(hssm, series, plt):
    X, _ = series
    display = AttributionDisplay.from_estimator(
        hssm, X, sample=3, n_steps=4, names=["p", "q"], target="up"
    )
    expected = integrated_gradients(hssm, X[3:4], n_steps=4, target="up")[0]
    np.testing.assert_allclose(display.attributions, expected)
    for k in (0, 1):
        drawn = np.asarray(display.images_[k].get_array()).ravel()
        np.testing.assert_allclose(drawn, expected[:, k])
        np.testing.assert_array_equal(display.lines_[k].get_ydata(), X[3, :, k])
        assert display.axes_[k].get_ylabel() == "pq"[k]
        norm = display.images_[k].norm
        assert norm.vmin == -norm.vmax  # white is nothing, in every channel alike
        assert norm.vmax == display.images_[0].norm.vmax
        # Each stripe about its own step.
        edges = display.images_[k].get_coordinates()[0, :, 0]
        np.testing.assert_allclose(edges, np.arange(25) - 0.5)
    title = display.axes_[0].get_title(loc="left")
    p = hssm.predict_proba(X[3:4])[0, 1]
    assert title.startswith(f"log-odds of class up: {np.log(p / (1 - p)):.3g}")


def test_time_stamps(timed_hssm, timed, plt):
    X, _ = timed
    display = AttributionDisplay.from_estimator(timed_hssm, X, sample=2, n_steps=2)
    assert display.attributions.shape == (len(X[2]), 2)
    np.testing.assert_array_equal(display.lines_[1].get_xdata(), X[2][:, 1])
    np.testing.assert_array_equal(display.lines_[1].get_ydata(), X[2][:, 2])
    change = display.response - display.baseline_response
    assert display.attributions.sum() == pytest.approx(change)


def test_many_channels_are_an_image(rng, plt):
    X = rng.normal(size=(12, 10, 9))
    model = HSSMRegressor(4, 3, max_iter=1, random_state=0).fit(X, X[:, -1, 0])
    display = AttributionDisplay.from_estimator(model, X, n_steps=2)
    (image,) = display.images_
    np.testing.assert_array_equal(
        np.asarray(image.get_array()).reshape(9, 10), display.attributions.T
    )
    assert display.lines_ == []


def test_tables(dynpmnn, table, plt):
    X, _ = table
    display = AttributionDisplay.from_estimator(dynpmnn, X, sample=8, n_steps=4)
    expected = integrated_gradients(dynpmnn, X[8:9], n_steps=4)[0]
    order = np.argsort(-np.abs(expected))
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, expected[order])
    labels = [tick.get_text() for tick in display.axes_[0].get_yticklabels()]
    column = X.columns[order[0]]
    assert labels[0] == f"{column} = {X.loc[8, column]:.4g}"
    up, down = (np.flatnonzero(np.sign(widths) == sign)[0] for sign in (1, -1))
    assert display.bars_[up].get_facecolor() != display.bars_[down].get_facecolor()
    assert display.response == pytest.approx(dynpmnn.predict(X[8:9])[0])


def test_tokens(tokens, plt):
    X, y = tokens
    model = PETNNClassifier(5, vocabulary_size=9, embedding_dim=3, max_iter=2, random_state=0).fit(
        X, y
    )
    words = list("abcdefghi")
    display = AttributionDisplay.from_estimator(model, X, sample=2, n_steps=2, names=words)
    labels = [tick.get_text() for tick in display.axes_[0].get_yticklabels()]
    assert labels == [words[k] for k in X[2]]  # in reading order
    assert len(display.bars_) == len(X[2])
    with pytest.raises(ValueError, match="names must be 9, got 2"):
        AttributionDisplay.from_estimator(model, X, names=["a", "b"])


def test_frames_and_bad_samples(dynpmnn, table, plt):
    X, _ = table
    frame = X.set_index(pd.Index(range(1000, 1000 + len(X))))  # by place, not by label
    display = AttributionDisplay.from_estimator(dynpmnn, frame, sample=-1, n_steps=2)
    np.testing.assert_array_equal(display.inputs, X.to_numpy()[-1])
    with pytest.raises(ValueError, match="sample must be one of the 442"):
        AttributionDisplay.from_estimator(dynpmnn, X, sample=442)
