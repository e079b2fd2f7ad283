"""Time as the oscillators' code takes it: sizes of steps, and gaps before them.

A step of the recurrence is at most one unit long, as far as it is stable whatever the
oscillators. Of a longer one, what is above one unit passes first, as a gap in which nothing
arrives; the drive comes with the unit at its end.
"""

from typing import TypeGuard

import torch

from .. import _check


def as_steps(dt: torch.Tensor | None, longest: float) -> torch.Tensor | None:
    """Give steps of size `dt` (B, T) as (B, 1, T) or, with gaps, sizes and gaps (B, 2, T).

    On a GPU, whose values nobody waits for, there may always be gaps, unless who knows says so:
    a `dt` of shape (B, T, 1) has none, and one of (B, T, 2) holds sizes and gaps. None is
    longer than `longest` units: who lets longer ones pass gets that one.
    """
    if dt is None:
        return None
    dt = dt.detach()
    if dt.ndim == 3:
        steps = dt.mT.to(torch.promote_types(dt.dtype, torch.float32))
        return steps if steps.shape[1] == 1 else steps.clamp(min=0.0, max=max(1.0, longest))
    if _check.looks_at(dt) and not bool((dt > 1).any()):
        return dt[:, None]
    dt = dt.to(torch.promote_types(dt.dtype, torch.float32))  # whose difference is rounded less
    return torch.stack([dt.clamp(max=1.0), (dt - 1).clamp(min=0.0, max=longest)], 1)


def elapsed(dt: torch.Tensor) -> torch.Tensor:
    """Units (B, T) that pass at every step, of a `dt` of either shape."""
    return dt if dt.ndim == 2 else dt.sum(2)


def parted(dt: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Size and gap (B, 1) of one step: of what passes, (B, 1), or of both as they are, (B, 2)."""
    if dt.shape[1] == 2:
        return dt[:, :1], dt[:, 1:]
    dt = dt.to(torch.promote_types(dt.dtype, torch.float32))
    return dt.clamp(max=1.0), (dt - 1).clamp(min=0.0)


def has_gaps(steps: torch.Tensor | None) -> TypeGuard[torch.Tensor]:
    """Whether `steps`, as :func:`as_steps` gives them, may have gaps."""
    return steps is not None and steps.shape[1] == 2


def as_undone(
    steps: torch.Tensor, lengths: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Steps whose sizes, taken backwards, undo a run, and the gap (B,) that comes last.

    Backwards a gap comes after its step, which is before the step that was one earlier.
    """
    sizes, gaps = steps.unbind(1)
    last = torch.zeros_like(gaps[:, :1])
    if lengths is not None:  # past them may be anything
        time = torch.arange(gaps.shape[1], device=gaps.device)
        gaps = torch.where(time < lengths.to(gaps.device)[:, None], gaps, 0.0)
    later = torch.cat([gaps[:, 1:], last], 1)
    return torch.stack([sizes, later], 1), gaps[:, 0]
