"""Sequences of tokens as inputs."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from ..storage.format import Spec
from ..storage.plain import Fields
from .arrays import naming, real_numbers
from .containers import as_array, held_sequences
from .inputs import Inputs
from .sequence_fields import sequence_fields
from .series import Series, series_of_tokens
from .stored_scalers import Arrays


@dataclass(frozen=True)
class TokenInputs(Inputs):
    """X of integers, a list of 1-D arrays or an array padded at the end with -1.

    Attributes
    ----------
    vocabulary_size : int
    """

    vocabulary_size: int
    n_features: int = field(default=1, kw_only=True)

    time_channel = None

    @property
    def n_columns(self) -> int:
        """One: the token's id."""
        return 1

    def first(self, X: Any, caller: Any) -> tuple[Self, Series]:
        """Check the X that is to be learned from."""
        return self, self.read(X, caller)

    def read(self, X: Any, caller: Any) -> Series:
        """Check that all of X are tokens of the vocabulary."""
        with naming("X"):
            held = held_sequences(X)
            series = series_of_tokens(
                real_numbers(as_array(X), "X") if held is None else held.sequences
            )
            tokens, n = series.values, self.vocabulary_size
            wrong = tokens[(tokens < 0) | (tokens >= n) | (tokens % 1 != 0)]
            if len(wrong):
                raise ValueError(
                    f"X holds the token id {wrong[0]:g}, which is not an integer in "
                    f"[0, {n}), the range of vocabulary_size={n}."
                )
        return replace(series, values=tokens.astype(np.int64))

    def fit(self, X: Series, weights: np.ndarray | None) -> Self:
        """Learn how long sequences are."""
        return replace(self, longest=X.longest)

    def arrays(self, X: Series) -> dict[str, np.ndarray]:
        """Give the ids; sequences of unequal length come one after another, with "lengths"."""
        return X.laid_out({"x": X.values[:, 0]})

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give what was learned as JSON; there are no arrays."""
        plain = {"n_dims": 2, "longest": self.longest, "time_unit": 1.0, "mean_dt": 1.0}
        return {**plain, "input_scaler": None}, {}

    def described(self, fields: Fields, n_features: int) -> Self:
        """Take what `to_state` gave."""
        return replace(self, longest=sequence_fields(fields)["longest"])

    def specs(self, scaler: Any) -> dict[str, Spec]:
        """Refuse a scaler."""
        return {} if scaler is None else super().specs(None)
