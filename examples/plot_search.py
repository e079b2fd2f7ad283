"""
======================================
Searching over the physics of a neuron
======================================

The parameters of the differential equation are hyperparameters like any other: which physics a
neuron follows, for how long it is integrated, in how many steps. ``GridSearchCV`` tries them
all; ``HalvingRandomSearchCV`` spends most of its time on the promising ones.
"""

# %%
# Two moons
# ---------
# A boundary that no line follows.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import loguniform, randint
from sklearn.datasets import make_moons
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV

from sklearn_physrnn import DynPMNNClassifier

X, y = make_moons(300, noise=0.25, random_state=0)

# %%
# A grid over physics and time
# ----------------------------
# ``t_end`` is in the unit of the dynamics: for a FitzHugh-Nagumo neuron 1 is about the time an
# excitation takes.

grid = GridSearchCV(
    DynPMNNClassifier(hidden_size=16, max_iter=20, random_state=0),
    {"dynamics": ["fitzhugh_nagumo", "van_der_pol"], "t_end": [0.5, 1.0, 2.0]},
    cv=3,
    n_jobs=2,
).fit(X, y)
table = pd.DataFrame(grid.cv_results_).pivot(
    index="param_dynamics", columns="param_t_end", values="mean_test_score"
)
print(table.round(3))

# %%
# Halving: epochs as the resource
# -------------------------------
# Many candidates get a few epochs each, the better third of them three times as many.

halving = HalvingRandomSearchCV(
    DynPMNNClassifier(random_state=0),
    {
        "hidden_size": randint(8, 48),
        "learning_rate_init": loguniform(3e-3, 5e-2),
        "alpha": loguniform(1e-1, 3e1),
    },
    resource="max_iter",
    min_resources=5,
    max_resources=45,
    n_candidates=9,
    cv=3,
    random_state=0,
    n_jobs=2,
).fit(X, y)
print({name: round(float(value), 4) for name, value in halving.best_params_.items()})
print(f"cross-validated accuracy {halving.best_score_:.3f}")

# %%
# The boundary found
# ------------------

figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
display = DecisionBoundaryDisplay.from_estimator(
    halving,
    X,
    ax=axes,
    eps=0.5,
    response_method="predict_proba",
    cmap="PuOr",
    levels=np.linspace(0, 1, 11),
    alpha=0.6,
)
figure.colorbar(display.surface_, ax=axes, label="probability of class 1")
colors = np.array(["#B35806", "#542788"])
axes.scatter(*X.T, c=colors[y], s=18, edgecolors="white", linewidths=0.6)
axes.set(xlabel="$x_1$", ylabel="$x_2$")
plt.show()
