"""What engines on a GPU share."""

from typing import Any

import torch
import triton


def coefficients(parameters: list[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
    """The parameters themselves: the kernels compute what they need in float64."""
    return [(x if x.dtype.itemsize >= 4 else x.float()).contiguous() for x in parameters]


def launch(kernel: Any, drive: torch.Tensor, block: int, *arguments: Any, **options: Any) -> None:
    """Start `kernel` for every row and block of modes of `drive`, on its device."""
    n_rows, _, n_modes = drive.shape
    if torch.version.hip is not None:
        options.pop("maxnreg")  # NVIDIA's compiler alone knows it
    if n_rows and n_modes:
        with torch.cuda.device_of(drive):
            kernel[n_rows * triton.cdiv(n_modes, block),](*arguments, **options)
