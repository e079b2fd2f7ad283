"""One fit on several processes, each of which has a share of every batch.

Launchers such as ``torchrun`` say in the environment of each process which of how many it is.
There ``fit`` joins torch's process group. Every process has all data, and draws the same
batches; it computes the gradient of its rows, and one sum over the processes makes of them the
gradient of the batch. What a batch is, and all that follows from it, is as in one process.
"""

import atexit
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from .._warnings import silence
from ..nn._packing import Packing
from ..nn._share import Share
from ..storage.checkpoint import Checkpoint, digest
from ._data import Batches, Index
from ._launched import ALONE, launched, note_that_made_here
from ._recorded import Recorded, RecordedTargets

_COMPARED = 1000  # samples of the data
_FIRST_STEPS = 16  # of each, where they are read from files
_SHORT = 40  # letters of a value that a message shows

_joined: "Group | None" = None
_T = TypeVar("_T")


def joined() -> "Group | None":
    """Give the processes that a fit here is shared with, once all have come; None for none."""
    global _joined
    if not launched():
        return None
    if _joined is None:
        with _heard(int(os.environ["WORLD_SIZE"])):
            if dist.is_initialized():  # by the user, or by the launcher
                small = dist.new_group(backend="gloo")
            else:
                cuda = torch.cuda.is_available() and dist.is_nccl_available()
                dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
                atexit.register(_leave)
                note_that_made_here()
                small = None
        _joined = Group(dist.get_rank(), dist.get_world_size(), small)
        if _joined.rank:
            silence()
    return _joined


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def _heard(size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            f"One of the {size} processes that fit together has ended, or does not answer: its "
            "own message says why. A checkpoint is good; start them all again to go on from it."
        ) from error


