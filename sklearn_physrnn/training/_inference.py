"""Outputs of a trained module, in the precision of the data, in bounded memory."""

import copy
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..kernels._ways import Ways
from ._data import run_module, steps_per_sample, take_packed
from ._device import cpu_by_default, with_index
from ._pieces import A_STEP, BATCH_VALUES, Pieces, StepsInMemory, prediction_size
from ._recorded import Read, Recorded
from ._threads import one_thread_in_a_fork

Write = Callable[[np.ndarray, int, np.ndarray], None]

_ROWS_AT_A_TIME = 32  # of recordings, which are long

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


def rows_at_a_time(x: Any, hidden_size: int) -> int:
    """Say how many samples, or packed steps, of `x` a prediction takes at a time.

    By what a layer of `hidden_size` holds of each.
    """
    values = steps_per_sample(x) * int(hidden_size) * A_STEP
    return max(1, BATCH_VALUES // max(1, values))


def module_outputs(
    module: nn.Module,
    inputs: dict[str, np.ndarray],
    *,
    dtype: torch.dtype,
    device: torch.device,
    batch_size: int,
    chunk_size: int | str | None = None,
    kernels: Mapping[str, Sequence[Any]] | None = None,
) -> np.ndarray:
    """Run `module` over `inputs`, a batch at a time.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode.
    inputs : dict of str to ndarray
        The module's keyword arguments, each with the sample as its first axis; or with
        "lengths", packed as in :class:`Samples`.
    dtype, device
        Where and in which precision to compute.
    batch_size : int
        Bounds the memory taken: rows of "x" at a time, which are steps where they are
        packed. A sequence of more steps is a batch by itself.
    chunk_size : int, "auto" or None
        Walk longer sequences in pieces of so many steps; "auto", in as many as also bound
        the memory that a single one takes.
    kernels : dict or None
        Ways to run kernels in, as the training's record has them.

    Returns
    -------
    ndarray of shape (n_samples, ...)
        In the order of the inputs. Outputs of every step are zero past the last.
    """
    device = with_index(device)  # the copy stays where it is made
    with one_thread_in_a_fork(), cpu_by_default(), Ways(kernels):
        tensors = {name: torch.as_tensor(x) for name, x in inputs.items()}
        module = _cast(module, dtype, device)
        with torch.inference_mode():

            def run(batch: dict[str, Any]) -> torch.Tensor:
                there = {
                    name: x.to(device, dtype if x.is_floating_point() else x.dtype)
                    if isinstance(x, torch.Tensor)
                    else x
                    for name, x in batch.items()
                }
                steps = StepsInMemory(there)
                size = prediction_size(chunk_size, module, len(steps))
                if size is None or steps.longest <= size:
                    return run_module(module, there).cpu()
                return Pieces(module, steps, size).outputs().cpu()

            if "lengths" in tensors:
                return _packed_outputs(run, tensors, batch_size).numpy()
            pieces = [
                run({name: x[start : start + batch_size] for name, x in tensors.items()})
                for start in range(0, len(tensors["x"]), batch_size)
            ]
            return torch.cat(pieces).numpy()


def recorded_outputs(
    module: nn.Module,
    read: Read,
    lengths: np.ndarray,
    *,
    dtype: torch.dtype,
    device: torch.device,
    chunk_size: int | str | None = None,
    kernels: Mapping[str, Sequence[Any]] | None = None,
) -> np.ndarray:
    """Do what `module_outputs` does, of sequences that are read piece by piece.

    Parameters
    ----------
    module, dtype, device, chunk_size, kernels
        As there; here a `chunk_size` of None, too, walks in pieces where the module can.
    read : callable
        See :class:`~sklearn_physrnn.training._recorded.Recorded`.
    lengths : ndarray of shape (n_samples,)
    """
    device = with_index(device)
    with one_thread_in_a_fork(), cpu_by_default(), Ways(kernels), torch.inference_mode():
        module = _cast(module, dtype, device)
        outputs = None
        for rows, pieces in _walks(module, read, lengths, dtype, device, chunk_size):
            outputs = _placed(pieces.outputs().cpu(), rows, outputs, len(lengths))
        assert outputs is not None
        return outputs.numpy()


def write_outputs(
    write: Write,
    module: nn.Module,
    read: Read,
    lengths: np.ndarray,
    *,
    dtype: torch.dtype,
    device: torch.device,
    chunk_size: int | str | None = None,
    kernels: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Do what `recorded_outputs` does for outputs of every step, which are not kept.

    Parameters
    ----------
    write : callable
        ``write(rows, start, outputs)`` is given the numbers of some samples, and their
        outputs (n_rows, n_outputs, output_size) from the one with the number `start` on.
    module, read, lengths, dtype, device, chunk_size, kernels
        As there.
    """
    device = with_index(device)
    with one_thread_in_a_fork(), cpu_by_default(), Ways(kernels), torch.inference_mode():
        module = _cast(module, dtype, device)
        for rows, pieces in _walks(module, read, lengths, dtype, device, chunk_size):
            start = 0
            for outputs in pieces.outputs_of_pieces():
                write(rows, start, outputs.cpu().numpy())
                start += outputs.shape[1]


def _walks(
    module: nn.Module,
    read: Read,
    lengths: np.ndarray,
    dtype: torch.dtype,
    device: torch.device,
    chunk_size: int | str | None,
) -> Iterator[tuple[np.ndarray, Pieces]]:
    """Give batches of samples, the longest first, ready to be walked."""
    order = np.argsort(-lengths, kind="stable")
    for rows in np.array_split(order, -(-len(order) // _ROWS_AT_A_TIME)):
        steps = Recorded(read, rows, lengths[rows], dtype, device)
        size = prediction_size("auto" if chunk_size is None else chunk_size, module, len(rows))
        yield rows, Pieces(module, steps, size)


def _packed_outputs(
    run: Callable[[dict[str, Any]], torch.Tensor], inputs: dict[str, torch.Tensor], n_steps: int
) -> torch.Tensor:
    """Outputs of packed sequences, taken by length in batches of `n_steps` or of one."""
    lengths = inputs["lengths"].numpy()
    order = np.argsort(-lengths, kind="stable")
    ends = lengths[order].cumsum()
    outputs, start = None, 0
    while start < len(order):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + n_steps, side="right")))
        rows = order[start:stop]
        outputs = _placed(run(take_packed(inputs, lengths, rows)), rows, outputs, len(order))
        start = stop
    assert outputs is not None
    return outputs


def _placed(
    found: torch.Tensor, rows: np.ndarray, outputs: torch.Tensor | None, n_samples: int
) -> torch.Tensor:
    """Put what was found of `rows` among the outputs of all, zero past a sample's end.

    The longest samples come first: none has more steps than they.
    """
    if outputs is None:
        outputs = found.new_zeros(n_samples, *found.shape[1:])
    where = torch.from_numpy(rows)
    if found.ndim == 3:
        outputs[:, : found.shape[1]][where] = found
    else:
        outputs[where] = found
    return outputs
