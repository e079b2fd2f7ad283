"""Energy-transition neurons (PETNN): the seam between torch and the time loops."""

from typing import NamedTuple

import numpy as np
import torch

from .._autograd import compiled_backward, compiled_forward
from .._check import check_alike, check_lengths, check_shapes, check_tensors, evidently_sound
from .._dispatch import choose_backend
from . import reference
from .switches import INCREMENTS as INCREMENTS
from .switches import RELEASES as RELEASES
from .switches import Switches as Switches


class Trajectory(NamedTuple):
    """What every neuron went through, each (batch, time, hidden), zero past the end.

    `released` is m, the released fraction: 0 or 1, and between them for "soft".
    """

    state: torch.Tensor
    energy: torch.Tensor
    remaining_time: torch.Tensor
    released: torch.Tensor


State = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


_USUAL = Switches()

_NAMES = ("x", "input_weight", "recurrent_weight", "bias", "S", "C", "T", "dt")


def _array(tensor):
    return None if tensor is None else tensor.detach().contiguous().numpy()


def _tensor(array):
    return None if array is None else torch.from_numpy(array)


class _OnCPU(torch.autograd.Function):
    @staticmethod
    @compiled_forward
    def forward(ctx, *args):
        from . import cpu  # compiled code, only when it is first needed

        *tensors, switches, keep = args
        *outputs, slots = cpu.forward(switches, keep, *map(_array, tensors))
        if keep:
            x, input_weight, recurrent_weight, *_, dt, lengths = tensors
            ctx.save_for_backward(
                x, input_weight, recurrent_weight, dt, lengths, torch.from_numpy(slots)
            )
            ctx.switches = switches
            ctx.set_materialize_grads(False)
        return tuple(map(torch.from_numpy, outputs))

    @staticmethod
    @compiled_backward
    def backward(ctx, *grads):
        from . import cpu

        outputs = cpu.backward(
            ctx.switches,
            ctx.needs_input_grad[0],
            *map(_array, ctx.saved_tensors),
            *map(_array, grads),
        )
        return *map(_tensor, outputs), None, None, None, None


class _OnGPU(torch.autograd.Function):
    @staticmethod
    @compiled_forward
    def forward(ctx, *args):
        from . import cuda

        *tensors, switches, keep, precision = args
        *outputs, memory = cuda.forward(switches, keep, precision, *tensors)
        if keep:
            ctx.save_for_backward(*tensors[:3], *memory)
            ctx.options = switches, precision
            ctx.set_materialize_grads(False)
        return tuple(outputs)

    @staticmethod
    @compiled_backward
    def backward(ctx, *grads):
        from . import cuda

        switches, precision = ctx.options
        outputs = cuda.backward(
            switches, precision, ctx.needs_input_grad[0], *ctx.saved_tensors, *grads
        )
        return *outputs, None, None, None, None, None


def _choose_backend(recurrent_weight, backend):
    # By the weights: under autocast x may be of a half type, which the kernels convert.
    chosen = choose_backend(recurrent_weight, backend)
    if chosen == "cuda":
        from . import cuda

        if recurrent_weight.shape[1] > cuda.MAX_HIDDEN:
            return "reference"
    return chosen


def _check(x, input_weight, recurrent_weight, bias, state, dt, lengths, switches) -> None:
    if not isinstance(state, tuple | list) or len(state) != 3:
        raise ValueError("state must be three tensors, S, C and T.")
    s, c, t = state
    real = (x, input_weight, recurrent_weight, bias, s, c, t)
    if not evidently_sound(*real, *(() if dt is None else (dt,))):
        tensors = dict(zip(_NAMES, (*real, dt), strict=True))
        check_tensors(**tensors)
        check_alike("x", **tensors)
    if x.ndim != 3 or recurrent_weight.ndim != 2:
        raise ValueError(
            "x and recurrent_weight must be of shapes (batch, time, input) and "
            f"(4 * hidden, hidden), got {tuple(x.shape)} and {tuple(recurrent_weight.shape)}."
        )
    n_batch, n_steps, n_inputs = x.shape
    n_hidden = recurrent_weight.shape[1]
    n_outputs = switches.n_blocks * n_hidden
    shapes = (
        (n_batch, n_steps, n_inputs),
        (n_outputs, n_inputs),
        (4 * n_hidden, n_hidden),
        (n_outputs,),
        *((n_batch, n_hidden),) * 3,
    )
    if any(tensor.shape != shape for tensor, shape in zip(real, shapes, strict=True)):
        check_shapes(**dict(zip(_NAMES, zip(real, shapes, strict=True), strict=False)))
    if dt is not None:
        check_shapes(dt=(dt, (n_batch, n_steps)))
    check_lengths(lengths, n_batch, n_steps)