@dataclass(frozen=True)
class Group:
    """The processes that fit together.

    Attributes
    ----------
    rank : int
        Number of this one. The first alone writes and prints.
    size : int
        How many they are.
    small : ProcessGroup or None
        For what is on the CPU; None for torch's own.
    """

    rank: int
    size: int
    small: Any = None

    def summed(self, x: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over the processes, in place."""
        with _heard(self.size):
            dist.all_reduce(x, group=None if x.is_cuda else self.small)
        return x

    def told(self, what: str, value: _T) -> list[_T]:
        """Give what each process tells.

        Raises
        ------
        RuntimeError
            If one has ended, or has come to another point of another fit.
        """
        told: list[Any] = [None] * self.size
        with _heard(self.size):
            dist.all_gather_object(told, (what, value), group=self.small)
        if any(other != what for other, _ in told):
            raise RuntimeError(
                f"The {self.size} processes do not fit the same: they have come to "
                f"{_listed([other for other, _ in told])}. {_APART}"
            )
        return [value for _, value in told]

    def agreed(self, what: str, value: _T) -> _T:
        """Give what the first process tells."""
        return self.told(what, value)[0]

    def alike(self, what: str, described: Mapping[str, str], value: _T) -> list[_T]:
        """Give what each process tells, if all describe the same beside it.

        Raises
        ------
        ValueError
            With the names of what differs.
        """
        told = self.told(what, (dict(described), value))
        names = sorted({name for each, _ in told for name in each})
        found = [[each.get(name, "absent") for each, _ in told] for name in names]
        differing = [
            f"{name} ({_listed(values)})" if max(map(len, values)) < _SHORT else name
            for name, values in zip(names, found, strict=True)
            if len(set(values)) > 1
        ]
        if differing:
            raise ValueError(
                f"The {self.size} processes that fit together do not fit the same. What differs: "
                f"{', '.join(differing)}. {_APART}"
            )
        return [value for _, value in told]

    def clock(self) -> float:
        """Tell the time by the first process's clock."""
        now = torch.tensor(time.monotonic() if self.rank == 0 else 0.0, dtype=torch.float64)
        return float(self.summed(now))

    def share(self, n_rows: int) -> Share:
        """Say which rows of a batch of so many are this process's."""
        each, left = divmod(n_rows, self.size)
        first = self.rank * each + min(self.rank, left)
        return Share(first, each + (self.rank < left), n_rows, self.rank, self.size, self.summed)

    def part(self, index: Index, n_samples: int) -> Index:
        """Take this process's share of a batch's rows."""
        if not isinstance(index, slice):
            share = self.share(len(index))
            return index[share.first : share.first + share.rows]
        start, stop, _ = index.indices(n_samples)
        share = self.share(stop - start)
        return slice(start + share.first, start + share.first + share.rows)

    def sum_gradients(
        self, parameters: Sequence[torch.Tensor], loss: torch.Tensor
    ) -> torch.Tensor:
        """Sum gradients and the loss over the processes, in one call; give the loss."""
        gradients = [x.grad for x in parameters if x.grad is not None]
        flat = torch.cat([loss.reshape(1).to(gradients[0]), *(x.reshape(-1) for x in gradients)])
        first, *others = self.summed(flat).split([1, *(x.numel() for x in gradients)])
        parts = [part.view_as(x) for part, x in zip(others, gradients, strict=True)]
        torch._foreach_copy_(gradients, parts)
        return first[0].to(loss)

    @torch.no_grad()
    def align(self, module: nn.Module) -> None:
        """Give all processes the first one's weights: other processors may round otherwise."""
        tensors = [*module.parameters(), *module.buffers()]
        flat = torch.cat([x.reshape(-1).double() for x in tensors])
        flat = self.summed(flat if self.rank == 0 else flat.zero_())
        parts = flat.split([x.numel() for x in tensors])
        torch._foreach_copy_(tensors, [p.view_as(x) for p, x in zip(parts, tensors, strict=True)])


_APART = (
    f"To fit in each process by itself, set {ALONE}=1 in the environment; random_state and data "
    "must be the same in all to fit together."
)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(f"{value} in process {rank}" for rank, value in enumerate(values))


def whole_on_each(samples: Batches, batch_size: int, group: Group) -> bool:
    """Tell whether batches have too few rows to be shared."""
    n_batches = -(-len(samples) // batch_size)
    return len(samples) // n_batches < group.size


def together(described: Callable[[], Mapping[str, str]], value: _T) -> _T:
    """Check that all processes train the same; give the first one's `value`, drawn there."""
    group = joined()
    if group is None:
        return value
    return group.alike("parameters", described(), value)[0]


def opened(make: Callable[[], Checkpoint]) -> Checkpoint:
    """Open a checkpoint; in several processes the first opens it, and alone writes to it."""
    group = joined()
    if group is None:
        return make()
    found: Any = None
    if group.rank == 0:
        try:
            found = make()
        except ValueError as error:
            found = error
    found = group.agreed("a checkpoint", found)
    if isinstance(found, ValueError):
        raise found
    found.writes = group.rank == 0
    return found


def compare(
    group: Group,
    device: torch.device,
    module: nn.Module,
    samples: Batches,
    validation: Batches | None,
) -> None:
    """Refuse to train together what is not the same, or on one GPU, which NCCL does not know.

    Raises
    ------
    ValueError
        If weights or data differ, or two processes have the same GPU.
    """
    described = {
        "weights before training": digest(module.state_dict().values()),
        "training data": digest_of(samples),
        "validation data": "none" if validation is None else digest_of(validation),
    }
    places = group.alike("training", described, (socket.gethostname(), str(device)))
    if device.type == "cuda" and len(set(places)) < len(places):
        raise ValueError(
            f"Each of the {group.size} processes needs a GPU of its own, and they have "
            f"{_listed([name for _, name in places])}. Set device='auto', and start as many "
            "processes as there are GPUs, or set device='cpu'."
        )


def digest_of(samples: Batches) -> str:
    """Hash a thousand samples, and how many there are."""
    n_samples = len(samples)
    rows = torch.arange(n_samples)[:: -(-n_samples // _COMPARED)]
    inputs, (targets, weights) = samples.take(rows)
    parts: list[Any] = [n_samples, weights]
    if isinstance(inputs["x"], Recorded):
        inputs = inputs["x"].first(_FIRST_STEPS)
    if not isinstance(targets, RecordedTargets):
        parts.append(targets)
    parts += [x.lengths if isinstance(x, Packing) else x for x in inputs.values()]
    return digest(parts)
