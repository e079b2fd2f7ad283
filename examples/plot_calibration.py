"""
========================================
Can an HSSM's probabilities be believed?
========================================

A probability of 0.8 should be right four times out of five. We look whether those of
:class:`~sklearn_physrnn.HSSMClassifier` are, and mend them with scikit-learn's
``CalibratedClassifierCV`` where they are not.
"""

# %%
# Noisy electricity demand
# ------------------------
# ItalyPowerDemand tells winter from summer days by 24 hourly values. It is nearly solved, so we
# add noise until it is not, and train on little of it.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from sklearn.model_selection import train_test_split
from sktime.datasets import load_italy_power_demand

from sklearn_physrnn import HSSMClassifier

X, y = load_italy_power_demand(return_type="numpy3D")
X = X.transpose(0, 2, 1)
X = X + np.random.default_rng(0).normal(scale=0.8, size=X.shape)
y = (y == "2").astype(int)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=200, random_state=0)

# %%
# As it comes, and calibrated
# ---------------------------
# ``CalibratedClassifierCV`` fits on folds, and turns the scores of the held-out parts into
# probabilities by a sigmoid.

models = {
    "HSSM": HSSMClassifier(random_state=0),
    "HSSM, calibrated": CalibratedClassifierCV(HSSMClassifier(random_state=0), cv=3),
}
figure, axes = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
print(f"{'':<18} accuracy  Brier score  log loss")
styles = (("#D55E00", "s"), ("#0072B2", "o"))
for (name, model), (color, marker) in zip(models.items(), styles, strict=True):
    probability = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
    print(
        f"{name:<18} {accuracy_score(y_test, probability > 0.5):8.3f}"
        f"{brier_score_loss(y_test, probability):13.3f}{log_loss(y_test, probability):10.3f}"
    )
    CalibrationDisplay.from_predictions(
        y_test, probability, n_bins=8, strategy="quantile", name=name, ax=axes,
        color=color, marker=marker,
    )  # fmt: skip
axes.set(xlabel="predicted probability of summer", ylabel="share of summer days")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(loc="upper left", frameon=False)
plt.show()
