"""The energy-transition recurrence on a GPU, with Triton: tensors in, tensors out.

Grid: a program holds a few rows of the batch and all hidden units and walks through all
steps by itself, so no two programs ever wait for each other. One launch forward, one
backward. What does not depend on the state is one matrix product before the loop (the
input's share of all blocks), or after it (every gradient of a weight, and that of x).

On the chip: S, C, T, the blocks, and the recurrent weights if they fit: all in registers up
to 64 units in float32 (32 in float64), in shared memory up to 128 in bfloat16. Of 128 units
in float32, 256 KB, two of the four blocks are in registers and the others, read at every
step, in the L1 cache. Larger ones are read from the L2 cache, each once a step. S and S E,
which every thread needs, then pass through a few kilobytes of global memory that never
leave the caches. The next step's share of the input is loaded while a step is computed.

Kept for the backward loop: S and C before each step and T', and, in place of the input's
share, what the activations make of it. Nothing is recomputed but m and E. Without a
gradient nothing is kept but the output.

Precision: the state, activations and sums are float32, or float64 for float64. Products
are exact to that too (of large batches by three in TF32), unless :func:`precision_of` says
otherwise. Hidden sizes are padded to powers of two; above MAX_HIDDEN a program's rows no
longer fit into registers, and the reference runs. Nothing is added up by atomics: the same
input gives the same result.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import triton

from .._ways import choose
from .cuda_backward import backward_kernel
from .cuda_forward import forward_kernel
from .switches import Switches

MAX_HIDDEN = 256
_TENSOR_CORE_ROWS = 16  # the least that Triton's dot takes
_TENSOR_CORE_ROOM = 160 * 1024  # bytes of shared memory that 128 units take at most
_TRIAL_STEPS = 16
_SHIFT = 0  # of the weights: the compiler must not know it, see cuda_math
_INTERPRETED_PROCESSORS = 8  # few, so that small tests meet every tiling


class Tiling(NamedTuple):
    """How a loop is cut; the names are those of the kernels' parameters."""

    precision: str
    held: int
    n_rows: int
    n_summed: int
    n_stages: int
    n_warps: int


class Plan(NamedTuple):
    """A tiling, of so many padded units, and the type that products are taken in."""

    width: int
    cut: Tiling
    kind: torch.dtype


def precision_of(x: torch.Tensor) -> str:
    """Precision of products that the user allows: "ieee", "tf32" or "bf16".

    "bf16" under autocast to bfloat16; autocast to float16 counts as float32, whose range
    an energy needs. "tf32" where torch's own float32 products may use it.
    """
    kind = x.device.type
    if x.dtype == torch.float64:
        return "ieee"
    if torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16:
        return "bf16"
    matmul = torch.backends.cuda.matmul
    setting = getattr(matmul, "fp32_precision", None)
    if setting is None:  # torch before 2.9
        return "tf32" if matmul.allow_tf32 else "ieee"
    if setting == "none":  # as for all backends
        setting = getattr(torch.backends, "fp32_precision", "none")
    return "tf32" if setting == "tf32" else "ieee"


