"""Linear oscillators in plain torch: the truth the compiled kernels are held to.

Both functions follow the paper's variables literally, momentum z and position y;
the compiled kernels work in a rescaled momentum.
"""

import torch

RELATIVE_NUDGE = 1.0  # a contrast of linear echoes is exact at any size


def oscillator(
    drive: torch.Tensor,
    stiffness: torch.Tensor,
    step: torch.Tensor,
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positions (B, T, P), and the final momentum and position (B, P)."""
    z = drive.new_zeros(drive.shape[0], drive.shape[2])
    y = torch.zeros_like(z)
    outputs = []
    for t in range(drive.shape[1]):
        d = step if dt is None else step * dt[:, t, None]
        y_half = y + d / 2 * z
        z_next = z - d * (stiffness * y_half - drive[:, t])
        y_next = y_half + d / 2 * z_next
        output = y_next
        if lengths is not None:
            running = (t < lengths)[:, None]
            z_next = torch.where(running, z_next, z)
            y_next = torch.where(running, y_next, y)
            output = torch.where(running, y_next, torch.zeros_like(y))
        z, y = z_next, y_next
        outputs.append(output)
    return torch.stack(outputs, 1), z, y


@torch.no_grad()
def echo(
    drive: torch.Tensor,
    stiffness: torch.Tensor,
    step: torch.Tensor,
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
    z: torch.Tensor,
    y: torch.Tensor,
    grad: torch.Tensor,
    epsilon: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    r"""Gradients of (drive, stiffness, step) by two echoes, and where they end.

    ``(z, y)`` is the end of the free run, `grad` the loss gradient of every position
    and `epsilon` (B, P) the size of the nudges. Every sub-step's Hamiltonian is read
    at that sub-step's own state: :math:`z^2 / 4` in the half drift before and after
    the kick, the potential in the middle. The last result stacks the two echoes'
    (z, y): the time-reversed start, plus what the nudges have done.
    """
    sign = torch.tensor([1.0, -1.0], dtype=drive.dtype, device=drive.device)[:, None, None]
    z, y = -z.expand(2, *z.shape), y.expand(2, *y.shape)
    grad_drive = torch.zeros_like(drive)
    grad_stiffness, grad_step = torch.zeros_like(z[0]), torch.zeros_like(z[0])
    for t in range(drive.shape[1] - 1, -1, -1):
        scale = torch.ones_like(z[0]) if dt is None else dt[:, t, None].expand_as(z[0])
        if lengths is not None:
            scale = torch.where((t < lengths)[:, None], scale, 0.0)
        d, u = step * scale, drive[:, t]
        nudge = torch.where(scale != 0, epsilon * grad[:, t], 0.0)
        z = z + sign * nudge
        y_half = y + d / 2 * z
        z_next = z - d * (stiffness * y_half - u)
        y = y_half + d / 2 * z_next
        energy = (z**2 + z_next**2) / 4 + stiffness * y_half**2 / 2 - u * y_half
        z = z_next
        contrast = -1 / (2 * epsilon)
        grad_drive[:, t] = contrast * d * (y_half[1] - y_half[0])
        grad_stiffness += contrast * d * (y_half[0] ** 2 - y_half[1] ** 2) / 2
        grad_step += contrast * scale * (energy[0] - energy[1])
    return grad_drive, grad_stiffness.sum(0), grad_step.sum(0), torch.stack([z, y])
