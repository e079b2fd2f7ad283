"""
======================================
Is the difference between models real?
======================================

Ten folds give ten scores a model; a bar chart of their means hides that they come from
overlapping training sets. We compare on the same folds, look at the differences fold by fold,
and use the test that allows for the overlap (Nadeau and Bengio, 2003).
"""

# %%
# Four models, the same folds
# ---------------------------

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import RepeatedKFold, cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNRegressor

X, y = load_diabetes(return_X_y=True)
folds = RepeatedKFold(n_splits=5, n_repeats=2, random_state=0)
models = {
    "DynPMNN": DynPMNNRegressor(max_iter=40, random_state=0),
    "MLP": make_pipeline(
        StandardScaler(),
        MLPRegressor(
            hidden_layer_sizes=(64,),
            max_iter=500,
            learning_rate_init=0.01,
            alpha=1.0,
            early_stopping=True,
            random_state=0,
        ),
    ),
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
    "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 3, 9))),
}
scores = {
    name: -cross_val_score(model, X, y, cv=folds, scoring="neg_root_mean_squared_error", n_jobs=2)
    for name, model in models.items()
}
for name, values in scores.items():
    print(f"{name:<18} RMSE {values.mean():5.1f} +- {values.std(ddof=1):.1f}")

# %%
# Differences, fold by fold
# -------------------------
# Training sets overlap, so the variance of the mean difference is larger than that of ten
# independent draws: by the factor :math:`1/n + n_{test}/n_{train}` in place of :math:`1/n`.


def corrected_interval(difference, n_splits, confidence=0.95):
    """Mean difference and the half-width of its interval (Nadeau and Bengio, 2003)."""
    n = len(difference)
    variance = difference.var(ddof=1) * (1 / n + 1 / (n_splits - 1))
    return difference.mean(), stats.t.ppf((1 + confidence) / 2, n - 1) * variance**0.5


figure, axes = plt.subplots(figsize=(6.6, 2.8), layout="constrained")
for row, other in enumerate(list(models)[1:]):
    difference = scores[other] - scores["DynPMNN"]
    mean, half = corrected_interval(difference, n_splits=5)
    print(f"{other:<18} minus DynPMNN: {mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]")
    axes.scatter(difference, np.full(len(difference), row), color="#999999", s=18, zorder=1)
    axes.errorbar(mean, row, xerr=half, fmt="D", color="#0072B2", capsize=4, zorder=2)
axes.axvline(0, color="black", linewidth=1)
axes.set_yticks(range(3), list(models)[1:])
axes.set(xlabel="RMSE minus DynPMNN's: right of zero, DynPMNN is better", ylim=(-0.6, 2.6))
axes.spines[["top", "right"]].set_visible(False)
plt.show()
