"""FitzHugh-Nagumo neurons: the seam between torch and the integration kernels."""

import torch
from torch.amp import custom_fwd
from torch.autograd.function import once_differentiable

from .._dispatch import choose_backend
from . import reference


class _FitzHughNagumo(torch.autograd.Function):
    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx, v, w, drive, a, b, g, dt, n_steps, semi_implicit):
        from . import cpu  # compiled code, only when it is first needed

        inputs = [x.detach().contiguous() for x in (v, w, drive, a, b, g)]
        ctx.save_for_backward(*inputs)
        ctx.scheme = (dt, n_steps, semi_implicit)
        outputs = cpu.forward(*(x.numpy() for x in inputs), *ctx.scheme)
        return tuple(map(torch.from_numpy, outputs))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_v, grad_w):
        from . import cpu

        inputs = (x.numpy() for x in ctx.saved_tensors)
        grads = (grad_v.contiguous().numpy(), grad_w.contiguous().numpy())
        outputs = cpu.backward(*inputs, *ctx.scheme, *grads)
        return *map(torch.from_numpy, outputs), None, None, None


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
    backend : {"cpu", "reference"} or None
        For tests and benchmarks; by default the tensors' device decides.

    Returns
    -------
    v, w : Tensor of shape (batch, hidden)
    """
    if choose_backend(v, backend) == "reference":
        return reference.fitzhugh_nagumo(
            v, w, drive, a, b, g, dt=dt, n_steps=n_steps, semi_implicit=semi_implicit
        )
    return _FitzHughNagumo.apply(v, w, drive, a, b, g, dt, n_steps, semi_implicit)
