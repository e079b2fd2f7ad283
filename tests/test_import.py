import subprocess
import sys

HEAVY = ["sktime", "matplotlib", "numba", "skorch", "triton", "pytest"]

_SCRIPT = f"""
import sys
import sklearn_physrnn, sklearn_physrnn.nn, sklearn_physrnn.kernels
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_importing_the_package_imports_nothing_heavy():
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout.strip() == "[]"
    assert result.stderr == ""


def test_public_names():
    import sklearn_physrnn

    for name in sklearn_physrnn.__all__:
        assert getattr(sklearn_physrnn, name).__doc__
    assert {"DynPMNNRegressor", "DynPMNNClassifier"} <= set(sklearn_physrnn.__all__)
