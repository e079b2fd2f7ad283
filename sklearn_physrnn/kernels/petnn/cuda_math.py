"""What the GPU's forward and backward loops share: activations and products of tiles.

Shape letters: R rows of the batch in a program, H hidden units, W those padded to a power
of 2, K units summed over at a time. Weights are (blocks, W, W), padded with zeros; HELD of the
blocks, the last ones, stay in registers over all steps.

PRECISION of a product is "ieee", every number as it is; or "tf32" or "bf16", tensor cores
that add up in float32. For the former Triton's dot is too slow: it passes every weight
through shared memory several times. So tiles are multiplied in three axes (R, K, W) there,
each weight read once, to where it is used. The compiler must not see that a row of weights
starts where vectors may: it would give a lane four of them, one warp all the W, and spread
the K over warps, whose sums then pass through shared memory in an order in which all lanes
of a warp meet in one bank (32 times as long, and most of a step). So kernels add `shift` to
the weights' place, which is zero, but only at run time: a lane then has a column, and
warps divide the W among them.
"""

import triton
import triton.language as tl

from .._dispatch import interpreted

_INTERPRETED = tl.constexpr(interpreted())


@triton.jit
def tanh(x):
    """Hyperbolic tangent, good to the rounding of 1; Triton has none of its own."""
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def release(slack, WIDTH: tl.constexpr, SOFT: tl.constexpr):
    """Released fraction m of T': a step, or a sigmoid if SOFT."""
    if SOFT:
        m = tl.sigmoid(-slack / WIDTH)
    else:
        # A NaN stays one.
        m = tl.where(slack <= 0, 1.0, tl.where(slack > 0, 0.0, slack)).to(slack.dtype)
    return m


@triton.jit
def weight_tile(weights, block, first, K: tl.constexpr, W: tl.constexpr, PRECISION: tl.constexpr):
    """What the units `first` to `first` + K give to all: (1, K, W), or (K, W) for dot.

    A block is stored row by row, in the order that it is used in: for "ieee" a row is
    what one unit gives, for tensor cores what one unit gets.
    """
    weights += block * W * W
    if PRECISION == "ieee":
        giver, getter = tl.arange(0, K)[None, :, None], tl.arange(0, W)[None, None, :]
        tile = tl.load(weights + (first + giver) * W + getter)
    else:
        giver, getter = tl.arange(0, K)[:, None], tl.arange(0, W)[None, :]
        tile = tl.load(weights + getter * W + first + giver)
    return tile


@triton.jit
def shared_tile(
    shared, block, first, K: tl.constexpr, R: tl.constexpr, W: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Units `first` to `first` + K of what :func:`share` wrote: (R, K, 1), or (R, K)."""
    shared += block * R * W + first
    if PRECISION == "ieee":
        tile = tl.load(
            shared + tl.arange(0, R)[:, None, None] * W + tl.arange(0, K)[None, :, None]
        )
    else:
        tile = tl.load(shared + tl.arange(0, R)[:, None] * W + tl.arange(0, K)[None, :])
    return tile


@triton.jit
def share(shared, block, values, R: tl.constexpr, W: tl.constexpr):
    """Write `values` (R, W) where every thread of the program can read them after a barrier."""
    at = block * R * W + tl.arange(0, R)[:, None] * W + tl.arange(0, W)[None, :]
    tl.store(shared + at, values.to(shared.dtype.element_ty))


@triton.jit
def no_sum(like, R: tl.constexpr, K: tl.constexpr, W: tl.constexpr, PRECISION: tl.constexpr):
    """Zeros to :func:`add_product` to."""
    if PRECISION == "ieee":
        sums = tl.zeros([R, K, W], like.dtype)
    else:
        sums = tl.zeros([R, W], like.dtype)
    return sums


@triton.jit
def _dot(left, weights, sums, PRECISION: tl.constexpr):
    if PRECISION == "bf16":
        left = left.to(tl.bfloat16)
        if _INTERPRETED:  # whose dot takes a bfloat16 for an integer
            left, weights = left.to(tl.float32), weights.to(tl.float32)
        sums = tl.dot(left, weights, sums)
    else:
        sums = tl.dot(left, weights, sums, input_precision=PRECISION)
    return sums


@triton.jit
def add_product(
    sums, left, weights, block, first, K: tl.constexpr, W: tl.constexpr, PRECISION: tl.constexpr
):  # fmt: skip
    """`sums` and the product of a :func:`shared_tile` and its :func:`weight_tile`."""
    tile = weight_tile(weights, block, first, K, W, PRECISION)
    if PRECISION == "ieee":
        sums += left.to(sums.dtype) * tile.to(sums.dtype)
    else:
        sums = _dot(left, tile, sums, PRECISION)
    return sums


@triton.jit
def total(sums, PRECISION: tl.constexpr):
    """The product (R, W) when all has been added."""
    if PRECISION == "ieee":
        sums = tl.sum(sums, 1)
    return sums


@triton.jit
def held_tile(
    weights, block: tl.constexpr, HELD: tl.constexpr, W: tl.constexpr, PRECISION: tl.constexpr
):
    """A whole block to keep over all steps; nothing where it is read at each."""
    tile = None
    if block >= 4 - HELD:
        tile = weight_tile(weights, block, 0, W, W, PRECISION)
    return tile


@triton.jit
def _spread(left, tile):
    return left[:, :, None] * tile.to(left.dtype)


@triton.jit
def product(left, tile, PRECISION: tl.constexpr):
    """``left @ weights`` of a whole block."""
    if PRECISION == "ieee":
        result = tl.sum(_spread(left, tile), 1)
    else:
        result = _dot(left, tile, tl.zeros_like(left), PRECISION)
    return result


@triton.jit
def sum_of_products(
    left, first, left2, second, left3, third, THREE: tl.constexpr, PRECISION: tl.constexpr
):
    """The products of two lefts, or three, each with its block, added up."""
    if PRECISION == "ieee":
        spread = _spread(left, first) + _spread(left2, second)
        if THREE:
            spread += _spread(left3, third)
        result = tl.sum(spread, 1)
    else:
        result = _dot(left, first, tl.zeros_like(left), PRECISION)
        result = _dot(left2, second, result, PRECISION)
        if THREE:
            result = _dot(left3, third, result, PRECISION)
    return result
