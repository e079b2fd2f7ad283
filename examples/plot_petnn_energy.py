"""
==============================
Energy, timers and releases
==============================

A PETNN neuron takes up energy from its input, stays excited for a time that it has learned to
set, and when that time has run out releases the energy and falls back to its ground state.
:class:`~sklearn_physrnn.inspection.CellEnergyDisplay` shows this along a series.
"""

# %%
# A model
# -------
# BasicMotions: ten seconds of a smart watch's accelerometer and gyroscope, at 10 Hz, of somebody
# who stands, walks, runs or plays badminton.

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
from sktime.datasets import load_basic_motions

from sklearn_physrnn import PETNNClassifier
from sklearn_physrnn.inspection import (
    CellEnergyDisplay,
    TrainingHistoryDisplay,
    release_rates,
)

X, y = load_basic_motions(split="train", return_type="numpy3D")
X_test, y_test = load_basic_motions(split="test", return_type="numpy3D")
X, X_test = X.transpose(0, 2, 1), X_test.transpose(0, 2, 1)  # sktime has channels first
model = PETNNClassifier(16, release="surrogate", max_iter=40, random_state=0)
model.fit(X, y, X_val=X_test, y_val=y_test)
print(f"Test accuracy {model.score(X_test, y_test):.3f}")

# %%
# The training
# ------------
# The test part is only recorded here; nothing is chosen by it.

TrainingHistoryDisplay.from_estimator(model)

# %%
# One series, three neurons
# -------------------------
# Somebody walks. While a neuron's remaining time lasts, its energy grows; a triangle marks the
# end of that, where all of it is released into the neuron's candidate state. The image shows all
# neurons: dark where one releases, which it goes on doing as long as nothing excites it again.

walking = int((y_test == "walking").argmax())
names = [f"{sensor} {axis}" for sensor in ("acceleration", "rotation") for axis in "xyz"]
CellEnergyDisplay.from_estimator(model, X_test, sample=walking, channel_names=names)

# %%
# Dead timers
# -----------
# A neuron that always releases, or never, has a timer that does nothing. After training there
# should be few of them.

rates = release_rates(model, X_test)["release_rate"]
print(rates.describe().to_string(float_format="{:.3f}".format))
print(f"{((rates == 0) | (rates == 1)).sum()} of {len(rates)} timers are dead")

plt.show()
