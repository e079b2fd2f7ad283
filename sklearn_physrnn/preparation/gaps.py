"""Time between steps, in units of time: up to one of them a step, and a gap beyond."""

import numpy as np

ROUNDED = 1e-9  # of the unit of time, which is a difference of rounded stamps itself


def without_rounding(steps: np.ndarray, stamps: np.ndarray, unit: float) -> np.ndarray:
    """Make those one unit long that exceed it by what stamps are rounded, and no gap.

    Parameters
    ----------
    steps : ndarray of shape (n_steps,)
        Units that pass before each.
    stamps : ndarray of shape (n_steps,)
    unit : float
    """
    # Of its own stamps alone, so that nothing depends on where a sequence is cut.
    times = np.abs(stamps)
    largest = np.maximum(times, np.concatenate((times[:1], times[:-1])))
    with np.errstate(over="ignore"):
        rounded = ROUNDED + 4 * np.spacing(largest) / unit
    return np.where((steps > 1) & (steps <= 1 + rounded), steps.dtype.type(1), steps)


def gaps_apart(steps: np.ndarray, *, always: bool) -> np.ndarray:
    """Lay sizes and gaps beside each other, where there are any, as oscillators take them.

    Nothing has to look at a GPU's memory then to know that there are none.
    """
    gaps = np.maximum(steps - 1, 0)
    parts = (np.minimum(steps, 1), gaps) if always or gaps.any() else (steps,)
    return np.stack(parts, axis=1)
