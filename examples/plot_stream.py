"""
=====================
A model in the stream
=====================

A classifier listens to a sensor whose rhythm changes, and says at every step what it hears. Below
is what it says, and the physics inside: the energy of its oscillators while it runs.
"""

# %%
# A rhythm that changes
# ---------------------

import matplotlib.pyplot as plt
import numpy as np

from sklearn_physrnn import HSSMClassifier

rng = np.random.default_rng(0)


def rhythm(label, n_steps):
    phase = (0.5 + 0.6 * label) * np.arange(n_steps) + rng.uniform(0, 6.3)
    return np.sin(phase) + 0.5 * rng.normal(size=n_steps)


y = rng.integers(2, size=(200, 3))  # three stretches, each of one rhythm
X = np.array([np.concatenate([rhythm(label, 50) for label in row]) for row in y])[:, :, None]
labels = np.repeat(y, 50, axis=1)
model = HSSMClassifier(16, 16, readout="sequence", dynamics="damped", max_iter=15, random_state=0)
model.fit(X, labels)

# %%
# Step by step
# ------------

truth = [0, 1, 0, 1]
sensor = np.concatenate([rhythm(label, 80) for label in truth])
stream = model.stream()
said, energy = [], []
for value in sensor:
    said.append(stream.push_proba(value)[1])
    momentum, position = stream.state["network"][0].reshape(2, 2, -1)[0]  # of the first block
    energy.append(momentum**2 + position**2)
energy = np.array(energy)

fig, axes = plt.subplots(3, 1, sharex=True, figsize=(8, 6), layout="constrained")
axes[0].plot(sensor, lw=0.8)
axes[0].set_ylabel("sensor")
axes[1].plot(np.repeat(truth, 80), "k--", label="truth")
axes[1].plot(said, label="said, so far")
axes[1].set_ylabel("P(fast)")
axes[1].legend(loc="center right")
order = np.argsort(energy[90:150].mean(0) - energy[10:70].mean(0))
axes[2].imshow(np.log10(energy[:, order] + 1e-6).T, aspect="auto", cmap="magma")
axes[2].set(ylabel="oscillators", xlabel="step")
fig.suptitle("What is said, and what swings")
plt.show()
