"""The script that checks and measures a GPU runs."""

import csv
import importlib
from pathlib import Path

import pytest
import torch

from tests.helpers.backends import on_the_gpu

META = torch.device("meta")


def _script(monkeypatch):
    folder = Path(__file__).parents[1] / "performance"
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device to measure")
def test_without_a_gpu_nothing_is_measured(monkeypatch, capsys):
    assert _script(monkeypatch).main([]) == 1
    assert capsys.readouterr().out == "There is no CUDA device here: nothing was measured.\n"


def _dry_run(monkeypatch, capsys, path, device):
    script = _script(monkeypatch)
    assert script.main(["--device", device, "--quick", "--csv", str(path)]) == 0
    printed = capsys.readouterr().out
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(part in printed for part in script.PARTS)
    assert {row["part"] for row in rows} == {*script.PARTS}
    timed = [row for row in rows if row["ours, ms"]]
    assert len(timed) == 7 + 12 + 3 + 8
    assert all(float(row["ours, ms"]) > 0 and float(row["other, ms"]) > 0 for row in timed)
    both = [row for row in rows if row["launched one by one, ms"]]
    assert len(both) == 1 + 2 + 8
    assert all(float(row["launched one by one, ms"]) > 0 for row in both)
    (small,) = [row for row in rows if row["fit"]]
    times = float(small["CPU, ms"]) / float(small["GPU, ms"])
    assert float(small["times faster"]) == pytest.approx(times)
    checked = [row for row in rows if row["recurrence"]]
    assert len(checked) == 12
    for row in checked:
        assert row["backend"] == device
        largest = max(float(row["outputs"]), float(row["gradients"]))
        assert largest < (1e-4 if row["type"] == "float32" else 1e-5)


def test_the_script_runs(monkeypatch, capsys, tmp_path):
    _dry_run(monkeypatch, capsys, tmp_path / "gpu.csv", "cpu")


@on_the_gpu
def test_the_script_runs_on_a_gpu(monkeypatch, capsys, tmp_path):
    _dry_run(monkeypatch, capsys, tmp_path / "gpu.csv", "cuda")
