"""What every kind of inputs does, whatever X is."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch

from ..storage.format import Spec
from ..storage.plain import Fields
from .scaling import Scaler
from .series import Series
from .stored_scalers import Arrays, scaler_arrays, scaler_fields, scaler_specs, stored_scaler


@dataclass(frozen=True)
class Inputs(ABC):
    """What is known of X: before fitting its options, then its shape, then its scale.

    Whoever learns more gets another value. `caller` is
    the scikit-learn estimator that asks: it is named in messages, and keeps the names and
    the number of the columns of a table.

    Attributes
    ----------
    scaler : Scaler or None
        None until fitted, and where there is nothing to scale.
    n_features : int
        As ``n_features_in_`` counts them.
    longest : int
        Steps of the longest sequence in training; 1 where a sample is a row.
    mean_dt : float
        Of steps in training, where they are bounded. Only what weights start from follows
        from it.
    """

    scaler: Scaler | None = field(default=None, kw_only=True)
    n_features: int = field(default=0, kw_only=True)
    longest: int = field(default=1, kw_only=True)
    mean_dt: float = field(default=1.0, kw_only=True)

    @property
    def named(self) -> bool:
        """Whether columns of X may have names, which `caller` keeps."""
        return False

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """Columns or channels that the module sees."""

    @abstractmethod
    def first(self, X: Any, caller: Any) -> tuple[Self, Any]:
        """Check the X that is to be learned from; return it, and inputs of its shape."""

    @abstractmethod
    def read(self, X: Any, caller: Any) -> Any:
        """Check that X is like the X that was learned from, and return it."""

    @abstractmethod
    def fit(self, X: Any, weights: np.ndarray | None) -> Self:
        """Learn the scale of checked training rows X, with positive weights if any."""

    def folds(self, rows: Any, targets: Any) -> np.ndarray | None:
        """Say in which fold each row is, where rows tell of each other."""
        return None

    def with_targets(self, rows: Any, targets: Any, weights: np.ndarray | None) -> Self:
        """Learn what training rows tell of others by their targets."""
        return self

    def tensors_of(self, rows: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Turn training rows into the module's keyword arguments."""
        return self.tensors(rows.X, dtype)

    @abstractmethod
    def arrays(self, X: Any) -> dict[str, np.ndarray]:
        """Turn checked X into the module's keyword arguments, in X's own precision."""

    def stretch(self, X: Any, row: int, start: int, stop: int) -> dict[str, np.ndarray]:
        """Do what `arrays` does, of steps `start` to `stop` of one sequence of X."""
        raise NotImplementedError

    def blocks(self, X: Any) -> Iterator[Any]:
        """Give checked X in pieces that `arrays` may be asked for."""
        yield X

    def middle(self, dtype: np.dtype) -> np.ndarray | float:
        """Give what becomes of the middle of each of X's columns, in X's type."""
        assert self.scaler is not None
        return self.scaler.middle(dtype)

    def tensors(
        self, X: Any, dtype: torch.dtype, *, padded: bool = False
    ) -> dict[str, torch.Tensor]:
        """Turn checked X into the module's keyword arguments.

        Parameters
        ----------
        X : ndarray or Series
        dtype : torch.dtype
            Of what is no integer.
        padded : bool, default=False
            Pad sequences of unequal length, to look at them, instead of laying them one
            after another.
        """
        tensors = {}
        for name, x in self.arrays(X).items():
            if padded and isinstance(X, Series) and X.ragged and name != "lengths":
                x = X.padded(x)
            tensor = torch.as_tensor(np.ascontiguousarray(x))
            tensors[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
        return tensors

    # -- in files ----------------------------------------------------------------

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give what was learned as JSON and arrays."""
        arrays = scaler_arrays(self.scaler)
        return (
            {"input_scaler": scaler_fields(self.scaler)},
            {f"input_scaler.{name}": array for name, array in arrays.items()},
        )

    @abstractmethod
    def described(self, fields: Fields, n_features: int) -> Self:
        """Take what `to_state` gave as JSON, all but the scaler.

        Raises
        ------
        ValueError
            If a field is missing, or is not as `to_state` gives it.
        """

    def specs(self, scaler: Any) -> dict[str, Spec]:
        """Say which arrays belong to a `scaler` that a file describes."""
        if scaler is None:
            raise ValueError("it must hold a scaler of its inputs, unless they are tokens.")
        specs = scaler_specs(scaler, self.n_columns)
        return {f"input_scaler.{name}": spec for name, spec in specs.items()}

    def filled(self, scaler: Any, arrays: Arrays) -> Self:
        """Take the scaler that a file describes, with its arrays."""
        return replace(self, scaler=stored_scaler(scaler, arrays))
