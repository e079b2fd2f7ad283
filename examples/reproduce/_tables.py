"""Tables that scikit-learn ships or makes, and banknotes where their file is there."""

from functools import partial

import numpy as np
from sklearn import datasets

from sklearn_physrnn.datasets import load_banknote, load_california_split

REGRESSIONS = {
    "diabetes": partial(datasets.load_diabetes, return_X_y=True),
    "Friedman 1": partial(datasets.make_friedman1, 500, noise=1.0, random_state=0),
    "Friedman 2": partial(datasets.make_friedman2, 500, noise=100.0, random_state=0),
    "Friedman 3": partial(datasets.make_friedman3, 500, noise=0.1, random_state=0),
    "linear, 20 columns": partial(
        datasets.make_regression, 300, 20, n_informative=10, noise=50.0, random_state=0
    ),
    "sparse, uncorrelated": partial(datasets.make_sparse_uncorrelated, 500, random_state=0),
    "swiss roll": partial(datasets.make_swiss_roll, 500, noise=0.5, random_state=0),
}

CLASSES = {
    "iris": partial(datasets.load_iris, return_X_y=True),
    "wine": partial(datasets.load_wine, return_X_y=True),
    "breast cancer": partial(datasets.load_breast_cancer, return_X_y=True),
    "digits": partial(datasets.load_digits, return_X_y=True),
    "two moons": partial(datasets.make_moons, 500, noise=0.3, random_state=0),
    "Gaussian clusters": partial(
        datasets.make_classification, 1000, 20, n_informative=5, n_clusters_per_class=3,
        flip_y=0.05, random_state=0,
    ),
    "Hastie 10.2": partial(datasets.make_hastie_10_2, 1000, random_state=0),
    "Gaussian quantiles": partial(
        datasets.make_gaussian_quantiles, n_samples=500, n_features=4, n_classes=3, random_state=0
    ),
}  # fmt: skip


def regressions():
    """Give every regression as X, y; of California 2,000 training rows."""
    found = {name: load() for name, load in REGRESSIONS.items()}
    try:
        data = load_california_split()
    except OSError as error:
        print(f"California Housing is left out: {error}")
        return found
    rows = np.random.default_rng(0).permutation(len(data.X_train))[:2000]
    found["California, 2,000"] = data.X_train.to_numpy()[rows], data.y_train.to_numpy()[rows]
    return found


def classifications(data_home=None):
    """Give every classification as X, y."""
    found = {name: load() for name, load in CLASSES.items()}
    try:
        bunch = load_banknote(data_home=data_home)
    except FileNotFoundError as error:
        print(f"Banknotes are left out: {error}")
        return found
    found["banknote"] = bunch.data.to_numpy(), bunch.target
    return found
