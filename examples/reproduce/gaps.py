"""Gaps: accuracy where time jumps in one series of a hundred, and where it never does.

Clocks are even, with stamps in a channel of their own. In one of a hundred series, of training and
of test, at least one, the clock jumps at a random step by 10, 1,000 or 10^6 intervals. What is
observed goes on as if nothing had been: two tones whose frequency tells the class, half buried in
noise; and JapaneseVowels, series of unequal length. A model that makes the gap its unit of
time, whose state overflows in it, or whose gradient does, has lost the other 99, too.
"""

import time

import numpy as np
from _report import Report, get, n_parameters, parser, read
from sklearn.utils import Bunch

from sklearn_physrnn import HSSMClassifier, PETNNClassifier
from sklearn_physrnn.datasets import load_panel

GAPS = (0, 10, 1000, 10**6)
MODELS = {
    "HSSM": (HSSMClassifier, {"hidden_size": 16, "state_size": 16}, GAPS),
    # Which walk through a gap, up to a thousand steps.
    "nonlinear HSSM": (
        HSSMClassifier,
        {"hidden_size": 16, "state_size": 16, "dynamics": "nonlinear"},
        GAPS[:3],
    ),
    "PETNN": (PETNNClassifier, {"hidden_size": 32}, GAPS),
}


def tones(seed, options):
    """Series of 60 steps, of one of two frequencies and any phase."""
    n_train, n_test = (40, 20) if options.quick else (300, 1000)
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n_train + n_test)
    angle = np.arange(60) * np.where(y, 0.5, 0.4)[:, None] + rng.uniform(0, 2 * np.pi, (len(y), 1))
    X = list((np.sin(angle) + rng.normal(size=angle.shape))[:, :, None])
    return Bunch(X_train=X[:n_train], y_train=y[:n_train], X_test=X[n_train:], y_test=y[n_train:])


def vowels(seed, options):
    """Japanese vowels, the same for all seeds."""
    return get(options, lambda: load_panel("JapaneseVowels"), lambda: tones(seed, options))


DATA = {"tones": tones, "JapaneseVowels": vowels}


def with_clock(X, gap, rng):
    """Put an even clock before the channels, with a gap in one series of a hundred.

    Returns
    -------
    list of ndarray of shape (n_timesteps, 1 + n_channels)
    """
    chosen = rng.choice(len(X), max(1, len(X) // 100), replace=False)
    timed = []
    for i, x in enumerate(X):
        stamps = np.arange(len(x), dtype=float)
        step = rng.integers(1, len(x))
        if i in chosen:
            stamps[step:] += gap
        timed.append(np.column_stack([stamps, x]))
    return timed


def main(arguments=None):
    options = parser(__doc__, seeds=5)
    options.add_argument("--data", nargs="*", default=list(DATA), choices=list(DATA))
    options.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    options.add_argument("--epochs", type=int, default=30)
    options = read(options, arguments)
    if options.quick:
        options.epochs = 2

    n_cases = sum(len(MODELS[name][2]) for name in options.models)
    report = Report("gaps", options, len(options.data) * options.seeds * n_cases)
    scores = {}
    for data in options.data:
        for seed in range(options.seeds):
            parts = DATA[data](seed, options)
            for name in options.models:
                kind, sizes, gaps = MODELS[name]
                for gap in gaps:
                    rng = np.random.default_rng(seed)  # the same series and steps for all
                    model = kind(
                        **sizes, time_channel=0, max_iter=options.epochs, device=options.device,
                        random_state=seed,
                    )  # fmt: skip
                    start = time.perf_counter()
                    model.fit(with_clock(parts.X_train, gap, rng), parts.y_train)
                    score = model.score(with_clock(parts.X_test, gap, rng), parts.y_test)
                    scores.setdefault((data, name, gap), []).append(score)
                    report.add(
                        data=f"{data}, {'no gap' if gap == 0 else f'gaps of {gap:,}'}", model=name,
                        seed=seed, metric="accuracy", value=score, parameters=n_parameters(model),
                        seconds=time.perf_counter() - start,
                    )  # fmt: skip
    report.summary()
    print("\nDifference from no gap, the mean over seeds of pairs:")
    for (data, name, gap), found in scores.items():
        if gap:
            off = np.subtract(found, scores[data, name, 0])
            error = off.std(ddof=1) / len(off) ** 0.5 if len(off) > 1 else 0.0
            print(
                f"{data:<16} {name:<16} {gap:>9,} {100 * off.mean():+.2f} +- {100 * error:.2f} %"
            )


if __name__ == "__main__":
    main()
