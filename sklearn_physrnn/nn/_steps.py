"""What recurrent layers are given besides their input: states, lengths and time steps, checked."""

import math
from typing import Any

import torch

from ..kernels._check import check_tensors, check_values


def check_state(state: Any, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless it is three tensors of this shape."""
    if not isinstance(state, tuple | list) or len(state) != 3:
        raise ValueError(f"state must be three tensors of shape {shape}, got {type(state)}.")
    check_tensors(**{f"state[{k}]": part for k, part in enumerate(state)})
    if any(part is None or part.shape != shape for part in state):
        shapes = [tuple(getattr(part, "shape", ())) for part in state]
        raise ValueError(f"state must be three tensors of shape {shape}, got {shapes}.")


def checked_lengths(
    lengths: Any, n_batch: int, n_steps: int, device: torch.device
) -> torch.Tensor:
    """Give lengths as int64 on `device`, (n_batch,).

    Raises
    ------
    ValueError
        Unless they are integers from 0 to `n_steps`, one a sample.
    """
    if not isinstance(lengths, torch.Tensor):
        lengths = _integers(lengths)
    elif lengths.is_meta or lengths.layout != torch.strided:
        raise ValueError("lengths must be a dense tensor that holds data.")
    lengths = lengths.to(device)
    wrong = lengths.is_floating_point() or lengths.is_complex()
    if lengths.shape != (n_batch,) or wrong or lengths.dtype == torch.bool:
        raise ValueError(
            f"lengths must be integers of shape ({n_batch},), got "
            f"{lengths.dtype} of shape {tuple(lengths.shape)}."
        )
    lengths = lengths.to(torch.int64)
    if n_batch:
        check_values(
            ((lengths >= 0) & (lengths <= n_steps)).all(),
            lambda: ValueError(
                f"lengths must be between 0 and {n_steps}, the number of steps, got "
                f"{lengths.min()} to {lengths.max()}."
            ),
        )
    return lengths


def _integers(lengths: Any) -> torch.Tensor:
    try:
        return torch.as_tensor(lengths)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"lengths must be a tensor of integers, got {lengths!r}.") from error


def checked_dt(
    dt: torch.Tensor, shape: tuple[int, int], dtype: torch.dtype, over: torch.Tensor | None
) -> torch.Tensor:
    """Give time steps in `dtype`, of `shape`, with 1 where a sample is `over`.

    Raises
    ------
    ValueError
        Unless all others are finite and not negative.
    """
    if dt.shape != shape:
        raise ValueError(f"dt must have shape {shape}, got {tuple(dt.shape)}.")
    dt = dt.to(dtype)
    if over is not None:
        dt = dt.masked_fill(over, 1)
    check_values(
        ((dt >= 0) & (dt < math.inf)).all(),
        lambda: ValueError("dt must not be negative, infinite or NaN."),
    )
    return dt
