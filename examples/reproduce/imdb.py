"""IMDB reviews as word ids, with a learned embedding or pretrained vectors.

The last words of each review are kept. Test accuracy, trainable numbers and seconds by seed.
Beside the recurrences what they have to beat: logistic regression on words and pairs of words that
are there, each weighted by how much more often it is there in one class (Wang and Manning, ACL
2012).
"""

import time

import numpy as np
from _common import changes, options_of, report_of, run
from _report import get, n_parameters
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

from sklearn_physrnn.datasets import get_data_home, load_imdb_tokens

N_WORDS = 400
VECTORS = "glove50_imdb20k.npy"  # a row a word of imdb_ids20k.npz; NaN where it has no vector
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


def words_and_pairs(reviews, columns=None):
    """Give what is there as a sparse table, and its columns: pairs of three reviews or more."""
    words = [np.unique(review) for review in reviews]
    pairs = [np.unique(review[:-1] * VOCABULARY + review[1:]) for review in reviews]
    if columns is None:
        seen, counts = np.unique(np.concatenate(pairs), return_counts=True)
        columns = seen[counts >= 3]
    at = [np.searchsorted(columns, own).clip(max=len(columns) - 1) for own in pairs]
    pairs = [i[columns[i] == own] for i, own in zip(at, pairs, strict=True)]
    tables = []
    for found, width in ((words, VOCABULARY), (pairs, len(columns))):
        starts = np.concatenate([[0], np.cumsum([len(own) for own in found])])
        there = np.ones(starts[-1])
        tables.append(csr_matrix((there, np.concatenate(found), starts), (len(found), width)))
    return hstack(tables, format="csr"), columns


def bag_of_words(report, data):
    """Fit the logistic regression, and report its accuracy."""
    start = time.perf_counter()
    X, columns = words_and_pairs(data.X_train)
    positive, negative = (np.asarray(X[data.y_train == c].sum(axis=0)).ravel() + 1 for c in (1, 0))
    ratio = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
    model = LogisticRegression(max_iter=300).fit(X.multiply(ratio).tocsr(), data.y_train)
    seconds = time.perf_counter() - start
    X_test = words_and_pairs(data.X_test, columns)[0].multiply(ratio).tocsr()
    report.add(
        data="IMDB", model="words and pairs", seed=0, metric="accuracy",
        value=model.score(X_test, data.y_test), parameters=n_parameters(model), seconds=seconds,
    )  # fmt: skip


def pretrained(options):
    """Give the parameters that begin with vectors, where their file is there."""
    if options.vectors == "none":
        return {}
    home = get_data_home(options.data_home)
    found = [*home.glob(VECTORS), *home.glob(f"*/{VECTORS}")]
    if not found or options.quick:
        print(f"{VECTORS} is not in {home}, or this is a quick run: embeddings are learned.")
        return {}
    vectors = np.load(found[0], allow_pickle=False)
    frozen = options.vectors == "frozen"
    return {"embedding": vectors, "embedding_dim": vectors.shape[1], "freeze_embedding": frozen}


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
    extra = [
        ("--vectors", {"default": "none", "choices": ["none", "trained", "frozen"]}),
        ("--rows", {"type": int, "default": 25_000, "help": "training reviews"}),
    ]
    options = options_of(__doc__, arguments, extra=extra)
    data = get(
        options,
        lambda: load_imdb_tokens(
            vocabulary_size=VOCABULARY, max_length=N_WORDS, data_home=options.data_home
        ),
        stand_in,
    )
    if options.rows < len(data.y_train):
        rows = np.random.default_rng(0).permutation(len(data.y_train))[: options.rows]
        data.X_train, data.y_train = [data.X_train[i] for i in rows], data.y_train[rows]
    configuration = {**CONFIGURATION, **changes(options), **pretrained(options)}
    if options.quick:
        configuration["max_iter"] = 1
    report = report_of("IMDB", options)
    report.total += 1
    bag_of_words(report, data)
    name = "IMDB" if options.vectors == "none" else f"IMDB, {options.vectors} vectors"
    run(report, name, data, configuration)
    report.summary()


if __name__ == "__main__":
    main()
