"""Without Numba's compiler, or without docstrings: it works, or says why not."""

import os
import subprocess
import sys

import numpy as np

import sklearn_physrnn as sk
from tests.families import ENTRIES, NUMBERS, SEQUENCES, TABLE

_SMALL = {**ENTRIES[sk.HSSMRegressor].parameters, "num_blocks": 1}
_FITS = [
    ("PETNNRegressor", ENTRIES[sk.PETNNRegressor].parameters),
    ("HSSMRegressor", _SMALL),
    ("HSSMRegressor", {**_SMALL, "dynamics": "nonlinear"}),
    ("HSSMRegressor", {**_SMALL, "dynamics": "nonlinear", "fitter": "bptt"}),
    ("DynPMNNRegressor", ENTRIES[sk.DynPMNNRegressor].parameters),
]
_START = """
import sys
import numpy as np
import sklearn_physrnn as sk
folder = sys.argv[1]
data = np.load(folder + "/data.npz")
"""
_FIT = """
for i, (name, parameters) in enumerate({fits}):
    X = data["table" if name.startswith("Dyn") else "sequences"]
    np.save(folder + f"/{{i}}.npy", getattr(sk, name)(**parameters).fit(X, data["y"]).predict(X))
"""
_LOAD = """
np.save(folder + "/y.npy", sk.load(folder + "/model").predict(data["sequences"]))
sk.DynPMNNRegressor(max_iter=1).fit(data["table"], data["y"])
"""


def _run(code, folder, *flags, **environment):
    np.savez(folder / "data.npz", table=TABLE, sequences=SEQUENCES, y=NUMBERS)
    return subprocess.run(
        [sys.executable, *flags, "-c", _START + code, folder],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment,
        capture_output=True,
        text=True,
    )


def test_without_its_compiler_numba_is_not_used(tmp_path):
    done = _run(_FIT.format(fits=_FITS), tmp_path, NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("NUMBA_DISABLE_JIT is set: recurrences run") == 1
    for i, (name, parameters) in enumerate(_FITS):
        X = TABLE if name.startswith("Dyn") else SEQUENCES
        expected = getattr(sk, name)(**parameters).fit(X, NUMBERS).predict(X)
        np.testing.assert_allclose(np.load(tmp_path / f"{i}.npy"), expected, atol=1e-4)


def test_without_docstrings_a_model_predicts_and_a_fit_says_why_it_does_not_work(tmp_path):
    model = ENTRIES[sk.PETNNRegressor].fitted()
    model.save(tmp_path / "model")
    done = _run(_LOAD, tmp_path, "-OO")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.predict(SEQUENCES))
    assert "RuntimeError: Training does not work under python -OO: skorch" in done.stderr