def petnn(
    x: torch.Tensor,
    input_weight: torch.Tensor,
    recurrent_weight: torch.Tensor,
    bias: torch.Tensor,
    state: State,
    *,
    dt: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    switches: Switches = _USUAL,
    backend: str | None = None,
) -> tuple[torch.Tensor, State]:
    r"""One layer of energy-transition neurons over whole sequences.

    With the hidden state S, the cell's energy C and the remaining time T, all
    products elementwise (arXiv 2505.03281, the PETNN recurrence):

    .. math::
        Z_t &= W_t [x, S] + b_t, \quad Z_c = \sigma(W_c [x, S] + b_c), \quad
        Z_w = \sigma(W_w [x, S] + b_w) \\
        R &= \sigma(W_R x + b_R), \quad I = \sigma(W_I x + b_I) \\
        T' &= R \max(T + Z_t, 0) - dt, \quad m = [T' \le 0], \quad E = m C \\
        T &\leftarrow (1 - m) T', \quad C \leftarrow (1 - m) C + m I + Z_c \\
        H &= \tanh(W_h [x, S E] + b_h), \quad S \leftarrow \tanh((1 - Z_w) S + Z_w H)

    Differentiable once, with respect to x, the weights, the bias and the state. With
    ``release="hard"``, m is a constant to the gradient: the blocks of `input_weight`,
    `recurrent_weight` and `bias` that make Z_t and R get a gradient of exactly zero
    (unless the loss depends on the final T itself).

    Parameters
    ----------
    x : Tensor of shape (batch, time, input)
    input_weight : Tensor of shape (blocks * hidden, input)
        The input's part of W_t, W_c, W_w, W_h, then W_R and W_I as far as they are
        switched on.
    recurrent_weight : Tensor of shape (4 * hidden, hidden)
        The state's part of W_t, W_c, W_w and W_h.
    bias : Tensor of shape (blocks * hidden,)
        In the order of `input_weight`.
    state : tuple of three Tensors of shape (batch, hidden)
        S, C and T before the first step.
    dt : Tensor of shape (batch, time), optional
        Time that passes in each step, in units of T; 1 by default. No gradient.
    lengths : integer Tensor of shape (batch,), optional
        Steps of each sample, 0 to time. Beyond them its state stands still, the output
        is zero, and nothing gets a gradient.
    switches : Switches
        release: "hard", "surrogate" (hard forward; backward, the derivative of
        ``sigmoid(-T' / width)``) or "soft" (that sigmoid forward too). increment:
        "linear", or "tanh" of Z_t. Without time_decay, R is 1; without ground_state,
        I is 0.
    backend : {"cpu", "cuda", "reference"} or None
        For tests and benchmarks; by default the tensors' device decides. With more than
        256 hidden units "reference" takes the place of "cuda".

    Returns
    -------
    output : Tensor of shape (batch, time, hidden)
        S after every step.
    state : tuple of three Tensors of shape (batch, hidden)
        S, C and T after each sample's last step.

    Raises
    ------
    TypeError
        If an argument is no real floating-point tensor, or `lengths` none of integers.
    ValueError
        If a shape, dtype or device does not fit, or a length is out of range.
    """
    _check(x, input_weight, recurrent_weight, bias, state, dt, lengths, switches)
    # NOTE[paper]: the activation around T + Z_t is a ReLU. The paper prints a sigmoid,
    # with which R sigmoid(.) - 1 is never positive and every step releases.
    # NOTE[paper]: Z_c goes through a sigmoid, as in the released code; the paper has
    # none there, and an energy may then become negative.
    tensors = (x, input_weight, recurrent_weight, bias, *state)
    backend = _choose_backend(recurrent_weight, backend)
    if backend == "reference":
        output, _, _, _, *final = reference.petnn(*tensors, dt, lengths, switches)
        return output, tuple(final)
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if backend == "cuda":
        from . import cuda

        # Before autocast, which has a say in it, is switched off inside.
        precision = cuda.precision_of(x)
        output, *final = _OnGPU.apply(*tensors, dt, lengths, switches, keep, precision)
    else:
        output, *final = _OnCPU.apply(*tensors, dt, lengths, switches, keep)
    return output, tuple(final)


@torch.no_grad()
def trajectory(
    x: torch.Tensor,
    input_weight: torch.Tensor,
    recurrent_weight: torch.Tensor,
    bias: torch.Tensor,
    state: State,
    *,
    dt: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    switches: Switches = _USUAL,
    backend: str | None = None,
) -> Trajectory:
    """S, C, T and m of :func:`petnn` at every step, to look at; no gradient.

    Costs one forward pass and memory for 8 numbers a neuron and step. On a GPU the
    reference runs.
    """
    _check(x, input_weight, recurrent_weight, bias, state, dt, lengths, switches)
    tensors = (x, input_weight, recurrent_weight, bias, *state, dt, lengths)
    if choose_backend(recurrent_weight, backend) != "cpu":
        return Trajectory(*reference.petnn(*tensors, switches)[:4])
    from . import cpu

    with np.errstate(invalid="ignore", over="ignore"):
        series = cpu.trajectory(switches, *map(_array, tensors))
    return Trajectory(*map(torch.from_numpy, series))
