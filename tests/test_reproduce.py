"""Every script of examples/reproduce runs, on made-up data."""

import csv
import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "reproduce"
SCRIPTS = sorted(p.name for p in FOLDER.glob("*.py") if not p.name.startswith("_"))
SCRIPTS.remove("render.py")


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(FOLDER / name), run_name="__main__")

    return call


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # short fits
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", SCRIPTS)
def test_quick_run_writes_its_results(run, tmp_path, name):
    run(name, "--quick", "--out", str(tmp_path / "results.csv"))
    with open(tmp_path / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(row["quick"] == "True" and float(row["value"]) > -1e6 for row in rows)


@pytest.mark.parametrize("name", ["tabular.py", "uea.py"])
def test_missing_data_are_named(run, tmp_path, name):
    with pytest.raises(SystemExit, match=r"neither in .* nor in a folder in it"):
        run(name, "--data-home", str(tmp_path))
