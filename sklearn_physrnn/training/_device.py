"""Devices: by name, for how much work, and with how much memory."""

import math
import multiprocessing
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from ._launched import local_rank

# Multiply-adds of a forward pass. Ten million take one core a millisecond, of a training step
# with all that belongs to it. On an H200 (docs/guide/gpu.md) a step that is replayed takes 0.3 ms
# up to a hundred million, where the CPU beside it took 3 ms for a tenth of a million and 9 for 26:
# such steps are always worth it, if there are enough of them to make up for two seconds in
# which CUDA starts and kernels are loaded. One that is launched piece by piece takes 5 ms.
_LEAST_STEP = 5_000_000  # whatever a CPU's step computes, half a millisecond goes by
_WORTH_STARTING_TO_TRAIN = 20_000_000_000
_WORTH_LAUNCHING = 50_000_000

# Of a prediction, which is launched piece by piece, but has few pieces.
_WORTH_A_GPU = 10_000_000

# Of a prediction in a process that has not used CUDA: to start it and to load kernels takes
# seconds, and half a gigabyte.
_WORTH_STARTING_A_GPU = 10_000_000_000

# Elsewhere they would be loops in Python, of which parts ask for float64, which Apple's GPUs
# do not have.
_WITH_KERNELS = ("cpu", "cuda")

# Of the free memory, for data; the rest is for the module and what a step keeps.
_SHARE_FOR_DATA = 0.5


def training_device(name: str) -> torch.device:
    """Resolve `name`; ``"auto"`` is a CUDA device where there is one, else the CPU.

    In the worker processes of joblib and multiprocessing, and in processes that fit together,
    ``"auto"`` deals out the GPUs in turn.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine does not have it.
    """
    if name == "auto" or (name == "cuda" and local_rank() is not None):
        return _own_gpu() if _cuda_works() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"device must be 'auto' or a torch device such as 'cpu' or 'cuda:0', got {name!r}."
        ) from error
    if device.type not in _WITH_KERNELS:
        raise ValueError(
            f"device={name!r} is not supported: the recurrences have kernels for the CPU and for "
            "CUDA alone. Take 'cpu', which is also what 'auto' takes where there is no CUDA."
        )
    if not _available(device):
        raise ValueError(f"device={name!r} is not available on this machine; try 'auto'.")
    return device


def inference_device(
    name: str, module: nn.Module | None = None, positions: float = math.inf
) -> torch.device:
    """Like `training_device`, but the CPU where the device is missing, or not worth it.

    A model fitted on a GPU predicts on a machine that has none.

    Parameters
    ----------
    name : str
    module : nn.Module or None
        With it, ``"auto"`` is the CPU for a small `module` that visits few `positions`.
    positions : float
        Rows, or steps of all sequences together.
    """
    try:
        device = training_device(name)
    except ValueError:
        return torch.device("cpu")
    if name != "auto" or device.type == "cpu" or module is None:
        return device
    work = positions * sum(p.numel() for p in module.parameters())
    worth = worth_a_gpu(work) if torch.cuda.is_initialized() else work >= _WORTH_STARTING_A_GPU
    return device if worth else torch.device("cpu")


def _cuda_works() -> bool:
    # Not in a process forked from one that has as much as asked for CUDA.
    return torch.cuda.is_available() and not torch.cuda._is_in_bad_fork()


def cpu_by_default() -> AbstractContextManager[Any]:
    """New tensors on the CPU, whatever the caller has given ``torch.set_default_device``."""
    default = torch.get_default_device()
    return nullcontext() if default.type == "cpu" else torch.device("cpu")


def _own_gpu() -> torch.device:
    # Workers are numbered from 1, in the order in which their parent started them.
    number = multiprocessing.current_process()._identity
    count = torch.cuda.device_count()
    rank = local_rank()
    if rank is not None:
        number = (rank + 1,)
    if not number or count < 2:
        return torch.device("cuda")
    return torch.device("cuda", (number[-1] - 1) % count)


def with_index(device: torch.device) -> torch.device:
    """Say which GPU ``"cuda"`` is at present: not all of torch takes it without its number."""
    if device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", torch.cuda.current_device())


def worth_a_gpu(work: float) -> bool:
    """Tell whether so many multiply-adds of a prediction gain from a GPU."""
    return work >= _WORTH_A_GPU


def worth_training_there(work: float, n_steps: int, *, even: bool) -> bool:
    """Tell whether a training is done sooner on a GPU.

    Parameters
    ----------
    work : float
        Multiply-adds of a batch's forward pass.
    n_steps : int
        Steps of the whole training.
    even : bool
        Whether batches are of one shape, so that steps can be replayed.
    """
    if not even:
        return work >= _WORTH_LAUNCHING
    return n_steps * max(work, _LEAST_STEP) >= _WORTH_STARTING_TO_TRAIN


def has_room(device: torch.device, nbytes: int) -> bool:
    """Tell whether data of so many bytes may stay on `device` for a whole fit."""
    free = _free_memory(device)
    return free is None or nbytes <= _SHARE_FOR_DATA * free


def _free_memory(device: torch.device) -> int | None:
    """Bytes free on a GPU, or kept by torch for whoever asks next; None elsewhere."""
    if device.type != "cuda":
        return None
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


def _available(device: torch.device) -> bool:
    if device.type == "cuda":
        return _cuda_works() and (device.index or 0) < torch.cuda.device_count()
    return True
