"""Which way a kernel is run in: by rule, by the clock, or as it was before."""

import json
from concurrent.futures import ThreadPoolExecutor
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


def test_a_model_names_its_ways_and_takes_them_up_again(monkeypatch):
    choose(size=(1,))
    with ways.Ways() as first:
        choose(size=(2,))
    choose(size=(3,))
    record = json.loads(json.dumps(first.to_dict()))
    ((name, way),) = record.items()
    assert "kernel 2" in name
    assert way == ["a", 1]
    monkeypatch.setenv("SKLEARN_PHYSRNN_TUNE", "1")
    timed = []
    with ways.Ways({name: list(LITTLE_FASTER)}) as second:
        assert choose(FAST, LITTLE_FASTER, size=(2,), timed=timed) == LITTLE_FASTER
        assert timed == []
        assert choose(LITTLE_FASTER, size=(5,)) == USUAL
    assert len(second.to_dict()) == 2
    assert choose(FAST, LITTLE_FASTER, size=(2,)) == FAST  # the next model is on its own


def test_a_way_that_the_kernel_does_not_know_is_not_run():
    with ways.Ways() as one:
        choose()
    (name,) = one.to_dict()
    for strange in (["b"], ["z", 10**9], ["b", 2, 3], []):
        with ways.Ways({name: strange}) as found:
            assert choose(FAST) == USUAL
        assert found.to_dict() == {name: ["a", 1]}


def test_back_propagation_takes_up_what_its_model_does():
    with ways.Ways() as one:
        choose()
    (name,) = one.to_dict()
    with ways.Ways({name: list(FAST)}), ThreadPoolExecutor(1) as pool:
        assert pool.submit(choose, FAST).result() == FAST


def test_models_in_threads_have_ways_of_their_own():
    with ways.Ways() as one:
        choose()
    (name,) = one.to_dict()

    def fit(known, size):
        with ways.Ways(known) as own:
            chosen = choose(FAST)
            choose(size=(size,))
            return chosen, own.to_dict()

    with ways.Ways({name: list(FAST)}), ThreadPoolExecutor(1) as pool:
        chosen, named = pool.submit(fit, {}, 7).result()
        assert chosen == USUAL
        assert named == {name: ["a", 1], name.replace("3", "7"): ["a", 1]}


@pytest.mark.parametrize(
    "ways_of_a_file", [[], {"a": 3}, {"a": [None]}, {"a": [[1]]}, {"a": [1] * 1000}]
)
def test_what_no_model_named_is_refused(ways_of_a_file):
    with pytest.raises(ValueError, match="ways of kernels"):
        ways.checked(ways_of_a_file)
