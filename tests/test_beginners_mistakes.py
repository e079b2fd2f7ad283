"""What beginners get wrong, and the message: what was expected, what came, what to do."""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sktime.exceptions import NotFittedError as NotFittedErrorOfSktime
from torch.utils.data import TensorDataset

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, HSSMClassifier, PETNNRegressor
from sklearn_physrnn.classification import HSSMSeriesClassifier
from sklearn_physrnn.forecasting import DynPMNNForecaster
from sklearn_physrnn.regression import PETNNSeriesRegressor
from tests.families import ENTRIES, Entry, N

# One of each border: tables, sequences, panels; numbers and labels.
KINDS = {
    "table": (DynPMNNRegressor, DynPMNNClassifier),
    "sequence": (PETNNRegressor, HSSMClassifier),
    "panel": (PETNNSeriesRegressor, HSSMSeriesClassifier),
}
REGRESSORS = (DynPMNNRegressor, PETNNRegressor, PETNNSeriesRegressor)


class Mistake(NamedTuple):
    """What is done to an entry of `tests.families`, and what the message says."""

    do: Callable[[Entry], object]
    says: tuple[str, ...]  # regular expressions
    where: tuple[type, ...] = tuple(cls for kinds in KINDS.values() for cls in kinds)


def fit(X=None, y=None, *more, **parameters):
    """Fit to X and y made of an entry's own, by functions of them."""

    def do(entry):
        given_X = entry.X if X is None else X(entry.X)
        given_y = entry.y if y is None else y(entry.y)
        return entry.make(**parameters).fit(given_X, given_y, *more)

    return do


def _wild(X):
    X = X.copy()
    X.flat[7] = np.inf
    return X


SKLEARN = KINDS["table"] + KINDS["sequence"]
NUMBERS = "X must hold real numbers, got"

