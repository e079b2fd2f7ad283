"""What the kernels take for w, c, alpha and d, and gradients on the way back.

As for linear oscillators (see their ``parameters.py``), Z = d z takes the momentum's
place and a step with factor s reads

    y_half = y + s/2 Z
    Z <- Z - s (stiff y_half + pull tanh(w y_half + u)),  stiff = d^2 alpha, pull = d^2 c
    y <- y_half + s/2 Z,

so that the step size acts through the kick alone. The two echoes run as their mean and
half difference, which is the same pair of runs in other coordinates. The addition
theorems give the mean and half difference of tanh and log cosh without subtracting
nearby numbers:

    tanh(m + h) - tanh(m - h) = 2 tanh h (1 - tanh^2 m) / (1 - tanh^2 m tanh^2 h)
    log cosh(m + h) - log cosh(m - h) = 2 atanh(tanh m tanh h)

float32 then does not limit how small the nudge may be, and log cosh, which overflows,
never occurs. NOTE[paper]: echoes kept apart cancel in float32 unless the nudge is a
thousandth of the motion or more, and over 17,984 steps of 0.01 that much bent the
gradient of a two-block model by up to 2e-3 of its cosine. With 1e-6 and less, 3e-14
was left of it in float64.
"""

from typing import Any

RELATIVE_NUDGE: float | None = 1e-8  # the smaller, the less bias, and float32 does not mind

# tanh x = x P(x^2) / Q(x^2) on [-8.5, 8.5], beyond which tanh is one in float32. A
# minimax fit of the relative error (1.2e-8); with float32's rounding, 3.4e-7 at worst.
TANH_LIMIT = 8.5
TANH_P = (0.9999999881763822, 0.13413245799558646, 0.003534025550945469,
          2.1251024218067137e-05, 1.4269203228355773e-08)  # fmt: skip
TANH_Q = (1.0, 0.4674656853250963, 0.026022746293954013, 0.0003348862724425667,
          8.145112613389237e-07)  # fmt: skip


def chain(
    sums: Any, w: Any, c: Any, alpha: Any, rest: Any, step: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """Chain gradients of (w, pull, stiff, rest) to (w, c, alpha, rest, step)."""
    grad_w, pull, stiff, grad_rest = sums
    gain = step * step
    by_step = 2 * step * (c * pull + alpha * stiff)
    return grad_w, gain * pull, gain * stiff, grad_rest, by_step
