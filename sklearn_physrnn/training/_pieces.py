"""Long sequences walked in pieces of time: the whole, exact gradient in the memory of a piece.

A step walks forward without autograd and keeps the state before each piece, a few numbers.
From the last piece to the first it then walks each again, with autograd, and hands the
gradient with respect to the state on to the piece before. What it costs is a second walk
forward; what it gains besides memory is that a piece stays in the processor's caches.

Where time can be undone, nothing need be kept but the last state: the state before a piece
comes of the one after it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, cast

import torch
from torch import nn

from ..nn._hru import return_error
from ..nn._packing import Packing, sent
from ..nn._walk import State, Walker, WalksBack

# "auto": what a step holds of a batch, in numbers of the network's width, above which it is
# walked in pieces, and what it then holds of a piece.
_WHOLE = 2**23
_PIECE = 2**18
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
    if chunk_size is None or not _walks(module):
        return None
    whole = getattr(module, "takes_weights", False)
    every = int(getattr(module, "every", 1))
    if isinstance(chunk_size, str):
        a_step = n_rows * _width(module)
        if whole or longest * a_step <= _WHOLE:
            return None
        size = max(_SHORTEST, _PIECE // a_step, -(-longest // _MOST_PIECES))
        whole_ones = math.lcm(every, int(getattr(module, "patch_size", 1)))
        return -(-size // whole_ones) * whole_ones
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
    if chunk_size is None or not _walks(module):
        return None
    if not isinstance(chunk_size, str):
        return int(chunk_size)
    return max(_SHORTEST, BATCH_VALUES // (n_rows * _width(module) * A_STEP))


def _walks(module: nn.Module) -> bool:
    return bool(getattr(module, "walks", hasattr(module, "walk")))


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
            position=self._first.position + position
        )


class Pieces:
    """A network, a batch's steps, and how to cut them.

    Parameters
    ----------
    module : nn.Module
        One that walks.
    steps : Steps
    size : int or None
        Steps of a piece; None to go through the whole at once.
    autocast : callable or None
        Makes the context to compute in.
    undo : bool
        Undo time to find the states before pieces, instead of keeping them.
    first : State or None
        Begin in it; by default at rest.

    Attributes
    ----------
    last : State or None
        After the last step, as :meth:`backward` came to it.
    return_error : Tensor of shape () or None
        Of the last :meth:`backward` that undid time, how far from the first state it came
        out, by the size of the motion; of the sample and layer with the largest.
    """

    def __init__(
        self,
        module: nn.Module,
        steps: Steps,
        size: int | None,
        autocast: Callable[[], AbstractContextManager[Any]] | None = None,
        *,
        undo: bool = False,
        first: State | None = None,
    ) -> None:
        self._walker = cast(Walker, module)
        self._first = first
        self._steps = steps
        self._starts = range(0, steps.longest, size or steps.longest)
        self._whole = None if _walks(module) else module
        self._autocast = autocast or nullcontext
        self._undo = undo
        self._zero = torch.zeros((), device=next(module.parameters()).device)
        self.return_error: torch.Tensor | None = None
        self.last: State | None = None

    def _begin(self) -> State:
        return self._walker.begin(len(self._steps)) if self._first is None else self._first

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
        found = list(self.outputs_of_pieces())
        return torch.cat(found, 1) if len(found) > 1 else found[0]

    def outputs_of_pieces(self) -> Iterator[torch.Tensor]:
        """Run forward only; outputs of piece after piece, or at last those of the whole."""
        if self._whole is not None:
            inputs = self._steps.take(0, self._steps.longest)
            x = inputs.pop("x")
            with self._autocast():
                yield _float(self._whole(x, **inputs))
            return
        state = self._begin()
        outputs = None
        for start in self._starts:
            outputs, state = self._walk(start, state)
            if outputs is not None:
                yield _float(outputs)
        if outputs is None:
            yield self._conclude(state)

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
        *earlier, start = self._starts
        first = state = self._begin()
        kept = None if self._undo else _Boundaries(len(earlier), first)
        with torch.no_grad():
            for number, begin in enumerate(earlier):
                if kept is not None:
                    kept.keep(number, state)
                _, state = self._walk(begin, state)
        last = state
        state = _leaf(last, differentiable=bool(earlier))
        outputs, after = self._walk(start, state)
        self.last = after.with_tensors([x.detach() for x in after.tensors])
        per_step = outputs is not None
        found = self._conclude(after) if outputs is None else outputs
        total = self._propagate(found, start, loss)
        for number, start in reversed(list(enumerate(earlier))):
            gradients = [x.grad for x in state.tensors]
            if kept is None:
                outputs, state, after = self._walk_back(start, _leaf(state))
            else:
                state = _leaf(kept.before(number, start), differentiable=start > 0)
                outputs, after = self._walk(start, state)
            total = total + self._propagate(outputs, start, loss, after.tensors, gradients)
        if kept is None:
            self.return_error = _largest_return_error(state, first, last)
        return total, None if per_step else found.detach()

    def _walk_back(self, start: int, state: State) -> tuple[torch.Tensor | None, State, State]:
        inputs = self._steps.take(start, self._stop(start))
        x = inputs.pop("x")
        with self._autocast():
            return cast(WalksBack, self._walker).walk_back(x, state, **inputs)

    def _propagate(
        self,
        outputs: torch.Tensor | None,
        start: int,
        loss: Loss,
        after: Sequence[torch.Tensor] = (),
        gradients: Sequence[torch.Tensor | None] = (),
    ) -> torch.Tensor:
        """Back-propagate through a piece; give what its outputs add to the loss."""
        roots = [
            (x, gradient)
            for x, gradient in zip(after, gradients, strict=True)
            if gradient is not None and x.requires_grad
        ]
        tensors: list[torch.Tensor] = [x for x, _ in roots]
        seeds: list[torch.Tensor | None] = [gradient for _, gradient in roots]
        part = self._zero
        if outputs is not None:
            every = self._walker.every
            part = loss(_float(outputs), start // every, self._stop(start) // every)
            tensors.append(part)
            seeds.append(None)
        if tensors:
            torch.autograd.backward(tensors, seeds)
        return part.detach()


def _leaf(state: State, differentiable: bool = True) -> State:
    return state.with_tensors([x.detach().requires_grad_(differentiable) for x in state.tensors])


def _largest_return_error(state: State, first: State, last: State) -> torch.Tensor:
    ways = zip(state.recurrent, first.recurrent, last.recurrent, strict=True)
    with torch.no_grad():
        return torch.stack([return_error(*way).max() for way in ways]).max()


def _float(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype == torch.float64 else x.float()
