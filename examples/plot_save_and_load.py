"""
===============================
Keeping a model, and a training
===============================

A fitted model goes into one file that holds arrays and JSON, and no code: whoever gets it can
load it without trusting you. And a training that may be killed can be told to leave checkpoints,
from which the same call goes on.
"""

# %%
# Save and load
# -------------
# ``save`` writes atomically; ``load`` checks every size in the file before it takes memory.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import sklearn_physrnn
from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.inspection import TrainingHistoryDisplay

folder = Path(tempfile.mkdtemp())
X, y = load_diabetes(return_X_y=True)
model = DynPMNNRegressor(max_iter=20, random_state=0).fit(X, y)
model.save(folder / "diabetes.safetensors")
loaded = sklearn_physrnn.load(folder / "diabetes.safetensors")
print("size:", (folder / "diabetes.safetensors").stat().st_size // 1000, "kB")
print("same predictions:", np.array_equal(loaded.predict(X), model.predict(X)))

# %%
# What is refused
# ---------------
# A file that was cut short, or one that asks for more than it holds.

damaged = folder / "damaged.safetensors"
damaged.write_bytes((folder / "diabetes.safetensors").read_bytes()[:-100])
try:
    sklearn_physrnn.load(damaged)
except ValueError as error:
    print(error)

# %%
# Going on
# --------
# The optimizer's state is in the file too: with ``warm_start`` a loaded model trains on as if it
# had never been away.

loaded.set_params(warm_start=True, learning_rate="constant", learning_rate_init=0.001)
loaded.fit(X, y)
TrainingHistoryDisplay.from_estimator(loaded)

# %%
# Checkpoints
# -----------
# With ``checkpoint`` a fit saves itself from time to time. Killed and called again with the same
# parameters and data, it goes on and ends bit for bit where it would have; when it has ended, the
# file is gone.

careful = DynPMNNRegressor(max_iter=20, random_state=0, checkpoint=folder / "training.ckpt")
careful.fit(X, y)
print("same as without:", np.array_equal(careful.predict(X), model.predict(X)))
print("left behind:", sorted(path.name for path in folder.iterdir()))
plt.show()
