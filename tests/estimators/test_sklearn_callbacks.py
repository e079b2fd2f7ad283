"""scikit-learn's callbacks: progress, monitors and stopping, alone and in searches."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNRegressor, load
from tests.families import ENTRIES, SKLEARN, each, that_take

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has none")


class Recorder:
    """What a fit says of itself."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events, self.scores = [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append(("end", context.task_name, context.task_id))
        self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and context.task_id == self.stop_after


def _all_of(n_epochs):
    epochs = [(what, "epoch", k) for k in range(n_epochs) for what in ("begin", "end")]
    return ["setup", ("begin", "fit", 0), *epochs, ("end", "fit", 0), "teardown"]


@each(SKLEARN)
def test_a_fit_tells_of_its_epochs_and_of_what_it_has_learned_so_far(kind):
    entry = ENTRIES[kind]
    recorder = Recorder()
    model = entry.make(max_iter=3).set_callbacks(recorder).fit(entry.X, entry.y)
    assert recorder.events == _all_of(3)
    for epochs, score in enumerate(recorder.scores[:2], start=1):
        assert np.isfinite(score), epochs
    assert recorder.scores[2] == recorder.scores[3] == model.score(entry.X, entry.y)
    unwatched = entry.make(max_iter=3).fit(entry.X, entry.y)
    assert unwatched.score(entry.X, entry.y) == recorder.scores[3]


@each(that_take("table"))
def test_a_callback_may_end_training(kind):
    entry = ENTRIES[kind]
    recorder = Recorder(stop_after=1)
    model = entry.make(max_iter=5).set_callbacks(recorder).fit(entry.X, entry.y)
    assert model.n_iter_ == 2
    assert recorder.events == _all_of(2)


def test_early_stopping_tells_of_the_last_epoch_too():
    entry = ENTRIES[DynPMNNRegressor]
    recorder = Recorder()
    options = {"learning_rate": "constant", "n_iter_no_change": 2, "tol": 10.0}
    model = entry.make(max_iter=20, early_stopping=True, **options).set_callbacks(recorder)
    model.fit(entry.X, entry.y)
    assert model.n_iter_ < 20
    assert recorder.events == _all_of(model.n_iter_)


def test_an_error_ends_the_watching_and_leaves_the_estimator_as_it_was():
    entry = ENTRIES[DynPMNNRegressor]
    recorder = Recorder()
    model = entry.make(max_iter=2).set_callbacks(recorder)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.full_like(entry.X, np.inf), entry.y)
    assert recorder.events == ["setup", "teardown"]
    assert vars(model) == before


def test_monitors_and_bars_reach_into_pipelines_and_searches(capsys):
    entry = ENTRIES[DynPMNNRegressor]
    pipeline = make_pipeline(StandardScaler(), entry.make(max_iter=2))
    monitor = callback.ScoringMonitor(scoring="r2")
    pipeline[-1].set_callbacks(monitor)
    search = GridSearchCV(pipeline, {"dynpmnnregressor__hidden_size": [2, 3]}, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(entry.X, entry.y)
    scores = monitor.get_logs().data_as_pandas
    fits = 2 * 2 + 1
    assert len(scores) == fits * (2 + 1)
    assert np.isfinite(scores["r2"]).all()


def test_callbacks_are_cloned_and_no_part_of_a_saved_model(tmp_path):
    entry = ENTRIES[DynPMNNRegressor]
    monitor = callback.ScoringMonitor(scoring="r2")
    model = entry.make(max_iter=1).set_callbacks(monitor)
    assert clone(model)._skl_callbacks == [monitor]
    model.fit(entry.X, entry.y).save(tmp_path / "model")
    expected = model.predict(entry.X)
    np.testing.assert_array_equal(load(tmp_path / "model").predict(entry.X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(entry.X), expected)
