"""What consecutive pieces of the same records pass on from one training to the next.

Each training begins in the state that the one before left. Its gradient ends at its own
first step: back-propagation through time, truncated there.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from ..nn._walk import State, Walker


@dataclass(frozen=True)
class Carried:
    """The state of a walk after its last step, as arrays.

    Attributes
    ----------
    recurrent : tuple of ndarray of shape (..., n_records, features)
        Of the recurrent layers.
    readout : ndarray of shape (n_records, features) or None
        What the head has gathered; None where it sees every step.
    counts : ndarray of shape (n_records,)
        Steps of each record so far.
    """

    recurrent: tuple[np.ndarray, ...]
    readout: np.ndarray | None
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)

    @classmethod
    def of(cls, state: State) -> "Carried":
        """Take a state's values from wherever they are."""
        n_samples = state.recurrent[0].shape[-2]
        counts = np.full(n_samples, state.position)
        if state.counts is not None:
            counts = state.counts.cpu().numpy()[:, 0].astype(np.int64)
        readout = None if state.readout is None else _array(state.readout)
        return cls(tuple(map(_array, state.recurrent)), readout, counts)

    @property
    def finite(self) -> bool:
        """Whether a walk can go on from it."""
        return all(np.isfinite(x).all() for x in (*self.recurrent, self.readout) if x is not None)

    def begin(self, module: nn.Module) -> State:
        """Give the state to go on from; in training, with new dropout masks."""
        fresh = cast(Walker, module).begin(len(self))
        before = self.recurrent if self.readout is None else (*self.recurrent, self.readout)
        tensors = [
            torch.tensor(x, dtype=like.dtype, device=like.device)
            for x, like in zip(before, fresh.tensors, strict=True)
        ]
        counts = None
        if (self.counts != self.counts[0]).any():
            counts = torch.tensor(self.counts[:, None], device=tensors[0].device)
        return fresh.with_tensors(tensors)._replace(position=int(self.counts.max()), counts=counts)


def _array(x: torch.Tensor) -> np.ndarray:
    x = x.detach().cpu()
    return (x if x.dtype == torch.float64 else x.float()).numpy().copy()


def check_carries(module: nn.Module) -> None:
    """Check that a network's training can begin in a state.

    Raises
    ------
    ValueError
        If it normalises over the steps of a batch, or needs whole sequences.
    """
    if not getattr(module, "walks", True):
        raise ValueError(
            "carry_state=True does not go with bidirectional=True: what is read from the end of "
            "a record begins there anew. Set bidirectional=False, or carry_state=False."
        )
    if getattr(module, "takes_weights", False):
        raise ValueError(
            "carry_state=True does not go with norm='batch': batch normalisation would make "
            "the state depend on where the records are cut. Set norm='layer' or norm=None."
        )
