"""Several processes: workers, forks, and the cache of compiled kernels."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import Parallel, cpu_count, delayed, parallel_config

import sklearn_physrnn
from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.nn import DynPMNN
from tests.families import ENTRIES, FAMILIES, REGRESSORS, takes_tables

PACKAGE = Path(sklearn_physrnn.__file__).parent
TIMEOUT = 240  # a hang, not a slow machine
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def script(text, folder, **environment):
    """Run `text` as a Python program in a process of its own; return what it printed last."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONWARNINGS": "ignore",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        env={name: value for name, value in environment.items() if value is not None},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# Run in children: join them, with an answer each, and kill those that hang.
FORK = """
import json, os, select, signal, time
import numpy as np

def forked(function):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    return pid, reading

def answer(child, seconds=60):
    pid, reading = child
    ready = select.select([reading], [], [], seconds)[0]
    if not ready:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return json.loads(os.read(reading, 1 << 16) or b'"no answer"') if ready else "hangs"
"""


@needs_fork
def test_fit_and_predict_in_a_fork_after_a_fit(tmp_path):
    # Large enough for torch to use its threads, which a forked child waits for in vain. With
    # a GPU in the machine torch refuses to train in a fork after any backward pass.
    text = """
    import threading, torch, warnings
    import sklearn_physrnn
    from sklearn_physrnn import DynPMNNRegressor

    torch.set_num_threads(2)
    rng = np.random.default_rng(0)
    rows, series = rng.normal(size=(1000, 8)), rng.normal(size=(64, 20, 2))
    fits = []
    for name, takes, several in REGRESSORS:
        X = rows if takes == "table" else series
        model = getattr(sklearn_physrnn, name)(hidden_size=64, batch_size=len(X), **several)
        fits.append((model, X, X.reshape(len(X), -1)[:, ::2].sum(1)))
    filters = list(warnings.filters)
    for model, X, y in fits:
        model.set_params(max_iter=1, random_state=0).fit(X, y)
        model.predict(X)
    assert warnings.filters == filters  # what the first fit imports has its own
    torch.randn(1000, 1000) @ torch.randn(1000, 1000)

    def predict():
        return [m.predict(X.astype(t))[:20].tolist() for m, X, _ in fits for t in ("f4", "f8")]

    def fit():
        again = [type(m)(**m.get_params()).fit(X, y) for m, X, y in fits]
        return [m.loss_curve_[0] for m in again], torch.get_num_threads()

    def fork_in_a_fork():
        return answer(forked(predict))

    expected = [predict(), fit()]
    found = [answer(forked(f)) for f in (predict, fit, fork_in_a_fork)]

    # Forked while other threads predict and fit, and hold the locks of it.
    going = True
    def work():
        while going:
            fits[0][0].predict(fits[0][1][:50])
            DynPMNNRegressor(4, max_iter=1).fit(rows[:20], rows[:20, 0])
    threads = [threading.Thread(target=work) for _ in range(3)]
    [thread.start() for thread in threads]
    amid = [answer(forked(predict)) for _ in range(4)]
    going = False
    [thread.join() for thread in threads]
    print(json.dumps([expected, found, amid]))
    """
    regressors = [(f.regressor.__name__, f.takes, f.several) for f in FAMILIES]
    (predicted, (losses, n_threads)), (predict, fit, twice), amid = script(
        f"REGRESSORS = {regressors}\n{FORK}{textwrap.dedent(text)}",
        tmp_path,
        OMP_NUM_THREADS="2",
        CUDA_VISIBLE_DEVICES="",
    )
    for found in (predict, twice, *amid):
        np.testing.assert_allclose(found, predicted, rtol=1e-4, atol=1e-5)
    assert fit[0] == pytest.approx(losses, rel=1e-4)
    assert fit[1] == n_threads == 2


@needs_fork
def test_a_cold_cache_survives_many_processes_at_once(tmp_path):
    text = """
    import torch
    from sklearn_physrnn.nn import DynPMNN

    def run():
        torch.manual_seed(0)
        with torch.no_grad():
            return DynPMNN(3, 1)(torch.randn(5, 3)).tolist()

    children = [forked(run) for _ in range(4)]
    print(json.dumps([answer(child, 200) for child in children] + [answer(forked(run), 200)]))
    """
    cache = tmp_path / "cache"
    answers = script(
        FORK + textwrap.dedent(text), tmp_path, NUMBA_CACHE_DIR=str(cache), OMP_NUM_THREADS="1"
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        expected = DynPMNN(3, 1)(torch.randn(5, 3))
    assert len(answers) == 5
    for found in answers:
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert list(cache.rglob("*.nbi"))


def test_no_place_for_a_cache(tmp_path):
    # No folder of ours, of the user or of Numba can be made: not even root can.
    copy = tmp_path / "packages" / "sklearn_physrnn"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [copy, *(p for p in copy.rglob("*") if p.is_dir())]:
        (folder / "__pycache__").touch()
    text = """
    import json, os
    import numpy as np
    import sklearn_physrnn
    from sklearn_physrnn import DynPMNNRegressor
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    model = DynPMNNRegressor(4, max_iter=2, random_state=0).fit(X, X[:, 0])
    from sklearn_physrnn.kernels.neuron import cpu
    cached = [type(f._cache).__name__ for f in (cpu._forward, cpu._backward)]
    print(json.dumps([sklearn_physrnn.__file__, cached, model.predict(X).tolist()]))
    """
    home = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "LOCALAPPDATA": os.devnull}
    file, cached, predicted = script(
        text,
        tmp_path,
        PYTHONPATH=str(copy.parent),
        PYTHONDONTWRITEBYTECODE="1",
        NUMBA_CACHE_DIR=os.path.join(os.devnull, "cache"),
        OMP_NUM_THREADS="1",
        **home,
    )
    assert Path(file).parent == copy
    assert cached == ["NullCache", "NullCache"]
    np.testing.assert_allclose(predicted, _predictions(), rtol=1e-4)


def _predictions():
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    return DynPMNNRegressor(4, max_iter=2, random_state=0).fit(X, X[:, 0]).predict(X)


def test_workers_fit_as_one_process_does(monkeypatch):
    # joblib divides the cores among its workers, but for what is set.
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    # In here, it is sent by value: not everywhere can workers import this module.
    def fitted(model, X, y):
        model.fit(X, y)
        return model.loss_curve_, model.predict(X), torch.get_num_threads(), os.getpid()

    rng = np.random.default_rng(0)
    rows, series = rng.normal(size=(60, 4)), rng.normal(size=(60, 10, 2))
    jobs = []
    for kind in REGRESSORS:
        model = ENTRIES[kind].make(hidden_size=8, max_iter=3, dropout=0.1, device="auto")
        X = rows if takes_tables(kind) else series
        jobs.append((model, X, X.reshape(60, -1)[:, -2]))
    jobs *= 2
    alone = [fitted(*job) for job in jobs]
    with parallel_config(backend="loky"):
        together = Parallel(n_jobs=2, timeout=TIMEOUT)(delayed(fitted)(*job) for job in jobs)
    # On as many threads as they have, and so to a few roundings of float32.
    for ours, theirs in zip(alone, together, strict=True):
        np.testing.assert_allclose(theirs[0], ours[0], rtol=1e-5)
        np.testing.assert_allclose(theirs[1], ours[1], rtol=1e-5, atol=1e-5 * np.ptp(ours[1]))
    assert os.getpid() not in {r[3] for r in together}
    assert all(r[2] <= max(1, cpu_count() // 2) for r in together)
