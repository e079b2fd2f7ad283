"""Linear oscillators on a GPU: the free run, its adjoint and the two echoes, in Triton.

An :class:`..engine.Engine`; the step in the kernels' own variables stands in
``parameters.py``. Shape letters: B batch, T time, P modes.

Two ways. Where samples and modes are many, time stays in sequence, a mode a lane
(``cuda_sequence.py``): a warp holds 32 modes of one sample and asks for 32 steps while it
works on the 32 before. Every tensor passes once. A step's chain of five operations takes
some 30 cycles, 0.3 ms for 16,384 steps, and four warps a multiprocessor have 16 KB in
flight, which is what a memory at full speed asks for. An H200 runs (32, 16384, 512) forward
in 0.78 ms (2.1 GB, 66 % of the 4.15 TB/s that it copies at best), the echoes in 0.93.

Elsewhere time is shared out, too. One program takes 8 to 32 modes of one sample, whose 256
lanes are modes times sub-chunks of time. A step is affine in (z, y), so that of a tile of 32
steps a lane every sub-chunk is run twice: from rest, which gives what it adds to the state,
and then, when a scan over the sub-chunks' affine maps has told the state at its start, from
there. The state passes from tile to tile in registers. Few modes are thus spread over more
lanes, and where programs are fewer than multiprocessors, they take fewer modes each, in
longer tiles. The second run finds its drive in a cache, 32 KB a program. (32, 4096, 64) takes
0.059 ms in this way and 0.135 in sequence, (4, 17984, 64) 0.12 and 0.45; but of 512 programs
the two runs and the scans, between which nothing is asked for, take 1.0 ms for 0.78.

Precision. Steps in the drive's dtype, with kappa in two parts. Sub-chunks' matrices,
which act again and again, and the scan are float64: rounded, they would cost digits in
proportion to the length. A tile's share of the parameter gradients is a sum in the
drive's dtype, all further ones are in float64; one value a sample and mode is written,
and torch adds these up. No atomics: the same input gives the same bits.

Back-propagation keeps the positions, as on the CPU, and an echo the final state alone.
Every number of samples, steps and modes is served. Nothing waits for the device.

Gaps (``turn.py``) are for time in sequence alone, which is taken wherever there may be some.
A warp has one sample, so that all its lanes turn or none. Damped oscillators (``..damped``)
run in sequence, too; their coefficients are a stiffness, a step and a decay.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
import triton

from ..borders import Borders
from ..cuda import coefficients as coefficients
from ..cuda import launch
from . import cuda_kernels as kernels
from . import cuda_sequence as sequence
from .parameters import chain
from .turn import constants

N_KEPT = 1  # trajectories the adjoint needs: the positions
RELATIVE_NUDGE: float | None = None  # its size cancels
FORGETS = False
_LANES = 256
_STEPS = 32
_WARP = 32
# Steps in a tile of float32 where time stays in sequence: as much is asked for at once. An
# H200 runs adjoints with 32 no faster, and they take three times as long to compile.
_SEQUENCE_STEPS = {"forward": 32, "adjoint": 16, "echo": 32}
_GAP_STEPS = 8  # the same with gaps, whose code is that long for every step
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
    return chain(sums[:2].sum(1), *parameters)


def in_sequence(n_rows: int, n_modes: int, device: torch.device) -> bool:
    """Whether time stays in sequence, a mode a lane: modes and samples fill the card.

    Three warps for two multiprocessors are enough: of (32, 16384, 256) it is faster, of
    (32, 16384, 128) slower.
    """
    return 2 * n_rows * triton.cdiv(n_modes, _WARP) >= 3 * _n_multiprocessors(device)


def sequence_compilation(
    kernel: Any, is_float: bool, has_dt: bool, echo: bool = False, gaps: bool = False
) -> dict[str, Any]:
    """The same for time in sequence."""
    way = "forward" if kernel is sequence.forward else "echo" if echo else "adjoint"
    steps = min(_SEQUENCE_STEPS[way], _GAP_STEPS) if gaps else _SEQUENCE_STEPS[way]
    return {
        "HAS_DT": has_dt,
        "HAS_GAPS": gaps,
        "STEPS": steps if is_float else max(1, steps // 2),
        "BLOCK": _WARP,
        "num_warps": 1,
        "maxnreg": 255,
    }


def _turns(coefs: list[torch.Tensor]) -> torch.Tensor:
    """Turns a unit of each mode, which Triton has no arcsine for."""
    stiffness, step = (x.double() for x in coefs[:2])
    return constants(step * step * stiffness, torch)[1]


def _start(
    name: str, coefs: list[torch.Tensor], drive: torch.Tensor, dt: torch.Tensor, first: int,
    borders: Borders | None, *arguments: Any, sums: Iterable[torch.Tensor] = (), **more: bool,
) -> None:  # fmt: skip
    arguments += tuple(sums)
    n_rows, n_steps, n_modes = drive.shape
    is_float, has_dt, gaps = drive.dtype == torch.float32, dt.numel() > 0, dt.shape[1] == 2
    damped = len(coefs) == 3
    sizes: tuple[int, ...] = first, n_steps, dt.shape[2], n_modes
    if gaps or damped or in_sequence(n_rows, n_modes, drive.device):
        block, kernel = _WARP, getattr(sequence, name)
        options = sequence_compilation(kernel, is_float, has_dt, gaps=gaps or damped, **more)
        options["HAS_GAPS"] = gaps
        if name == "backward" and not damped:
            arguments += (None,)  # for the gradient of a decay
        turns, decay = _turns(coefs) if gaps else None, coefs[2] if damped else None
        arguments += (turns, decay, *(borders or (None, None)))
        shift = 0  # which the compiler must not know: see there
        sizes += (shift, 0 if borders is None else borders.states.shape[1])
    else:
        block, kernel = block_of_modes(n_rows, n_modes, drive.device), getattr(kernels, name)
        options = compilation(kernel, block, is_float, has_dt, **more)
    if name == "backward":
        options["ECHO"] = bool(more)
    launch(kernel, drive, block, *arguments, *sizes, **options)


def _no_sums(coefs: list[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """Room for the gradients of kappa, gain and, of damped oscillators, decay: (2 or 3, B, P)."""
    return like.new_zeros(len(coefs), *like.shape[1:], dtype=torch.float64)


def advance(
    coefs: list[torch.Tensor], state: torch.Tensor, power: torch.Tensor, drive: torch.Tensor,
    dt: torch.Tensor, lengths: torch.Tensor, first: int, kept: torch.Tensor,
    borders: Borders | None = None,
) -> None:  # fmt: skip
    """See :meth:`..engine.Engine.advance`."""
    arguments = drive, kept[0], *state, *coefs[:2], dt, lengths
    _start("forward", coefs, drive, dt, first, borders, *arguments)


def adjoint(
    coefs: list[torch.Tensor], grad_state: torch.Tensor, drive: torch.Tensor,
    kept: torch.Tensor, before: torch.Tensor, dt: torch.Tensor, lengths: torch.Tensor,
    first: int, grad: torch.Tensor, grad_drive: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """See :meth:`..engine.Engine.adjoint`; the gradients of kappa and gain, (2, B, P)."""
    sums = _no_sums(coefs, grad_state)
    _start(
        "backward", coefs, drive, dt, first, None,
        drive, grad, grad_drive, kept[0], before, grad_state[1], grad_state[0],
        None, None, None, None, *coefs[:2], dt, lengths, sums=sums,
    )  # fmt: skip
    return sums


def echo(
    coefs: list[torch.Tensor], states: torch.Tensor, nudge: torch.Tensor, drive: torch.Tensor,
    dt: torch.Tensor, lengths: torch.Tensor, first: int, grad: torch.Tensor,
    grad_drive: torch.Tensor, middle: torch.Tensor | None, borders: Borders | None = None,
) -> torch.Tensor:  # fmt: skip
    """See :meth:`..engine.Engine.echo`; the gradients of kappa and gain, (2, B, P)."""
    sums = _no_sums(coefs, nudge)
    z_mean, z_diff, y_mean, y_diff = states
    _start(
        "backward", coefs, drive, dt, first, borders,
        drive, grad, grad_drive, middle, None, z_diff, y_diff, z_mean, y_mean, *nudge,
        *coefs[:2], dt, lengths, sums=sums, echo=True,
    )  # fmt: skip
    return sums
