"""The block that HSSM and its forecasting core are stacks of."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import gelu, glu

from ._dropout import Dropout
from ._hru import HRU
from ._norm import NORMS
from ._packing import groups
from ._walk import along_time
from .damped_hru import DampedHRU
from .linear_hru import LinearHRU
from .nonlinear_hru import NonlinearHRU

UNITS: dict[str, Callable[..., HRU]] = {
    "linear": LinearHRU,
    "damped": DampedHRU,
    "nonlinear": NonlinearHRU,
}


class Block(nn.Module):
    """Norm, oscillators, GELU, dropout, gated linear unit, dropout, around a skip."""

    def __init__(self, hidden_size, state_size, dynamics, norm, dropout, **options):
        super().__init__()
        self.norm = NORMS[norm](hidden_size)
        self.hru = UNITS[dynamics](hidden_size, state_size, **options)
        self.gate = nn.Linear(hidden_size, 2 * hidden_size)
        self.dropout = Dropout(dropout)

    def rest(self, n_samples):
        """Give the oscillators' state before the first step."""
        return self.gate.weight.new_zeros(2, n_samples, self.hru.n_oscillators)

    def forward(self, x, state=None, *, dt=None, packing=None, weights=None, masks=None):
        """Map steps (..., hidden_size), packed where there is a packing; weights one a step.

        From rest, or the oscillators' `state`, to theirs after the steps.
        """
        sequences = groups(self.norm(x, weights), dt, packing)
        heard, (state,) = along_time(self._oscillate, sequences, packing, (state,))
        h = heard[0] if packing is None else packing.collect(heard)
        h = glu(self.gate(self.dropout(gelu(h), masks)))
        return x + self.dropout(h, masks), state

    def _oscillate(self, x, state, **options):
        output, end = self.hru(x, *state, **options)
        return output, (end,)

    @torch.no_grad()
    def undo(self, x, state, *, dt=None, packing=None):
        """Give the oscillators' state before the steps `x`, after which it is `state`."""
        sequences = groups(self.norm(x), dt, packing)
        return along_time(self._undone, sequences, packing, (state,))[1][0]

    def _undone(self, x, state, **options):
        return x, (self.hru.undo(x, *state, **options),)
