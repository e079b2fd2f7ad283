"""Searches whose fits run on a cluster of Dask's, started here: as in one process."""

import os
import signal

import joblib
import numpy as np
import pytest
from skorch.callbacks import Callback

from tests.families import NUMBERS, SKLEARN, each

from tests.families import ENTRIES, FORECASTERS, WALK  # isort: skip

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def search(model, **grid):
    from sklearn.model_selection import GridSearchCV

    return GridSearchCV(model, grid, cv=2, n_jobs=-1, error_score="raise")


def on_dask(search, X, y):
    with joblib.parallel_config("dask", scatter=[X, y]):
        return search.fit(X, y)


@each(SKLEARN[::2])
def test_a_search_finds_what_it_finds_here(client, kind):
    entry = ENTRIES[kind]
    there, here = (search(entry.make(), hidden_size=[3, 4]) for _ in range(2))
    on_dask(there, *entry.data)
    here.set_params(n_jobs=1).fit(*entry.data)
    for name in ("params", "mean_test_score", "std_test_score"):
        assert list(there.cv_results_[name]) == list(here.cv_results_[name])
    assert there.predict(entry.X).tobytes() == here.predict(entry.X).tobytes()


class KillOnce(Callback):
    """Kill the process that this runs in, if none was killed before."""

    def __init__(self, mark):
        self.mark = mark

    def on_epoch_end(self, net, **kwargs):
        try:
            os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_spoils_no_search(client, tmp_path):
    entry = ENTRIES[SKLEARN[0]]
    mark = str(tmp_path / "killed")
    there = search(entry.make(callbacks=[KillOnce(mark)]), hidden_size=[3, 4])
    there.refit = False  # which runs here
    on_dask(there, entry.X, NUMBERS)
    assert os.path.exists(mark)
    here = search(entry.make(), hidden_size=[3, 4]).set_params(n_jobs=1).fit(entry.X, NUMBERS)
    np.testing.assert_array_equal(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )


def test_sktime_evaluates_there(client):
    from sktime.forecasting.model_evaluation import evaluate
    from sktime.split import ExpandingWindowSplitter

    forecaster = ENTRIES[FORECASTERS[0]].make()
    cv = ExpandingWindowSplitter(fh=[1, 2], initial_window=50, step_length=4)
    there, here = (
        evaluate(forecaster, cv, WALK, error_score="raise", backend=backend)
        for backend in ("dask", None)
    )
    scores = [name for name in here.columns if name.startswith("test_")]
    np.testing.assert_array_equal(there[scores], here[scores])
