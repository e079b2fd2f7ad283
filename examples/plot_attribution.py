"""
======================================
What moved a prediction, and when
======================================

Integrated gradients tell how much each value of a series, or each column of a table, has moved a
prediction away from that for a baseline. The parts add up to the whole difference, for every
model of this package.
"""

# %%
# A signal to be found
# --------------------
# Noise in two channels. The first carries a short bump at a random place, whose height is to be
# predicted; the second is there to distract. So we know what an attribution should show.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from sklearn_physrnn import DynPMNNRegressor, HSSMRegressor, PETNNRegressor
from sklearn_physrnn.inspection import AttributionDisplay, integrated_gradients

rng = np.random.default_rng(0)
n_samples, n_steps = 400, 60
centre = rng.uniform(10, 50, size=n_samples)
height = rng.uniform(1, 5, size=n_samples)
X = 0.3 * rng.normal(size=(n_samples, n_steps, 2))
X[:, :, 0] += height[:, None] * np.exp(-(((np.arange(n_steps) - centre[:, None]) / 2) ** 2))
X_train, X_test, y_train, y_test = X[:300], X[300:], height[:300], height[300:]

# %%
# Two ways to find it
# -------------------
# An HSSM resonates with the bump, a PETNN holds on to it. Both attributions lie on the bump, in
# the first channel; red has moved the prediction up from that for the baseline, the mean of
# each channel.

models = {
    "HSSM": HSSMRegressor(24, 24, max_iter=60, random_state=0),
    "PETNN": PETNNRegressor(24, max_iter=60, random_state=0),
}
sample = int(np.argmax(y_test))
for name, model in models.items():
    model.fit(X_train, y_train)
    print(f"{name}: R2 {model.score(X_test, y_test):.3f}")
    display = AttributionDisplay.from_estimator(
        model, X_test, sample=sample, names=["signal", "distraction"]
    )
    display.figure_.suptitle(name)

# %%
# The sum is exact
# ----------------
# To rounding, for HSSM; and for PETNN, which jumps where a timer runs out and whose jumps a
# gradient cannot see, because jumps are counted too.

for name, model in models.items():
    attributions = integrated_gradients(model, X_test[:10], n_steps=32)
    baseline = np.broadcast_to(X_train.mean(axis=(0, 1)), X_test[:1].shape)
    change = model.predict(X_test[:10]) - model.predict(baseline)
    gap = np.abs(attributions.sum(axis=(1, 2)) - change).max()
    bump = np.abs(np.arange(n_steps) - centre[300:310, None]) < 5
    share = np.abs(attributions[:, :, 0])[bump].sum() / np.abs(attributions).sum()
    print(f"{name}: sum off by {gap:.1e}; {share:.0%} of it on the bump")

# %%
# Columns of a table
# ------------------
# For a table the same function gives one number a column.

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
model = DynPMNNRegressor(random_state=0).fit(X, y)
AttributionDisplay.from_estimator(model, X, sample=int(np.argmax(model.predict(X))))

plt.show()
