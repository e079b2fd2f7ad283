"""States that are kept on the way, for oscillators that forget.

Run backwards, what has decayed grows again, and with it what rounding left there: by
exp(decay x steps). Echoes of oscillators that forget therefore begin anew, from a state that
was kept, before anything has grown by more than GROWTH, and before every gap that lasts long
enough for it. Between two such borders nothing is kept. So where motions decay within a few
steps, echo learning is little else than kept states; where they last, it keeps next to none.

Shape letters: B batch, T time, P modes.
"""

import math
from typing import NamedTuple

import torch

from .. import _check

Tensor = torch.Tensor

GROWTH = 1e3  # three of float32's seven digits
# Decay a step for which borders on a GPU, whose values nobody waits for, stand close enough.
FASTEST = 0.5


class Borders(NamedTuple):
    """States before some of the steps.

    Attributes
    ----------
    slots : int64 Tensor of shape (T,)
        Number of the state that is kept before each step, before its gap too; -1 if none is.
    states : Tensor of shape (B, number of states, 2, P)
        Momenta times the step size, and positions.
    """

    slots: Tensor
    states: Tensor


def spacing(like: Tensor, steps: Tensor) -> int | None:
    """Steps between borders where nobody waits for values of `like`; None where they decide."""
    if like.is_cpu and _check.looks_at(like):
        return None
    return 1 if steps.shape[1] == 2 else int(math.log(GROWTH) / FASTEST)


def borders_of(
    like: Tensor, decay: Tensor, steps: Tensor, lengths: Tensor, n_modes: int
) -> Borders:
    """Make room for the states of a run of `like` (B, T, ...), and say which are kept.

    `steps` and `lengths` are as engines take them. On a GPU borders are evenly spaced, and
    before every step if there may be gaps.
    """
    n_rows, n_steps = like.shape[:2]
    bound = math.log(GROWTH)
    if (every := spacing(like, steps)) is not None:
        begins = torch.arange(n_steps, device=like.device) % every == 0
        n_states = -(-n_steps // every)
    else:
        time = torch.arange(n_steps)
        lasting = torch.ones(1, n_steps, dtype=torch.float64)
        if steps.numel():
            lasting = steps.double().sum(1).masked_fill(time >= lengths[:, None], 0.0)
        growth = (lasting.amax(0) * decay.detach().double().abs().amax()).nan_to_num(bound)
        piece = (growth.clamp(max=bound).cumsum(0) / bound).floor()
        begins = piece.diff(prepend=piece.new_full((1,), -1)) > 0
        n_states = int(begins.sum())
    slots = torch.where(begins, begins.cumsum(0) - 1, -1)
    return Borders(slots, like.new_empty(n_rows, n_states, 2, n_modes))
