"""Devices by name."""

import torch


def training_device(name: str) -> torch.device:
    """Resolve `name`; ``"auto"`` is a CUDA device where there is one, else the CPU.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"device must be 'auto' or a torch device such as 'cpu' or 'cuda:0', got {name!r}."
        ) from error
    if not _available(device):
        raise ValueError(f"device={name!r} is not available on this machine; try 'auto'.")
    return device


def inference_device(name: str) -> torch.device:
    """Like `training_device`, but the CPU where the device is missing.

    A model fitted on a GPU predicts on a machine that has none.
    """
    try:
        return training_device(name)
    except ValueError:
        return torch.device("cpu")


def _available(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"
