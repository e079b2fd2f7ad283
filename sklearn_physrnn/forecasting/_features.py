"""What is known of every step, past and future: exogenous columns and the calendar."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..estimators._scaling import Standard
from ._calendar import calendar_features
from ._history import History


class Features:
    """Exogenous columns, standardised, beside the calendar's.

    Parameters
    ----------
    exogenous : ndarray of shape (n_times, n_columns) or None
        To learn the scale from.
    columns : list or None
        Names of the exogenous columns.
    calendar : sequence of str
        Names of calendar features.
    """

    def __init__(
        self, exogenous: np.ndarray | None, columns: list | None, calendar: Sequence[str]
    ) -> None:
        self.columns = columns
        self.calendar = tuple(calendar)
        self._scaler = None if exogenous is None else Standard.fit(exogenous)

    @property
    def n_features(self) -> int:
        """Columns of the table."""
        return len(self.columns or ()) + 2 * len(self.calendar)

    def of(self, index: pd.Index, exogenous: np.ndarray | None) -> np.ndarray | None:
        """Give the features at `index`, of shape (n_times, n_features), if there are any."""
        parts = []
        if self._scaler is not None and exogenous is not None:
            parts.append(self._scaler.transform(exogenous))
        if self.calendar:
            parts.append(calendar_features(index, self.calendar))
        return np.concatenate(parts, axis=1) if parts else None

    def of_history(self, history: History) -> np.ndarray | None:
        """Give the features of a history's times."""
        return self.of(history.index, history.exogenous)
