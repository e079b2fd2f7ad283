"""Linear oscillators on a GPU: the free run, its adjoint and the two echoes, in Triton.

An :class:`..engine.Engine`; the step in the kernels' own variables stands in
``parameters.py``. Shape letters: B batch, T time, P modes.

Grid. One program for 8 to 32 modes of one sample, whose 256 lanes are modes times
sub-chunks of time. A step is affine in (z, y), so that of a tile of 32 steps a lane every
sub-chunk is run twice: from rest, which gives what it adds to the state, and then, when a
scan over the sub-chunks' affine maps has told the state at its start, from there. The
state passes from tile to tile in registers. Few modes are thus spread over more lanes,
and where programs are fewer than multiprocessors, they take fewer modes each, in longer
tiles: 4 samples of 32 modes are 16 programs and 1,024 steps at once, not 128 lanes.

Bytes. The second run finds its drive in a cache, 32 KB a program, so the device's memory
sees every tensor once: the free run reads the drive and writes the positions; adjoint and
echo move four tensors, twice as much, or three where nobody wants the echo's positions.
Other ways to share time among lanes were weighed: kernels one after another for ends,
carries and outputs read the drive twice, half as much traffic again; a scan over single
steps costs a 2 x 2 product a step. An H100 copies at full speed with some 40 KB in flight
on each multiprocessor, half of that reads. (32, 16384, 512) is 512 programs, four of them
a multiprocessor at 64 registers a thread; a lane asks for 16 steps before it uses the
first, 16 KB a program and 64 KB in all while they are in their first runs, which the
second ones of others leave time for. By estimate, not measured, a program's tile of
32 KB takes 4 to 5 microseconds, and four of them are read at more than twice the rate
that a copy at full speed would allow: the memory is the limit. Echoes are two programs a
multiprocessor, each with 32 KB in flight.

Precision. Steps in the drive's dtype, with kappa in two parts. The sub-chunks' matrices,
which act again and again, and the scan are float64: rounded, they would cost digits in
proportion to the length. A tile's share of the parameter gradients is a sum in the
drive's dtype, all further ones are in float64; one value a sample and mode is written,
and torch adds these up. No atomics: the same input gives the same bits.

Back-propagation keeps the positions, as on the CPU, and an echo the final state alone.
Every number of samples, steps and modes is served. Nothing waits for the device.
"""

from functools import cache
from typing import Any

import torch
import triton

from ..cuda import coefficients as coefficients
from ..cuda import launch
from . import cuda_kernels as kernels
from .parameters import chain

N_KEPT = 1  # trajectories the adjoint needs: the positions
RELATIVE_NUDGE: float | None = None  # its size cancels
_LANES = 256
_STEPS = 32
_MULTIPROCESSORS = 132  # of a GPU that the interpreter stands for


@cache
def _n_multiprocessors(device: torch.device) -> int:
    if device.type != "cuda":
        return _MULTIPROCESSORS
    return torch.cuda.get_device_properties(device).multi_processor_count


def block_of_modes(n_rows: int, n_modes: int, device: torch.device) -> int:
    """Modes a program takes: 32, or as few as 8 where that leaves multiprocessors idle."""
    block = 32
    while block > 8 and n_rows * triton.cdiv(n_modes, block) < _n_multiprocessors(device):
        block //= 2
    return block


def compilation(
    kernel: Any, block: int, is_float: bool, has_dt: bool, echo: bool = False
) -> dict[str, Any]:
    """Constants of a kernel, and what the compiler is told.

    UNROLL loads are asked for at once. Registers, 65,536 a multiprocessor, are what the
    number of programs on it costs: none are spilled with these.
    """
    if not is_float:
        unroll, registers = 4, 168
    elif kernel is kernels.forward:
        unroll, registers = (8, 80) if has_dt else (16, 64)
    else:
        unroll, registers = (4 if has_dt else 8, 128) if echo else (8, 80)
    narrow = block < 32  # there are few programs
    return {
        "HAS_DT": has_dt,
        "SUBS": _LANES // block,
        "STEPS": _STEPS,
        "BLOCK": block,
        "UNROLL": min(unroll, _STEPS),
        "AGAIN": 2,
        "num_warps": max(1, _LANES // 32),
        "maxnreg": max(128, registers) if narrow else registers,
    }


def parameter_gradients(
    sums: torch.Tensor, parameters: list[torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """Gradients of (stiffness, step), given in float64, from those of kappa and gain."""
    return chain(sums.sum(1), *parameters)


def _start(
    kernel: Any, drive: torch.Tensor, dt: torch.Tensor, first: int, *arguments: Any, **more: bool
) -> None:
    block = block_of_modes(len(drive), drive.shape[2], drive.device)
    options = compilation(kernel, block, drive.dtype == torch.float32, dt.numel() > 0, **more)
    if kernel is kernels.backward:
        options["ECHO"] = bool(more)
    launch(
        kernel, drive, block,
        *arguments, first, drive.shape[1], dt.shape[1], drive.shape[2], **options,
    )  # fmt: skip


def advance(
    coefs: list[torch.Tensor], state: torch.Tensor, power: torch.Tensor, drive: torch.Tensor,
    dt: torch.Tensor, lengths: torch.Tensor, first: int, kept: torch.Tensor,
) -> None:  # fmt: skip
    """See :meth:`..engine.Engine.advance`."""
    _start(kernels.forward, drive, dt, first, drive, kept[0], *state, *coefs, dt, lengths)


def adjoint(
    coefs: list[torch.Tensor], grad_state: torch.Tensor, drive: torch.Tensor,
    kept: torch.Tensor, before: torch.Tensor, dt: torch.Tensor, lengths: torch.Tensor,
    first: int, grad: torch.Tensor, grad_drive: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """See :meth:`..engine.Engine.adjoint`; the gradients of kappa and gain, (2, B, P)."""
    sums = torch.zeros_like(grad_state, dtype=torch.float64)
    _start(
        kernels.backward, drive, dt, first,
        drive, grad, grad_drive, kept[0], before, grad_state[1], grad_state[0],
        None, None, None, None, *coefs, dt, lengths, *sums,
    )  # fmt: skip
    return sums


def echo(
    coefs: list[torch.Tensor], states: torch.Tensor, nudge: torch.Tensor, drive: torch.Tensor,
    dt: torch.Tensor, lengths: torch.Tensor, first: int, grad: torch.Tensor,
    grad_drive: torch.Tensor, middle: torch.Tensor | None,
) -> torch.Tensor:  # fmt: skip
    """See :meth:`..engine.Engine.echo`; the gradients of kappa and gain, (2, B, P)."""
    sums = torch.zeros_like(nudge, dtype=torch.float64)
    z_mean, z_diff, y_mean, y_diff = states
    _start(
        kernels.backward, drive, dt, first,
        drive, grad, grad_drive, middle, None, z_diff, y_diff, z_mean, y_mean, *nudge,
        *coefs, dt, lengths, *sums, echo=True,
    )  # fmt: skip
    return sums
