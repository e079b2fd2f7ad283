"""Which implementation is chosen, where it cannot be seen without a GPU."""

import warnings

import pytest
import torch

from sklearn_physrnn.kernels import _dispatch

needs_triton = pytest.mark.skipif(not _dispatch.has_triton(), reason="needs Triton")


class _OnAGpu:
    device, dtype = torch.device("cuda"), torch.float32


@pytest.fixture
def driver(monkeypatch):
    """Replace what Triton finds of the machine."""
    from triton.runtime import driver

    _dispatch.triton_works.cache_clear()
    yield lambda found: monkeypatch.setattr(driver, "_active", found)
    _dispatch.triton_works.cache_clear()


class _NoCompiler:
    def get_current_target(self):
        raise RuntimeError("Failed to find C compiler.")


class _Card:
    def get_current_target(self):
        return "cuda"


@needs_triton
def test_triton_that_finds_no_compiler_gives_way(driver):
    driver(_NoCompiler())
    with pytest.warns(RuntimeWarning, match="step by step, slowly: Failed to find C compiler"):
        assert _dispatch.choose_backend(_OnAGpu, None) == "reference"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert _dispatch.choose_backend(_OnAGpu, None) == "reference"
    assert _dispatch.choose_backend(_OnAGpu, "cuda") == "cuda"  # asked for by name


@needs_triton
def test_triton_that_works_is_taken(driver):
    driver(_Card())
    assert _dispatch.choose_backend(_OnAGpu, None) == "cuda"
