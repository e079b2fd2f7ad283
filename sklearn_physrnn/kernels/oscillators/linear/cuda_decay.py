"""What motions lose in a time (``cpu_decay.py``), in Triton and without a library's functions."""

import triton
import triton.language as tl

_HALVINGS = tl.constexpr(9)
_PART = tl.constexpr(-1 / 2**9)
_LARGEST = tl.constexpr(0.2 * 2**9)


@triton.jit
def _lost_in_part(x):
    """exp(-x / 2**9) - 1."""
    v = _PART * tl.minimum(tl.maximum(x, -_LARGEST), _LARGEST)
    m = 1.0 + v / 6 * (1.0 + v / 7 * (1.0 + v / 8 * (1.0 + v / 9 * (1.0 + v / 10))))
    return v * (1.0 + v / 2 * (1.0 + v / 3 * (1.0 + v / 4 * (1.0 + v / 5 * m))))


@triton.jit
def lost_in(x):
    """exp(-x) - 1, of exponents that count."""
    m = _lost_in_part(x)
    for _ in tl.static_range(_HALVINGS):  # of exp(2v) - 1 from exp(v) - 1
        m = m * (2.0 + m)
    return m + (x - x)  # what is no number stays none


@triton.jit
def left_by(x):
    """exp(-x), and never zero."""
    m = 1.0 + _lost_in_part(x)
    for _ in tl.static_range(_HALVINGS):
        m = m * m
    return m + (x - x)


@triton.jit
def regained(lost):
    """The same of exp(x) - 1."""
    return -lost / (1.0 + lost)


@triton.jit
def rates(decay, mode, valid, real: tl.constexpr):
    """Half a unit's decay in float64, and what half a unit loses."""
    half = 0.5 * tl.load(decay + mode, mask=valid, other=0.0).to(tl.float64)
    return half, lost_in(half).to(real)


@triton.jit
def keep(states, slot, z, y, mode, valid, n_modes):
    """Write the state that is kept at a border."""
    at = states + slot * (2 * n_modes) + mode
    tl.store(at, z, mask=valid)
    tl.store(at + n_modes, y, mask=valid)


@triton.jit
def kept_at(states, slot, mode, valid, n_modes):
    """Read it, with the momentum turned round."""
    at = states + slot * (2 * n_modes) + mode
    return -tl.load(at, mask=valid, other=0.0), tl.load(at + n_modes, mask=valid, other=0.0)
