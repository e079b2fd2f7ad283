"""Arguments that every oscillator function takes."""

import torch

from .._check import check_lengths, check_shapes, check_tensors, evidently_sound


def check_gradient(gradient: str) -> None:
    """Raise ValueError unless there is such a way to compute gradients."""
    if not isinstance(gradient, str) or gradient not in ("bptt", "rhel"):
        raise ValueError(f"gradient must be 'bptt' or 'rhel', got {gradient!r}.")


def check_parameters(drive: torch.Tensor, parameters: dict[str, torch.Tensor]) -> None:
    """Check parameters that hold a number for every mode of `drive` (B, T, P)."""
    check_tensors(**parameters)
    for name, parameter in parameters.items():
        if parameter.shape != drive.shape[2:]:
            raise ValueError(
                f"{name} must have shape (modes,) = {tuple(drive.shape[2:])}, "
                f"got {tuple(parameter.shape)}."
            )
    check_devices(drive, parameters)


def check_devices(x: torch.Tensor, others: dict[str, torch.Tensor]) -> None:
    """Check that kernels will find all tensors where `x` is."""
    for name, other in others.items():
        if other.device != x.device:
            raise ValueError(
                f"{name} is on {other.device}, and the sequences are on {x.device}; "
                "move one of them."
            )


def check_sequence(
    name: str, x: torch.Tensor, dt: torch.Tensor | None, lengths: torch.Tensor | None
) -> None:
    """Check a batch of sequences (B, T, ...), its step factors and its lengths."""
    check_tensors(**{name: x})
    if x.ndim != 3:
        raise ValueError(f"{name} must have 3 dimensions, got shape {tuple(x.shape)}.")
    if not len(x) or not x.shape[1]:
        raise ValueError(
            f"{name} must have at least one sample and one step, got shape {tuple(x.shape)}."
        )
    if dt is not None:
        check_tensors(dt=dt)
        if dt.shape[:2] != x.shape[:2] or dt.shape[2:] not in ((), (1,), (2,)):
            raise ValueError(
                f"dt must have shape (batch, time) = {tuple(x.shape[:2])}, got {tuple(dt.shape)}."
            )
    check_lengths(lengths, *x.shape[:2])


def check_state(state: torch.Tensor | None, x: torch.Tensor, n_modes: int) -> None:
    """Check the state of `n_modes` oscillators a sample of `x` (B, ...)."""
    if state is None:
        return
    if not evidently_sound(state):
        check_tensors(state=state)
    shape = (2, len(x), n_modes)
    if state.shape != shape:
        raise ValueError(
            f"state must have shape (2, batch, modes) = {shape}, as an earlier call returned "
            f"it, got {tuple(state.shape)}."
        )
    check_devices(x, {"state": state})


def check_unit(
    u: torch.Tensor,
    maps: dict[str, torch.Tensor],
    parameters: dict[str, torch.Tensor],
) -> None:
    """Check the maps around the oscillators, and their parameters, one a mode."""
    if not (evidently_sound(*maps.values()) and evidently_sound(*parameters.values())):
        check_tensors(**maps, **parameters)
    check_devices(u, maps)
    check_devices(u, parameters)
    b_matrix, n_inputs = maps["b_matrix"], u.shape[2]
    if b_matrix.ndim != 2:
        raise ValueError(
            f"b_matrix must be of shape (modes, inputs), got {tuple(b_matrix.shape)}."
        )
    n_modes = len(b_matrix)
    shapes = {
        "b_matrix": (n_modes, n_inputs),
        "bias": (n_modes,),
        "c_matrix": (n_inputs, n_modes),
        "skip": (n_inputs,),
    }
    for name, x in maps.items():
        if x.shape != shapes[name]:
            check_shapes(**{name: (x, shapes[name])})
    for name, x in parameters.items():
        if x.shape != (n_modes,):
            check_shapes(**{name: (x, (n_modes,))})
