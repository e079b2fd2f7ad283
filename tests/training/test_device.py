"""Where training runs and where its data live; what can be told of it without a GPU."""

import importlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from torch import nn

import sklearn_physrnn
from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)
from sklearn_physrnn.estimators import _base
from sklearn_physrnn.training import _device, _engine
from sklearn_physrnn.training._data import BatchIterator, Samples
from sklearn_physrnn.training._engine import TrainingOptions, train
from sklearn_physrnn.training._losses import PerWindow, SquaredError
from sklearn_physrnn.training._prefetch import prefetched
from sklearn_physrnn.training._windows import Windows

CPU, META = torch.device("cpu"), torch.device("meta")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class _Sum(nn.Module):
    """A linear map of the sum over a sequence's own steps."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(2, 1)

    def forward(self, x, *, lengths):
        return self.map(lengths.in_order([group.sum(1) for group in lengths.spread(x)]))


class _Window(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(5, 2)

    def forward(self, x, *, features):
        return self.map(x.transpose(1, 2)).transpose(1, 2).unsqueeze(-1) + features.mean()


def _ragged():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 10, (23,), generator=generator)
    x = torch.randn(int(lengths.sum()), 2, generator=generator)
    y = torch.randn(23, 1, generator=generator)
    weights = torch.rand(23, generator=generator)
    return Samples({"x": x, "lengths": lengths}, y, weights / weights.mean())


def _windows():
    generator = torch.Generator().manual_seed(0)
    values, features = (torch.randn(60, n, generator=generator) for n in (3, 2))
    return Windows(values, torch.arange(50), 5, 2, features)


def _options(device=CPU, **changes):
    options = {"max_epochs": 3, "batch_size": 4, "learning_rate": 0.01, "seed": 0}
    return TrainingOptions(**options | changes, device=device)


def _trained(samples, module, criterion, device=CPU):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = module()
    record = train(module, criterion, samples, _options(device), validation=samples)
    return record, [*module.parameters()]


CASES = {
    "samples": (_ragged, _Sum, SquaredError()),
    "windows": (_windows, _Window, PerWindow(SquaredError())),
}


# -- data on the device, or copied batch by batch ------------------------------------


@pytest.mark.parametrize(("free", "fits"), [(2000, True), (1999, False), (None, True)])
def test_data_take_half_of_the_free_memory_at_most(free, fits, monkeypatch):
    monkeypatch.setattr(_device, "_free_memory", lambda device: free)
    assert _device.has_room(CPU, 1000) is fits


def test_all_tensors_count():
    samples, windows = _ragged(), _windows()
    n_steps = int(samples.inputs["lengths"].sum())
    assert samples.nbytes == n_steps * 2 * 4 + 23 * (8 + 4 + 4)
    assert windows.nbytes == 60 * 5 * 4 + 50 * 8


def test_memory_that_an_earlier_fit_left_with_torch_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (600, 10_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 100)
    cuda = torch.device("cuda")
    assert _device.has_room(cuda, 500)
    assert not _device.has_room(cuda, 501)


def test_the_hosts_memory_is_never_asked_for():
    assert _device.has_room(CPU, 10**18)


@pytest.mark.parametrize("case", CASES)
def test_streamed_data_teach_the_same_bits(case, monkeypatch):
    samples, *how = CASES[case]
    resident, weights = _trained(samples(), *how)
    asked, streamed = [], []

    def no_room(device, nbytes):
        asked.append(nbytes)
        return False

    def watched(batches, device):
        streamed.append(device)
        return prefetched(batches, device)

    monkeypatch.setattr(_engine, "has_room", no_room)
    monkeypatch.setattr("sklearn_physrnn.training._data.prefetched", watched)
    record, others = _trained(samples(), *how)
    assert asked == [2 * samples().nbytes]  # the validation data, too
    assert streamed == [CPU] * 6  # three epochs, trained and validated
    assert record.loss_curve == resident.loss_curve
    assert record.validation_loss_curve == resident.validation_loss_curve
    assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))


def test_series_are_taken_by_their_lengths_on_another_device():
    # Those there cannot be looked at: on the meta device there are none.
    def shapes(samples):
        iterator = BatchIterator(samples, 5, torch.Generator().manual_seed(3))
        return [tuple(inputs["x"].shape) for inputs, _ in iterator]

    samples = _ragged()
    expected = shapes(samples)
    assert len({n_steps for n_steps, _ in expected}) > 1
    there = samples.to(META)
    assert there.device == META
    assert shapes(there) == expected


# -- which device ----------------------------------------------------------------------


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
    monkeypatch.setattr(_device, "_WORTH_A_GPU", 1)
    with pytest.raises((NotImplementedError, RuntimeError)):
        train(_Sum(), SquaredError(), _ragged(), _options(META, cpu_if_small=True))


@pytest.mark.parametrize("work", [9_999_999, 10_000_000])
def test_what_a_gpu_is_worth(work):
    assert _device.worth_a_gpu(work) is (work >= 10_000_000)


# -- mixed precision --------------------------------------------------------------------


def test_mixed_precision_is_the_modules_alone():
    module, seen = _Sum(), []

    class Criterion(nn.Module):
        def forward(self, prediction, target):
            kind = "trained" if self.training else "validated"
            seen.append((kind, prediction.dtype, torch.is_autocast_enabled("cpu")))
            return SquaredError()(prediction, target)

    module.map.register_forward_hook(lambda m, x, y: seen.append(("module", y.dtype, None)))
    options = _options(amp_dtype=torch.bfloat16, max_epochs=1)
    train(module, Criterion(), _ragged(), options, validation=_ragged())
    assert set(seen) == {
        ("module", torch.bfloat16, None),
        ("trained", torch.float32, False),
        ("validated", torch.float32, False),
    }


# -- the same model on any device ---------------------------------------------------------


def _table(rng):
    X = rng.normal(size=(200, 4))
    return X, X[:, 0] * X[:, 1] + X[:, 2]


def _sequences(rng):
    X = rng.normal(size=(60, 30, 2))
    return [x[: 15 + i % 16] for i, x in enumerate(X)], X[:, :15, 0].mean(1)


# Without dropout, whose masks each device draws from a generator of its own.
OPTIONS = {"max_iter": 4, "batch_size": 32, "random_state": 0}
HSSM = {**OPTIONS, "hidden_size": 8, "state_size": 8, "dropout": 0.0}
ESTIMATORS = [
    DynPMNNRegressor(**OPTIONS),
    DynPMNNClassifier(**OPTIONS),
    DynPMNNRegressor(**OPTIONS, dynamics="van_der_pol"),
    PETNNRegressor(**OPTIONS, hidden_size=32),
    PETNNClassifier(**OPTIONS, hidden_size=16, num_layers=2),
    HSSMRegressor(**HSSM, fitter="rhel"),
    HSSMRegressor(**HSSM, fitter="bptt"),
    HSSMClassifier(**HSSM, fitter="rhel", dynamics="nonlinear"),
    HSSMClassifier(**HSSM, fitter="bptt", dynamics="nonlinear"),
]


def _data(model, rng):
    X, y = (_table if "DynPMNN" in type(model).__name__ else _sequences)(rng)
    return X, (y > np.median(y)).astype(int) if hasattr(model, "predict_proba") else y


def _predict(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


class _BuiltError(Exception):
    pass


@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_initial_weights_are_drawn_on_the_cpu(model, rng, monkeypatch):
    X, y = _data(model, rng)
    modules = []

    def stop(module, *args, **kwargs):
        modules.append(module)
        raise _BuiltError

    monkeypatch.setattr(_engine, "train", stop)
    for device in (CPU, META):
        monkeypatch.setattr(_base, "training_device", lambda name, it=device: it)
        with pytest.raises(_BuiltError):
            model.fit(X, y)
    first, second = ([*m.parameters(), *m.buffers()] for m in modules)
    assert {x.device for x in first + second} == {CPU}
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# In float64 nothing but the order of sums differs, and four epochs magnify it little. In
# float32 every step rounds at 6e-8 and Adam divides small gradients by their own size:
# some hundred steps carry that to a few thousandths of a standard deviation. bfloat16
# rounds at 4e-3.
TOLERANCE = {"float64": 1e-6, "float32": 2e-2, "bfloat16": 0.2}


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_cpu_and_gpu_agree(model, dtype, rng):
    X, y = _data(model, rng)
    model.set_params(dtype=dtype)
    on_cpu = _predict(model.set_params(device="cpu").fit(X, y), X)
    on_gpu = _predict(model.set_params(device="cuda").fit(X, y), X)
    assert np.abs(on_gpu - on_cpu).max() < TOLERANCE[dtype] * on_cpu.std()
    again = _predict(model.fit(X, y), X)
    assert np.array_equal(again, on_gpu)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_a_fitted_model_moves(model, rng, tmp_path):
    X, y = _data(model, rng)
    model.set_params(dtype="float32", device="cuda").fit(X, y)
    expected = _predict(model, X)
    scale = np.abs(expected).max()
    model.save(tmp_path / "model")
    for other in (
        model.set_params(device="cpu"),
        pickle.loads(pickle.dumps(model)),
        sklearn_physrnn.load(tmp_path / "model"),
    ):
        # Weights are float32, predictions float64.
        np.testing.assert_allclose(_predict(other, X), expected, rtol=0, atol=1e-9 * scale)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("case", CASES)
def test_streamed_to_a_gpu(case, monkeypatch):
    samples, *how = CASES[case]
    cuda = torch.device("cuda")
    resident, weights = _trained(samples(), *how, cuda)
    monkeypatch.setattr(_engine, "has_room", lambda *_: False)
    record, others = _trained(samples(), *how, cuda)
    assert record.loss_curve == resident.loss_curve
    assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_no_step_waits_for_the_gpu(model, streamed, rng, monkeypatch):
    from sklearn_physrnn.training._net import Net

    if streamed:
        monkeypatch.setattr(_engine, "has_room", lambda *_: False)
    X, y = _data(model, rng)
    checked = []

    def strictly(method):
        def step(net, batch, *args, **kwargs):
            if len(net.history) < 2:  # compiles
                return method(net, batch, *args, **kwargs)
            checked.append(len(net.history))
            before = torch.cuda.get_sync_debug_mode()
            torch.cuda.set_sync_debug_mode("error")
            try:
                return method(net, batch, *args, **kwargs)
            finally:
                torch.cuda.set_sync_debug_mode(before)

        return step

    for name in ("train_step", "validation_step"):
        monkeypatch.setattr(Net, name, strictly(getattr(Net, name)))
    model.set_params(device="cuda", dtype="float32").fit(X, y, X_val=X, y_val=y)
    assert max(checked) == 4


# -- the script that measures all this -----------------------------------------------------


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


@pytest.mark.gpu
@needs_gpu
def test_the_script_runs_on_a_gpu(monkeypatch, capsys):
    _dry_run(monkeypatch, capsys, "cuda")
