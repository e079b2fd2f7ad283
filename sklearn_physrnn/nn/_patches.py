"""Several steps as one: patches of time, whatever the pieces that a sequence comes in.

Steps that do not fill a patch yet wait for the next piece, in a tensor that passes from piece
to piece as the states of recurrent layers do. Of each it has the channels, the time that it
took, and a one: zeros stand where no step waits.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import pad

from ._packing import Packing, sent

_MARKS = 2  # columns beside the channels: time that passed, and that a step is there


class Patched(NamedTuple):
    """A piece of a walk in patches.

    Attributes
    ----------
    x : Tensor of shape (n_samples, n_patches, patch_size * n_channels)
        Packed, (sum of the numbers of patches, patch_size * n_channels), with a packing.
    dt : Tensor or None
        Time that a step of each patch took on average, with as many axes as that of the steps.
    packing : Packing or None
    waiting : Tensor
        What waits now.
    """

    x: torch.Tensor
    dt: torch.Tensor | None
    packing: Packing | None
    waiting: torch.Tensor


def nobody_waits(patch_size: int, n_samples: int, n_channels: int, like: torch.Tensor):
    """What waits before the first step: (patch_size - 1, n_samples, n_channels + 2)."""
    return like.new_zeros(patch_size - 1, n_samples, n_channels + _MARKS)


def still_waiting(waiting: torch.Tensor, packing: Packing | None) -> torch.Tensor:
    """What waited before a piece that began with whole patches, if `waiting` does after it.

    A sample without steps in the piece has what it had.
    """
    present = None if packing is None else packing.present(waiting.device)
    if present is None:
        return torch.zeros_like(waiting)
    return waiting.masked_fill(present, 0.0)


def in_patches(
    x: torch.Tensor,
    dt: torch.Tensor | None,
    packing: Packing | None,
    waiting: torch.Tensor,
    *,
    first: bool,
    last: bool,
) -> Patched:
    """Put the steps of a piece after those that wait, and take what makes whole patches.

    Parameters
    ----------
    x, dt, packing
        Of the piece; packed, or all of one length.
    waiting : Tensor
        Of :func:`nobody_waits`, or of the piece before.
    first : bool
        Nobody waits: then nothing is waited for either, on a GPU.
    last : bool
        Fill up what does not make a whole patch with zeros, instead of letting it wait.
    """
    one = torch.ones_like(x[..., :1])
    columns = None if dt is None or dt.ndim < x.ndim else dt.shape[-1]
    if dt is not None and columns is None:
        dt = dt[..., None]
    rows = torch.cat((x, one if dt is None else dt.sum(-1, keepdim=True), one), -1)
    before = np.zeros(waiting.shape[1], np.int64) if first else _counts(waiting)
    if packing is None and (before == before[0]).all():
        cut, waiting = _cut_alike(rows, waiting, int(before[0]), last)
    else:
        if packing is None:
            packing = Packing(np.full(len(x), x.shape[1]))
            rows = rows.flatten(0, 1)
        cut, packing, waiting = _cut_each(rows, packing, waiting, before, last)
    patches, step = _flat(cut)
    return Patched(patches, None if dt is None else _laid_out(step, columns), packing, waiting)


def rest_of(waiting: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Make one last patch a sample of what waits, filled up with zeros.

    Returns
    -------
    x : Tensor of shape (n_samples, 1, patch_size * n_channels)
    dt : Tensor of shape (n_samples, 1, 2)
        Sizes and gaps.
    present : bool Tensor of shape (n_samples, 1)
        Whether anything waits.
    """
    filled = pad(waiting, (0, 0, 0, 0, 0, 1)).transpose(0, 1).unsqueeze(1)
    x, dt = _flat(filled)
    return x, _laid_out(dt, 2), filled[..., -1].sum(2) > 0


def _laid_out(time: torch.Tensor, columns: int | None) -> torch.Tensor:
    """Give times of steps as oscillators take them: by themselves, or sizes and gaps."""
    if columns is None:
        return time
    parts = (time,) if columns == 1 else (time.clamp(max=1), (time - 1).clamp(min=0))
    return torch.stack(parts, -1)


def _counts(waiting: torch.Tensor) -> np.ndarray:
    counts: np.ndarray = waiting[..., -1].detach().sum(0).cpu().numpy().astype(np.int64)
    return counts


def _flat(cut: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn steps (..., patch_size, n_channels + 2) into patches, and their mean time."""
    time, there = cut[..., -2], cut[..., -1]
    mean = (time * there).sum(-1) / there.sum(-1).clamp(min=1)
    return cut[..., :-_MARKS].flatten(-2), mean.detach()


def _cut_alike(rows, waiting, before, last):
    """Cut samples that have as many steps each, (n_samples, time, columns)."""
    size = len(waiting) + 1
    if before:
        rows = torch.cat((waiting[:before].transpose(0, 1), rows), 1)
    n_patches, rest = divmod(rows.shape[1], size)
    if last and rest:
        rows, n_patches, rest = pad(rows, (0, 0, 0, size - rest)), n_patches + 1, 0
    stop = n_patches * size
    cut = rows[:, :stop].reshape(len(rows), n_patches, size, rows.shape[2])
    left = rows[:, stop:].transpose(0, 1)
    return cut, pad(left, (0, 0, 0, 0, 0, size - 1 - rest))


def _cut_each(rows, packing, waiting, before, last):
    """Cut packed samples (sum(lengths), columns)."""
    size, n_samples = len(waiting) + 1, len(packing)
    present = packing.lengths > 0
    total = np.where(present, before + packing.lengths, 0)
    n_patches = -(-total // size) if last else total // size
    # All there is to take from: what waits, the piece's own steps, and a row of zeros.
    source = torch.cat((waiting.flatten(0, 1), rows, rows.new_zeros(1, rows.shape[1])))
    n_waiting, zero = (size - 1) * n_samples, len(source) - 1

    def place(sample, step):
        own = n_waiting + packing.starts[sample] + step - before[sample]
        own = np.where(step < total[sample], own, zero)
        return np.where(step < before[sample], step * n_samples + sample, own)

    samples = np.arange(n_samples)
    whole = Packing(n_patches * size)
    of = np.repeat(samples, whole.lengths)
    cut = _taken(source, place(of, whole.rows(np.zeros(n_samples, np.int64))))
    slots = np.arange(size - 1)[:, None]
    left = place(samples[None], whole.lengths + slots)
    left = np.where(present, left, slots * n_samples + samples)
    return (
        cut.unflatten(0, (-1, size)) if len(cut) else cut.reshape(0, size, rows.shape[1]),
        Packing(n_patches),
        _taken(source, left.ravel()).view_as(waiting),
    )


def _taken(source: torch.Tensor, places: np.ndarray) -> torch.Tensor:
    return source.index_select(0, sent(np.ascontiguousarray(places), source.device))
