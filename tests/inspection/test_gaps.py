"""Where nothing was observed, displays are shaded and the input's line is broken."""

import numpy as np
import pytest

from sklearn_physrnn import HSSMClassifier, PETNNClassifier
from sklearn_physrnn.inspection import CellEnergyDisplay, ModesDisplay
from sklearn_physrnn.inspection._gaps import alone, broken, shade_missing, shade_silent

N_STEPS = 20


def timed_sequences():
    """Stamps of which the ones of the first sequence make a pause after step 7."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, N_STEPS, 2))
    X[:, :, 0] = np.arange(N_STEPS)
    X[0, 8:, 0] += 40
    return X, np.arange(12) % 2


@pytest.mark.parametrize(
    ("classifier", "display"),
    [(PETNNClassifier, CellEnergyDisplay), (HSSMClassifier, ModesDisplay)],
)
def test_a_pause_of_the_clock_is_shaded(classifier, display, plt):
    X, y = timed_sequences()
    model = classifier(4, max_iter=1, time_channel=0, random_state=0).fit(X, y)
    drawn = display.from_estimator(model, X)
    line = drawn.axes_[0].lines[0]
    where = np.isnan(line.get_ydata()).nonzero()[0]
    assert where.tolist() == [8]
    np.testing.assert_array_equal(np.delete(line.get_ydata(), where), X[0, :, 1])
    assert len(drawn.gaps_) >= 3
    for axis, (shade,) in zip(drawn.axes_, drawn.gaps_, strict=False):
        assert shade in axis.patches
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == (7, 48)
    state = drawn.axes_[1].lines[-1].get_ydata()  # what it does in the pause is not drawn
    assert np.isnan(state).nonzero()[0].tolist() == [8]
    without = display.from_estimator(model, X, sample=1)
    assert all(shades == [] for shades in without.gaps_)
    assert not np.isnan(without.axes_[0].lines[0].get_ydata()).any()


def test_stretches_are_shaded_from_value_to_value(plt):
    _, (axis, other) = plt.subplots(2)
    time = np.arange(6.0) * 10
    found = shade_missing(axis, time, np.array([True, False, True, True, False, True]))
    ends = [(x.get_x(), x.get_x() + x.get_width()) for x in found]
    assert ends == [(0, 10), (10, 40), (40, 50)]
    values = np.array([[1, np.nan], [np.nan, np.nan], [np.nan, 1], [1, 1], [1, 1], [1, 1.0]])
    (one,) = shade_silent([other], time, values)
    assert [(x.get_x(), x.get_width()) for x in one] == [(0, 20)]  # where no channel is there


def test_lines_break_where_time_pauses():
    time, values = broken(np.array([0, 1, 2, 30, 31]), np.arange(10.0).reshape(5, 2))
    assert time.tolist() == [0, 1, 2, 16, 30, 31]
    assert np.isnan(values[3]).all()
    assert values[[0, 1, 2, 4, 5], 0].tolist() == [0, 2, 4, 6, 8]
    single = alone(np.array([1, np.nan, 2, np.nan, 3, 4]))
    assert single.tolist() == [True, False, True, False, False, False]
