"""The script that checks and measures a GPU runs."""

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


def _dry_run(monkeypatch, capsys, device):
    assert _script(monkeypatch).main(["--device", device, "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    timed = [row for row in rows if row[1:2] and row[1][:1].isdigit()]
    assert len(timed) == 14
    assert all(float(row[1]) > 0 and float(row[2]) > 0 for row in timed)
    checked = [row for row in rows if row[2] in ("float32", "float64")]
    assert len(checked) == 12
    for _, backend, dtype, *found in checked:
        assert backend == device
        assert max(map(float, found)) < (1e-4 if dtype == "float32" else 1e-5)


def test_the_script_runs(monkeypatch, capsys):
    _dry_run(monkeypatch, capsys, "cpu")


@on_the_gpu
def test_the_script_runs_on_a_gpu(monkeypatch, capsys):
    _dry_run(monkeypatch, capsys, "cuda")
