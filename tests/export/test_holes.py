"""Missing values inside sequences: a file fills them as the estimator does."""

import numpy as np
import pytest

from sklearn_physrnn import HSSMClassifier, HSSMRegressor, PETNNRegressor
from tests.helpers.onnx import answers, assert_alike, session, stepped

N, T, C = 16, 12, 3
RNG = np.random.default_rng(0)
Y = RNG.normal(size=N)
TINY = {"hidden_size": 4, "max_iter": 2, "random_state": 0}


def walks(share):
    """Slow walks, so that values tell of those beside them, with a share of them missing."""
    x = 3 + RNG.normal(size=(N, T, C)).cumsum(axis=1)
    x[RNG.random(x.shape) < share] = np.nan
    x[:, [0, -1], 0] = 1.0  # a last step without a value would be padding
    x[3, :, 1] = np.nan
    x[5, 8:] = np.nan  # padding
    return x


def with_time(x):
    stamps = RNG.choice([0.5, 1, 1, 3], size=(N, T, 1)).cumsum(axis=1)
    stamps[5, 8:] = np.nan
    return np.concatenate([x, stamps], axis=2)


def assert_whole_and_steps_agree(estimator, folder, x, *, steps):
    x = x.astype(np.float32)
    file = session(estimator, folder)
    assert_alike(file.run(None, {"X": x}), answers(estimator, x))
    if steps:
        full = np.delete(x, 5, axis=0)
        said = stepped(session(estimator, folder, step=True), full)
        assert_alike([one[-1] for one in said], answers(estimator, full))


@pytest.mark.parametrize(
    ("kind", "missing", "time_channel"),
    [
        (HSSMRegressor, "mask", None),
        (HSSMRegressor, "linear", 3),
        (PETNNRegressor, "mask", 3),
        (PETNNRegressor, "linear", None),
    ],
)
def test_values_that_were_missing_in_training_too(kind, missing, time_channel, tmp_path):
    x = walks(0.3) if time_channel is None else with_time(walks(0.3))
    x[:, :, 2] = np.nan  # a channel that is not looked at
    estimator = kind(**TINY, missing=missing, time_channel=time_channel).fit(x, Y)
    assert_whole_and_steps_agree(estimator, tmp_path, x, steps=missing == "mask")


@pytest.mark.parametrize("missing", ["mask", "linear"])
def test_values_that_were_never_missing_in_training(missing, tmp_path):
    whole = RNG.normal(size=(N, T, C)).cumsum(axis=1)
    estimator = HSSMClassifier(**TINY, missing=missing).fit(whole, Y > 0)
    assert_whole_and_steps_agree(estimator, tmp_path, walks(0.4), steps=missing == "mask")
    assert_whole_and_steps_agree(estimator, tmp_path, whole, steps=True)


def test_a_step_that_would_have_to_look_ahead_is_refused(tmp_path):
    estimator = PETNNRegressor(**TINY, missing="linear").fit(walks(0.3), Y)
    with pytest.raises(ValueError, match="missing='mask'"):
        estimator.to_onnx(tmp_path / "model.onnx", step=True)


def test_where_none_were_missing_a_step_without_a_value_is_nan_from_there_on(tmp_path):
    whole = RNG.normal(size=(N, T, C))
    estimator = HSSMRegressor(**TINY, missing="linear").fit(whole, Y)
    x = whole.astype(np.float32)
    x[2, 4, 1] = np.nan
    (said,) = stepped(session(estimator, tmp_path, step=True), x)
    assert [bool(np.isnan(y[2])) for y in said] == [k >= 4 for k in range(T)]
    assert not np.isnan(np.delete(said, 2, axis=1)).any()
