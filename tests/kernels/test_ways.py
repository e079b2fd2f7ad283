"""Which way a kernel is run in: by rule, by the clock, or as it was before."""

import json
from typing import NamedTuple

import pytest
import torch

from sklearn_physrnn.kernels import _ways as ways

CPU = torch.device("cpu")


class Way(NamedTuple):
    name: str
    rows: int


USUAL, FAST, LITTLE_FASTER, IMPOSSIBLE = Way("a", 1), Way("b", 2), Way("c", 4), Way("d", 8)
SECONDS = {USUAL: 1.0, FAST: 0.5, LITTLE_FASTER: 0.95}


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    monkeypatch.setenv("SKLEARN_PHYSRNN_CACHE", str(tmp_path))
    monkeypatch.delenv("SKLEARN_PHYSRNN_TUNE", raising=False)
    ways.forget()
    yield
    ways.forget()


def choose(*others, size=(3,), timed=None):
    def seconds(way):
        if timed is not None:
            timed.append(way)
        return SECONDS[way]

    return ways.choose("kernel", size, CPU, USUAL, lambda: others, seconds)


def test_the_rule_holds_unless_the_clock_is_asked():
    timed = []
    assert choose(FAST, timed=timed) == USUAL
    assert timed == []


def test_the_clock_decides_once_for_a_size_and_card(monkeypatch, tmp_path):
    monkeypatch.setenv("SKLEARN_PHYSRNN_TUNE", "1")
    timed = []
    assert choose(FAST, timed=timed) == FAST
    assert choose(FAST, timed=timed) == FAST
    ways.forget()  # as in another process
    assert choose(FAST, timed=timed) == FAST
    assert timed == [USUAL, FAST]
    assert choose(FAST, size=(4,), timed=timed) == FAST
    assert len(timed) == 4
    (file,) = tmp_path.iterdir()
    assert sorted(json.loads(file.read_text()).values()) == [["b", 2], ["b", 2]]


def test_noise_does_not_choose_and_what_cannot_run_is_passed_over(monkeypatch):
    monkeypatch.setenv("SKLEARN_PHYSRNN_TUNE", "1")
    assert choose(IMPOSSIBLE, LITTLE_FASTER) == USUAL


def test_a_broken_file_and_a_folder_that_cannot_be_made_do_no_harm(monkeypatch, tmp_path):
    monkeypatch.setenv("SKLEARN_PHYSRNN_TUNE", "1")
    choose(FAST)
    (file,) = tmp_path.iterdir()
    file.write_text("{")
    ways.forget()
    assert choose(FAST) == FAST
    ways.forget()
    monkeypatch.setenv("SKLEARN_PHYSRNN_CACHE", str(file / "below"))
    assert choose(FAST) == FAST


def test_what_was_used_can_be_kept_and_prescribed(monkeypatch):
    before = ways.now()
    choose(size=(1,))
    middle = ways.now()
    choose(size=(2,))
    assert len(ways.used(before)) == 2
    record = json.loads(json.dumps(ways.used(middle)))
    ((name, way),) = record.items()
    assert "kernel 2" in name
    assert way == ["a", 1]
    ways.prescribe({name: list(FAST)})
    monkeypatch.setenv("SKLEARN_PHYSRNN_TUNE", "1")
    timed = []
    assert choose(LITTLE_FASTER, size=(2,), timed=timed) == FAST
    assert timed == []
    assert choose(LITTLE_FASTER, size=(5,)) == USUAL
