"""Every script of examples/reproduce runs, on made-up data."""

import csv
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "reproduce"
SCRIPTS = sorted(p.name for p in FOLDER.glob("*.py") if not p.name.startswith("_"))
# Which read what the others write.
for other in ("render.py", "pictures.py", "long_records_pictures.py"):
    SCRIPTS.remove(other)


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(FOLDER / name), run_name="__main__")

    return call


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # short fits
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", SCRIPTS)
def test_quick_run_writes_its_results(run, tmp_path, name):
    run(name, "--quick", "--out", str(tmp_path / "results.csv"))
    with open(tmp_path / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(row["quick"] == "True" and float(row["value"]) > -1e6 for row in rows)


def test_the_gradients_figure_is_drawn(run, tmp_path):
    run("rhel_gradients.py", "--quick", "--figure", str(tmp_path / "agreement.png"))
    assert (tmp_path / "agreement.png").read_bytes().startswith(b"\x89PNG")


def test_every_claim_of_the_page_has_its_picture(run, tmp_path):
    run("pictures.py", "--into", str(tmp_path))
    page = (FOLDER.parents[1] / "docs" / "reproduction.md").read_text()
    assert len(list(tmp_path.glob("*.png"))) > 10
    for picture in tmp_path.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert f"figures/{picture.name}" in page


def test_the_pictures_of_long_records_are_drawn_from_their_rows(run, tmp_path):
    run("long_records_pictures.py", "--into", str(tmp_path))
    pictures = list(tmp_path.glob("*.png"))
    assert len(pictures) == 5
    page = (FOLDER.parents[1] / "docs" / "guide" / "long_records.md").read_text()
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.name in page


@pytest.mark.parametrize("name", ["tabular.py", "uea.py"])
def test_missing_data_are_named(run, tmp_path, name):
    with pytest.raises(SystemExit, match=r"neither in .* nor in a folder in it"):
        run(name, "--data-home", str(tmp_path))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # short fits
@pytest.mark.parametrize(("arguments", "n_lengths"), [((), 2), (("--all",), 3)])
def test_what_was_not_learned_twice_is_not_tried_at_longer_lengths(
    run, tmp_path, arguments, n_lengths
):
    task = ("--lengths", "4", "5", "6", "--tasks", "copy", "--models", "PETNN")
    small = ("--samples", "16", "--epochs", "1", "--out", str(tmp_path / "results.csv"))
    run("long_memory.py", *task, *small, *arguments)
    with open(tmp_path / "results.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == n_lengths


@pytest.mark.parametrize(
    ("name", "frequency", "expected"),
    [
        ("ETTh1", "h", [8640, 11520, 14400]),  # 12, 4 and 4 months of 30 days
        ("ETTm1", "15min", [34560, 46080, 57600]),
        ("exchange_rate", "D", [42000, 48000, 60000]),  # 70, 10 and 20 %
    ],
)
def test_series_are_divided_as_published(run, name, frequency, expected):
    run("ett.py", "--quick", "--models", "ridge")
    ends_of = sys.modules["_series"].ends_of
    index = pd.date_range("2020-01-01", periods=60_000, freq=frequency)
    assert ends_of(name, pd.DataFrame(index=index)) == expected


def _row(claim, data, model, value, metric, seed=0, quick=False):
    return {
        "claim": claim, "data": data, "model": model, "seed": seed, "metric": metric,
        "value": value, "parameters": 7, "seconds": 1.5, "quick": quick, "device": "cpu",
        "torch": "2", "scikit_learn": "1", "machine": "m", "date": "2026-01-01",
    }  # fmt: skip


def test_the_tables_hold_means_goals_and_the_papers_numbers(run, tmp_path):
    rows = [
        _row("small tables", "iris", "DynPMNN", 0.9, "accuracy", 0),
        _row("small tables", "iris", "DynPMNN", 0.8, "accuracy", 0),  # repeated: this one counts
        _row("small tables", "iris", "DynPMNN", 0.6, "accuracy", 1),
        _row("small tables", "iris", "CfC", 0.1, "accuracy", quick=True),
        _row("small tables", "diabetes", "DynPMNN", 55.0, "RMSE"),
        _row("long horizons", "ETTh1, 96 ahead", "PETNN", 0.5, "MSE"),
        _row("long horizons", "ETTh1, 192 ahead", "PETNN", 0.3, "MSE"),
        _row("long horizons", "ETTh1, 96 ahead", "ridge", 0.4, "MSE"),
        _row("intervals", "ETTh1, 96 ahead", "PETNN", 0.9, "inside 80%"),
        _row("intervals", "ETTh1, 96 ahead", "PETNN", 0.55, "inside 50%"),
    ]
    with open(tmp_path / "results.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n")
    run("render.py", "results.csv", "--page", str(page))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "CfC" not in text
    red = '<span class="missed">{}</span>'
    short = red.format("0.7000 ± 0.1000")
    assert f"| iris | DynPMNN | accuracy | {short} | 0.95 | 0.688 | 2 | 7 | 1.5 |" in text
    assert "| diabetes | DynPMNN | RMSE | 55.00 | 56.0 | 65.8 | 1 | 7 | 1.5 |" in text
    assert f"| ETTh1, 96 ahead | MSE | {red.format('0.5000')} | 0.4000 | PETNN 0.373 |" in text
    assert "| ETTh1, 192 ahead | MSE | 0.3000 |  |  |" in text
    assert "| ETTh1, mean | MSE | 0.4000 |  | PETNN 0.427 |" in text
    wide = red.format("0.9000")
    assert f"| ETTh1, 96 ahead | inside 80% | {wide} | PETNN 0.75 to 0.85 |" in text
    assert "| ETTh1, 96 ahead | inside 50% | 0.5500 | PETNN 0.42 to 0.58 |" in text
