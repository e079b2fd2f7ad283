"""FitzHugh-Nagumo neurons: the seam between torch and the integration kernels."""

from numbers import Integral, Real

import torch

from .._autograd import compiled_backward, compiled_forward
from .._check import check_alike, check_shapes, check_tensors, evidently_sound
from .._dispatch import choose_backend
from . import reference

_FLOAT32 = torch.finfo(torch.float32).max
_HALF = (torch.bfloat16, torch.float16)


class _FitzHughNagumo(torch.autograd.Function):
    @staticmethod
    @compiled_forward
    def forward(ctx, start, a, b, g, dt, n_steps, semi_implicit, backend):
        inputs = [x.detach().contiguous() for x in (start, a, b, g)]
        ctx.save_for_backward(*inputs)
        ctx.scheme = (float(dt), int(n_steps), semi_implicit)  # Triton knows no NumPy numbers
        ctx.backend = backend
        # Compiled code, only when it is first needed.
        if backend == "cuda":
            from . import cuda

            return cuda.forward(*inputs, *ctx.scheme)
        from . import cpu

        return torch.from_numpy(cpu.forward(*(x.numpy() for x in inputs), *ctx.scheme))

    @staticmethod
    @compiled_backward
    def backward(ctx, *grads):
        tensors = (grads[0].contiguous(), *ctx.saved_tensors)
        if ctx.backend == "cuda":
            from . import cuda

            outputs = cuda.backward(*tensors, *ctx.scheme)
        else:
            from . import cpu

            arrays = cpu.backward(*(x.numpy() for x in tensors), *ctx.scheme)
            outputs = tuple(map(torch.from_numpy, arrays))
        return *outputs, None, None, None, None


def _check_scheme(dt: float, n_steps: int) -> None:
    if type(n_steps) is int and type(dt) is float and 0 <= n_steps < 2**31 and abs(dt) < 1e30:
        return  # the usual case, told by its types
    wrong = isinstance(n_steps, bool) or not isinstance(n_steps, Integral)
    if wrong or not 0 <= n_steps < 2**31:
        raise ValueError(f"n_steps must be an integer from 0 to 2**31 - 1, got {n_steps!r}.")
    if isinstance(dt, bool) or not isinstance(dt, Real) or not abs(dt) <= _FLOAT32:
        raise ValueError(f"dt must be a finite number of float32, got {dt!r}.")


def fitzhugh_nagumo(
    v: torch.Tensor,
    w: torch.Tensor,
    drive: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    g: torch.Tensor,
    *,
    dt: float,
    n_steps: int,
    semi_implicit: bool = False,
    backend: str | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Integrate FitzHugh-Nagumo neurons for `n_steps` Euler steps of size `dt`.

    .. math::
        \dot v = I - v (v - a)(v - 1) - w, \qquad \dot w = b (v - g w)

    (arXiv 2605.08176, the FitzHugh-Nagumo layer). Differentiable once, with respect
    to all six tensors.

    Parameters
    ----------
    v, w : Tensor of shape (batch, hidden)
        Membrane potential and recovery variable at time zero.
    drive : Tensor of shape (batch, hidden)
        External current I, constant in time.
    a, b, g : Tensor of shape (hidden,)
        Threshold, recovery rate and recovery damping of each neuron.
    dt : float
        Step size, in the model's dimensionless time.
    n_steps : int
        Number of steps.
    semi_implicit : bool, default=False
        Let the recovery variable see the potential at the end of the step.
    backend : {"cpu", "cuda", "reference"} or None
        For tests and benchmarks; by default the tensors' device decides.

    Returns
    -------
    v, w : Tensor of shape (batch, hidden)

    Raises
    ------
    TypeError
        If one of the six is no real floating-point tensor.
    ValueError
        If a tensor is of another shape, dtype or device, or `dt` or `n_steps` no number.
    """
    sound = evidently_sound(v, w, drive, a, b, g)
    if not sound:
        check_tensors(v=v, w=w, drive=drive, a=a, b=b, g=g)
    if v.ndim != 2:
        raise ValueError(f"v must be of shape (batch, hidden), got {tuple(v.shape)}.")
    hidden = v.shape[1:]
    check_shapes(
        w=(w, v.shape), drive=(drive, v.shape), a=(a, hidden), b=(b, hidden), g=(g, hidden)
    )
    if not sound:
        check_alike("v", v=v, w=w, drive=drive, a=a, b=b, g=g)
    _check_scheme(dt, n_steps)
    if torch.is_autocast_enabled(v.device.type):
        # Autocast makes v and drive of half precision; the kernels want them back.
        v, w, drive = (x.float() if x.dtype in _HALF else x for x in (v, w, drive))
    backend = choose_backend(v, backend)
    if backend == "reference":
        return reference.fitzhugh_nagumo(
            v, w, drive, a, b, g, dt=dt, n_steps=n_steps, semi_implicit=semi_implicit
        )
    start = torch.stack((v, w, drive), 1)
    return _FitzHughNagumo.apply(start, a, b, g, dt, n_steps, semi_implicit, backend).unbind(1)


def fitzhugh_nagumo_packed(
    start: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    g: torch.Tensor,
    *,
    dt: float,
    n_steps: int,
    semi_implicit: bool = False,
) -> torch.Tensor:
    """:func:`fitzhugh_nagumo` on packed tensors, which saves a layer the unpacking.

    Parameters
    ----------
    start : Tensor of shape (batch, 3, hidden)
        v, w and the drive.
    a, b, g, dt, n_steps, semi_implicit
        As there.

    Returns
    -------
    Tensor of shape (batch, 2, hidden)
        v and w.
    """
    sound = evidently_sound(start, a, b, g)
    if not sound:
        check_tensors(start=start, a=a, b=b, g=g)
    if start.ndim != 3 or start.shape[1] != 3:
        raise ValueError(f"start must be of shape (batch, 3, hidden), got {tuple(start.shape)}.")
    hidden = start.shape[2:]
    if not (a.shape == hidden and b.shape == hidden and g.shape == hidden):
        check_shapes(a=(a, hidden), b=(b, hidden), g=(g, hidden))
    if not sound:
        check_alike("start", start=start, a=a, b=b, g=g)
    _check_scheme(dt, n_steps)
    if start.dtype in _HALF and torch.is_autocast_enabled(start.device.type):
        start = start.float()
    backend = choose_backend(start, None)
    if backend != "reference":
        return _FitzHughNagumo.apply(start, a, b, g, dt, n_steps, semi_implicit, backend)
    v, w, drive = start.unbind(1)
    final = fitzhugh_nagumo(
        v, w, drive, a, b, g, dt=dt, n_steps=n_steps, semi_implicit=semi_implicit
    )
    return torch.stack(final, 1)
