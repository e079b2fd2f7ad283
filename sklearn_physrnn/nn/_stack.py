"""A stack of blocks between encoder and head, and how it goes through a piece of time."""

from typing import Any, cast

import torch
from torch import nn

from ._block import Block
from ._dropout import Masks, drawn_key, step_places
from ._norm import SequenceNorm
from ._packing import Packing, pack
from ._patches import in_patches, nobody_waits, rest_of, still_waiting
from ._readout import gathered, nothing_read, read, read_so_far, summed
from ._walk import Piece, State, Tensors


class Stack(nn.Module):
    """Blocks that are gone through once or several times, by steps or by patches of steps.

    What has a constructor that sets these is the model.

    Attributes
    ----------
    encoder, head : nn.Module
    blocks : nn.ModuleList of Block
    input_size : int
        Channels of a step.
    readout : {"mean", "last", "sequence"}
    every, num_loops, patch_size : int
    bidirectional : bool
    """

    encoder: nn.Module
    blocks: nn.ModuleList
    head: nn.Linear
    input_size: int
    readout: str
    every: int
    # Of models that were pickled before there was a choice.
    num_loops = 1
    patch_size = 1
    bidirectional = False

    @property
    def takes_weights(self) -> bool:
        """Whether training depends on sample weights other than through the loss."""
        return any(isinstance(block.norm, SequenceNorm) for block in self.blocks)

    @property
    def walks(self) -> bool:
        """Whether sequences may come in pieces."""
        return not self.bidirectional

    def encoded(
        self, u: torch.Tensor, dt: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Give what the first block hears of whole sequences of one length, and its times."""
        if self.patch_size > 1:
            waiting = nobody_waits(self.patch_size, len(u), self.input_size, u)
            last = self.readout != "sequence"
            u, dt, *_ = in_patches(u, dt, None, waiting, first=True, last=last)
        return self.encoder(u), dt

    def begin(self, n_samples: int) -> State:
        """Give the state before the first step; in training, with new dropout masks."""
        weight = self.head.weight
        recurrent = [block.rest(n_samples) for block in self._uses]
        if self.patch_size > 1:
            waiting = nobody_waits(self.patch_size, n_samples, self.input_size, weight)
            recurrent.append(waiting)
        return State(
            tuple(recurrent),
            nothing_read(self.readout, n_samples, self.width, weight),
            key=drawn_key(self._blocks[0].dropout, device=weight.device),
        )

    def conclude(self, state: State) -> torch.Tensor:
        """Map what the steps so far left to outputs (batch, output_size)."""
        return self.read_whole(self._with_rest(state) if self.patch_size > 1 else state)

    def read_whole(self, state: State) -> torch.Tensor:
        """Map to outputs what sequences left of which nothing waits."""
        if self.patch_size > 1:
            counts = None if state.counts is None else self._patches(state.counts)
            state = state._replace(position=self._patches(state.position), counts=counts)
        return self.head(read_so_far(self.readout, state))

    def _patches(self, steps):
        return -(-steps // self.patch_size)

    def _with_rest(self, state: State) -> State:
        """Read what waits for a patch to be filled."""
        *recurrent, waiting = state.recurrent
        x, dt, present = rest_of(waiting)
        masks = None
        if state.key is not None:  # as of a step of the whole
            number = (state.position if state.counts is None else state.counts) // self.patch_size
            places = step_places(len(x), 1, 0, None, x.device) + number
            masks = Masks(state.key, places)
        x = self.encoder(x)
        for block, own in zip(self._uses, recurrent, strict=True):
            x, _ = block(x, own, dt=dt, masks=masks)
        assert state.readout is not None
        read = gathered(self.readout, state.readout, x[:, 0], None)
        return state._replace(readout=torch.where(present, read, state.readout))

    def before_patches(self, state: State, packing: Packing | None) -> State:
        """Say what waited before a piece that is to be undone, whose first step is given.

        Raises
        ------
        ValueError
            If the piece does not begin with a whole patch.
        """
        if state.position % self.patch_size:
            raise ValueError(
                "Time is undone by whole patches: a piece must begin at a multiple of "
                f"patch_size={self.patch_size} steps, and this one begins at {state.position}."
            )
        *recurrent, waiting = state.recurrent
        return state._replace(recurrent=(*recurrent, still_waiting(waiting.detach(), packing)))

    def through(
        self,
        u: torch.Tensor,
        state: State,
        dt: torch.Tensor | None,
        lengths: torch.Tensor | Packing | None,
        *,
        weights: torch.Tensor | None = None,
        undone: list[torch.Tensor] | None = None,
        whole: bool = False,
    ) -> tuple[torch.Tensor | None, State]:
        """Go through a piece, or the `whole`, from its state to the next.

        Parameters are those of ``walk``, and sample `weights` for batch normalisation. With a
        list `undone`, each block's state is undone first, and appended to it.
        """
        x, dt, packing = pack("u", u, dt, lengths, 3, int(whole))
        steps = piece = Piece(u, packing, 3, state)
        recurrent, waiting = state.recurrent, state.recurrent[:0]
        if self.patch_size > 1:
            recurrent, waiting = recurrent[:-1], recurrent[-1:]
            last = whole and self.readout != "sequence"
            found = in_patches(x, dt, packing, *waiting, first=whole, last=last)
            x, dt, packing, waiting = found.x, found.dt, found.packing, (found.waiting,)
            piece = Piece(x, packing, 3, state._replace(position=steps.before // self.patch_size))
        if weights is not None:
            weights = (
                weights[:, None].expand(x.shape[:2])
                if packing is None
                else packing.repeat(weights)
            )
        x, recurrent = self._through_blocks(
            self.encoder(x), recurrent, piece, undone,
            {"dt": dt, "packing": packing}, {"weights": weights, "masks": piece.masks()},
        )  # fmt: skip
        recurrent = (*recurrent, *waiting)
        if self.readout == "sequence":
            chosen = piece.chosen(x, self.every // self.patch_size)
            outputs = steps.laid_out(self.head(chosen), self.every)
            return outputs, state.after(steps, recurrent, None)
        readout = state.readout
        assert readout is not None
        if not piece.empty:
            readout = gathered(self.readout, readout, self._read(x, packing, readout), packing)
        return None, state.after(steps, recurrent, readout)

    def _through_blocks(
        self,
        x: torch.Tensor,
        recurrent: Tensors,
        piece: Piece,
        undone: list[torch.Tensor] | None,
        time: dict[str, Any],
        others: dict[str, Any],
    ) -> tuple[torch.Tensor, Tensors]:
        if piece.empty:
            return x, recurrent
        after = []
        for block, own in zip(self._uses, recurrent, strict=True):
            if undone is not None:
                own = block.undo(x, own, **time).requires_grad_()
                undone.append(own)
            x, own = block(x, own, **time, **others)
            after.append(own)
        return x, tuple(after)

    @property
    def width(self) -> int:
        """Width of the blocks."""
        return self.head.in_features

    @property
    def _blocks(self) -> list[Block]:
        return cast(list[Block], self.blocks)

    @property
    def _uses(self) -> list[Block]:
        return [*self._blocks] * self.num_loops

    def _read(self, x: torch.Tensor, packing: Packing | None, before: torch.Tensor):
        if packing is None:
            return read(x, self.readout)
        if self.readout == "last":
            return packing.last(x)
        sums = [summed(sequences) for sequences in packing.spread(x)]
        return packing.in_order(sums, torch.zeros_like(before))
