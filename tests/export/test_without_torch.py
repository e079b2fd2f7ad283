"""The page on deployment, as it says: one process exports, another has no torch."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="to_onnx needs it")
pytest.importorskip("onnxruntime", reason="exported files are run by ONNX Runtime")

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "deployment.md"
WITHOUT = """
import sys
for name in ("torch", "sklearn", "sklearn_physrnn"):
    sys.modules[name] = None  # whoever imports it fails
"""


def test_files_are_run_where_there_is_no_torch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pieces = re.split(r"^```python\n", PAGE.read_text(), flags=re.M)
    before, elsewhere, names = pieces[0], [], {}
    for piece in pieces[1:]:
        code, after = piece.split("\n```\n", 1)
        if before.rstrip().endswith("On the other machine:"):
            elsewhere.append(code)
        else:
            exec(code, names)
        before = after
    table, stream = elsewhere
    said = [
        subprocess.run(
            [sys.executable, "-c", WITHOUT + code], check=True, capture_output=True, text=True
        ).stdout
        for code in (table, stream)
    ]
    assert names["model"].predict([[5.1, 3.5, 1.4, 0.2]])[0] in said[0]
    numbers = [float(x) for x in said[1].strip("[]\n").split()]
    expected = names["sensor"].predict(np.load("readings.npy"))
    np.testing.assert_allclose(numbers, expected, rtol=1e-4)
