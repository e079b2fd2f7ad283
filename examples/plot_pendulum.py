"""
======================================
A pendulum's constants from its motion
======================================

Where the equation of motion is known but for its constants, a vector field of your own finds them:
state in physical units in, state in physical units out, no map around the field that could take
the scale upon itself. Five swings of two seconds, measured with noise, give g/L to a few
thousandths.
"""

# %%
# The equation
# ------------
# :math:`\ddot\theta = -\frac{g}{L} \sin\theta - \gamma\dot\theta`. Logarithms of the constants are
# trained, so that they stay positive.

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from sklearn_physrnn.nn import VectorField, integrate

STEP = 0.05  # seconds between measurements
TRUE = {"g/L, 1/s²": 14.0, "friction, 1/s": 0.3}


class Pendulum(VectorField):
    """A damped pendulum whose constants are unknown."""

    n_states = n_observed = 2

    def __init__(self, stiffness=5.0, friction=1.0):
        super().__init__()
        self.log_stiffness = nn.Parameter(torch.tensor(stiffness, dtype=torch.float64).log())
        self.log_friction = nn.Parameter(torch.tensor(friction, dtype=torch.float64).log())

    def forward(self, state, drive):  # noqa: D102
        angle, velocity = state.unbind(-1)
        force = -self.log_stiffness.exp() * angle.sin() - self.log_friction.exp() * velocity
        return torch.stack((velocity, force + drive), dim=-1)


def swings(field, starts, n_steps):
    """Follow swings (n, 1, 2) from their first states."""
    states = [starts]
    for _ in range(n_steps):
        rest = torch.zeros_like(starts[..., 0])
        states.append(integrate(field, states[-1], rest, "rk4", 1, STEP))
    return torch.stack(states)


# %%
# A loop of one's own
# -------------------
# Estimators put affine maps before and after the neurons, which serves predictions and hides
# constants: any frequency can be had from another scale of the state. So here the field is
# integrated as it is. What is fitted besides the constants is where each swing truly began.


def measured(noise, seed):
    """Measure five swings of up to a radian for two seconds."""
    rng = np.random.default_rng(seed)
    angles = rng.choice([-1, 1], 5) * rng.uniform(0.3, 1, 5)
    starts = torch.tensor(np.stack([angles, rng.normal(0, 0.3, 5)], -1)[:, None])
    with torch.no_grad():
        motion = swings(Pendulum(*TRUE.values()), starts, 40)
    return motion + noise * torch.tensor(rng.normal(size=motion.shape))


def fitted(states):
    """Fit the constants, and the first states, to measured ones."""
    field, starts = Pendulum(), nn.Parameter(states[0].clone())
    optimizer = torch.optim.LBFGS(
        [*field.parameters(), starts], max_iter=30, line_search_fn="strong_wolfe"
    )
    unit = states.std(dim=(0, 1, 2))

    def loss():
        optimizer.zero_grad()
        error = ((swings(field, starts, 40) - states) / unit).square().mean()
        error.backward()
        return error

    optimizer.step(loss)
    return [float(x.detach().exp()) for x in (field.log_stiffness, field.log_friction)]


# %%
# Over noise
# ----------
# Noise of angles in radians, and of velocities in radians per second; four sets of swings each.
# Bars are standard deviations over sets.

levels = (0.01, 0.05, 0.2)
found = np.array([[fitted(measured(noise, seed)) for seed in range(4)] for noise in levels])
for noise, mean, spread in zip(levels, found.mean(axis=1), found.std(axis=1, ddof=1), strict=True):
    shown = (f"{name} {m:.3f} +- {s:.3f}" for name, m, s in zip(TRUE, mean, spread, strict=True))
    print(f"noise {noise:<5}", ", ".join(shown))

figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for i, (name, true) in enumerate(TRUE.items()):
    axes[i].axhline(true, color="#D55E00", label="true")
    axes[i].errorbar(
        levels, found[:, :, i].mean(axis=1), found[:, :, i].std(axis=1, ddof=1),
        fmt="o", color="#0072B2", capsize=4, label="found",
    )  # fmt: skip
    axes[i].set(xlabel="noise", ylabel=name, xscale="log")
    axes[i].spines[["top", "right"]].set_visible(False)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
plt.show()
