"""The block that HSSM and its forecasting core are stacks of."""

import torch
from torch import nn
from torch.nn.functional import gelu, glu

from ._dropout import Dropout
from ._hru import HRU
from ._norm import NORMS
from ._one_step import emitted, fixed
from ._packing import groups
from ._turned import from_the_end, turned
from ._walk import along_time
from .linear_hru import LinearHRU
from .nonlinear_hru import NonlinearHRU

UNITS: dict[str, type[HRU]] = {"linear": LinearHRU, "nonlinear": NonlinearHRU}


class Block(nn.Module):
    """Norm, oscillators, GELU, dropout, gated linear unit, dropout, around a skip.

    With `bidirectional`, what others hear from the end, `hru_back`, is added to what the
    oscillators hear.
    """

    def __init__(
        self, hidden_size, state_size, dynamics, norm, dropout, *, bidirectional=False, **options
    ):
        super().__init__()
        self.norm = NORMS[norm](hidden_size)
        self.hru = UNITS[dynamics](hidden_size, state_size, **options)
        if bidirectional:
            self.hru_back = UNITS[dynamics](hidden_size, state_size, **options)
        self.gate = nn.Linear(hidden_size, 2 * hidden_size)
        self.dropout = Dropout(dropout)

    def as_step(self):
        """Give one step of it."""
        return _BlockStep(self)

    def rest(self, n_samples):
        """Give the oscillators' state before the first step."""
        return self.gate.weight.new_zeros(2, n_samples, self.hru.n_oscillators)

    def forward(self, x, state=None, *, dt=None, packing=None, weights=None, masks=None):
        """Map steps (..., hidden_size), packed where there is a packing; weights one a step.

        From rest, or the oscillators' `state`, to theirs after the steps.
        """
        sequences = list(groups(self.norm(x, weights), dt, packing))
        heard, (state,) = along_time(self._oscillate, sequences, packing, (state,))
        back = self._modules.get("hru_back")
        if back is not None:
            heard = [
                own + _from_the_end(back, *group)
                for own, group in zip(heard, sequences, strict=True)
            ]
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


class _BlockStep(nn.Module):
    """One step of a block; the state is the oscillators', (2, n_samples, n_oscillators)."""

    def __init__(self, block):
        super().__init__()
        self.norm, self.hru = block.norm.as_step(), block.hru.as_step()
        self.gate = fixed(block.gate)

    def forward(self, x, state, dt):
        h, state = self.hru(self.norm(x), state, dt)
        return x + glu(self.gate(gelu(h))), state

    def emit(self, program, x, at):
        """Write it to a program; the state begins at `at`."""
        h = self.hru.emit(program, emitted(self.norm, program, x), at)
        return program.added(program.gated(emitted(self.gate, program, program.gelu(h))), x)


def check_loops(num_loops: int, norm: str | None) -> None:
    """Raise ValueError where blocks cannot be used several times."""
    if num_loops > 1 and norm == "batch":
        raise ValueError(
            f"num_loops={num_loops} does not go with norm='batch': the uses of a block would each "
            "have statistics of their own. Set norm='layer' or norm=None."
        )


def _from_the_end(unit, x, dt, lengths):
    u, dt, _ = from_the_end((x, dt, lengths))
    output, _ = unit(u, dt=dt, lengths=lengths)
    return turned(output, lengths)
