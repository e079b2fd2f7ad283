"""Where the kernels' tests run: on the CPU, interpreted by Triton, and on a GPU."""

from typing import NamedTuple

import pytest
import torch

from sklearn_physrnn.kernels._dispatch import has_triton, interpreted

HAS_GPU = torch.cuda.is_available()

needs_interpreter = pytest.mark.skipif(
    not (has_triton() and interpreted()),
    reason="needs Triton's interpreter; a GPU has tests of its own",
)
needs_gpu = pytest.mark.skipif(not HAS_GPU, reason="needs a CUDA device")
needs_triton = pytest.mark.skipif(
    not (has_triton() and (HAS_GPU or interpreted())),
    reason="needs Triton, and a CUDA device or TRITON_INTERPRET=1",
)


def on_the_gpu(function):
    """Mark a test that only a GPU can run."""
    return pytest.mark.gpu(needs_gpu(function))


class Place(NamedTuple):
    """A backend, and the device whose tensors it takes."""

    name: str
    backend: str
    device: str = "cpu"

    @property
    def options(self):
        return {"backend": self.backend, "device": self.device}


REFERENCE = pytest.param(Place("reference", "reference"), id="reference")
CPU = pytest.param(Place("cpu", "cpu"), id="cpu")
INTERPRETER = pytest.param(Place("interpreted", "cuda"), id="interpreted", marks=needs_interpreter)
# The same small problems on a GPU, where there is one, and interpreted elsewhere.
CUDA = pytest.param(
    Place("cuda", "cuda", "cuda" if HAS_GPU else "cpu"), id="cuda", marks=needs_triton
)
