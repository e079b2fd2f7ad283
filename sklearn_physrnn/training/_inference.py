"""Outputs of a trained module, in the precision of the data, in bounded memory."""

import copy
import threading
import weakref

import numpy as np
import torch
from torch import nn

from ._data import join_outputs, run_module, trim_padding

_lock = threading.Lock()
_copies: weakref.WeakKeyDictionary[nn.Module, dict] = weakref.WeakKeyDictionary()


def _cast(module: nn.Module, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """`module` on `device` in `dtype`, remembered as long as `module` lives.

    The copies stand outside the estimator: predicting leaves an estimator as it was,
    and its pickle small.
    """
    own = next(module.parameters())
    if own.dtype == dtype and own.device == device:
        return module
    with _lock:
        copies = _copies.setdefault(module, {})
        if (dtype, device) not in copies:
            copies[dtype, device] = copy.deepcopy(module).to(device, dtype).eval()
        return copies[dtype, device]


def module_outputs(
    module: nn.Module,
    inputs: dict[str, np.ndarray],
    *,
    dtype: torch.dtype,
    device: torch.device,
    batch_size: int,
) -> np.ndarray:
    """Run `module` over `inputs`, `batch_size` samples at a time.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode.
    inputs : dict of str to ndarray
        The module's keyword arguments, each with the sample as its first axis.
    dtype, device
        Where and in which precision to compute.
    batch_size : int
        Bounds the memory taken.

    Returns
    -------
    ndarray of shape (n_samples, ...)
    """
    module = _cast(module, dtype, device)
    tensors = {name: torch.as_tensor(x) for name, x in inputs.items()}
    n_samples = len(next(iter(tensors.values())))
    pieces = []
    with torch.inference_mode():
        for start in range(0, n_samples, batch_size):
            piece = {
                name: x[start : start + batch_size].to(
                    device, dtype if x.is_floating_point() else x.dtype
                )
                for name, x in tensors.items()
            }
            pieces.append(run_module(module, trim_padding(piece)).cpu())
    return join_outputs(pieces).numpy()
