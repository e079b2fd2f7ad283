"""Targets at every step that stay where they are, and are read a stretch of time at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.utils import check_consistent_length

from .arrays import naming, native, plain_labels
from .moments import Moments
from .recordings import Recordings, left_where_they_are
from .sources import Later, Source, source_of

_STEPS_AT_A_TIME = 1 << 18


@dataclass(frozen=True, eq=False)
class StepRecords(ABC):
    """Checked targets of steps; they stand where encoded arrays of them do.

    Attributes
    ----------
    sources : tuple of Source
        One a sample.
    counts : ndarray of shape (n_samples,)
        Steps of each that have targets; what is behind them is not looked at.
    shape : tuple of int
        Of one step's target.
    holes : bool
        Whether some may be missing, as NaN.
    """

    sources: tuple[Source, ...]
    counts: np.ndarray
    shape: tuple[int, ...]
    holes: bool = False

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, rows: Any) -> Self:
        chosen = np.arange(len(self))[rows]
        sources = tuple(self.sources[i] for i in chosen)
        return replace(self, sources=sources, counts=self.counts[chosen])

    @abstractmethod
    def stretch(self, row: int, start: int, stop: int) -> np.ndarray:
        """Read the targets of steps `start` to `stop` of a sample, and check them again."""

    @abstractmethod
    def encoded(self, row: int, start: int, stop: int) -> np.ndarray:
        """Read them as encoded arrays have them: (stop - start, n_values)."""

    @abstractmethod
    def looked_at(self) -> Self:
        """Look at all, in one pass."""

    @property
    @abstractmethod
    def any_given(self) -> bool:
        """Whether there is a target at all."""

    def row(self, row: int) -> Iterator[np.ndarray]:
        """Read a sample, in order."""
        for start in range(0, int(self.counts[row]), _STEPS_AT_A_TIME):
            stop = min(start + _STEPS_AT_A_TIME, int(self.counts[row]))
            yield self.stretch(row, start, stop)

    def sampled(self, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Read about `n_steps` targets, evenly spread; return them, and the sample of each."""
        every = max(1, -(-int(self.counts.sum()) // n_steps))
        values, rows = [], []
        for row in range(len(self)):
            for steps in self.row(row):
                values.append(steps[::every].copy())
                rows.append(np.full(len(values[-1]), row))
        return np.concatenate(values), np.concatenate(rows)

    def whole(self) -> np.ndarray:
        """Read all, encoded, one sample after another: (n_steps, n_values)."""
        counts = enumerate(self.counts.tolist())
        return np.concatenate([self.encoded(row, 0, n) for row, n in counts if n])

    def cut(self, steps: np.ndarray) -> tuple[Self, Self]:
        """Cut each after so many `steps` that have targets."""
        later = tuple(Later(source, int(n)) for source, n in zip(self.sources, steps, strict=True))
        return (
            replace(self, counts=steps).looked_at(),
            replace(self, sources=later, counts=self.counts - steps).looked_at(),
        )

    def digested(self) -> Iterator[np.ndarray]:
        """Give all that a checkpoint is to know again."""
        yield self.counts
        for row in range(len(self)):
            yield from self.row(row)


@dataclass(frozen=True, eq=False)
class NumberRecords(StepRecords):
    """Real numbers.

    Attributes
    ----------
    moments : Moments or None
        Of every sample; None before they were looked at.
    """

    moments: Moments | None = None

    def __getitem__(self, rows: Any) -> Self:
        assert self.moments is not None
        return replace(super().__getitem__(rows), moments=self.moments[np.arange(len(self))[rows]])

    def stretch(self, row: int, start: int, stop: int) -> np.ndarray:
        """Read (stop - start, n_targets), in float64; all NaN where one of a step is missing.

        Raises
        ------
        ValueError
            If they are no longer there, or are not finite.
        """
        values = self.sources[row].read(start, stop).astype(np.float64).reshape(stop - start, -1)
        bad = ~np.isfinite(values).all(axis=1)
        if self.holes and bad.any():
            bad = np.isinf(values).any(axis=1)
            values[np.isnan(values).any(axis=1)] = np.nan
        if bad.any():
            what = "NaN" if np.isnan(values[bad.argmax()]).any() else "infinity"
            raise ValueError(
                f"Input y contains {what}: sample {row}, step {start + int(bad.argmax())}."
            )
        return values

    @property
    def any_given(self) -> bool:
        """Whether there is a target at all."""
        return bool(self.given.any())

    @property
    def given(self) -> np.ndarray:
        """How many steps of each sample have a target."""
        assert self.moments is not None
        return self.moments.count[:, 0]

    def encoded(self, row: int, start: int, stop: int) -> np.ndarray:
        """Read them as they are."""
        return self.stretch(row, start, stop)

    def looked_at(self) -> Self:
        """Take the moments of every sample."""
        nothing = Moments.nothing(int(np.prod(self.shape)))
        found = [
            Moments.stacked([Moments.of(values) for values in self.row(row)]).joined()
            if self.counts[row]
            else nothing
            for row in range(len(self))
        ]
        return replace(self, moments=Moments.stacked(found))

    def joined(self, weights: np.ndarray | None) -> Moments:
        """Give the moments of all steps."""
        assert self.moments is not None
        return self.moments.joined(weights)


@dataclass(frozen=True, eq=False)
class LabelRecords(StepRecords):
    """Labels.

    Attributes
    ----------
    labels : ndarray of shape (n_labels,)
        Those that there are, or may be, in order.
    tallies : ndarray of shape (n_samples, n_labels)
        Steps that have each.
    """

    labels: np.ndarray | tuple = ()
    tallies: np.ndarray | tuple = ()

    def __getitem__(self, rows: Any) -> Self:
        tallies = np.asarray(self.tallies)[np.arange(len(self))[rows]]
        return replace(super().__getitem__(rows), tallies=tallies)

    def stretch(self, row: int, start: int, stop: int) -> np.ndarray:
        """Read (stop - start,) labels.

        Raises
        ------
        ValueError
            If they are no longer there, or are no labels.
        """
        values = plain_labels(native(self.sources[row].read(start, stop)))
        lost = self._lost(values)
        if values.dtype.kind == "f" and not (whole := (np.mod(values, 1) == 0) | lost).all():
            at = int(whole.argmin())
            raise ValueError(
                f"y must hold labels, of which numbers are whole, got {values[at]:g} in sample "
                f"{row}, step {start + at}. To predict numbers, take a regressor."
            )
        return values

    @property
    def any_given(self) -> bool:
        """Whether there is a label at all."""
        return bool(np.any(self.tallies))

    def _lost(self, values: np.ndarray) -> np.ndarray:
        """Tell which labels are missing, if they may be."""
        if self.holes and values.dtype.kind == "f":
            return np.isnan(values)
        return np.zeros(len(values), dtype=bool)

    def looked_at(self) -> Self:
        """Count the labels of every sample."""
        found = []
        for row in range(len(self)):
            given = (values[~self._lost(values)] for values in self.row(row))
            found.append([np.unique(values, return_counts=True) for values in given])
        labels = np.unique(np.concatenate([own for parts in found for own, _ in parts]))
        tallies = np.zeros((len(self), len(labels)), dtype=np.int64)
        for tally, parts in zip(tallies, found, strict=True):
            for own, n in parts:
                tally[np.searchsorted(labels, own)] += n
        return replace(self, labels=labels, tallies=tallies).of_classes(self.labels)

    def of_classes(self, classes: np.ndarray | tuple) -> Self:
        """Count for these classes, in order, of which all labels must be."""
        if not len(classes):
            return self
        tallies = np.zeros((len(self), len(classes)), dtype=np.int64)
        tallies[:, np.searchsorted(classes, self.labels)] = self.tallies
        return replace(self, labels=classes, tallies=tallies)

    def encoded(self, row: int, start: int, stop: int) -> np.ndarray:
        """Read (stop - start, 1) labels, as indices of the classes; -1 where one is missing.

        Raises
        ------
        ValueError
            If there is another label than were counted.
        """
        values, classes = self.stretch(row, start, stop), np.asarray(self.labels)
        found = np.searchsorted(classes, values).clip(max=len(classes) - 1)
        lost = self._lost(values)
        found[lost] = -1
        if (other := (classes[found] != values) & ~lost).any():
            raise ValueError(
                f"y has become another since it was first looked at: sample {row}, step "
                f"{start + int(other.argmax())} has the label {values[other.argmax()]!r}."
            )
        return found[:, None]


def records_of_steps(
    y: Any, X: Any, every: int, *, real: bool, depth: tuple[int, ...], holes: bool = False
) -> StepRecords | None:
    """Look at y in one pass, and leave it where it is; None where that is not worth while.

    Parameters
    ----------
    y : object with `shape`, `dtype` and slices, or a list of them
        Of shape (n_samples, n_steps, ...), or each of (n_steps, ...).
    X : Series or Recordings
    every, real, depth
        As in :func:`values_at_steps`.
    holes : bool
        Whether those of some steps may be missing.

    Raises
    ------
    ValueError
        If y is of another shape, or holds what is no target.
    """
    if not isinstance(X, Recordings) or not left_where_they_are(y, "fiub" if real else "fiubU"):
        return None
    counts = X.lengths // every
    with naming("X or y"):
        check_consistent_length(X, y if isinstance(y, list | tuple) else range(y.shape[0]))
    if isinstance(y, list | tuple):
        y = [item if hasattr(item, "shape") else np.asarray(item) for item in y]
        shape = tuple(y[0].shape[1:])
        for i, (item, count) in enumerate(zip(y, counts, strict=True)):
            fits = len(item.shape) + 1 in depth and tuple(item.shape[1:]) == shape
            if not fits or item.shape[0] != count:
                more = " or (n_steps, n_targets), like y[0]" * (3 in depth)
                raise ValueError(
                    f"y[{i}] must be of shape (n_steps,){more}, with {count} steps for the "
                    f"{X.lengths[i]} of X[{i}] and every={every}, got {tuple(item.shape)}."
                )
        sources = [source_of(item) for item in y]
    else:
        shape, n_steps = tuple(y.shape[2:]), X.width // every
        if len(y.shape) not in depth or not counts.max() <= y.shape[1] <= n_steps:
            shapes = f"(n_samples, {n_steps})"
            shapes += f" or (n_samples, {n_steps}, n_targets)" * (3 in depth)
            raise ValueError(
                f"With readout='sequence' and every={every}, y must be of shape {shapes}, got "
                f"{tuple(y.shape)}."
            )
        sources = [source_of(y, row) for row in range(len(X))]
    kind = NumberRecords if real else LabelRecords
    with naming("y"):
        found = kind(tuple(sources), counts, shape, holes).looked_at()
    if not found.any_given:
        raise ValueError("y holds no target: that of every step is missing.")
    return found
