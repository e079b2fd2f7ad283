"""Streams: what a step takes, and how far they are from predictions after many steps.

Run with one thread (OMP_NUM_THREADS=1). Times are of this thread, so that others on the same
machine do not count but for the caches they take.
"""

import argparse
import time
import tracemalloc

import numpy as np

import sklearn_physrnn as sk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 50, 3))
Y = (X[:, :, 0].sum(axis=1) > 0).astype(int)


def _microseconds(run, n, repeats):
    run()
    found = []
    for _ in range(repeats):
        start = time.thread_time()
        for _ in range(n):
            run()
        found.append((time.thread_time() - start) / n * 1e6)
    return np.median(found), min(found)


def times(cls):
    model = cls(max_iter=2, random_state=0).fit(X, Y)
    stream, step = model.stream(), X[0, 0].copy()
    median, best = _microseconds(lambda: stream.push(step), 50, 400)
    print(f"{cls.__name__}: a step {median:.1f} µs (median; {best:.1f} best)", flush=True)
    many, steps = model.stream(1000), RNG.normal(size=(1000, 3))
    median, best = (x / 1000 for x in _microseconds(lambda: many.push(steps), 1, 200))
    print(f"  of 1,000 streams {median:.2f} µs each ({best:.2f} best)", flush=True)


def agreement(cls, n_steps, **parameters):
    model = cls(max_iter=2, random_state=0, chunk_size="auto", **parameters).fit(X, Y)
    for dtype in (np.float64, np.float32):
        series = RNG.normal(size=(1, n_steps, 3)).astype(dtype)
        stream = model.stream(dtype=np.dtype(dtype).name)
        for step in series[0]:
            stream.push(step)
        said, whole = stream.predict_proba(), model.predict_proba(series)
        features, expected = stream.transform(), model.transform(series)
        off = np.abs(features - expected).max() / np.abs(expected).max()
        apart = np.abs(said - whole).max()
        name = f"{cls.__name__} {parameters} {np.dtype(dtype).name}"
        print(
            f"{name}, {n_steps:,} steps: features off by {off:.1e}, outputs {apart:.1e}",
            flush=True,
        )


def memory(cls, n_steps):
    stream = cls(max_iter=2, random_state=0).fit(X, Y).stream()
    step = X[0, 0].copy()
    stream.push(step)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(n_steps):
        stream.push(step)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    print(f"{cls.__name__}: {grown} bytes more after {n_steps:,} steps", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--grown", type=int, default=1_000_000)
    options = parser.parse_args()
    for estimator in (sk.HSSMClassifier, sk.PETNNClassifier):
        times(estimator)
    agreement(sk.HSSMClassifier, options.steps)
    agreement(sk.PETNNClassifier, options.steps)
    agreement(sk.HSSMClassifier, options.steps, norm="batch", readout="last")
    agreement(sk.HSSMClassifier, options.steps, dynamics="damped")
    for estimator in (sk.HSSMClassifier, sk.PETNNClassifier):
        memory(estimator, options.grown)
