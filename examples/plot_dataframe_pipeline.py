"""
======================================
A table with mixed columns, end to end
======================================

A DataFrame with numbers, categories and gaps goes through a ``ColumnTransformer`` into
:class:`~sklearn_physrnn.DynPMNNClassifier`, and comes out as calibrated-looking probabilities,
a score and the columns that mattered: scikit-learn's tools, unchanged. (It also takes the frame as
it is, categories and gaps; the pipeline shows how to have it otherwise.)
"""

# %%
# A table
# -------
# Of the breast cancer set we keep a few columns, bin one of them into a category, and punch
# holes into another, as tables from a database have them.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_physrnn import DynPMNNClassifier

bunch = load_breast_cancer(as_frame=True)
X = bunch.data[["mean radius", "mean texture", "worst area", "worst concavity"]].copy()
X["smoothness"] = pd.cut(bunch.data["mean smoothness"], 3, labels=["low", "middle", "high"])
X.loc[X.index[::9], "mean texture"] = np.nan
y = bunch.target_names[bunch.target]
X.head()

# %%
# A pipeline
# ----------
# The estimator scales its inputs itself, so numbers need no scaler in front of it.

columns = make_column_transformer(
    (SimpleImputer(), make_column_selector(dtype_include="number")),
    (OneHotEncoder(), ["smoothness"]),
)
model = make_pipeline(columns, DynPMNNClassifier(random_state=0))
print("accuracy by fold:", cross_val_score(model, X, y, cv=3).round(3))

# %%
# What it used
# ------------
# Permutation importance on held-out rows, by the original columns.

X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model.fit(X_train, y_train)
importance = permutation_importance(model, X_test, y_test, n_repeats=10, random_state=0)
order = importance.importances_mean.argsort()

figure, axes = plt.subplots(figsize=(6.4, 3), layout="constrained")
axes.barh(
    X.columns[order],
    importance.importances_mean[order],
    xerr=importance.importances_std[order],
    color="#0072B2",
)
axes.axvline(0, color="0.7", linewidth=1)
axes.set(xlabel="accuracy lost when the column is shuffled")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
