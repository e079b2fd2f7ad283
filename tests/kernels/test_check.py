"""Checks of arguments, on the host and where looking at a value would wait for a GPU."""

import pytest
import torch

from sklearn_physrnn.kernels import _check

LENGTHS = torch.tensor([0, 3, 5])


class _OnAGpu:
    is_cuda = True


def test_values_on_a_gpu_are_looked_at_where_the_caller_waits_anyway():
    assert _check.looks_at(LENGTHS)
    assert not _check.looks_at(_OnAGpu())
    with torch.no_grad():
        assert not _check.looks_at(_OnAGpu())
    with torch.inference_mode():
        assert _check.looks_at(_OnAGpu())


@pytest.mark.parametrize("wrong", [torch.tensor([0, 3, 6]), torch.tensor([-1, 3, 5])])
def test_lengths_out_of_range(wrong, monkeypatch):
    with pytest.raises(ValueError, match=f"the number of steps, 5; got {wrong.min()} to"):
        _check.check_lengths(wrong, 3, 5)
    monkeypatch.setattr(_check, "looks_at", lambda x: False)
    with pytest.raises(RuntimeError):  # by torch's assertion, without a message of ours
        _check.check_lengths(wrong, 3, 5)


@pytest.mark.parametrize("looks", [True, False])
def test_lengths_in_range(looks, monkeypatch):
    monkeypatch.setattr(_check, "looks_at", lambda x: looks)
    _check.check_lengths(LENGTHS, 3, 5)
    _check.check_lengths(LENGTHS[:0], 0, 5)
    _check.check_lengths(None, 3, 5)


def test_an_error_is_made_only_where_it_is_raised(monkeypatch):
    def never():
        raise AssertionError

    _check.check_values(torch.tensor(True), never)
    monkeypatch.setattr(_check, "looks_at", lambda x: False)
    with pytest.raises(RuntimeError):
        _check.check_values(torch.tensor(False), never)


def test_what_harms_no_kernel_is_looked_at_later(monkeypatch):
    true, false = torch.tensor(True), torch.tensor(False)
    monkeypatch.setattr(_check, "looks_at", lambda x: False)
    reached = []

    def epoch():
        with _check.looking_later():
            with _check.looking_later():  # of validation, say
                _check.check_values(true, KeyError, may_wait=True)
            _check.check_values(true, KeyError, may_wait=True)
            _check.check_values(false, ZeroDivisionError, may_wait=True)
            _check.check_values(false, KeyError, may_wait=True)
            reached.append(True)

    with pytest.raises(ZeroDivisionError):
        epoch()
    assert reached
    with _check.looking_later(), pytest.raises(RuntimeError):
        _check.check_values(false, KeyError)
    with pytest.raises(RuntimeError):
        _check.check_values(false, KeyError, may_wait=True)


def test_another_error_comes_first(monkeypatch):
    monkeypatch.setattr(_check, "looks_at", lambda x: False)

    def epoch():
        with _check.looking_later():
            _check.check_values(torch.tensor(False), KeyError, may_wait=True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        epoch()


X = torch.zeros(2)


@pytest.mark.parametrize(
    ("tensors", "sound"),
    [
        ((X, X), True),
        ((X.double(), X.double()), True),
        ((X, X.double()), False),
        ((X.half(), X.half()), False),
        ((X, None), False),
        ((None, X), False),
        ((X, X.to("meta")), False),
        ((X.to("meta"), X), False),
        ((X, X.to_sparse()), False),
        ((X.to_sparse(),), False),
        ((X.long(),), False),
    ],
)
def test_evidently_sound(tensors, sound):
    assert _check.evidently_sound(*tensors) is sound


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_evidently_sound_on_a_gpu():
    x = X.cuda()
    assert _check.evidently_sound(x, x)
    assert not _check.evidently_sound(x, X)
    assert not _check.evidently_sound(X, x)
    if torch.cuda.device_count() > 1:
        assert not _check.evidently_sound(x, X.to("cuda:1"))
