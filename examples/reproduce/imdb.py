"""IMDB reviews as word ids, with a learned embedding.

The last words of each review are kept. Test accuracy, trainable numbers and seconds by seed.
"""

import numpy as np
from _common import changes, options_of, report_of, run
from _report import get
from sklearn.utils import Bunch

from sklearn_physrnn.datasets import load_imdb_tokens

N_WORDS = 400
VOCABULARY = 20_000
CONFIGURATION = {
    "vocabulary_size": VOCABULARY,
    "embedding_dim": 32,
    "hidden_size": 32,
    "release": "soft",
    "readout": "mean",
    "dropout": 0.3,
    "alpha": 0.01,
    "batch_size": 64,
    "max_iter": 3,
    "learning_rate_init": 0.005,
}


def stand_in():
    """Random words, of which one in ten tells the class."""
    rng = np.random.default_rng(0)
    bunch = Bunch()
    for part, n in (("train", 200), ("test", 100)):
        y = rng.integers(0, 2, n)
        words = [rng.integers(2, 1000, rng.integers(10, 40)) for _ in y]
        for label, review in zip(y, words, strict=True):
            review[::10] = label
        bunch[f"X_{part}"], bunch[f"y_{part}"] = words, y
    return bunch


def main(arguments=None):
    options = options_of(__doc__, arguments)
    data = get(
        options,
        lambda: load_imdb_tokens(
            vocabulary_size=VOCABULARY, max_length=N_WORDS, data_home=options.data_home
        ),
        stand_in,
    )
    configuration = {**CONFIGURATION, **changes(options)}
    if options.quick:
        configuration["max_iter"] = 1
    report = report_of("IMDB", options)
    run(report, "IMDB", data, configuration)
    report.summary()


if __name__ == "__main__":
    main()