def tiling(precision: str, n_batch: int, width: int, n_processors: int, wide: bool) -> Tiling:
    """Cut a loop over `n_batch` rows of `width` padded hidden units, as an H200 runs it best.

    Tensor cores take 16 rows at a time, and so leave most multiprocessors idle unless
    the batch is large: small batches are faster in plain float32, with few rows a program,
    whose time grows with them. What tensor cores multiply of 128 units in float32 is
    read from L2 at every step, by all programs at once; in plain float32 half of the
    weights are in registers, and half in the L1 cache. "tf32x3" allows them three
    products for one, as exact as float32's. `wide` is float64. All but 256 units in
    bfloat16 fit into registers.
    """
    many = n_batch > 4 * n_processors
    if precision == "bf16":
        tensor_cores = many or width > 64
    elif precision == "tf32":
        tensor_cores = many if width <= 128 else n_batch > n_processors
    else:
        tensor_cores = precision == "tf32x3" and many and width == 128
    if tensor_cores:
        hold = width <= (128 if precision == "bf16" else 64)
        n_warps = 4 if width <= 32 else 8 if width <= 128 and precision != "tf32x3" else 16
        n_summed = width if hold else 32
        return Tiling(precision, 4 if hold else 0, _TENSOR_CORE_ROWS, n_summed, 3, n_warps)
    if width <= (32 if wide else 64):
        # Else as many rows as give every thread a neuron.
        n_rows = 1 if wide or n_batch <= n_processors else 128 // width
        return Tiling("ieee", 4, n_rows, width, 1, 4)
    n_rows = 1 if width == 128 else 2
    while n_rows < (4 if wide else 8) and n_rows * n_processors < n_batch:
        n_rows *= 2
    held = 2 if width == 128 and not wide else 0
    return Tiling("ieee", held, n_rows, max(1, 1024 // width), 1, 8)


def other_tilings(precision: str, width: int, wide: bool) -> list[Tiling]:
    """What else to try on a card: more or fewer rows, warps, and weights in registers."""
    few = (1, 2, 4) if wide else (1, 2, 4, 8)
    if width <= (32 if wide else 64):
        found = [Tiling("ieee", 4, r, width, 1, w) for r in few[:3] for w in (4, 8)]
    else:
        held = (1, 2, 3) if width == 128 and not wide else (0,)
        found = [Tiling("ieee", h, r, max(1, 1024 // width), 1, 8) for r in few for h in held]
    if precision != "ieee":
        hold = width <= (128 if precision == "bf16" else 64)
        n_held, n_summed = (4, width) if hold else (0, min(width, 32))
        found += [Tiling(precision, n_held, 16, n_summed, 3, w) for w in (4, 8, 16)]
    return found


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    """Shortest time of three calls, after one that compiles."""
    call()
    times = []
    for _ in range(3):
        if device.type == "cuda":
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            call()
            stop.record()
            stop.synchronize()
            times.append(start.elapsed_time(stop) / 1e3)
        else:
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
    return min(times)


def _trial(
    switches: Switches, n_batch: int, n_hidden: int, like: torch.Tensor
) -> Callable[[Plan], float]:
    """Time of both loops over a few steps of made-up data, by how they are planned."""
    n_blocks = switches.n_blocks * n_hidden
    with torch.cuda.device_of(like):
        x = torch.linspace(-1, 1, n_batch * _TRIAL_STEPS, device=like.device, dtype=like.dtype)
        x = x.view(n_batch, _TRIAL_STEPS, 1)
        weight = torch.linspace(-1, 1, n_blocks, device=like.device, dtype=like.dtype)[:, None]
        recurrent = (weight[: 4 * n_hidden] / n_hidden).expand(-1, n_hidden).contiguous()
        s0, c0, t0 = x.new_ones(3, n_batch, n_hidden)
        grad = x.new_ones(n_batch, _TRIAL_STEPS, n_hidden)

    def both(plan: Plan) -> None:
        *_, memory = _forward(
            switches, True, plan, x, weight, recurrent, weight[:, 0], s0, c0, t0, None, None
        )
        gates, kept, last_s, dt, lengths = memory
        _backward(
            switches, plan, False, x, weight, recurrent, gates, kept, last_s, dt, lengths,
            grad, None, None, None,
        )  # fmt: skip

    return lambda plan: _seconds(lambda: both(plan), like.device)


def _plan(
    switches: Switches, precision: str, n_batch: int, n_hidden: int, like: torch.Tensor
) -> Plan:
    """How to run both loops: by rule, as this card's clock said, or as was prescribed."""
    width = max(16, triton.next_power_of_2(n_hidden))
    wide = like.dtype == torch.float64
    n_processors, room = _INTERPRETED_PROCESSORS, _TENSOR_CORE_ROOM
    if like.is_cuda:
        card = torch.cuda.get_device_properties(like.device)
        n_processors = card.multi_processor_count
        room = getattr(card, "shared_memory_per_multiprocessor", room)
        if torch.version.hip is not None or card.major < 8:
            room = 0  # no such tensor cores
    asked = precision
    if width == 128 and room < _TENSOR_CORE_ROOM:  # of small cards
        precision = "ieee"
    elif precision == "ieee" and not wide:
        precision = "tf32x3"
    usual = tiling(precision, n_batch, width, n_processors, wide)

    def plan(cut: Tiling) -> Plan:
        return Plan(width, cut, torch.bfloat16 if cut.precision == "bf16" else like.dtype)

    def seconds(cut: Tiling) -> float:
        return _trial(switches, n_batch, n_hidden, like)(plan(cut))

    cut = choose(
        "PETNN",
        (asked, "float64" if wide else "float32", n_batch, "x", n_hidden),
        like.device,
        usual,
        lambda: other_tilings(precision, width, wide),
        seconds,
    )
    return plan(cut)


def _options(switches: Switches, n_hidden: int, width: int, cut: Tiling) -> dict[str, Any]:
    """Arguments that both kernels are compiled for."""
    return {
        "H": n_hidden,
        "W": width,
        "R": cut.n_rows,
        "K": cut.n_summed,
        "STAGES": cut.n_stages,
        "PRECISION": cut.precision,
        "HELD": cut.held,
        "WIDTH": float(switches.width),
        "SOFT": switches.release == "soft",
        "BOUNDED": switches.increment == "tanh",
        "DECAY": switches.time_decay,
        "GROUND": switches.ground_state,
        "num_warps": cut.n_warps,
        "num_stages": 1,
    }


def _padded_weights(
    recurrent_weight: torch.Tensor, width: int, kind: torch.dtype, by_giver: bool
) -> torch.Tensor:
    """Recurrent weights as ``weight_tile`` reads them, (4, width, width)."""
    n_hidden = recurrent_weight.shape[1]
    blocks = recurrent_weight.detach().view(4, n_hidden, n_hidden)
    if by_giver:
        blocks = blocks.transpose(1, 2)
    if n_hidden == width:
        return blocks.to(kind).contiguous()
    out = blocks.new_zeros(4, width, width, dtype=kind)
    out[:, :n_hidden, :n_hidden] = blocks
    return out


def _whole(*tensors: torch.Tensor | None) -> list[Any]:
    return [None if x is None else x.detach().contiguous() for x in tensors]


def forward(
    switches: Switches, keep: bool, precision: str, x: torch.Tensor, input_weight: torch.Tensor,
    recurrent_weight: torch.Tensor, bias: torch.Tensor, s0: torch.Tensor, c0: torch.Tensor,
    t0: torch.Tensor, dt: torch.Tensor | None, lengths: torch.Tensor | None,
) -> tuple[Any, ...]:  # fmt: skip
    """Output (B, T, H); final S, C, T (B, H); what :func:`backward` reads, if `keep`."""
    plan = _plan(switches, precision, len(x), s0.shape[1], s0)
    return _forward(
        switches, keep, plan, x, input_weight, recurrent_weight, bias, s0, c0, t0, dt, lengths
    )


def _forward(
    switches: Switches, keep: bool, plan: Plan, x: torch.Tensor, input_weight: torch.Tensor,
    recurrent_weight: torch.Tensor, bias: torch.Tensor, s0: torch.Tensor, c0: torch.Tensor,
    t0: torch.Tensor, dt: torch.Tensor | None, lengths: torch.Tensor | None,
) -> tuple[Any, ...]:  # fmt: skip
    width, cut, kind = plan
    n_batch, n_steps, _ = x.shape
    n_hidden = s0.shape[1]
    s0, c0, t0, dt, recurrent_weight = _whole(s0, c0, t0, dt, recurrent_weight)
    if lengths is not None:
        lengths = lengths.to(x.device, torch.int64).contiguous()
    rows = x.detach().flatten(0, 1).to(kind)
    drive = torch.addmm(bias.to(kind), rows, input_weight.detach().T.to(kind))
    weights = _padded_weights(recurrent_weight, width, kind, cut.precision == "ieee")
    out = s0.new_empty(n_batch, n_steps, n_hidden)
    final = torch.empty_like(s0), torch.empty_like(s0), torch.empty_like(s0)
    kept = s0.new_empty(n_batch, n_steps, 3, n_hidden) if keep else None
    n_programs = -(-n_batch // cut.n_rows)
    shared = None
    if cut.held < 4:
        shared = weights.new_empty(n_programs, 2, cut.n_rows, width)
    if s0.numel():
        with torch.cuda.device_of(x):
            forward_kernel[(n_programs,)](
                drive, weights, s0, c0, t0, dt, lengths, out, *final, kept, shared,
                n_batch, n_steps, _SHIFT, KEEP=keep, **_options(switches, n_hidden, width, cut),
            )  # fmt: skip
    # The final S is handed out: the caller may change it.
    memory = (drive, kept, final[0].clone(), dt, lengths) if keep else None
    return out, *final, memory


def backward(
    switches: Switches, precision: str, needs_grad_x: bool, x: torch.Tensor,
    input_weight: torch.Tensor, recurrent_weight: torch.Tensor, gates: torch.Tensor,
    kept: torch.Tensor, last_s: torch.Tensor, dt: torch.Tensor | None,
    lengths: torch.Tensor | None, grad_out: torch.Tensor | None, grad_s: torch.Tensor | None,
    grad_c: torch.Tensor | None, grad_t: torch.Tensor | None,
) -> tuple[torch.Tensor | None, ...]:  # fmt: skip
    """Gradients of x, input_weight, recurrent_weight, bias and the first S, C, T.

    `gates` to `lengths`: what :func:`forward` returned last. Gradients that come in as None
    are zero; so are those that go out so.
    """
    plan = _plan(switches, precision, len(x), recurrent_weight.shape[1], last_s)
    return _backward(
        switches, plan, needs_grad_x, x, input_weight, recurrent_weight, gates, kept, last_s,
        dt, lengths, grad_out, grad_s, grad_c, grad_t,
    )  # fmt: skip


def _backward(
    switches: Switches, plan: Plan, needs_grad_x: bool, x: torch.Tensor,
    input_weight: torch.Tensor, recurrent_weight: torch.Tensor, gates: torch.Tensor,
    kept: torch.Tensor, last_s: torch.Tensor, dt: torch.Tensor | None,
    lengths: torch.Tensor | None, grad_out: torch.Tensor | None, grad_s: torch.Tensor | None,
    grad_c: torch.Tensor | None, grad_t: torch.Tensor | None,
) -> tuple[torch.Tensor | None, ...]:  # fmt: skip
    width, cut, kind = plan
    n_batch, n_steps, _ = x.shape
    n_hidden = recurrent_weight.shape[1]
    timed = switches.release != "hard" or grad_t is not None
    (recurrent_weight,) = _whole(recurrent_weight)
    grad_out, *grad_state = _whole(grad_out, grad_s, grad_c, grad_t)
    weights = _padded_weights(recurrent_weight, width, kind, cut.precision != "ieee")
    grads = torch.empty_like(gates)
    recalled = gates.new_empty(n_batch * n_steps, n_hidden)
    first = torch.empty_like(last_s), torch.empty_like(last_s)
    first_t = torch.empty_like(last_s) if timed else None
    n_programs = -(-n_batch // cut.n_rows)
    shared = None
    if cut.held < 4:
        shared = weights.new_empty(n_programs, 4, cut.n_rows, width)
    if last_s.numel():
        with torch.cuda.device_of(x):
            backward_kernel[(n_programs,)](
                gates, kept, weights, last_s, dt, lengths, grad_out, *grad_state,
                grads, recalled, *first, first_t, shared, n_batch, n_steps, _SHIFT,
                SURROGATE=switches.release != "hard", TIMED=timed,
                **_options(switches, n_hidden, width, cut),
            )  # fmt: skip

    rows = x.detach()
    if lengths is not None:  # what lies past an end may be anything, and 0 * nan is nan
        running = torch.arange(n_steps, device=x.device) < lengths[:, None]
        rows = torch.where(running[:, :, None], rows, 0)
    rows = rows.flatten(0, 1).to(kind)
    grad_x = None
    if needs_grad_x:
        grad_x = (grads @ input_weight.detach().to(kind)).view(x.shape).to(x.dtype)
    grad_recurrent = torch.empty_like(recurrent_weight, dtype=kind)
    recalling, candidate = grad_recurrent.split([3 * n_hidden, n_hidden])
    before = kept.flatten(0, 1)[:, 0].to(kind)
    torch.mm(grads[:, : 3 * n_hidden].T, before, out=recalling)
    torch.mm(grads[:, 3 * n_hidden : 4 * n_hidden].T, recalled, out=candidate)
    return (
        grad_x,
        (grads.T @ rows).to(x.dtype),
        grad_recurrent.to(x.dtype),
        grads.sum(0, dtype=last_s.dtype),
        *first,
        first_t,
    )
