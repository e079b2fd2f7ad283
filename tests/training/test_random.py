import threading

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_physrnn import PETNNRegressor
from sklearn_physrnn.kernels import _threads
from sklearn_physrnn.training._random import preserved_global_state, seeded
from sklearn_physrnn.training._threads import sensible_threads


def test_seeded_draws_repeat_and_leave_no_trace():
    before = torch.get_rng_state()
    with seeded(3):
        first = torch.rand(4)
    with seeded(3):
        assert torch.equal(torch.rand(4), first)
    with seeded(4):
        assert not torch.equal(torch.rand(4), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_state_is_put_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), preserved_global_state():
        _ = torch.rand(3) / (1 // 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_state_is_put_back_when_the_last_thread_leaves():
    before = torch.get_rng_state()
    entered, leave = threading.Event(), threading.Event()

    def other():
        with preserved_global_state():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    with preserved_global_state():
        torch.rand(3)
    leave.set()
    thread.join()
    assert torch.equal(torch.get_rng_state(), before)


def test_seeds_of_threads_do_not_mix():
    with seeded(0):
        expected = torch.rand(1000)
    results = []

    def draw():
        for _ in range(20):
            with seeded(0):
                results.append(torch.cat([torch.rand(10) for _ in range(100)]))

    threads = [threading.Thread(target=draw) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with seeded(0):
        pieces = torch.cat([torch.rand(10) for _ in range(100)])
    assert len(results) == 60
    assert all(torch.equal(r, pieces) for r in results)
    assert expected.shape == pieces.shape


def test_a_seed_for_now_is_not_kept_for_cuda(monkeypatch):
    # torch.manual_seed would, until CUDA starts, and put it in the place of the user's.
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("CUDA was seeded"))
    with seeded(3):
        drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(3)))


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_small_work_takes_one_thread_and_gives_the_others_back():
    with sensible_threads(10):
        assert torch.get_num_threads() == 1
        with sensible_threads(20):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with sensible_threads(10**12):
        assert torch.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError), sensible_threads(1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("n_steps", "kernels"), [(4, 1), (60, 2)], ids=["small work", "large work"]
)
def test_petnn_trains_with_the_threads_in_its_kernels(n_steps, kernels):
    seen = set()

    class Look(Callback):
        def on_batch_end(self, net, **_):
            seen.add((torch.get_num_threads(), _threads.available()))

    X = np.random.default_rng(0).normal(size=(32, n_steps, 3))
    PETNNRegressor(max_iter=1, batch_size=32, callbacks=[Look()]).fit(X, X[:, 0, 0])
    assert seen == {(1, kernels)}
    assert torch.get_num_threads() == _threads.available() == 2
