"""Rows of a table as inputs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from ._base import _BaseEstimator
from ._scaling import Scaler, make_scaler

_DTYPES = [np.float64, np.float32]  # anything else becomes the first


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put `name` before the message of an error that does not say what it is about."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if re.search(r"\b[Xy]\b", str(error)):
            raise
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{name}: {error}") from error


def _refuse_dates_and_text(values: Any, name: str) -> None:
    """Refuse what numpy would silently turn into numbers, and text that it cannot."""
    if isinstance(values, list | tuple):
        with _naming(f"{name} must be a rectangular array"):
            values = np.asarray(values)
    dtypes = getattr(values, "dtypes", getattr(values, "dtype", None))  # a frame has several
    for dtype in np.atleast_1d(np.asarray(dtypes, dtype=object)):
        if getattr(dtype, "kind", "O") in "mMSTU":
            raise ValueError(f"{name} must hold real numbers, got {dtype}.")


class _TabularInputs(_BaseEstimator):
    """X of shape (n_samples, n_features), scaled by column."""

    def _validate_inputs(self, X, *, reset: bool) -> np.ndarray:
        _refuse_dates_and_text(X, "X")
        with _naming("X"):
            return validate_data(self, X, dtype=_DTYPES, reset=reset)

    def _validate_inputs_and_targets(self, X, y, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        regression = get_tags(self).estimator_type == "regressor"
        _refuse_dates_and_text(X, "X")
        if regression:
            _refuse_dates_and_text(y, "y")
        with _naming("X or y"):
            return validate_data(
                self,
                X,
                y,
                dtype=_DTYPES,
                reset=reset,
                multi_output=True,
                y_numeric=regression,
                ensure_min_samples=2 if reset else 1,
            )

    def _fit_inputs(self, X: np.ndarray, weights: np.ndarray | None) -> Scaler:
        return make_scaler(self.scale_inputs, X, weights)

    def _module_inputs(self, X: np.ndarray, preparation: Scaler) -> dict[str, np.ndarray]:
        return {"x": preparation.transform(X)}
