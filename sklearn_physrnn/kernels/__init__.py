"""The time loops, one folder a recurrence.

Each folder holds the same recurrence several times: ``reference.py``, a few
readable lines of torch that run on any device and dtype and are the truth;
``cpu.py``, compiled with Numba, forward and hand-written backward; ``cuda.py``, the
same in Triton, for a GPU; and, in its ``__init__.py``, the seam to torch: one
differentiable function that dispatches by the device of its tensors.

The seam is a ``torch.autograd.Function`` rather than a
``torch.library.custom_op``: a forward and backward call costs 71 instead of 206
microseconds, which small data feel in every batch, and forward-mode derivatives,
which these kernels do not have, raise instead of returning zeros. The price is a
graph break under ``torch.compile``.

Nothing here is compiled, and neither Numba nor Triton imported, before a kernel first
runs.
"""
