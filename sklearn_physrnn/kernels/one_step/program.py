"""One step of a network as a program: a list of instructions, and the numbers that they read.

A network's torch modules write it, each its own part (``emit``); ``cpu.py`` runs it. What a part
works on are registers, rows of numbers of one step, one row a stream. An instruction is a row of
integers: what it does, the registers that it reads and writes, and where its numbers are. So
networks of any shape share one compiled function, and a step of theirs is one call of it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ..petnn.cpu_gemm import aligned_empty, lanes, pad_columns, padded
from ..petnn.cpu_layout import as_flags, n_planes
from ..petnn.switches import Switches
from .codes import Code

# Integers of an instruction: its code, two registers, and numbers from here on.
_FIRST, _WIDTH = 7, 11
# Rows of a matrix that are so many bytes apart share a few places of the cache.
_STRIDE, _CACHE_LINE = 512, 64
BLOCK = 32  # streams that are taken at once: their registers stay in the cache


class Register(NamedTuple):
    """Where rows of `size` numbers are, in units of a row; they take `room`."""

    at: int
    size: int
    room: int


class Program:
    """A program that is being written, and then run.

    Parameters
    ----------
    dtype : numpy dtype
        Of the computation.
    """

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = np.dtype(dtype)
        self._rows: list[list[int]] = []
        self._weights: list[np.ndarray] = []
        self._exact: list[np.ndarray] = []
        self._at = {"weights": 0, "exact": 0, "memory": 0}
        self._scratch = 0
        self._head = 0
        self.features = Register(0, 0, 0)

    # -- writing -------------------------------------------------------------------

    def register(self, size: int) -> Register:
        """Make room for rows of `size` numbers."""
        room = padded(size, self.dtype)
        register = Register(self._at["memory"], size, room)
        self._at["memory"] += room
        return register

    def inputs(self, n_channels: int) -> Register:
        """Take a step's inputs as they come."""
        out = self.register(n_channels)
        self._add(Code.INPUT, out)
        return out

    def scaled_inputs(self, center: np.ndarray, scale: np.ndarray, limit: float) -> Register:
        """Take a step's inputs about their `center`, in units of `scale`, cut to the limit."""
        out = self.register(len(center))
        numbers = np.concatenate([center, np.where(scale == 0, np.inf, scale), [limit]])
        self._add(Code.SCALED_INPUT, out, self._keep_exact(numbers))
        return out

    def embedded(self, table: np.ndarray) -> Register:
        """Take the rows of a table that inputs are the numbers of."""
        out = self.register(table.shape[1])
        self._add(Code.EMBEDDED, out, self._keep(table))
        return out

    def affine(self, x: Register, matrix: np.ndarray, bias: np.ndarray | None = None) -> Register:
        """``x @ matrix.T + bias``."""
        out = self.register(len(matrix))
        columns = pad_columns(np.ascontiguousarray(matrix.T, dtype=self.dtype))
        if columns.itemsize * columns.shape[1] % _STRIDE == 0:
            columns = np.pad(columns, ((0, 0), (0, _CACHE_LINE // columns.itemsize)))
        at = -1
        if bias is not None:
            at = self._keep(pad_columns(bias.astype(self.dtype)[None]))
        self._add(Code.AFFINE, x, out, self._keep(columns), at, columns.shape[1])
        return out

    def standardised(self, x: Register, mean: np.ndarray, scale: np.ndarray) -> Register:
        """``(x - mean) * scale``."""
        out = self.register(x.size)
        self._add(Code.STANDARDISED, x, out, self._keep(np.stack([mean, scale])))
        return out

    def normalised(
        self, x: Register, eps: float, weight: np.ndarray | None = None,
        bias: np.ndarray | None = None,
    ) -> Register:  # fmt: skip
        """Layer normalisation, with a weight and a bias or neither."""
        out = self.register(x.size)
        ones, zeros = np.ones(x.size), np.zeros(x.size)
        affine = np.stack([ones if weight is None else weight, zeros if bias is None else bias])
        self._add(Code.NORMALISED, x, out, self._keep(affine), self._keep_exact(np.array([eps])))
        return out

    def rectified(self, x: Register) -> Register:
        """ReLU, in place."""
        self._add(Code.RECTIFIED, x)
        return x

    def gelu(self, x: Register) -> Register:
        """GELU, in place."""
        self._add(Code.GELU, x)
        return x

    def gated(self, x: Register) -> Register:
        """Gated linear unit: the first half of x times the sigmoid of the second."""
        out = self.register(x.size // 2)
        self._add(Code.GATED, x, out)
        return out

    def added(self, x: Register, to: Register, factor: np.ndarray | None = None) -> Register:
        """``to + factor * x``, in the place of `to`; without a factor ``to + x``."""
        self._add(Code.ADDED, x, to, -1 if factor is None else self._keep(factor))
        return to

    def oscillated(
        self, code: Code, drive: Register, state: int, rows: np.ndarray,
        exact: np.ndarray | None = None,
    ) -> Register:  # fmt: skip
        """Positions of oscillators after a step.

        `rows` and `exact` are their kernel's coefficients, of the program's dtype and of
        float64. `state` says where in a stream's state Z and y are.
        """
        out = self.register(drive.size)
        at = self._keep(rows)
        self._add(code, drive, out, state, at, -1 if exact is None else self._keep_exact(exact))
        return out

    def neurons(
        self, x: Register, weights: Sequence[np.ndarray],
        switches: Switches, state: Sequence[int],
    ) -> Register:  # fmt: skip
        """S of a layer of energy-transition neurons after a step.

        `state` says where in a stream's state S, C and T are.
        """
        weight_ih, weight_hh, bias = weights
        size = weight_hh.shape[1]
        per_block = np.concatenate([weight_ih, bias[:, None]], axis=1)
        per_block = per_block.reshape(-1, size, x.size + 1).transpose(0, 2, 1)
        n_blocks = len(per_block)
        recurrent = weight_hh.reshape(4, size, size).transpose(0, 2, 1)
        width, *flags = as_flags(switches, self.dtype)
        release, decay, ground, bounded = flags
        planes = n_planes(n_blocks, bounded)
        room = padded(size, self.dtype)
        self._need_scratch(2 * planes * room + x.size + 5 * size)
        out = self.register(size)
        at = self._keep(pad_columns(per_block.astype(self.dtype)))
        recurrent_at = self._keep(pad_columns(recurrent.astype(self.dtype)))
        facts = self._keep_exact(
            np.array([width, *state, n_blocks, planes, release, decay, ground, bounded], float)
        )
        self._add(Code.NEURONS, x, out, at, recurrent_at, facts)
        return out

    def mean(self, x: Register) -> Register:
        """Give the mean over all steps so far, which are added up in float64."""
        out = self.register(x.size)
        self._add(Code.MEAN, x, out)
        return out

    def largest(self, x: Register, state: int) -> Register:
        """Give the maximum over all steps so far, which is kept in the state."""
        out = self.register(x.size)
        self._add(Code.LARGEST, x, out, state)
        return out

    def heard(self, x: Register) -> None:
        """Say what the head sees: what follows is done where there is an output only."""
        self.features, self._head = x, len(self._rows)

    def said(self, x: Register) -> None:
        """Give the outputs."""
        self._add(Code.SAID, x)

    # -- running -------------------------------------------------------------------

    def finished(self) -> "Program":
        """Lay out what was written, once; then it can be run."""
        from . import cpu  # compiled code, only when it is first needed

        self._run = cpu.run
        self._instructions = np.array(self._rows, dtype=np.int64)
        self._flat = _joined(self._weights, self.dtype), _joined(self._exact, np.dtype(float))
        split = self._at["memory"]
        self._fixed = self._instructions, self._head, split
        # Scratch of a whole block, and a tile's rows more.
        self._memory = {
            room: aligned_zeros((room + 3) * (split + self._scratch), self.dtype)
            for room in (1, BLOCK)
        }
        self._lanes = lanes(self.dtype)
        return self

    def run(
        self, x: np.ndarray, dt: np.ndarray, state: np.ndarray, sums: np.ndarray,
        features: np.ndarray, outputs: np.ndarray,
    ) -> int:  # fmt: skip
        """Take N streams through T steps; give `codes.DONE`, or what was not finite.

        Parameters
        ----------
        x : ndarray of shape (N, T, n_channels)
            Of the program's dtype, as all arrays but `sums`; tokens, too.
        dt : ndarray of shape (N, T, 1 or 2), or (0, 0, 0)
        state : ndarray of shape (N, state_size)
            Written in place.
        sums : float64 ndarray of shape (N, n_sums)
            Written in place.
        features, outputs : ndarray of shape (N, T or 1, ...)
            Receive what the head sees, and what it says, of every step or of the last.
        """
        return self.bound(len(x), dt, state, sums, features, outputs)(x)

    def bound(
        self, n_streams: int, dt: np.ndarray, state: np.ndarray, sums: np.ndarray,
        features: np.ndarray, outputs: np.ndarray,
    ) -> Callable[[np.ndarray], int]:  # fmt: skip
        """Give what `run` does to these arrays with an x."""
        room = 1 if n_streams == 1 else BLOCK
        return partial(
            self._run, *self._fixed, room, self._lanes, *self._flat, self._memory[room],
            self.features.at, self.features.room, dt, state, sums, features, outputs,
        )  # fmt: skip

    def _add(self, code: Code, *parts: Register | int) -> None:
        registers = [part for part in parts if isinstance(part, Register)]
        numbers = [part for part in parts if not isinstance(part, Register)]
        row = [int(code), *(n for register in registers for n in register)]
        row += [0] * (_FIRST - len(row)) + numbers
        self._rows.append(row + [0] * (_WIDTH - len(row)))

    def _keep(self, numbers: np.ndarray) -> int:
        return self._kept("weights", self._weights, numbers.astype(self.dtype))

    def _keep_exact(self, numbers: np.ndarray) -> int:
        return self._kept("exact", self._exact, numbers.astype(np.float64))

    def _kept(self, name: str, parts: list[np.ndarray], numbers: np.ndarray) -> int:
        at, flat = self._at[name], numbers.ravel()
        room = padded(len(flat), flat.dtype)  # so that the next begins at a whole vector
        parts.append(np.concatenate([flat, np.zeros(room - len(flat), flat.dtype)]))
        self._at[name] += room
        return at

    def _need_scratch(self, size: int) -> None:
        self._scratch = max(self._scratch, size)


def aligned_zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that begin where a vector does."""
    zeros = aligned_empty(size, dtype)
    zeros[:] = 0
    return zeros


def _joined(parts: list[np.ndarray], dtype: np.dtype) -> np.ndarray:
    joined = aligned_empty(sum(map(len, parts)) + 1, dtype)
    joined[:-1] = np.concatenate([np.empty(0, dtype), *parts])
    return joined
