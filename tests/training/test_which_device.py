"""Which device training and prediction run on; what can be told of it without a GPU."""

import os

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from torch import nn

from sklearn_physrnn.training import _device, _engine
from sklearn_physrnn.training._data import Samples
from sklearn_physrnn.training._engine import train
from sklearn_physrnn.training._losses import SquaredError
from tests.families import ENTRIES, SKLEARN, each

from ._kinds import CPU, _options, _ragged, _Sum

META = torch.device("meta")


@pytest.fixture
def four_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


class _Worker:
    def __init__(self, *identity):
        self._identity = identity


@pytest.mark.parametrize(
    ("identity", "expected"),
    [((), "cuda"), ((1,), "cuda:0"), ((4,), "cuda:3"), ((5,), "cuda:0"), ((2, 3), "cuda:2")],
)
@pytest.mark.usefixtures("four_gpus")
def test_workers_take_the_gpus_in_turn(identity, expected, monkeypatch):
    monkeypatch.setattr("multiprocessing.current_process", lambda: _Worker(*identity))
    assert _device.training_device("auto") == torch.device(expected)
    assert _device.training_device("cuda:1") == torch.device("cuda:1")
    assert _device.training_device("cpu") == CPU


@pytest.mark.usefixtures("four_gpus")
def test_one_gpu_has_no_number(monkeypatch):
    monkeypatch.setattr("multiprocessing.current_process", lambda: _Worker(3))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert _device.training_device("auto") == torch.device("cuda")


def _device_in_a_worker(index):
    import time

    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 2
    torch.cuda._is_in_bad_fork = lambda: False
    time.sleep(0.3)  # so that the other worker takes the next
    return str(_device.training_device("auto"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_workers_of_multiprocessing_take_a_gpu_each():
    found = Parallel(n_jobs=2, backend="multiprocessing")(
        delayed(_device_in_a_worker)(i) for i in range(4)
    )
    assert sorted(set(found)) == ["cuda:0", "cuda:1"]


@pytest.mark.usefixtures("four_gpus")
def test_a_fork_that_cannot_use_cuda_has_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    assert _device.training_device("auto") == CPU
    assert _device.inference_device("cuda") == CPU
    with pytest.raises(ValueError, match="cuda"):
        _device.training_device("cuda")


def test_joblibs_own_workers_are_numbered_likewise():
    # Defined in here, so that the workers import nothing but this.
    def number(index):
        import multiprocessing
        import time

        time.sleep(0.3)
        return multiprocessing.current_process()._identity[-1]

    found = set(Parallel(n_jobs=2)(delayed(number)(i) for i in range(4)))
    assert len(found) == 2
    assert min(found) >= 1


@pytest.mark.usefixtures("four_gpus")
def test_small_predictions_stay_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    module = nn.Linear(10, 10, bias=False)  # 100 weights
    assert _device.inference_device("auto", module, 10**4) == CPU
    assert _device.inference_device("auto", module, 10**5) == torch.device("cuda")
    assert _device.inference_device("cuda:1", module, 1) == torch.device("cuda:1")
    assert _device.inference_device("auto") == torch.device("cuda")
    assert _device.inference_device("cuda:9", module, 10**9) == CPU
    # Where CUDA was not used yet, to start it has to pay too.
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert _device.inference_device("auto", module, 10**7) == CPU
    assert _device.inference_device("auto", module, 10**9) == torch.device("cuda")


def test_small_work_is_trained_on_the_cpu():
    # There is no such device: going there would raise.
    module = _Sum()
    options = _options(META, cpu_if_small=True)
    record = train(module, SquaredError(), _ragged(), options)
    assert len(record.loss_curve) == 3


def test_large_work_is_not(monkeypatch):
    monkeypatch.setattr(_device, "_WORTH_LAUNCHING", 1)
    with pytest.raises((NotImplementedError, RuntimeError)):
        train(_Sum(), SquaredError(), _ragged(), _options(META, cpu_if_small=True))


@pytest.mark.parametrize("work", [9_999_999, 10_000_000])
def test_predictions_that_a_gpu_is_worth(work):
    assert _device.worth_a_gpu(work) is (work >= 10_000_000)


@pytest.mark.parametrize(
    ("work", "n_steps", "even", "worth"),
    [
        (1e5, 3_999, True, False),  # two seconds of small steps
        (1e5, 4_000, True, True),
        (1e8, 199, True, False),
        (1e8, 200, True, True),
        (49e6, 10**6, False, False),
        (50e6, 1, False, True),
    ],
)
def test_trainings_that_a_gpu_is_worth(work, n_steps, even, worth):
    assert _device.worth_training_there(work, n_steps, even=even) is worth


def test_a_training_is_judged_by_its_batches_and_all_its_steps(monkeypatch):
    asked = []

    def worth(work, n_steps, *, even):
        asked.append((work, n_steps, even))
        return False

    monkeypatch.setattr(_engine, "worth_training_there", worth)
    module = nn.Linear(3, 1)
    train(
        module, SquaredError(), Samples({"x": torch.randn(70, 3)}, torch.randn(70, 1)),
        _options(META, cpu_if_small=True, batch_size=16, max_epochs=7),
    )  # fmt: skip
    assert asked == [(16 * 4, 7 * 5, True)]


@each(SKLEARN)
def test_apple_s_gpu_is_refused_in_words(kind, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ValueError, match=r"device='mps' is not supported: .* kernels .* 'cpu'"):
        ENTRIES[kind].fitted(device="mps")
    model = ENTRIES[kind].fitted()
    expected = model.predict(ENTRIES[kind].X)
    np.testing.assert_array_equal(
        model.set_params(device="mps").predict(ENTRIES[kind].X), expected
    )
