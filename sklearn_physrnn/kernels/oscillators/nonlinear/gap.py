r"""What a nonlinear oscillator does in a gap: it swings, undriven, in steps of at most one unit.

How fast it swings depends on how far, so there is no map of a gap as a whole, as linear
oscillators have one (``linear/turn.py``). A gap of g units is n = ceil(g) equal leapfrog steps
of g / n units each, under the drive that is there when nothing arrives, b, which is a bias:

    H(z, y) = z^2 / 2 + alpha y^2 / 2 + (c / w) log cosh(w y + b).

Where g is whole it is g undriven steps exactly; any is symplectic, stable where a step of one
unit is, and with the momentum reversed takes itself back. With one degree of freedom and
nothing that drives it, such an oscillator is not chaotic: an error grows in proportion to the
gap, not exponentially.

The steps are taken inside the kernels' loops over time, so that a gap costs time and no
memory. Since nothing is kept of them, over gaps back-propagation is computed as the echoes
are, which run back through them; what these are off by is of the order of the nudge squared.

A gap of more than LONGEST units would take longer than all else: callers refuse it, and
kernels, which must come to an end on a GPU where nobody looks, take it for one of LONGEST.
"""

import torch

Tensor = torch.Tensor

LONGEST = 1_000.0  # units of a gap, and so steps


def swung(
    z: Tensor, y: Tensor, elapsed: Tensor, w: Tensor, c: Tensor, alpha: Tensor, rest: Tensor,
    step: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Momentum and position (..., P) after `elapsed` (..., 1) units, back in time if negative."""
    n_steps = elapsed.abs().ceil()
    d = step * (elapsed / n_steps.clamp(min=1))
    for k in range(int(n_steps.max())):
        y_half = y + d / 2 * z
        z_next = z - d * (alpha * y_half + c * torch.tanh(w * y_half + rest))
        running = k < n_steps
        z, y = torch.where(running, z_next, z), torch.where(running, y_half + d / 2 * z_next, y)
    return z, y
