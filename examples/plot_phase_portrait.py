"""
====================================
What the neurons of a DynPMNN do
====================================

Each hidden neuron of a DynPMNN is a small physical system: here FitzHugh and Nagumo's, with a
membrane potential v and a recovery w. The inputs place it in the plane of v and w, the equations
move it for a while, and where it ends is what the layer tells the next one.
"""

# %%
# A model
# -------
# Tumours, benign (1) or malignant (0), by thirty measurements of their cells.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from sklearn_physrnn import DynPMNNClassifier
from sklearn_physrnn.inspection import (
    PhasePortraitDisplay,
    PhysicalParametersDisplay,
    StepStabilityDisplay,
    physical_parameters,
)

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = DynPMNNClassifier(random_state=0).fit(X, y)
print(f"Test accuracy {model.score(X_test, y_test):.3f}")

# %%
# Phase portraits
# ---------------
# Each line is a tumour's way through a neuron, ending in the dot. On the dashed line v stands
# still, on the dotted one w does, at the mean drive. The two kinds start apart, and the cubic
# nullcline sends them further apart: this is the nonlinearity of the network.

PhasePortraitDisplay.from_estimator(model, X_test)

# %%
# In the second layer they are cleanly separated.

PhasePortraitDisplay.from_estimator(model, X_test, layer=1)

# %%
# Learned constants
# -----------------
# Thresholds a, recovery rates b and recovery dampings g beside what training starts from. These
# are trained together with the weights.

PhysicalParametersDisplay.from_estimator(model, X_test)

table = physical_parameters(model, X_test)
print(table.groupby("layer").mean().to_string(float_format="{:.3f}".format))

# %%
# Is the step small enough?
# -------------------------
# An explicit scheme with too large a step makes modes grow that should decay; what the layer
# gives is then the scheme's and not the neuron's. The model takes eight steps; three would
# have been about the limit.

StepStabilityDisplay.from_estimator(model, X_test)

plt.show()
