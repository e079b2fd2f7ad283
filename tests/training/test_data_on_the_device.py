"""Data lie on the device where they fit, and are copied batch by batch where not."""

import pytest
import torch

from sklearn_physrnn.training import _device, _engine
from sklearn_physrnn.training._data import BatchIterator
from sklearn_physrnn.training._prefetch import prefetched
from tests.helpers.backends import on_the_gpu

from ._kinds import CASES, CPU, _ragged, _trained, _windows

META = torch.device("meta")


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


@on_the_gpu
@pytest.mark.parametrize("case", CASES)
def test_streamed_to_a_gpu(case, monkeypatch):
    samples, *how = CASES[case]
    cuda = torch.device("cuda")
    resident, weights = _trained(samples(), *how, cuda)
    monkeypatch.setattr(_engine, "has_room", lambda *_: False)
    record, others = _trained(samples(), *how, cuda)
    assert record.loss_curve == resident.loss_curve
    assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))
