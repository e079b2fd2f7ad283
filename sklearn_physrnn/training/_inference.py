"""Outputs of a trained module, in the precision of the data, in bounded memory."""

import copy
import os
import threading
import weakref

import numpy as np
import torch
from torch import nn

from ._data import join_outputs, run_module, trim_padding
from ._device import cpu_by_default
from ._threads import one_thread_in_a_fork

# Numbers that a batch's layers hold at a time: near 100 MB.
BATCH_VALUES = 12_000_000

_lock = threading.Lock()
_copies: weakref.WeakKeyDictionary[nn.Module, "_Copies"] = weakref.WeakKeyDictionary()


def _renew_lock() -> None:
    # A thread of the parent that held it is not in a forked child.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class _Copies:
    """Cast copies of a module, and the tensors that they were made from."""

    def __init__(self, module: nn.Module) -> None:
        self.made: dict[tuple[torch.dtype, torch.device], nn.Module] = {}
        self._sources = [(x, x.data_ptr(), _version(x)) for x in _tensors(module)]

    def current(self, module: nn.Module) -> bool:
        """Tell whether `module` still holds the same tensors, unwritten since."""
        tensors = _tensors(module)
        return len(tensors) == len(self._sources) and all(
            x is source and x.data_ptr() == address and _version(x) == version
            for x, (source, address, version) in zip(tensors, self._sources, strict=True)
        )


def _version(x: torch.Tensor) -> int:
    return 0 if x.is_inference() else x._version  # one that cannot be written to has none


def _tensors(module: nn.Module) -> list[torch.Tensor]:
    # Half the time of module.parameters() and module.buffers(), in every prediction.
    return [
        x
        for part in module.modules()
        for x in (*part._parameters.values(), *part._buffers.values())
        if x is not None
    ]


def _cast(module: nn.Module, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """`module` on `device` in `dtype`, remembered as long as `module` lives unchanged.

    The copies stand outside the estimator: predicting leaves an estimator as it was,
    and its pickle small.
    """
    own = next(module.parameters())
    if own.dtype == dtype and own.device == device:
        return module
    with _lock:
        copies = _copies.get(module)
        if copies is None or not copies.current(module):
            copies = _copies[module] = _Copies(module)
        if (dtype, device) not in copies.made:
            copies.made[dtype, device] = copy.deepcopy(module).to(device, dtype).eval()
        return copies.made[dtype, device]


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
    if device.type == "cuda" and device.index is None:  # the copy stays where it is made
        device = torch.device("cuda", torch.cuda.current_device())
    pieces = []
    with one_thread_in_a_fork(), cpu_by_default():
        tensors = {name: torch.as_tensor(x) for name, x in inputs.items()}
        n_samples = len(next(iter(tensors.values())))
        module = _cast(module, dtype, device)
        with torch.inference_mode():
            for start in range(0, n_samples, batch_size):
                # Trimmed before it leaves the CPU, where lengths can be looked at.
                stop = start + batch_size
                piece = trim_padding({name: x[start:stop] for name, x in tensors.items()})
                piece = {
                    name: x.to(device, dtype if x.is_floating_point() else x.dtype)
                    for name, x in piece.items()
                }
                pieces.append(run_module(module, piece).cpu())
            return join_outputs(pieces).numpy()
