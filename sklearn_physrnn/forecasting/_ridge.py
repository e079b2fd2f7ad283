"""Ridge regressions of horizons on windows, all of them from one matrix of moments."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

# Steps of age after which a window's value is penalised twice as much as the last one.
_AGE = 24

# Standard deviations from the mean: values beyond say little of those within.
_FAR = 10.0


@dataclass(frozen=True)
class Moments:
    """Sums of products of the steps of windows and horizons, over all windows of a series.

    Attributes
    ----------
    products : ndarray of shape (n_steps, n_steps)
        Of each step of a context and its horizon with each other.
    horizon : int
        How many of the steps are the horizon's.
    """

    products: np.ndarray
    horizon: int

    @classmethod
    def of(cls, values: np.ndarray, n_steps: int, horizon: int) -> "Moments":
        """Sum over the windows, of `n_steps` with their horizon, of each channel.

        Parameters
        ----------
        values : ndarray of shape (n_times, n_channels)
        """
        n = len(values) - n_steps + 1
        total = np.zeros((n_steps, n_steps))
        for column in np.clip(values, -_FAR, _FAR).T:
            # A step on, one window leaves the sum of two steps' products and one joins it.
            row = np.correlate(column, column[:n], "valid")
            for i in range(n_steps):
                total[i, i:] += row
                row = row[:-1] - column[i] * column[i : n_steps - 1]
                row += column[n + i : n + i + 1] * column[n + i : n + n_steps - 1]
        return cls(np.triu(total) + np.triu(total, 1).T, horizon)

    def of_differences(self) -> "Moments":
        """Give those of the differences to the context's last value, which is zero itself."""
        last = len(self.products) - self.horizon - 1
        with_last = self.products[:, last]
        products = self.products - with_last[:, None] - with_last + with_last[last]
        return Moments(products, self.horizon)

    def shorter(self, window_length: int) -> "Moments":
        """Give those of contexts of `window_length` steps."""
        n_steps = window_length + self.horizon
        return Moments(self.products[-n_steps:, -n_steps:], self.horizon)

    @property
    def size(self) -> float:
        """Mean sum of squares of a context's step."""
        n_steps = len(self.products) - self.horizon
        return float(np.trace(self.products[:n_steps, :n_steps])) / n_steps

    def solve(self, penalty: float, prior: np.ndarray | float = 0.0) -> np.ndarray | None:
        """Solve the normal equations, (horizon, window_length); None where nothing varies.

        Parameters
        ----------
        penalty : float
            Of departures from `prior`, in units of a step's own sum of squares; the older
            the step, the larger.
        prior : ndarray of shape (horizon, window_length), or 0
        """
        n_steps = len(self.products) - self.horizon
        weights = penalty * (1 + np.arange(n_steps)[::-1] / _AGE)
        gram = self.products[:n_steps, :n_steps].copy()
        gram[np.diag_indices(n_steps)] += weights
        targets = self.products[:n_steps, n_steps:] + weights[:, None] * np.transpose(prior)
        try:
            return cho_solve(cho_factor(gram, check_finite=False), targets).T
        except LinAlgError:
            return None


def filled(values: np.ndarray) -> np.ndarray:
    """Put straight lines over the gaps of a series, and its first and last values at its ends."""
    if not np.isnan(values).any():
        return values
    steps = np.arange(len(values))
    whole = np.zeros_like(values)
    for channel, column in enumerate(values.T):
        there = ~np.isnan(column)
        if there.any():
            whole[:, channel] = np.interp(steps, steps[there], column[there])
    return whole
