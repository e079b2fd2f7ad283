"""What the head sees of a sequence: one of many steps, gathered piece by piece.

"mean" adds up, "last" and "max" choose. Of equal maxima the first is chosen, and has all of
the gradient: so it is the same step whatever the pieces.
"""

import torch

from ._packing import Packing
from ._walk import State

READOUTS = ("last", "mean", "max")  # that make one of many steps


def nothing_read(readout: str, n_samples: int, width: int, like: torch.Tensor):
    """What is gathered before the first step; None if the head sees every step."""
    if readout == "sequence":
        return None
    return like.new_full((n_samples, width), -torch.inf if readout == "max" else 0.0)


def read(output: torch.Tensor, readout: str, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Sum, last or maximum of outputs over each sample's own steps, if there are any.

    Parameters
    ----------
    output : Tensor of shape (batch, time, features)
        Zero past a sample's length.
    readout : {"last", "mean", "max"}
    lengths : Tensor of shape (batch,) or None
        Steps of each sample; all of them if None.

    Returns
    -------
    Tensor of shape (batch, features)
    """
    if readout == "mean":
        return summed(output)
    if lengths is None:
        return output[:, -1] if readout == "last" else output.max(1).values
    if readout == "last":
        ends = (lengths - 1).clamp(min=0)
        return output[torch.arange(len(output), device=output.device), ends]
    padding = torch.arange(output.shape[1], device=output.device) >= lengths.unsqueeze(1)
    return output.masked_fill(padding.unsqueeze(2), -torch.inf).max(1).values


def summed(output: torch.Tensor) -> torch.Tensor:
    """Add up (batch, time, features) over time, in float32 at least."""
    return output.sum(1, dtype=torch.promote_types(output.dtype, torch.float32))


def gathered(
    readout: str, before: torch.Tensor, found: torch.Tensor, packing: Packing | None
) -> torch.Tensor:
    """Put together what was read of the steps `before` a piece and what was `found` in it."""
    if readout == "mean":
        return before + found
    if readout == "last":
        present = None if packing is None else packing.present(found.device)
        return found if present is None else torch.where(present, found, before)
    return torch.where((found > before) | found.isnan(), found, before)


def read_so_far(readout: str, state: State) -> torch.Tensor:
    """What the head is to see of the steps so far, (n_samples, features)."""
    assert state.readout is not None
    if readout != "mean":
        return state.readout
    return state.readout / (state.position if state.counts is None else state.counts)