MISTAKES = {
    "X of one dimension": Mistake(
        fit(lambda X: X.ravel()[:N]), ("[Rr]eshape your data", "1D|shape \\(24,\\)"), SKLEARN
    ),
    "y of another length": Mistake(
        fit(y=lambda y: y[:-4]), ("inconsistent", r"X has 24 and y 20", "one target"), SKLEARN
    ),
    "text in X": Mistake(
        fit(lambda X: np.full(X.shape, "high")), (NUMBERS, r"text \(<U4\)", "categories")
    ),
    "dates as X": Mistake(
        fit(lambda X: np.arange(X.size).reshape(X.shape).astype("M8[D]")),
        (NUMBERS, "datetime64", "days since a fixed date"),
        SKLEARN,
    ),
    "complex numbers": Mistake(fit(lambda X: X + 1j), (NUMBERS, "complex128")),
    "infinity": Mistake(fit(_wild), ("X contains infinity",)),
    "NaN in y": Mistake(
        fit(y=lambda y: np.where(np.arange(N) == 3, np.nan, y)), ("y contains NaN",)
    ),
    "no data": Mistake(fit(lambda X: X[:0], lambda y: y[:0]), ("X.*0|0 sample", "[Mm]inimum")),
    "a generator": Mistake(
        fit(lambda X: (x for x in X)), ("X must be an array", "generator", r"list\(X\)")
    ),
    "a path": Mistake(
        fit(lambda X: "train.csv"), ("X must be an array", "'train.csv'", "read the file")
    ),
    "a dict": Mistake(
        fit(lambda X: {"a": X}), ("X must be an array", "a dict", "pandas.DataFrame")
    ),
    "a data set of torch": Mistake(
        fit(lambda X: TensorDataset()), ("X must be an array", "TensorDataset", "its tensors")
    ),
    "nothing": Mistake(fit(lambda X: None), ("X must be an array.*got None",)),
    "no y": Mistake(fit(y=lambda y: None), ("y", "None")),
    "text for a regressor": Mistake(
        fit(y=lambda y: ["a", "b"] * (N // 2)),
        ("y must hold real numbers", "text", "classifier"),
        REGRESSORS,
    ),
    "labels of one class": Mistake(
        fit(y=lambda y: np.zeros(N)), ("at least two classes", "one class"),
        (DynPMNNClassifier, HSSMClassifier),
    ),
    "numbers for a classifier": Mistake(
        fit(y=lambda y: np.linspace(0, 1, N)), ("y", "continuous", "classifier"),
        (DynPMNNClassifier, HSSMClassifier, HSSMSeriesClassifier),
    ),
    "negative weights": Mistake(
        fit(None, None, np.linspace(1, -1, N)), ("sample_weight must hold .* 0 or more", "got -"),
        SKLEARN,
    ),
    "weights of another length": Mistake(
        fit(None, None, np.ones(N - 1)), (r"sample_weight.*\(23,\), expected \(24,\)",), SKLEARN
    ),
    "'balanced' as weights": Mistake(
        fit(None, None, "balanced"), ("sample_weight", "text", "class_weight"), SKLEARN
    ),
    "a rate as learning_rate": Mistake(
        fit(learning_rate=0.1),
        ("'learning_rate'.*'one_cycle'", "Got 0.1", "learning_rate_init=0.1"),
    ),
    "an option by another name": Mistake(
        fit(loss="mse"), ("'loss'.*'huber'", "Got 'mse'", "mean 'squared_error'"), REGRESSORS
    ),
    "an option misspelled": Mistake(
        fit(optimizer="AdamW"), ("'optimizer'.*'sgd'", "Got 'AdamW'", "mean 'adamw'")
    ),
    "sizes of layers": Mistake(
        fit(hidden_size=(8, 8)), ("'hidden_size'.*int", r"Got \(8, 8\)", "one number")
    ),
    "a whole number with a point": Mistake(
        fit(max_iter=1e2), ("'max_iter'.*int", "Got 100.0", "Write 100")
    ),
    "a parameter that is none": Mistake(
        lambda entry: entry.make().set_params(epochs=3),
        ("Invalid parameter 'epochs'", "Valid parameters are.*max_iter"),
        SKLEARN,
    ),
    "a GPU where there is none": Mistake(
        fit(device="cuda:99"), ("device='cuda:99' is not available", "'auto'")
    ),
    "predict before fit": Mistake(
        lambda entry: entry.make().predict(entry.X), ("not.*fitted yet", "fit")
    ),
}  # fmt: skip


def _check(do, says):
    with pytest.raises((ValueError, TypeError, NotFittedError, NotFittedErrorOfSktime)) as caught:
        do()
    for part in says:
        assert re.search(part, str(caught.value), re.DOTALL), (part, str(caught.value))


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=list(MISTAKES))
def test_of_tables_sequences_and_panels(mistake):
    for kind in mistake.where:
        _check(lambda kind=kind: mistake.do(ENTRIES[kind]), mistake.says)


def test_tables_and_sequences_of_other_columns():
    table, sequence = ENTRIES[DynPMNNRegressor], ENTRIES[PETNNRegressor]
    frame = pd.DataFrame(table.X, columns=["a", "b", "c"])
    fitted = table.make().fit(frame, table.y)
    _check(lambda: fitted.predict(frame.rename(columns={"a": "z"})), ("seen at fit", "z", "a"))
    _check(lambda: fitted.predict(frame[["b", "a", "c"]]), ("same order as they were in fit",))
    _check(lambda: fitted.predict(table.X[0]), ("Expected 2D", "got 1D", r"reshape\(1, -1\)"))
    _check(lambda: fitted.fit(sequence.X, table.y), ("dim 3", "n_features", "PETNN and HSSM"))
    walker = sequence.fitted()
    _check(lambda: walker.predict(sequence.X[0]), ("2 dimensions", "fitted with 3", r"X\[None\]"))
    turned = sequence.X.transpose(0, 2, 1)
    _check(lambda: walker.predict(turned), ("5 channels", "2 channels", r"X.transpose\(0, 2, 1\)"))


@pytest.fixture(scope="module")
def forecaster():
    return ENTRIES[DynPMNNForecaster].fitted()


Y = ENTRIES[DynPMNNForecaster].y
OTHER = pd.DataFrame({"a": np.ones(len(Y))}, Y.index)
FORECASTS = {
    "X, and then none": (
        lambda make, fitted: make().fit(Y, OTHER).predict([1]),
        (r"fitted with the columns \['a'\] of X", "got no X"),
    ),
    "X for too few steps": (
        lambda make, fitted: make().fit(Y, OTHER).predict([1, 2], OTHER.shift(1, freq="M")[-1:]),
        ("X must cover every time from 2025-01 to 2025-02", "no row at 2025-02"),
    ),
    "X of other times": (
        lambda make, fitted: make().fit(Y, OTHER.reset_index(drop=True)),
        ("X must have a row at every time of y", "60 of 60", "goes from 0 to 59"),
    ),
    "a horizon longer than the series": (
        lambda make, fitted: make(horizon=100).fit(Y),
        ("y has 60 time steps", "horizon=100 need at least 106"),
    ),
    "dates of another kind": (
        lambda make, fitted: fitted.predict(pd.date_range("2026", periods=2)),
        ("fh must have times like those of fit", "got dates"),
    ),
    "a list": (
        lambda make, fitted: make().fit(Y.tolist()),
        ("y must be a pandas Series", "got a list", r"pandas.Series\(y\)"),
    ),
    "dates as a column": (
        lambda make, fitted: make().fit(Y.to_timestamp().reset_index()),
        ("takes numbers in y", "column 'index' is of dtype datetime"),
    ),
    "an index of text": (
        lambda make, fitted: make().fit(Y.set_axis(Y.index.astype(str))),
        ("index of y must be of type DatetimeIndex", "string", "pd.to_datetime"),
    ),
    "complex numbers": (lambda make, fitted: make().fit(Y + 1j), ("y must hold real", "complex")),
    "percent": (
        lambda make, fitted: fitted.predict_interval([1], coverage=95),
        (r"coverage must be in \(0, 1\)", "got 95", "0.95"),
    ),
    "a level as text": (
        lambda make, fitted: fitted.predict_quantiles([1], alpha=[0.1, "0.9"]),
        (r"alpha must be a number in \(0, 1\)", "got '0.9'"),
    ),
    "a rate as learning_rate": (
        lambda make, fitted: make(learning_rate=0.01).fit(Y), ("Got 0.01", "learning_rate_init")
    ),
}  # fmt: skip


@pytest.mark.parametrize(("do", "says"), FORECASTS.values(), ids=list(FORECASTS))
def test_of_forecasts(forecaster, do, says):
    _check(lambda: do(ENTRIES[DynPMNNForecaster].make, forecaster), says)
