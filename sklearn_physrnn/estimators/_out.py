"""Predictions into an array that the user gives."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..preparation.arrays import check_finite
from ..preparation.recordings import Recordings
from ..preparation.sequences import SequenceInputs
from ..preparation.series import Series
from ..preparation.step_targets import StepAnswer, StepTargets
from ..training._inference import write_outputs
from ._running import outputs_of_recordings

if TYPE_CHECKING:
    from ._base import _BaseEstimator


def written(values: np.ndarray, out: Any, possible: Any = ()) -> Any:
    """Write `values` to `out`, if there is one; return what holds them.

    `possible` are all that they might be, unless they are real numbers.

    Raises
    ------
    ValueError, TypeError
        If `out` is of another shape, or cannot hold them.
    """
    if out is None:
        return values
    _check(out, values.shape, possible, numbers=not len(possible))
    out[...] = _cast(values, out)
    return out


def write_steps(
    estimator: "_BaseEstimator", X: Series | Recordings, answer: StepAnswer, out: Any
) -> Any:
    """Write the `answer` of every step of checked X to `out`, piece by piece; return it.

    Raises
    ------
    ValueError, TypeError
        If `out` is of another shape, or cannot hold the answer; or if the model's output is
        not finite.
    """
    known = estimator._prepared
    assert isinstance(known.targets, StepTargets)
    counts = X.lengths // known.targets.every
    n_steps = X.width // known.targets.every
    ends = np.flatnonzero(counts < n_steps)
    possible = [*answer.values, answer.past] if len(ends) else [*answer.values]
    _check(out, (len(X), n_steps, *answer.shape), possible, numbers=answer.numbers)

    def write(rows: np.ndarray, start: int, outputs: np.ndarray) -> None:
        check_finite(outputs, estimator._family.remedies)
        for row, own in zip(rows.tolist(), outputs, strict=True):
            stop = min(start + len(own), int(counts[row]))
            if stop > start:
                out[row, start:stop] = _cast(answer.decode(own[: stop - start]), out)

    for row in ends.tolist():
        out[row, int(counts[row]) :] = answer.past
    if isinstance(known.inputs, SequenceInputs):
        outputs_of_recordings(estimator, X, partial(write_outputs, write))
    else:  # tokens, which are in memory
        write(np.arange(len(X)), 0, estimator._outputs(X))
    return out


def _check(out: Any, shape: tuple[int, ...], possible: Any, *, numbers: bool) -> None:
    """Check that `out` is of this shape and can hold `possible` values."""
    if not all(hasattr(out, name) for name in ("shape", "dtype", "__setitem__")):
        raise TypeError(
            f"out must be an array, or have a shape, a dtype and slices, got {type(out).__name__}."
        )
    if tuple(out.shape) != shape:
        raise ValueError(f"out must be of shape {shape}, got {tuple(out.shape)}.")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError('out is read-only; map a file with mmap_mode="r+".')
    dtype = np.dtype(out.dtype)
    if dtype.kind == "O":
        return
    if numbers and dtype.kind != "f":
        raise ValueError(f"out must hold floating-point numbers, got the dtype {dtype}.")
    for value in [] if numbers else possible:
        if not _holds(dtype, value):
            raise ValueError(f"out must hold {value!r}, which its dtype {dtype} cannot.")


def _holds(dtype: np.dtype, value: Any) -> bool:
    own = np.asarray(value)
    if own.dtype.kind != dtype.kind and not {own.dtype.kind, dtype.kind} <= set("biuf"):
        return False
    with np.errstate(all="ignore"):
        back = own.astype(dtype).astype(own.dtype)
    return bool((back == own) | ((back != back) & (own != own)))


def _cast(values: np.ndarray, out: Any) -> np.ndarray:
    if np.dtype(out.dtype).kind != "f" or values.dtype.kind != "f":
        return values
    with np.errstate(over="ignore"):
        cast = values.astype(out.dtype, copy=False)
    if np.isinf(cast).any():
        raise ValueError(
            f"out, of the dtype {out.dtype}, cannot hold {values[np.isinf(cast)][0]:g}; give "
            "one of float64."
        )
    return cast
