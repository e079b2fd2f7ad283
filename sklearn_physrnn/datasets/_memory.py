"""Synthetic tasks that ask for memory over a known number of steps."""

import numpy as np
from sklearn.utils import check_random_state


def make_adding(n_samples: int, n_timesteps: int, *, random_state=None):
    """Make sequences in which two marked numbers are to be added.

    One number is marked in either half, so that it has to be kept for up to
    `n_timesteps` steps (Hochreiter and Schmidhuber, 1997). The targets' variance, the
    error of a constant prediction, is 1/6.

    Parameters
    ----------
    n_samples, n_timesteps : int
        At least 2 time steps.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, 2), float32
        Numbers of U(0, 1), and the marks, 0 or 1.
    y : ndarray of shape (n_samples,), float32
        Sum of the two marked numbers.

    Raises
    ------
    ValueError
        If a number is too small.

    Examples
    --------
    >>> from sklearn_physrnn.datasets import make_adding
    >>> X, y = make_adding(3, 100, random_state=0)
    >>> X.shape, y.shape
    ((3, 100, 2), (3,))
    """
    _check_sizes(n_samples=(n_samples, 1), n_timesteps=(n_timesteps, 2))
    rng = check_random_state(random_state)
    numbers = rng.uniform(size=(n_samples, n_timesteps))
    half = n_timesteps // 2
    first = rng.randint(0, half, n_samples)
    second = rng.randint(half, n_timesteps, n_samples)
    marks = np.zeros_like(numbers)
    rows = np.arange(n_samples)
    marks[rows, first] = marks[rows, second] = 1
    X = np.stack((numbers, marks), axis=2).astype(np.float32)
    return X, (numbers[rows, first] + numbers[rows, second]).astype(np.float32)


def make_copy_memory(n_samples: int, n_timesteps: int, *, n_symbols: int = 8, random_state=None):
    """Make sequences whose first symbol is to be named at their end.

    The symbol is shown at the first step alone, one-hot; noise of deviation 0.1 follows
    in all channels for the remaining steps: the classification form of the copy task (Arjovsky,
    Shah and Bengio, arXiv 1511.06464).

    Parameters
    ----------
    n_samples, n_timesteps : int
        At least 2 time steps.
    n_symbols : int, default=8
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_symbols), float32
    y : ndarray of shape (n_samples,)
        The symbol, from 0 to ``n_symbols - 1``.

    Raises
    ------
    ValueError
        If a number is too small.
    """
    _check_sizes(n_samples=(n_samples, 1), n_timesteps=(n_timesteps, 2), n_symbols=(n_symbols, 2))
    rng = check_random_state(random_state)
    X = _noise(rng, n_samples, n_timesteps, n_symbols)
    y = rng.randint(0, n_symbols, n_samples)
    X[np.arange(n_samples), 0, y] += 1
    return X, y


def make_selective_copy(
    n_samples: int, n_timesteps: int, *, n_symbols: int = 8, random_state=None
):
    """Make sequences in which the one marked symbol of many is to be named.

    A symbol is shown at every step, one-hot in noise of deviation 0.1; an extra channel
    marks one step of the first tenth. All the others distract: what is to be kept depends
    on the content, not on the position (after Gu and Dao, arXiv 2312.00752).

    Parameters
    ----------
    n_samples, n_timesteps : int
        At least 2 time steps.
    n_symbols : int, default=8
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_symbols + 1), float32
        The last channel holds the mark.
    y : ndarray of shape (n_samples,)
        The marked symbol, from 0 to ``n_symbols - 1``.

    Raises
    ------
    ValueError
        If a number is too small.
    """
    _check_sizes(n_samples=(n_samples, 1), n_timesteps=(n_timesteps, 2), n_symbols=(n_symbols, 2))
    rng = check_random_state(random_state)
    X = _noise(rng, n_samples, n_timesteps, n_symbols + 1)
    shown = rng.randint(0, n_symbols, (n_samples, n_timesteps))
    samples, steps = np.indices(shown.shape)
    X[samples, steps, shown] += 1
    rows = np.arange(n_samples)
    marked = rng.randint(0, max(1, n_timesteps // 10), n_samples)
    X[rows, marked, n_symbols] += 1
    return X, shown[rows, marked]


def _noise(rng, *shape: int) -> np.ndarray:
    return rng.normal(scale=0.1, size=shape).astype(np.float32)


def _check_sizes(**sizes: tuple[int, int]) -> None:
    for name, (value, least) in sizes.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}.")
