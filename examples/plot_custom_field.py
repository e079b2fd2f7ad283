"""
=============================
Your own physics in one class
=============================

A hidden layer of :class:`~sklearn_physrnn.DynPMNNRegressor` integrates any vector field that is
given as a module with ``n_states`` and ``forward(state, drive)``. Here: pendulums with friction,
whose frequency and damping are learned.
"""

# %%
# The pendulum
# ------------
# An angle and an angular velocity, driven by a torque:
# :math:`\ddot\theta = -\omega^2 \sin\theta - \gamma\dot\theta + I`.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import cross_val_score
from torch import nn

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.nn import VectorField


class Pendulum(VectorField):
    """Damped, driven pendulums, one frequency and one damping a neuron."""

    n_states = n_observed = 2

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.log_frequency = nn.Parameter(torch.empty(hidden_size).uniform_(-1, 1))
        self.log_damping = nn.Parameter(torch.full((hidden_size,), -1.0))

    def forward(self, state, drive):  # noqa: D102
        angle, velocity = state.unbind(-1)
        restoring = self.log_frequency.exp() ** 2 * angle.sin()
        force = drive - restoring - self.log_damping.exp() * velocity
        return torch.stack((velocity, force), dim=-1)


# %%
# As good as the built-in ones?
# -----------------------------
# The class itself is the parameter, so that cloning, cross-validation and grids work.

X, y = load_diabetes(return_X_y=True)
for name, dynamics in (("FitzHugh-Nagumo", "fitzhugh_nagumo"), ("pendulum", Pendulum)):
    model = DynPMNNRegressor(dynamics=dynamics, max_iter=40, random_state=0)
    scores = cross_val_score(model, X, y, cv=3)
    print(f"{name:<16} R2 {scores.mean():.3f} +- {scores.std():.3f}")

# %%
# What was learned
# ----------------
# Each point is a neuron of the first layer; the line is critical damping, above which a
# pendulum creeps back instead of swinging.

model = DynPMNNRegressor(dynamics=Pendulum, max_iter=40, random_state=0).fit(X, y)
field = model.module_.layers[0].field
frequency = field.log_frequency.detach().exp().numpy()
damping = field.log_damping.detach().exp().numpy()

figure, axes = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
axes.scatter(frequency, damping, color="#0072B2", label="neurons after training")
axis = np.linspace(0, frequency.max() * 1.1, 2)
axes.plot(axis, 2 * axis, color="#D55E00", label=r"critical damping $\gamma = 2\omega$")
axes.set(xlabel=r"frequency $\omega$", ylabel=r"damping $\gamma$", ylim=(0, 1.5 * damping.max()))
axes.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside upper center", ncols=2, frameon=False)
plt.show()
