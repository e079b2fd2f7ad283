"""
====================================
Oscillators that run backward
====================================

A block of an HSSM is a set of oscillators that conserve energy and are driven by the input.
Three looks at one: at which frequencies they swing, how they move, and how they retrace their
way when time is turned round.
"""

# %%
# A model
# -------
# BasicMotions: acceleration and rotation of a smart watch, ten times a second for ten seconds,
# during four activities.

import matplotlib.pyplot as plt
from sktime.datasets import load_basic_motions

from sklearn_physrnn import HSSMClassifier
from sklearn_physrnn.inspection import (
    EchoDisplay,
    FrequencyDisplay,
    ModesDisplay,
    mode_frequencies,
)

NAMES = [f"{kind} {axis}" for kind in ("acc", "gyro") for axis in "xyz"]


def load(split):
    """Load a part of the set with time before channels."""
    X, y = load_basic_motions(split=split, return_type="numpy3D")
    return X.transpose(0, 2, 1), y


X, y = load("train")
X_test, y_test = load("test")
model = HSSMClassifier(32, 32, max_iter=40, random_state=0).fit(X, y)
print(f"Test accuracy {model.score(X_test, y_test):.3f}")

# %%
# Learned frequencies
# -------------------
# Every stem is a mode, as high as it is coupled to the block's input and output; above them,
# where the power of the input lies.

FrequencyDisplay.from_estimator(model, X, sampling_rate=10, unit="Hz")

frequencies = mode_frequencies(model, sampling_rate=10)
print(frequencies.groupby("block")["frequency"].describe().to_string())

# %%
# Modes that run along with a runner
# ----------------------------------
# The four modes of the first block that move its output most, on a series of somebody running.
# Near resonance a mode's amplitude grows, else it beats. Modes are complex: two oscillators
# with the same stiffness, real and imaginary part.

runner = list(y_test).index("running")
ModesDisplay.from_estimator(
    model, X_test, sample=runner, sampling_rate=10, unit="Hz", channel_names=NAMES
)

# %%
# The echo
# --------
# Nothing damps the oscillators: the energy that they store changes only through the input. So
# with all momenta turned round at the end, and the input played backward, they retrace their
# way to rest. What is left between the two runs is rounding, in float32 as in float64. This is
# what lets recurrent Hamiltonian echo learning (RHEL) compute gradients without storing the
# trajectory.

EchoDisplay.from_estimator(model, X_test, sample=runner, channel_names=NAMES)

plt.show()
