"""Samples of X as courses of channels, any of which another sample can lend."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..preparation.containers import as_array, held_sequences


class Courses:
    """The sequences of X, in the container that X is.

    A sample borrows from another at the same share of their lengths, so that samples of any
    two lengths may lend to each other: step i of n takes the value at step
    ``floor((i + 1/2) m / n)`` of the m that the other has.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_channels), \
or list of arrays or of pandas DataFrames
        Trailing steps of a 3-D array, or values of a 2-D one, that are NaN are padding.
    tokens : bool, default=False
        Whether integers are tokens, which -1 pads.

    Attributes
    ----------
    lengths : ndarray of shape (n_samples,)
    n_channels : int
    names : list of str
        Of the channels.

    Raises
    ------
    TypeError
        If X is a table, or something else that is neither.
    ValueError
        If samples differ in their channels, or X in its axes.
    """

    def __init__(self, X: Any, *, tokens: bool = False) -> None:
        if hasattr(X, "columns"):
            raise TypeError(
                "X must be an array, or a list of arrays or of pandas DataFrames, one a sample; "
                f"got a table ({type(X).__name__})."
            )
        held = held_sequences(X)
        self._held = held is not None
        items: list[Any] = [_item(x) for x in held.sequences] if held else _rows(np.asarray(X))
        self._items = items
        channels = {1 if x.ndim == 1 else x.shape[1] for x in items}
        if len(channels) > 1:
            raise ValueError(f"Samples of X differ in their channels: {sorted(channels)}.")
        self.n_channels = channels.pop() if channels else 0
        self.lengths = np.array([len(x) if self._held else _length(x, tokens) for x in items])
        first = items[0] if items else None
        columns = range(self.n_channels) if not isinstance(first, pd.DataFrame) else first.columns
        named = isinstance(first, pd.DataFrame)
        self.names = [str(c) if named else f"channel {c}" for c in columns]

    def __len__(self) -> int:
        return len(self._items)

    def spans(self, n_spans: int) -> list[np.ndarray]:
        """Say of each sample's steps in which of `n_spans` equal shares they are."""
        return [((np.arange(n) + 0.5) * n_spans / n).astype(int) for n in self.lengths]

    def lent(
        self, lenders: np.ndarray, channels: Sequence[int], steps: Sequence[np.ndarray]
    ) -> Any:
        """Give X with what each sample borrows.

        Parameters
        ----------
        lenders : ndarray of shape (n_samples,)
            Which sample lends to each.
        channels : sequence of int
            What is borrowed.
        steps : sequence of ndarray of bool
            At which steps of each sample.

        Returns
        -------
        X : like X
        """
        items = [
            self._borrowed(i, j, channels, np.flatnonzero(steps[i])) for i, j in enumerate(lenders)
        ]
        return items if self._held else np.stack(items)

    def _borrowed(self, i: int, j: int, channels: Sequence[int], steps: np.ndarray) -> Any:
        mine, other = self._items[i], self._items[j]
        there = ((steps + 0.5) * self.lengths[j] / self.lengths[i]).astype(int)
        if isinstance(mine, pd.DataFrame):
            changed = mine.copy()
            for k in channels:
                column, new = mine.iloc[:, k].to_numpy(), other.iloc[there, k].to_numpy()
                changed.isetitem(k, _put(column, steps, new))
            return changed
        if mine.ndim == 1:
            return _put(mine, steps, other[there])
        columns = np.asarray(channels)
        return _put(mine, np.ix_(steps, columns), other[np.ix_(there, columns)])


def _rows(block: np.ndarray) -> list[np.ndarray]:
    if block.ndim not in (2, 3):
        raise ValueError(
            "X must be of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_channels), "
            f"or a list of sequences; got the shape {block.shape}."
        )
    return list(block)


def _item(x: Any) -> Any:
    array = x if isinstance(x, pd.DataFrame) else np.asarray(as_array(x))
    if array.ndim not in (1, 2):
        raise ValueError(f"A sample must have one axis or two, got one of shape {array.shape}.")
    return array


def _put(x: np.ndarray, where: Any, values: np.ndarray) -> np.ndarray:
    changed = x.astype(np.result_type(x, values))  # of integers, where holes or halves come
    changed[where] = values
    return changed


def _length(x: np.ndarray, tokens: bool) -> int:
    """Count the steps of a row of a block, without those that pad it."""
    if tokens:
        padding = ~(x >= 0)
    elif x.dtype.kind == "f":
        padding = np.isnan(x)
    else:
        return len(x)
    there = np.flatnonzero(~(padding if x.ndim == 1 else padding.all(axis=1)))
    return int(there[-1]) + 1 if len(there) else len(x)
