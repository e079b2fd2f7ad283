"""Without Numba's compiler, or without docstrings: it works, or says why not."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.families import ENTRIES, SKLEARN, each

_FIT = """
import sys
import numpy as np
from tests.families import ENTRIES
entry = {{cls.__name__: entry for cls, entry in ENTRIES.items()}}[{name!r}]
np.save(sys.argv[1], entry.fitted({options}).predict(entry.X))
"""


def _run(code, *arguments, flags=(), **environment):
    return subprocess.run(
        [sys.executable, *flags, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("PETNNRegressor", ""),
        ("HSSMRegressor", ""),
        ("HSSMRegressor", "dynamics='nonlinear'"),
        ("HSSMRegressor", "dynamics='nonlinear', fitter='bptt'"),
        ("DynPMNNRegressor", ""),
    ],
)
def test_without_its_compiler_numba_is_not_used(name, options, tmp_path):
    code = _FIT.format(name=name, options=options)
    done = _run(code, tmp_path / "y.npy", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("NUMBA_DISABLE_JIT is set: recurrences run") == 1
    entry = next(entry for cls, entry in ENTRIES.items() if cls.__name__ == name)
    expected = entry.fitted(**eval(f"dict({options})")).predict(entry.X)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-4)


def test_without_docstrings_a_fit_says_why_it_does_not_work():
    code = (
        "import numpy as np, sklearn_physrnn as sk\n"
        "sk.DynPMNNRegressor(max_iter=1).fit(np.eye(4), np.arange(4.0))"
    )
    done = _run(code, flags=["-OO"])
    assert "RuntimeError: Training does not work under python -OO: skorch" in done.stderr


@each(SKLEARN[:2])
def test_without_docstrings_a_model_is_loaded_and_predicts(kind, tmp_path):
    model = ENTRIES[kind].fitted()
    model.save(tmp_path / "model")
    np.save(tmp_path / "X.npy", ENTRIES[kind].X)
    code = (
        "import sys, numpy as np, sklearn_physrnn as sk\n"
        "model, X, y = sys.argv[1:]\n"
        "np.save(y, sk.load(model).predict(np.load(X)))"
    )
    paths = (tmp_path / name for name in ("model", "X.npy", "y.npy"))
    done = _run(code, *paths, flags=["-OO"])
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.predict(ENTRIES[kind].X))
