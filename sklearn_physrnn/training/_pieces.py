"""Long sequences walked in pieces of time: the whole, exact gradient in the memory of a piece.

A step walks forward without autograd and keeps the state before each piece, a few numbers.
From the last piece to the first it then walks each again, with autograd, and hands the
gradient with respect to the state on to the piece before. What it costs is a second walk
forward; what it gains besides memory is that a piece stays in the processor's caches.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, cast

import torch
from torch import nn

from ..nn._packing import Packing, sent
from ..nn._walk import State, Walker

# "auto": what a step holds of a batch, in numbers of the network's width, above which it is
# walked in pieces, and what it then holds of a piece.
_WHOLE = 2**24
_PIECE = 2**19
_SHORTEST = 512  # steps of a piece: every piece has a cost of its own
_MOST_PIECES = 4096  # each keeps a state

# In prediction: numbers that a batch's layers hold at a time, near 100 MB, and how many they
# hold of each of the network's width.
BATCH_VALUES = 12_000_000
A_STEP = 16

Loss = Callable[[torch.Tensor, int, int], torch.Tensor]


def piece_size(
    chunk_size: int | str | None, module: nn.Module, *, longest: int, n_rows: int
) -> int | None:
    """Say what the parameter `chunk_size` means for a training; None for whole sequences.

    Parameters
    ----------
    chunk_size : int, "auto" or None
    module : nn.Module
        Untrained.
    longest : int
        Steps of the longest sequence.
    n_rows : int
        Sequences in a batch.

    Raises
    ------
    ValueError
        If the module cannot be trained in such pieces.
    """
    if chunk_size is None or not hasattr(module, "walk"):
        return None
    whole = getattr(module, "takes_weights", False)
    every = int(getattr(module, "every", 1))
    if isinstance(chunk_size, str):
        a_step = n_rows * _width(module)
        if whole or longest * a_step <= _WHOLE:
            return None
        size = max(_SHORTEST, _PIECE // a_step, -(-longest // _MOST_PIECES))
        return -(-size // every) * every
    if whole:
        raise ValueError(
            f"chunk_size={chunk_size} does not go with norm='batch': batch normalisation needs "
            "all steps of a batch at once. Set norm='layer' or norm=None, or chunk_size=None."
        )
    if chunk_size < every:
        raise ValueError(
            f"chunk_size must be at least every={every}, the distance of the steps that are "
            f"predicted, got {chunk_size}."
        )
    return int(chunk_size)


def prediction_size(chunk_size: int | str | None, module: nn.Module, n_rows: int) -> int | None:
    """Say what the parameter `chunk_size` means for predictions; None for whole sequences."""
    if chunk_size is None or not hasattr(module, "walk"):
        return None
    if not isinstance(chunk_size, str):
        return int(chunk_size)
    return max(_SHORTEST, BATCH_VALUES // (n_rows * _width(module) * A_STEP))


def _width(module: nn.Module) -> int:
    return int(cast(Walker, module).width)  # one of NumPy's might overflow


class Steps(Protocol):
    """Sequences of one batch, read piece by piece; in memory or not."""

    @property
    def longest(self) -> int:
        """Steps of the longest sample."""

    def __len__(self) -> int:
        """Count the samples."""

    def take(self, start: int, stop: int) -> dict[str, Any]:
        """Give steps `start` to `stop`, as a network's ``walk`` takes them.

        A dict with "x" and, where there are any, "dt" and "lengths".
        """


class StepsInMemory:
    """The steps of a batch as ``Samples.take`` gives it.

    Parameters
    ----------
    inputs : dict
        "x" and perhaps "dt" of shape (n_samples, n_steps, ...); or packed, with a
        :class:`Packing` as "lengths".
    """

    def __init__(self, inputs: dict[str, Any]) -> None:
        self._inputs = {name: x for name, x in inputs.items() if name != "lengths"}
        self._packing: Packing | None = inputs.get("lengths")
        x = inputs["x"]
        self._n_samples = len(x) if self._packing is None else len(self._packing)
        self.longest: int = x.shape[1] if self._packing is None else self._packing.longest

    def __len__(self) -> int:
        return self._n_samples

    def take(self, start: int, stop: int) -> dict[str, Any]:
        whole = self._packing
        if whole is None:
            return {name: x[:, start:stop] for name, x in self._inputs.items()}
        packing = Packing((whole.lengths - start).clip(0, stop - start))
        rows = packing.rows(whole.starts + start)
        taken: dict[str, Any] = {
            name: x.index_select(0, sent(rows, x.device)) for name, x in self._inputs.items()
        }
        return {**taken, "lengths": packing}


def steps_of(inputs: dict[str, Any]) -> Steps:
    """Give the steps of a batch, as ``Samples.take`` or ``RecordedSamples.take`` gives it."""
    x = inputs["x"]
    return StepsInMemory(inputs) if isinstance(x, torch.Tensor) else x


def whole(inputs: dict[str, Any]) -> dict[str, Any]:
    """Give a batch's inputs as a network's ``forward`` takes them."""
    x = inputs["x"]
    if isinstance(x, torch.Tensor):
        return inputs
    others = {name: value for name, value in inputs.items() if name != "x"}
    return {**x.take(0, x.longest), **others}


class _Boundaries:
    """The states before the pieces of a walk, in arrays allocated once.

    Small tensors, kept one by one between large ones that come and go, would keep the heap
    from shrinking.
    """

    def __init__(self, n_pieces: int, first: State) -> None:
        self._first = first
        self._arrays = [x.new_empty(n_pieces, *x.shape) for x in first.tensors]

    def keep(self, number: int, state: State) -> None:
        for array, x in zip(self._arrays, state.tensors, strict=True):
            array[number] = x

    def before(self, number: int, position: int) -> State:
        return self._first.with_tensors([x[number] for x in self._arrays])._replace(
            position=position
        )


class Pieces:
    """A network, a batch's steps, and how to cut them.

    Parameters
    ----------
    module : nn.Module
        One that walks.
    steps : Steps
    size : int
        Steps of a piece.
    autocast : callable or None
        Makes the context to compute in.
    """

    def __init__(
        self,
        module: nn.Module,
        steps: Steps,
        size: int,
        autocast: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        self._walker = cast(Walker, module)
        self._steps = steps
        self._starts = range(0, steps.longest, size)
        self._autocast = autocast or nullcontext

    def _stop(self, start: int) -> int:
        return min(start + self._starts.step, self._steps.longest)

    def _walk(self, start: int, state: State) -> tuple[torch.Tensor | None, State]:
        inputs = self._steps.take(start, self._stop(start))
        x = inputs.pop("x")
        with self._autocast():
            return self._walker.walk(x, state, **inputs)

    def _conclude(self, state: State) -> torch.Tensor:
        with self._autocast():
            return _float(self._walker.conclude(state))

    def outputs(self) -> torch.Tensor:
        """Run forward only; outputs as the network gives them of the whole."""
        state = self._walker.begin(len(self._steps))
        found = []
        for start in self._starts:
            outputs, state = self._walk(start, state)
            if outputs is not None:
                found.append(_float(outputs))
        return torch.cat(found, 1) if found else self._conclude(state)

    def backward(self, loss: Loss) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Add the gradient of the loss to that of the parameters.

        Parameters
        ----------
        loss : callable
            ``loss(outputs, start, stop)`` gives what the outputs `start` to `stop` of every
            sample add to the loss, with readout "sequence"; else, once, all of it.

        Returns
        -------
        loss : Tensor of shape ()
        outputs : Tensor of shape (n_samples, output_size), or None with readout "sequence"
        """
        *earlier, _ = self._starts
        state = self._walker.begin(len(self._steps))
        boundaries = _Boundaries(len(self._starts), state)
        with torch.no_grad():
            for number, start in enumerate(earlier):
                boundaries.keep(number, state)
                _, state = self._walk(start, state)
        total = outputs = None
        gradients: list[torch.Tensor | None] = []  # of the state after a piece
        for number, start in reversed(list(enumerate(self._starts))):
            if start + self._starts.step < self._steps.longest:
                state = boundaries.before(number, start)
            state = _leaf(state, start > 0)
            found, after = self._walk(start, state)
            roots: list[tuple[torch.Tensor, torch.Tensor | None]] = [
                (x, gradient)
                for x, gradient in zip(after.tensors, gradients, strict=False)
                if gradient is not None
            ]
            if found is None and not gradients:
                found = outputs = self._conclude(after)
            if found is not None:
                part = self._part(found, start, loss)
                total = part.detach() if total is None else total + part.detach()
                roots.append((part, None))
            _back_propagate(roots)
            gradients = [x.grad for x in state.tensors]
        assert total is not None
        return total, None if outputs is None else outputs.detach()

    def _part(self, outputs: torch.Tensor, start: int, loss: Loss) -> torch.Tensor:
        every = self._walker.every
        return loss(_float(outputs), start // every, self._stop(start) // every)


def _leaf(state: State, differentiable: bool) -> State:
    return state.with_tensors([x.detach().requires_grad_(differentiable) for x in state.tensors])


def _back_propagate(roots: list[tuple[torch.Tensor, torch.Tensor | None]]) -> None:
    tensors = [x for x, _ in roots if x.requires_grad]
    gradients = [gradient for x, gradient in roots if x.requires_grad]
    if tensors:
        torch.autograd.backward(tensors, gradients)


def _float(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype == torch.float64 else x.float()
