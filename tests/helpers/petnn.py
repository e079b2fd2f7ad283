"""Problems for the energy-transition recurrence, and what a backend makes of them."""

import itertools

import numpy as np
import torch

from sklearn_physrnn.kernels.petnn import petnn

F64 = torch.float64
NAMES = ["output", "S", "C", "T", "dx", "dW", "dU", "db", "dS", "dC", "dT"]

# release, increment, time_decay, ground_state
VARIANTS = list(
    itertools.product(
        ("hard", "surrogate", "soft"), ("linear", "tanh"), (False, True), (False, True)
    )
)


def problem(shape, switches, *, dt=False, lengths=False, seed=0, dtype=F64):
    """x, weights, bias and state of (batch, time, input, hidden), and the options."""
    B, T, I, H = shape
    generator = torch.Generator().manual_seed(seed)
    randn = lambda *size: torch.randn(size, generator=generator, dtype=F64)  # noqa: E731
    inputs = [
        randn(B, T, I), randn(switches.n_blocks * H, I) / I**0.5, randn(4 * H, H) / H**0.5,
        randn(switches.n_blocks * H), randn(B, H) / 2, randn(B, H).abs(), randn(B, H).abs(),
    ]  # fmt: skip
    passed, ends = randn(B, T).abs(), torch.randint(0, T + 1, (B,), generator=generator)
    options = {"dt": passed.to(dtype) if dt else None, "lengths": ends if lengths else None}
    return [x.to(dtype) for x in inputs], {**options, "switches": switches}


def run(inputs, *, use_final=("S", "C", "T"), device="cpu", **options):
    """Outputs, and gradients of a fixed loss, on the CPU; a missing gradient is zero."""
    inputs = [x.to(device, copy=True).requires_grad_() for x in inputs]
    options = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in options.items()}
    output, final = petnn(*inputs[:4], tuple(inputs[4:]), **options)
    used = [output, *(x for x, name in zip(final, "SCT", strict=True) if name in use_final)]
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(x.shape, generator=generator, dtype=F64).to(x) for x in used]
    loss = sum((x * w).sum() for x, w in zip(used, weights, strict=True))
    grads = torch.autograd.grad(loss, inputs, allow_unused=True)
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, grads, strict=True)]
    results = (x.detach().cpu() for x in (output, *final, *grads))
    return dict(zip(NAMES, results, strict=True))


def apply(inputs, place, **options):
    """Output and final state, with the graph that leads there."""
    arguments = [x.to(place.device) for x in inputs]
    return petnn(*arguments[:4], tuple(arguments[4:]), backend=place.backend, **options)


def error(actual, expected):
    """Largest difference in each result, beside one and the largest entry there."""
    errors = {}
    for name in actual:
        x, y = actual[name].double(), expected[name].double()
        assert x.shape == y.shape, name
        errors[name] = float((x - y).abs().max() / (1 + y.abs().max())) if y.numel() else 0.0
    return errors


def assert_close(actual, expected, tolerance):
    for name in actual:
        x, y = actual[name].double(), expected[name].double()
        assert x.shape == y.shape, name
        scale = 1 + y.abs().max() if y.numel() else 1
        np.testing.assert_allclose(x / scale, y / scale, rtol=0, atol=tolerance, err_msg=name)
