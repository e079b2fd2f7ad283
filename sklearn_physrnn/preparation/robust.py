"""Centre and scale of data of which a few values may be wrong, with weights."""

import numpy as np
from scipy.special import ndtri

# Up to this share of a column, on either side, sets neither its centre nor its scale. A half
# could be left out, as the median absolute deviation does. But where a fifth of the values lie
# far from the others, they are as a rule no errors: a regime, a season, a product that sells.
_SHARE = 0.15

_ROUNDING = 1e-9  # of all mass: what sums of weights may be off by


class Distribution:
    """Weighted quantiles of a column; an integer weight counts like repetition.

    Parameters
    ----------
    x : ndarray of shape (n,)
    weights : ndarray of shape (n,), default=None
        Positive.
    """

    def __init__(self, x: np.ndarray, weights: np.ndarray | None = None) -> None:
        order = np.argsort(x, kind="stable")
        mass = np.ones(len(x)) if weights is None else weights[order]
        self._values = x[order]
        self._cumulative = np.cumsum(mass)

    def quantile(self, share: float) -> float:
        """Give the value with `share` of the mass below it; between two values their middle."""
        total = self._cumulative[-1]
        edges = (share - _ROUNDING) * total, (share + _ROUNDING) * total
        last = len(self._values) - 1
        low, high = self._values[np.minimum(np.searchsorted(self._cumulative, edges), last)]
        return low if low == high else low + (high / 2 - low / 2)

    def median(self) -> float:
        """Give the value with half of the mass below it."""
        return self.quantile(0.5)


def robust_center_and_scale(
    x: np.ndarray, weights: np.ndarray | None, rounding: float
) -> tuple[float, float]:
    """Estimate the mean and standard deviation that a normal distribution would have.

    Parameters
    ----------
    x : ndarray of shape (n,)
        In float64, of differences that do not overflow.
    weights : ndarray of shape (n,) or None
    rounding : float
        Relative to the centre: values this near are the centre.

    Returns
    -------
    center : float
        The median.
    scale : float
        The larger of two: the range without 15 % on either side, which sees regimes, and the
        median distance from the centre of those values that are off it, times the root of
        their share, which sees values that are rare among ties, as sales are among zeros.
        0 where no value is off.
    """
    distribution = Distribution(x, weights)
    center = distribution.median()
    distance = np.abs(x - center)
    off = distance > rounding * abs(center)
    if not off.any():
        return center, 0.0
    inner = distribution.quantile(1 - _SHARE) - distribution.quantile(_SHARE)
    typical = Distribution(distance[off], None if weights is None else weights[off]).median()
    typical *= np.average(off, weights=weights) ** 0.5
    scale = max(inner / (2 * ndtri(1 - _SHARE)), typical / ndtri(0.75))
    return center, max(scale, np.finfo(np.float64).smallest_subnormal)
