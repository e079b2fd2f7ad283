import threading
import time

import pytest
import torch

from sklearn_physrnn.kernels._threads import kernel_threads, run, shards


@pytest.fixture(params=[1, 2, 4])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_rows", [0, 1, 2, 15, 16, 17, 1000])
@pytest.mark.parametrize("work", [0, 1, 1e5, 1e9])
def test_shards_cover_every_row_once(n_rows, work):
    pieces = shards(n_rows, work)
    assert [row for start, stop in pieces for row in range(start, stop)] == list(range(n_rows))
    assert 1 <= len(pieces) <= 16


def test_small_work_is_not_shared():
    assert len(shards(32, 100)) == 1
    assert len(shards(4096, 2048)) > 1


def test_shards_do_not_depend_on_threads(n_threads):
    assert len(shards(1000, 1e4)) == 16


def test_every_piece_runs_once(n_threads):
    pieces = shards(1000, 1e5)
    seen = []
    run(lambda *piece: seen.append(piece), pieces)
    assert sorted(seen) == [(i, *piece) for i, piece in enumerate(pieces)]


def test_threads_really_work_at_once():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    meeting = threading.Barrier(2, timeout=10)
    try:
        run(lambda *_: meeting.wait(), [(0, 1), (1, 2)])
    finally:
        torch.set_num_threads(before)


def callers(pieces):
    """Threads that a kernel of these pieces runs on, each long enough to be shared."""
    threads = set()

    def piece(*_):
        threads.add(threading.get_ident())
        time.sleep(0.02)

    run(piece, pieces)
    return len(threads)


def test_a_number_of_their_own(n_threads):
    pieces = [(i, i + 1) for i in range(12)]
    with kernel_threads(3):
        assert callers(pieces) == 3
        with kernel_threads(1):
            assert callers(pieces) == 1
        assert callers(pieces) == 3
    assert callers(pieces) == n_threads
    assert torch.get_num_threads() == n_threads


def test_an_exception_is_raised_here_after_the_others_ended(n_threads):
    done = []

    def piece(index, start, stop):
        if index == 1:
            raise ZeroDivisionError(index)
        done.append(index)

    with pytest.raises(ZeroDivisionError):
        run(piece, [(i, i + 1) for i in range(8)])
    if n_threads > 1:
        assert len(done) == 7


def test_several_callers_at_once():
    results = [0] * 4

    def caller(k):
        parts = [0] * 16
        run(lambda i, start, stop: parts.__setitem__(i, stop - start), shards(1600, 1e5))
        results[k] = sum(parts)

    threads = [threading.Thread(target=caller, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1600] * 4
