"""Arguments that every kernel's function takes.

Compiled code reads past the end of an array that is smaller than it is told, and has an
error of its own for every type it does not know: nothing wrong may get as far.

Shapes and types are known at once, values on a GPU only after waiting for it.
:func:`check_values` waits in inference mode, where the caller is about to wait for the
outputs. Elsewhere it leaves an assertion on the device: what is wrong stops the GPU
before a kernel reads it, as an index out of range does in torch, and raises at the next
call that waits. What can harm no kernel may wait for the end of an epoch, and ends with an
error of its own (:func:`looking_later`).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


def evidently_sound(*tensors: Any) -> bool:
    """Tell whether all are dense tensors of one real type, on one device, in a microsecond.

    If not, they may be sound all the same, and the checks below find out.
    """
    first = tensors[0]
    if not isinstance(first, torch.Tensor):
        return False
    dtype = first.dtype
    gpu = first.get_device() if first.is_cuda else None
    if dtype is not torch.float32 and dtype is not torch.float64:
        return False
    for x in tensors:
        if not isinstance(x, torch.Tensor) or x.dtype is not dtype:
            return False
        there = x.is_cpu if gpu is None else x.is_cuda and x.get_device() == gpu
        if not there or x.layout is not torch.strided:
            return False
    return True


def check_tensors(**tensors: Any) -> None:
    """Raise TypeError unless all are real floating-point tensors, or None."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}.")
        if not tensor.is_floating_point():
            raise TypeError(f"{name} must be a real floating-point tensor, got {tensor.dtype}.")
        if tensor.layout != torch.strided or tensor.is_meta:
            what = "one on the meta device" if tensor.is_meta else tensor.layout
            raise TypeError(f"{name} must be a dense tensor that holds data, got {what}.")


def check_alike(first: str, **tensors: torch.Tensor | None) -> None:
    """Raise ValueError unless all have the dtype and device of the one called `first`.

    Under autocast dtypes may differ.
    """
    like = tensors[first]
    assert like is not None
    mixed = torch.is_autocast_enabled(like.device.type)
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if tensor.device != like.device or not (mixed or tensor.dtype == like.dtype):
            raise ValueError(
                f"{name} must be like {first}, {like.dtype} on {like.device}, got "
                f"{tensor.dtype} on {tensor.device}."
            )


def check_shapes(**shapes: tuple[torch.Tensor, tuple[int, ...]]) -> None:
    """Raise ValueError unless each tensor has the shape beside it."""
    for name, (tensor, shape) in shapes.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} must be of shape {shape}, got {tuple(tensor.shape)}.")


def check_lengths(lengths: Any, n_batch: int, n_steps: int) -> None:
    """Check integer lengths, 0 to `n_steps`, of each of `n_batch` samples."""
    if lengths is None:
        return
    if not isinstance(lengths, torch.Tensor):
        raise TypeError(
            f"lengths must be a torch.Tensor of integers, got {type(lengths).__name__}."
        )
    if lengths.is_meta or lengths.layout != torch.strided:
        what = "one on the meta device" if lengths.is_meta else lengths.layout
        raise TypeError(f"lengths must be a dense tensor that holds data, got {what}.")
    if lengths.shape != (n_batch,):
        raise ValueError(
            f"lengths must have shape (batch,) = {(n_batch,)}, got {tuple(lengths.shape)}."
        )
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise TypeError(f"lengths must be a tensor of integers, got {lengths.dtype}.")
    if n_batch:
        check_values(
            ((lengths >= 0) & (lengths <= n_steps)).all(),
            lambda: ValueError(
                f"lengths must lie between 0 and the number of steps, {n_steps}; "
                f"got {int(lengths.min())} to {int(lengths.max())}."
            ),
        )


def looks_at(x: torch.Tensor) -> bool:
    """Whether values of `x` may be looked at now: they are here, or somebody waits anyway."""
    return not x.is_cuda or torch.is_inference_mode_enabled()


_later = threading.local()

# What holds, as a scalar on the device, and the error where it does not.
Found = list[tuple[torch.Tensor, Callable[[], Exception]]]


@contextmanager
def collected() -> Iterator[Found]:
    """Give the checks that may wait to whoever asks for them in this block."""
    outer = getattr(_later, "found", None)
    found: Found = []
    _later.found = found
    try:
        yield found
    finally:
        _later.found = outer


@contextmanager
def looking_later() -> Iterator[None]:
    """Let checks that may wait do so until the end of this block, and raise there.

    Elsewhere they are assertions on the device, which end all use of it by this process.
    """
    with collected() as found:
        yield
    if found and not torch.stack([holds for holds, _ in found]).all():
        raise next(error() for holds, error in found if not holds)


def check_values(
    holds: torch.Tensor, error: Callable[[], Exception], *, may_wait: bool = False
) -> None:
    """Raise ``error()`` unless the scalar `holds` is true; on a GPU see the module.

    Parameters
    ----------
    holds : bool Tensor of shape ()
    error : callable
        Called only where it is raised, so that it may look at values.
    may_wait : bool
        What is wrong makes results wrong, and lets no kernel read beyond its arrays.
    """
    if looks_at(holds):
        if not holds:
            raise error()
    elif may_wait and getattr(_later, "found", None) is not None:
        _later.found.append((holds, error))
    else:
        torch._assert_async(holds)
