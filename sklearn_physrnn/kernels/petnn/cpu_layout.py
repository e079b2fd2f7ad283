"""What the forward and the backward loops agree on: switches, planes and shards.

Shape letters: B batch, T time, I input, H hidden, W hidden padded to whole vectors,
R rows of a shard padded to whole tiles, G weight blocks (4 to 6).

The batch is cut into shards of a few rows. Each shard walks through all steps with
its own working set in the cache; what the backward pass needs is kept per step as
planes of R * W numbers, so that every elementwise loop is one flat run over a plane.
"""

import itertools

import numpy as np

from .cpu_gemm import ROWS
from .switches import RELEASES

HARD, SURROGATE, SOFT = 0, 1, 2

# Blocks of the weights. The last one or two are there as the switches say.
STEP, INJECTION, MIXING, CANDIDATE, DECAY = range(5)
# Planes of a step's slot: these two, then what each block of the weights amounts to,
# where T' takes the place of the increment; last, if it is bounded, the increment.
STATE, CELL, BLOCKS = range(3)

_RELEASE = dict(zip(RELEASES, (HARD, SURROGATE, SOFT), strict=True))
_ROWS_PER_SHARD = 16  # fewer would read the weights from the cache too often
_MAX_SHARDS = 16


def as_flags(switches, dtype):
    """Switches as numbers: width, release, time_decay, ground_state, bounded."""
    return (
        np.dtype(dtype).type(switches.width),
        _RELEASE[switches.release],
        bool(switches.time_decay),
        bool(switches.ground_state),
        switches.increment == "tanh",
    )


def n_planes(n_blocks, bounded):
    """Planes of a step's slot."""
    return BLOCKS + n_blocks + bounded


def shards(n_rows):
    """Ranges of rows, in multiples of a tile, by the size of the batch alone."""
    n_shards = max(1, min(n_rows // _ROWS_PER_SHARD, _MAX_SHARDS))
    bounds = [n_rows * i // n_shards // ROWS * ROWS for i in range(n_shards)] + [n_rows]
    return list(itertools.pairwise(bounds))


def room(start, stop):
    """Rows `start` to `stop` as whole tiles."""
    return -(-(stop - start) // ROWS) * ROWS
