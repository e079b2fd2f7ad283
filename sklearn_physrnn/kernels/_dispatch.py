"""Which implementation of a recurrence serves a tensor."""

import torch

_COMPILED_DTYPES = (torch.float32, torch.float64)


def choose_backend(tensor: torch.Tensor, backend: str | None) -> str:
    """Name of the implementation to run, ``"cpu"`` or ``"reference"``.

    Parameters
    ----------
    tensor : torch.Tensor
        The recurrence's main input; its device and dtype decide.
    backend : {"cpu", "reference"} or None
        An explicit choice, for tests and benchmarks.
    """
    if backend is None:
        compiled = tensor.device.type == "cpu" and tensor.dtype in _COMPILED_DTYPES
        return "cpu" if compiled else "reference"
    if backend not in ("cpu", "reference"):
        raise ValueError(f"backend must be 'cpu', 'reference' or None, got {backend!r}.")
    return backend
