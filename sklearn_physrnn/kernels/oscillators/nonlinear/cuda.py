"""Nonlinear oscillators on a GPU: the free run, its adjoint and the two echoes, in Triton.

An :class:`..engine.Engine`; the step and the echoes' pair of coordinates stand in
``parameters.py``. Shape letters: B batch, T time, P modes.

Grid. One warp for 32 modes of one sample; these steps cannot be put together beforehand,
so time stays in sequence, a lane a mode, and the multiprocessors are filled by batch and
modes alone. The state and the sums stay in registers.

Bytes. A lane asks for a tile of 32 steps (16 or 8 of the two or three tensors of a way
back) while it works on the tile before, all in its own registers, and writes a tile at a
time. With (32, 16384, 512) there are four warps a multiprocessor, one for each of its
schedulers, so that a step's latency is the limit: an H200 takes 1.09 ms, 66 ns or some 120
cycles a step, for a chain of a tanh (a clamp, a square, four multiply-adds, a division) and
six operations around it; copying takes 0.5. The adjoint, four tensors, takes 1.34 ms; the
echoes, with two tanh, an atanh and a logarithm a step, 2.48. It reads the drive and writes
the positions, and those at the kick if they are kept; the adjoint moves four tensors, the
echoes four, or three where nobody wants their positions.

Precision. Steps in the drive's dtype, stiff in two parts, tanh and atanh with a small
relative error also near zero, which tiny nudges need. A tile's share of the parameter
gradients is a sum in the drive's dtype, all further ones are in float64; one value a
sample and mode is written, and torch adds these up. No atomics: the same input gives the
same bits.

Back-propagation keeps the positions and those at the kick, as on the CPU, and the echoes
the final state and the positions' power. Every number of samples, steps and modes is
served. Nothing waits for the device.

Gaps (``gap.py``) are steps more, of one warp and not of others: they cost time where they are.
"""

from typing import Any

import torch

from ..borders import Borders
from ..cuda import coefficients as coefficients
from ..cuda import launch
from . import cuda_kernels as kernels
from .parameters import RELATIVE_NUDGE as RELATIVE_NUDGE
from .parameters import chain

N_KEPT = 2  # trajectories the adjoint needs: positions, and positions at the kick
FORGETS = False
_N_SUMS = 4  # gradients of w, pull and stiff, and of the drive in gaps
_BLOCK = 32  # a warp
# Steps in a tile of float32, the fastest on an H200: echoes are slower by half with 16.
_STEPS = {kernels.forward: 32, kernels.adjoint: 16, kernels.echo: 8}
_GAP_STEPS = 8  # at most, with gaps, whose code is there for every step


def parameter_gradients(
    sums: torch.Tensor, parameters: list[torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """Gradients of (w, c, alpha, rest, step) from those of w, pull, stiff and rest."""
    return chain(sums.sum(1), *parameters)


def compilation(kernel: Any, is_float: bool, has_dt: bool, gaps: bool = False) -> dict[str, Any]:
    """Constants of a kernel, and what the compiler is told."""
    steps = min(_STEPS[kernel], _GAP_STEPS) if gaps else _STEPS[kernel]
    return {
        "HAS_DT": has_dt,
        "HAS_GAPS": gaps,
        "STEPS": steps if is_float else max(1, steps // 2),
        "BLOCK": _BLOCK,
        "num_warps": 1,
        "maxnreg": 255,  # else the compiler spills some for more programs than there are
    }


def _start(
    kernel: Any, drive: torch.Tensor, dt: torch.Tensor, first: int, *arguments: Any
) -> None:
    gaps = dt.shape[1] == 2
    options = compilation(kernel, drive.dtype == torch.float32, dt.numel() > 0, gaps)
    shift = 0  # which the compiler must not know: see there
    launch(
        kernel, drive, _BLOCK,
        *arguments, first, drive.shape[1], dt.shape[2], drive.shape[2], shift, **options,
    )  # fmt: skip


def advance(
    coefs: list[torch.Tensor], state: torch.Tensor, power: torch.Tensor, drive: torch.Tensor,
    dt: torch.Tensor, lengths: torch.Tensor, first: int, kept: torch.Tensor,
    borders: Borders | None = None,
) -> None:  # fmt: skip
    """See :meth:`..engine.Engine.advance`."""
    half = kept[1] if len(kept) > 1 else None
    squares = power if power.numel() else None
    _start(
        kernels.forward, drive, dt, first,
        drive, kept[0], half, state[0], state[1], squares, *coefs, dt, lengths,
    )  # fmt: skip


def adjoint(
    coefs: list[torch.Tensor], grad_state: torch.Tensor, drive: torch.Tensor,
    kept: torch.Tensor, before: torch.Tensor, dt: torch.Tensor, lengths: torch.Tensor,
    first: int, grad: torch.Tensor, grad_drive: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """See :meth:`..engine.Engine.adjoint`; the gradients of w, pull, stiff, rest, (4, B, P).

    `before` is not needed.
    """
    sums = drive.new_zeros(_N_SUMS, *grad_state.shape[1:], dtype=torch.float64)
    _start(
        kernels.adjoint, drive, dt, first,
        drive, grad, grad_drive, kept[1], grad_state[0], grad_state[1], *coefs, dt, lengths,
        *sums[:3],
    )  # fmt: skip
    return sums


def echo(
    coefs: list[torch.Tensor], states: torch.Tensor, nudge: torch.Tensor, drive: torch.Tensor,
    dt: torch.Tensor, lengths: torch.Tensor, first: int, grad: torch.Tensor,
    grad_drive: torch.Tensor, middle: torch.Tensor | None,
    borders: Borders | None = None,
) -> torch.Tensor:  # fmt: skip
    """See :meth:`..engine.Engine.echo`; the gradients of w, pull, stiff and rest, (4, B, P)."""
    sums = drive.new_zeros(_N_SUMS, *states.shape[1:], dtype=torch.float64)
    _start(
        kernels.echo, drive, dt, first,
        drive, grad, grad_drive, middle, *states, *nudge, *coefs, dt, lengths, *sums,
    )  # fmt: skip
    return sums
