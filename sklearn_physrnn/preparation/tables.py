"""Rows of a table as inputs."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import validate_data

from ..storage.plain import Fields
from .arrays import naming, native, real_numbers
from .inputs import Inputs
from .scaling import make_scaler
from .series import DTYPES


@dataclass(frozen=True)
class TableInputs(Inputs):
    """X of shape (n_samples, n_features), scaled by column.

    Attributes
    ----------
    scaling : {"standard", "quantile", False}
    """

    scaling: str | bool

    @property
    def named(self) -> bool:
        """Whether columns of X may have names, which `caller` keeps."""
        return True

    @property
    def n_columns(self) -> int:
        """Columns of X."""
        return self.n_features

    def first(self, X: Any, caller: Any) -> tuple[Self, np.ndarray]:
        """Check the X that is to be learned from; return it, and inputs of its width."""
        X = self._checked(X, caller, reset=True, ensure_min_samples=2)
        return replace(self, n_features=X.shape[1]), X

    def read(self, X: Any, caller: Any) -> np.ndarray:
        """Check X, its width and the names of its columns."""
        return self._checked(X, caller, reset=False)

    @staticmethod
    def _checked(X: Any, caller: Any, **options: Any) -> np.ndarray:
        with naming("X"):
            return native(validate_data(caller, real_numbers(X, "X"), dtype=DTYPES, **options))

    def fit(self, X: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn the scale of each column."""
        return replace(self, scaler=make_scaler(self.scaling, X, weights))

    def arrays(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Scale X."""
        assert self.scaler is not None
        return {"x": self.scaler.transform(X)}

    def described(self, fields: Fields, n_features: int) -> Self:
        """Take what `to_state` gave as JSON, all but the scaler."""
        return replace(self, n_features=n_features)
