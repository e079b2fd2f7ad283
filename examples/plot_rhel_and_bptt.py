"""
=========================================
Two ways to one gradient: RHEL and BPTT
=========================================

An HSSM can be trained by back-propagation through time (BPTT), which keeps every state of the
forward pass, or by recurrent Hamiltonian echo learning (RHEL), which lets the oscillators run
back and reads the gradient off two echoes. Both are the same gradient: with the same seed they
learn the same model, and differ by rounding only.
"""

# %%
# Data
# ----
# BasicMotions: six channels of a smart watch, 100 steps, four activities.

import matplotlib.pyplot as plt
from sktime.datasets import load_basic_motions

from sklearn_physrnn import HSSMClassifier
from sklearn_physrnn.inspection import GradientAgreementDisplay


def load(split):
    """Load a part of the set with time before channels."""
    X, y = load_basic_motions(split=split, return_type="numpy3D")
    return X.transpose(0, 2, 1), y


X, y = load("train")
X_test, y_test = load("test")

# %%
# One model, two fitters
# ----------------------
# The test part is only recorded after every epoch; nothing is chosen by it.

models = {}
for fitter in ("rhel", "bptt"):
    models[fitter] = HSSMClassifier(
        16, 16, fitter=fitter, batch_size=8, max_iter=20, random_state=0
    ).fit(X, y, X_val=X_test, y_val=y_test)
    print(f"{fitter}: test accuracy {models[fitter].score(X_test, y_test):.3f}")

# %%
# Learning curves
# ---------------
# RHEL's lie on BPTT's.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
styles = {
    "bptt": {"color": "#E69F00", "linewidth": 4, "label": "BPTT"},
    "rhel": {"color": "#0072B2", "linewidth": 1.5, "label": "RHEL"},
}
for fitter, style in styles.items():
    model = models[fitter]
    epochs = range(1, model.n_iter_ + 1)
    left.plot(epochs, model.loss_curve_, **style)
    right.plot(epochs, model.validation_scores_, **style)
left.set(xlabel="epoch", ylabel="training loss", yscale="log")
right.set(xlabel="epoch", ylabel="test accuracy")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
figure.legend(
    *left.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False
)

# %%
# Why they agree
# --------------
# Filled points show how far RHEL's gradient is from BPTT's, block by block and parameter by
# parameter; rings, how far float32 itself takes BPTT from its value in float64. A filled point
# left of its ring is as exact as it can be.

early = HSSMClassifier(16, 16, batch_size=8, max_iter=1, random_state=0).fit(X, y)
display = GradientAgreementDisplay.from_estimator(early, X, y)
print(display.agreement.to_string(float_format="{:.7f}".format))

plt.show()
