r"""What a linear oscillator does in a gap: it turns, undriven, by the angle of as many steps.

In the kernels' variables (``parameters.py``) an undriven step of one unit is the matrix

    y <- (1 - kappa/2) y + (1 - kappa/4) Z,   Z <- -kappa y + (1 - kappa/2) Z.

It keeps q y^2 + Z^2, where q = kappa / (1 - kappa/4), and turns along that ellipse by theta,
where cos(theta) = 1 - kappa/2 or theta = 2 arcsin(sqrt(kappa) / 2). Its power g, for any real
g, is the turn by g theta,

    y <- c y + r Z,   Z <- -q r y + c Z,   c = cos(g theta),   r = sin(g theta) / sqrt(q).

Undriven, g units are thus g steps where g is whole, and what is between them where it is not:
the flow of one Hamiltonian, theta / (2 sqrt(q)) (q y^2 + Z^2), that of which leapfrog's steps
are exact samples. Hence the turn is symplectic, keeps the energy that leapfrog keeps, and with
Z reversed takes itself back. It has no limit of stability. This is not the flow of the
oscillator that leapfrog approximates: an ellipse of other axes would pump energy in or out
wherever steps and gaps alternate.

The turn depends on kappa alone, with the derivatives, of g at rest,

    c' = -g r / (2 - kappa/2),   r' = (g c - r / (1 - kappa/4)) / (2 kappa),
    (q r)' = r / (1 - kappa/4)^2 + q r'.

r' is a small difference where the angle is small; its limit there is -g (1 + 2 g^2) / 12.
Echoes read the gradient off the state before the gap, and the half difference after it. A
trajectory of positions does not have that state, which is why, over gaps, back-propagation
goes by the way of the echoes: the two are the same linear map of the same numbers.

These grow as g. Of a long gap they say how the phase after it follows a change of kappa so
small that no optimizer takes it, and beside the gradient of everything else, which does not
grow, they are a large random number: of series a tenth of which had a gap of 10^6 units a
network learned nothing else. Beyond SPAN units the gradient of kappa therefore counts
(SPAN / g)^2 of what it is, so that an endless gap tells nothing of kappa; that of the state is
exact over any.

The angle, 10^6 units long perhaps, is reduced in float64, and the turn computed there.
"""

import math
from typing import Any

import torch

Tensor = torch.Tensor

TINY = 1e-300  # in the place of a kappa of zero: an oscillator that only drifts
SPAN = 100.0  # units of the longest gap that has its whole gradient of kappa
SMALL = 1e-8  # square of an angle that the limit of r' is taken for


def constants(kappa: Any, library: Any) -> tuple[Any, Any, Any]:
    """kappa above zero, turns a unit and q, of a float64 `kappa` of NumPy or torch."""
    kappa = library.where(kappa == 0, TINY, kappa)
    arcsin = library.arcsin(library.sqrt(kappa) / 2)
    return kappa, arcsin / math.pi, kappa / (1 - kappa / 4)


def turned(z: Tensor, y: Tensor, gap: Tensor, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """Z and y (..., P) after `gap` (..., 1) units, in plain torch; `gap` gets no gradient."""
    kappa = kappa.double()
    if kappa.requires_grad:
        fixed, share = kappa.detach(), (SPAN / gap.abs().double()).clamp(max=1) ** 2
        kappa = fixed + share * (kappa - fixed)
    kappa, turns, q = constants(kappa, torch)
    angle = 2 * math.pi * (turns * gap)
    c, r = torch.cos(angle), torch.sin(angle) / torch.sqrt(q)
    return (c * z - q * r * y).to(z.dtype), (c * y + r * z).to(y.dtype)
