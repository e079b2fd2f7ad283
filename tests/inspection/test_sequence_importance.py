"""Importance of channels and spans of time: by exchange between samples."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_physrnn import PETNNClassifier
from sklearn_physrnn.inspection import SequenceImportanceDisplay, sequence_importance

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 12, 3))
Y = X[:, 3:6, 1].sum(axis=1)


class Sum(RegressorMixin, BaseEstimator):
    """Knows what y is: the sum of channel 1 over the second quarter of each sample."""

    def __init__(self, time_channel=None):
        self.time_channel = time_channel

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        samples = [np.asarray(x, dtype=float) for x in X]
        if self.time_channel is not None:
            assert all((np.diff(x[:, self.time_channel]) > 0).all() for x in samples)
        return np.array([x[len(x) // 4 : len(x) // 2, 1].sum() for x in samples])


ORACLE = Sum().fit(X, Y)


def test_only_the_channel_and_the_span_that_tell_are_important():
    kept = X.copy()
    found = sequence_importance(ORACLE, X, Y, n_spans=4, n_repeats=3, random_state=0)
    assert found.baseline_score == pytest.approx(1)
    for part, n, telling in ((found.channels, 3, 1), (found.spans, 4, 1)):
        assert part.importances.shape == (n, 3)
        others = np.delete(part.importances, telling, axis=0)
        np.testing.assert_allclose(others, 0, atol=1e-12)
        np.testing.assert_allclose(part.importances_mean, part.importances.mean(axis=1))
        np.testing.assert_allclose(part.importances_std, part.importances.std(axis=1))
    # What y was made of is all in that channel, and in that span; permutations are shared.
    expected = [1 - r2_score(Y, Y[order]) for order in _orders(60, 3)]
    np.testing.assert_allclose(found.channels.importances[1], expected)
    np.testing.assert_allclose(found.spans.importances[1], expected)
    assert found.n_timesteps == 12
    np.testing.assert_array_equal(X, kept)


def _orders(n_samples, n_repeats):
    random = np.random.RandomState(0)
    return [random.permutation(n_samples) for _ in range(n_repeats)]


@pytest.mark.parametrize("container", [list, "frames"])
def test_spans_are_shares_of_each_length(container):
    cut = [x[: RNG.integers(8, 13)] for x in X[:30]]
    stamps = [np.arange(len(x))[:, None] for x in cut]  # integers, which stay in frames
    samples = [np.hstack(pair) for pair in zip(cut, stamps, strict=True)]
    if container == "frames":
        samples = [pd.DataFrame(x, columns=list("abct")).astype({"t": int}) for x in samples]
    model = GridSearchCV(make_pipeline(Sum()), {"sum__time_channel": [3]}, cv=2)
    model.fit(samples, Y[:30])
    y = model.predict(samples)
    found = sequence_importance(model, samples, y, n_spans=4, n_repeats=2, random_state=0)
    names = ["channel 0", "channel 1", "channel 2"] if container is list else ["a", "b", "c"]
    assert found.channels.names == names
    assert found.n_timesteps is None
    assert found.channels.importances_mean.argmax() == 1
    assert found.spans.importances_mean.argmax() == 1
    np.testing.assert_allclose(found.channels.importances[[0, 2]], 0, atol=1e-12)
    np.testing.assert_allclose(found.spans.importances[3], 0, atol=1e-12)


def test_padding_stays_where_it_is():
    padded = X.copy()
    padded[::2, 8:] = np.nan
    lengths = np.where(np.arange(60) % 2, 12, 8)

    def observed(block):
        np.testing.assert_array_equal((~np.isnan(block).any(axis=2)).sum(axis=1), lengths)
        return [x[:n] for x, n in zip(block, lengths, strict=True)]

    pipe = make_pipeline(FunctionTransformer(observed), Sum()).fit(padded, Y)
    found = sequence_importance(pipe, padded, pipe.predict(padded), n_spans=4, random_state=0)
    assert found.spans.importances_mean.argmax() == found.channels.importances_mean.argmax() == 1


def test_weights_are_those_of_the_score():
    weights = np.r_[np.ones(40), np.zeros(20)]
    spoiled = np.r_[Y[:40], RNG.normal(size=20)]
    found = sequence_importance(
        ORACLE, X, spoiled, n_spans=2, sample_weight=weights, scoring="r2", random_state=0
    )
    assert found.baseline_score == pytest.approx(1)
    order = _orders(60, 1)[0]
    expected = 1 - r2_score(spoiled, Y[order], sample_weight=weights)
    assert found.channels.importances[1, 0] == pytest.approx(expected)


def test_models_of_the_package(hssm, series, timed_hssm, timed, tokens):
    X, y = series
    labels = np.where(y > 0, "up", "down")
    found = sequence_importance(
        hssm, X, labels, scoring="neg_log_loss", n_spans=3, n_repeats=2, random_state=0
    )
    assert np.ptp(found.channels.importances_mean) > 0
    again = sequence_importance(
        hssm, X, labels, scoring="neg_log_loss", n_spans=3, n_repeats=2, random_state=0
    )
    np.testing.assert_array_equal(again.spans.importances, found.spans.importances)
    timed_found = sequence_importance(timed_hssm, *timed, n_spans=2, n_repeats=1)
    assert timed_found.channels.names == ["channel 0", "channel 2"]
    X, y = tokens
    model = PETNNClassifier(5, vocabulary_size=9, embedding_dim=3, max_iter=1, random_state=0)
    block = np.full((len(X), max(map(len, X))), -1)
    for row, x in zip(block, X, strict=True):
        row[: len(x)] = x
    ways = [
        sequence_importance(model.fit(X, y), data, y, n_spans=2, random_state=0)
        for data in (X, block)
    ]
    np.testing.assert_allclose(ways[0].spans.importances, ways[1].spans.importances)


def test_what_is_refused(dynpmnn, table):
    with pytest.raises(TypeError, match="permutation_importance"):
        sequence_importance(dynpmnn, *table)
    with pytest.raises(TypeError, match="got a table"):
        sequence_importance(ORACLE, table[0], table[1])
    with pytest.raises(NotFittedError):
        sequence_importance(Sum(), X, Y)
    for wrong in (
        {"n_spans": 13}, {"n_spans": 0}, {"n_repeats": 1.5}, {"scoring": ["r2"]},
        {"time_channel": 3}, {"time_channel": "t"},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(wrong))):
            sequence_importance(ORACLE, X, Y, **wrong)
    with pytest.raises(ValueError, match="two samples"):
        sequence_importance(ORACLE, X[:1], Y[:1])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        sequence_importance(ORACLE, X, Y[:-1])


def test_the_picture_shows_the_numbers(plt):
    display = SequenceImportanceDisplay.from_estimator(
        ORACLE, X, Y, n_spans=4, n_repeats=2, random_state=0
    )
    expected = sequence_importance(ORACLE, X, Y, n_spans=4, n_repeats=2, random_state=0)
    channels, spans = expected.channels, expected.spans
    widths = [bar.get_width() for bar in display.channel_bars_]
    np.testing.assert_allclose(widths, np.sort(channels.importances_mean)[::-1])
    assert display.axes_[0].get_yticklabels()[0].get_text() == "channel 1"
    heights = [bar.get_height() for bar in display.span_bars_]
    np.testing.assert_allclose(heights, spans.importances_mean)
    middles = [bar.get_x() + bar.get_width() / 2 for bar in display.span_bars_]
    np.testing.assert_allclose(middles, [1.5, 4.5, 7.5, 10.5])


def test_the_picture_fits_into_what_it_is_given_and_shows_the_strongest_of_many(plt):
    samples = [np.repeat(x[:n], 6, axis=1) for x, n in zip(X, [*range(5, 13)] * 7, strict=False)]
    y = ORACLE.predict(samples)
    figure, (_, ax) = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
    display = SequenceImportanceDisplay.from_estimator(
        ORACLE, samples, y, n_spans=2, n_repeats=1, random_state=0, ax=ax
    )
    assert display.figure_ is figure
    assert len(display.channel_bars_) == 15
    assert display.axes_[0].get_ylabel() == "the first 15 of 18"
    assert display.axes_[1].get_xlim() == (0, 100)  # samples differ in length: per cent
    figure.canvas.draw()
    renderer, (width, height) = figure.canvas.get_renderer(), figure.bbox.size
    for axes in display.axes_:
        box = axes.get_tightbbox(renderer)
        assert box.x0 > 0.45 * width
        assert box.x1 < width + 1
        assert -1 < box.y0 < box.y1 < height + 1
    assert display.plot() is display
    assert display.figure_ is not figure
