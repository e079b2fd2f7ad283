"""Arguments that every oscillator function takes."""

import torch


def check_arguments(
    drive: torch.Tensor,
    parameters: dict[str, torch.Tensor],
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
    gradient: str,
) -> None:
    """Raise TypeError or ValueError, naming what was expected and what came."""
    if gradient not in ("bptt", "rhel"):
        raise ValueError(f"gradient must be 'bptt' or 'rhel', got {gradient!r}.")
    check_sequence("drive", drive, dt, lengths)
    for name, parameter in parameters.items():
        if parameter.shape != drive.shape[2:]:
            raise ValueError(
                f"{name} must have shape (modes,) = {tuple(drive.shape[2:])}, "
                f"got {tuple(parameter.shape)}."
            )


def check_sequence(
    name: str, x: torch.Tensor, dt: torch.Tensor | None, lengths: torch.Tensor | None
) -> None:
    """Check a batch of sequences (B, T, ...), its step factors and its lengths."""
    if not x.is_floating_point():
        raise TypeError(f"{name} must be a real floating-point tensor, got {x.dtype}.")
    if x.ndim != 3:
        raise ValueError(f"{name} must have 3 dimensions, got shape {tuple(x.shape)}.")
    if not len(x) or not x.shape[1]:
        raise ValueError(
            f"{name} must have at least one sample and one step, got shape {tuple(x.shape)}."
        )
    if dt is not None:
        if dt.shape != x.shape[:2]:
            raise ValueError(
                f"dt must have shape (batch, time) = {tuple(x.shape[:2])}, got {tuple(dt.shape)}."
            )
        if not dt.is_floating_point():
            raise TypeError(f"dt must be a real floating-point tensor, got {dt.dtype}.")
    if lengths is not None:
        if lengths.shape != x.shape[:1]:
            raise ValueError(
                f"lengths must have shape (batch,) = {tuple(x.shape[:1])}, "
                f"got {tuple(lengths.shape)}."
            )
        if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
            raise TypeError(f"lengths must be a tensor of integers, got {lengths.dtype}.")
        if not 0 <= int(lengths.min()) <= int(lengths.max()) <= x.shape[1]:
            raise ValueError(
                f"lengths must lie between 0 and the number of steps, {x.shape[1]}; "
                f"got {int(lengths.min())} to {int(lengths.max())}."
            )


def wanted(gradient: str) -> str | None:
    """`gradient`, or None where autograd is off and nothing need be kept for it.

    Inside a function's forward it is too late to ask.
    """
    return gradient if torch.is_grad_enabled() else None


def widened(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The first tensor in float32 at least, the others in its dtype.

    Rounding errors grow with time; half precision would not last a hundred steps.
    """
    dtype = torch.promote_types(tensors[0].dtype, torch.float32)
    return tuple(x.to(dtype) for x in tensors)
