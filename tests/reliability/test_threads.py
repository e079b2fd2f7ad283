"""Several threads at once: the same bytes, and torch's threads as before."""

import pickle
import threading

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed

from sklearn_physrnn.training._threads import sensible_threads
from tests.families import takes_tables, through_each_kernel

N_THREADS = 16
# Wide enough for torch and compiled kernels to use their threads.
MODELS = through_each_kernel(hidden_size=32)


def data(model, n=300):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5) if takes_tables(model) else (n, 30, 2))
    y = X.reshape(n, -1)[:, :3].sum(axis=1)
    return X, y > 0 if hasattr(model, "predict_proba") else y


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def at_once(function, n=N_THREADS):
    """Call `function` in `n` threads that start together; return what each returned."""
    meeting, results = threading.Barrier(n), [None] * n

    def call(i):
        meeting.wait(30)
        results[i] = function()

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return results


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_predictions_from_many_threads_are_those_from_one(model):
    X, y = data(model)
    model.set_params(max_iter=1, random_state=0).fit(X[:100], y[:100])
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    for dtype in (np.float32, np.float64):
        x = X.astype(dtype)
        # Threads meet a model that has not predicted yet, and has to make its copies.
        fresh = pickle.loads(pickle.dumps(model))
        # To the bit: the same work on the same number of torch's threads.
        found = at_once(lambda fresh=fresh, x=x: getattr(fresh, method)(x).tobytes())
        assert set(found) == {getattr(model, method)(x).tobytes()}


def _fitted(model):
    X, y = data(model, 60)
    return model.set_params(max_iter=3, random_state=1).fit(X, y)


@pytest.mark.usefixtures("two_threads")
def test_fits_in_several_threads_are_those_in_one():
    alone = [_fitted(pickle.loads(pickle.dumps(model))) for model in MODELS]
    before = torch.get_rng_state()
    together = Parallel(n_jobs=6, backend="threading", timeout=120)(
        delayed(_fitted)(model) for model in pickle.loads(pickle.dumps(MODELS))
    )
    for a, b in zip(alone, together, strict=True):
        assert a.loss_curve_ == b.loss_curve_
        X, _ = data(a)
        assert a.predict(X).tobytes() == b.predict(X).tobytes()
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)
    kernel_threads = [t for t in threading.enumerate() if t.name.startswith("physrnn-kernel")]
    assert len(kernel_threads) <= 2  # one pool, however many callers


@pytest.mark.usefixtures("two_threads")
def test_each_thread_has_its_number_of_torch_threads_back():
    inside, leave = threading.Event(), threading.Event()
    found = {}

    def first():
        with sensible_threads(0):
            inside.set()
            leave.wait(30)
        found["first"] = torch.get_num_threads()

    def second():  # asks torch for the first time while another trains
        with sensible_threads(0):
            found["within"] = torch.get_num_threads()
        found["second"] = torch.get_num_threads()

    def third():
        found["third"] = torch.get_num_threads()

    assert torch.get_num_threads() == 2
    with sensible_threads(0):
        one = threading.Thread(target=first)
        one.start()
        assert inside.wait(30)
        two = threading.Thread(target=second)
        two.start()
        two.join(30)
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    leave.set()
    one.join(30)
    three = threading.Thread(target=third)
    three.start()
    three.join(30)
    assert found == {"first": 2, "within": 1, "second": 2, "third": 2}
