"""FitzHugh-Nagumo integration in plain torch: the truth the other backends are held to."""

import torch


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
    semi_implicit: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See :func:`sklearn_physrnn.kernels.neuron.fitzhugh_nagumo`."""
    for _ in range(n_steps):
        v_next = v + dt * (drive - v * (v - a) * (v - 1) - w)
        w = w + dt * b * ((v_next if semi_implicit else v) - g * w)
        v = v_next
    return v, w
