"""What streams have come to: rows of arrays, which are kept, chosen, put back and written."""

import os
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from ..nn._flat_step import FlatStep
from ..nn._one_step import NetworkStep
from ._feed import Feed, Memory
from ._files import read_state, write_state
from ._patches import Patches


class Streams:
    """Streams side by side, as values.

    Parameters
    ----------
    step : NetworkStep
    feed : Feed
    fingerprint : str
        Of the model.
    n_streams : int
    """

    _remade: tuple[str, ...] = ("_flat", "_patches", "_uncounted")  # not kept in a pickle

    def __init__(self, step: NetworkStep, feed: Feed, fingerprint: str, n_streams: int) -> None:
        self._step, self._feed, self._fingerprint = step, feed, fingerprint
        self._prepare()
        self._set(self._rest(n_streams))

    def _prepare(self) -> None:
        feed, size = self._feed, self._step.patch_size
        n_channels = feed.inputs.n_columns
        self._flat = FlatStep(self._step, size * n_channels, feed.scaling)
        self._patches = Patches(self._flat, size, n_channels) if size > 1 else None

    def _rest(self, n_streams: int) -> Memory:
        flat = self._flat
        nothing = {
            "network": flat.state,
            "sums": flat.sums,
            "age": np.zeros(1, np.int64),
            "features": np.full((1, flat.width), np.nan, flat.dtype),
            "outputs": np.full((1, flat.output_size), np.nan, flat.dtype),
            **self._feed.rest(),
            **({} if self._patches is None else self._patches.rest()),
        }
        return {name: np.repeat(part, n_streams, axis=0) for name, part in nothing.items()}

    def _set(self, memory: Memory) -> None:
        self._kept, self._uncounted = memory, 0

    @property
    def _memory(self) -> Memory:
        """All that is remembered, by name; a row a stream."""
        if self._uncounted:  # steps of all streams, of which the shortest way takes no note
            self._kept["age"] += self._uncounted
            self._uncounted = 0
        return self._kept

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name not in self._remade}
        return {**own, "_kept": self._memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()
        self._set(state["_kept"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_streams={self.n_streams}, dtype={self.dtype.name!r})"

    @property
    def n_streams(self) -> int:
        """Streams that run side by side."""
        return len(self._memory["age"])

    @property
    def dtype(self) -> np.dtype:
        """Of the computation."""
        return self._feed.dtype

    @property
    def age(self) -> np.ndarray:
        """Steps that were pushed to each stream."""
        return self._memory["age"].copy()

    def _rows(self, streams: Any) -> np.ndarray:
        rows = np.atleast_1d(np.asarray(streams))
        n = self.n_streams
        wrong = rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows)
        if wrong or len(np.unique(rows)) < len(rows) or rows.min() < 0 or rows.max() >= n:
            raise ValueError(
                f"streams must be numbers of streams, from 0 to {n - 1} and none of them twice, "
                f"got {streams!r:.100}."
            )
        return rows

    def reset(self, streams=None) -> None:
        """Let streams begin anew.

        Parameters
        ----------
        streams : array-like of int, default=None
            Which; all of them by default.
        """
        rows = slice(None) if streams is None else self._rows(streams)
        for name, part in self._rest(1).items():
            self._memory[name][rows] = part

    @property
    def state(self) -> dict[str, Any]:
        """What the streams have come to, as a plain value: text and arrays, a row a stream.

        Rows may be chosen and put together, and set again. Which model they are of is in it.
        """
        arrays = {name: part.copy() for name, part in self._memory.items()}
        return {"model": self._fingerprint, **arrays}

    @state.setter
    def state(self, value: Mapping[str, Any]) -> None:
        self._set(self._checked(value))

    def _checked(self, value: Mapping[str, Any]) -> Memory:
        if not isinstance(value, Mapping) or "model" not in value:
            raise ValueError(
                "state must be what the attribute `state` of a stream was, got "
                f"{type(value).__name__}."
            )
        if value["model"] != self._fingerprint:
            raise ValueError(
                "This is the state of another model, or of this one before it was fitted anew: "
                "what it has come to means nothing here."
            )
        known, given = self._rest(1), dict(value)
        del given["model"]
        n_streams = len(np.atleast_1d(given.get("age", ())))
        arrays = {}
        for name, part in known.items():
            array = np.asarray(given.pop(name, None))
            if array.dtype != part.dtype or array.shape != (n_streams, *part.shape[1:]):
                raise ValueError(
                    f"{name!r} of the state must be {part.dtype} of shape (n_streams, "
                    f"{', '.join(map(str, part.shape[1:]))}), got {array.dtype} of shape "
                    f"{array.shape}."
                )
            arrays[name] = np.array(array, order="C")
        if n_streams and arrays["age"].min() < 0:
            raise ValueError(f"'age' of the state must not be negative: {arrays['age'].min()}.")
        if given or n_streams == 0:
            raise ValueError(f"The state has no streams, or entries unknown: {[*given][:3]}.")
        return arrays

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file without code, for `load`.

        Parameters
        ----------
        path : str or path-like
            The file. One that is there already is replaced, once the new one is complete: a
            process that is killed leaves the old or the new.
        """
        write_state(path, self.state)

    def load(self, path: str | os.PathLike[str]) -> Self:
        """Take the state that `save` wrote, of as many streams as it is of.

        Parameters
        ----------
        path : str or path-like
            The file, which may come from a stranger: nothing in it is executed.

        Returns
        -------
        self : Stream

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is damaged, no state, or that of another model.
        """
        self.state = read_state(path)
        return self
