"""State that ``partial_fit`` carries from call to call, where `carry_state` asks for it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from ..nn._walk import Walker
from ..preparation.arrays import naming
from ..preparation.prepared import Rows
from ..preparation.sequences import SequenceInputs
from ..storage.format import Spec
from ..storage.plain import Fields
from ..training._carried import Carried
from ..training._data import Samples
from ..training._recorded import RecordedSamples

if TYPE_CHECKING:
    from ..training._engine import TrainingRecord
    from ._base import _BaseEstimator

Arrays = dict[str, np.ndarray]

_OTHERS = "Consecutive calls take the next steps of the same records, in the same order; call "
_OTHERS += "reset_state() before others."


@dataclass(frozen=True)
class CarriedState:
    """Where consecutive calls of ``partial_fit`` have come to.

    Attributes
    ----------
    walk : Carried
        What the network carries.
    times : ndarray of shape (n_records,) or None
        The last time stamps, where there are any.
    """

    walk: Carried
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.walk)


def carried_by(estimator: "_BaseEstimator", rows: Rows, given: int) -> CarriedState | None:
    """Check that `rows` can go on from what is carried; return it, or None at the beginning.

    Raises
    ------
    ValueError
        If they are other records, fewer than were `given` or end where no target is.
    """
    if len(rows) < given:
        raise ValueError(
            "With carry_state=True every record needs a positive weight: one without takes no "
            "part, and its state would stay behind."
        )
    _check_ends(rows, estimator._family.every(estimator))
    state: CarriedState | None = getattr(estimator, "carried_state_", None)
    if state is None:
        return None
    if len(state) != len(rows):
        raise ValueError(
            f"X holds {len(rows)} records, and the state that the last call left is of "
            f"{len(state)}. {_OTHERS}"
        )
    if state.times is not None:
        first, _ = _times(estimator, rows)
        late = np.flatnonzero(first < state.times)
        if len(late):
            i = late[0]
            raise ValueError(
                f"Time stamps must not decrease from call to call: record {i} begins at "
                f"{first[i]:g}, and ended at {state.times[i]:g} in the last call. {_OTHERS}"
            )
    return state


def _check_ends(rows: Rows, every: int) -> None:
    odd = np.flatnonzero(rows.X.lengths % every)
    if len(odd):
        raise ValueError(
            f"With carry_state=True every record must have a multiple of every={every} steps in "
            f"each call, so that the next begins where a target ended; record {odd[0]} has "
            f"{rows.X.lengths[odd[0]]}."
        )


def _times(estimator: "_BaseEstimator", rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Read the first and the last time stamp of every record."""
    channel = estimator._prepared.inputs.time_channel  # type: ignore[attr-defined]
    found = [
        [rows.X.stretch(i, at, at + 1)[0, channel] for at in (0, int(length) - 1)]
        for i, length in enumerate(rows.X.lengths)
    ]
    first, last = np.array(found, dtype=np.float64).T
    return first, last


def carry_on(
    estimator: "_BaseEstimator", rows: Rows, record: "TrainingRecord", *, carries: bool
) -> None:
    """Keep what a training on `rows` left, where it is good; without `carries` nothing."""
    if not carries:
        estimator.__dict__.pop("carried_state_", None)
        return
    walk = record.carried
    if walk is None or record.diverged_at is not None or not walk.finite:
        return
    inputs = estimator._prepared.inputs
    timed = isinstance(inputs, SequenceInputs) and inputs.time_channel is not None
    estimator.carried_state_ = CarriedState(walk, _times(estimator, rows)[1] if timed else None)


def continued(
    samples: Samples | RecordedSamples,
    estimator: "_BaseEstimator",
    rows: Rows,
    state: CarriedState | None,
) -> Samples | RecordedSamples:
    """Count the time before each record's first step from its last time stamp."""
    if state is None or state.times is None:
        return samples
    inputs = estimator._prepared.inputs
    assert isinstance(inputs, SequenceInputs)
    first, _ = _times(estimator, rows)
    passed = inputs.steps_between(state.times, first)
    if isinstance(samples, Samples):
        dt = _with_firsts(samples.inputs["dt"], torch.as_tensor(passed), rows.X.starts)
        return replace(samples, inputs={**samples.inputs, "dt": dt})

    def read(row: int, start: int, stop: int) -> dict[str, np.ndarray]:
        found = samples.read(row, start, stop)
        if start == 0:
            found["dt"] = np.concatenate((passed[row : row + 1], found["dt"][1:]))
        return found

    return replace(samples, read=read)


def _with_firsts(dt: torch.Tensor, passed: torch.Tensor, starts: np.ndarray) -> torch.Tensor:
    """Put the time that passed before steps `starts` into that of all, sequences or packed."""
    passed = passed.to(dt.dtype)
    n_parts = 0 if passed.ndim == 1 else dt.shape[-1]
    if 0 < n_parts < passed.shape[-1]:
        if passed[:, n_parts:].any():  # a gap, of which there was none in the records
            more = passed.shape[-1] - n_parts
            dt, n_parts = torch.nn.functional.pad(dt, (0, more)), n_parts + more
        passed = passed[:, :n_parts]
    steps = dt.clone().reshape(-1, *dt.shape[-1:] * bool(n_parts))
    steps[torch.as_tensor(starts)] = passed
    return steps.reshape(dt.shape)


# -- in files --------------------------------------------------------------------------


def to_state(state: CarriedState | None) -> tuple[dict[str, Any], Arrays]:
    """Give a state as JSON and arrays."""
    if state is None:
        return {}, {}
    parts: dict[str, np.ndarray | None] = {
        **{f"recurrent.{i}": x for i, x in enumerate(state.walk.recurrent)},
        "readout": state.walk.readout,
        "counts": state.walk.counts,
        "times": state.times,
    }
    return {"carried": len(state)}, {k: x for k, x in parts.items() if x is not None}


def specs_of(estimator: Any, module: nn.Module, fields: dict[str, Any]) -> dict[str, Spec]:
    """Give dtype and shape of each array of a state that a file describes."""
    if "carried" not in fields:
        return {}
    n_records = Fields(fields, "fitted").integer("carried")
    if not hasattr(module, "begin"):
        raise ValueError("it carries a state, which its network cannot begin in.")
    one = cast(Walker, module).begin(1)  # torch refuses shapes that no file could have

    def spec(x: torch.Tensor) -> Spec:
        shape = (*x.shape[:-2], n_records, x.shape[-1])
        return "F64" if x.dtype == torch.float64 else "F32", shape

    found = {f"recurrent.{i}": spec(x) for i, x in enumerate(one.recurrent)}
    if one.readout is not None:
        found["readout"] = spec(one.readout)
    found["counts"] = ("I64", (n_records,))
    if getattr(estimator, "time_channel", None) is not None:
        found["times"] = ("F64", (n_records,))
    return found


def from_arrays(arrays: Arrays) -> CarriedState:
    """Make a state of the arrays that `to_state` gave."""
    with naming("its carried state"):
        counts = arrays["counts"]
        if not ((counts >= 1) & (counts < 2**53)).all():
            raise ValueError("must be after a step, or more, of every record.")
    recurrent = tuple(arrays[f"recurrent.{i}"] for i in range(sum("." in k for k in arrays)))
    walk = Carried(recurrent, arrays.get("readout"), arrays["counts"])
    return CarriedState(walk, arrays.get("times"))
