"""Problems for oscillators of all kinds, and what a backend makes of them."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import torch

from sklearn_physrnn.kernels.oscillators import (
    damped_oscillator,
    damped_oscillator_unit,
    nonlinear_oscillator,
    nonlinear_oscillator_unit,
    oscillator,
    oscillator_unit,
    undo_damped_oscillator_unit,
    undo_nonlinear_oscillator_unit,
    undo_oscillator_unit,
)

F64 = torch.float64
CASES = [(), ("dt",), ("lengths",), ("dt", "lengths")]


@dataclass(frozen=True)
class Kind:
    """A kind of oscillator: its functions, and how to draw what they take.

    `draw_parameters(n_modes, step)` gives the parameters, the last one of size `step`.
    """

    name: str
    oscillator: Callable
    oscillator_unit: Callable
    undo: Callable
    draw_parameters: Callable
    step: float
    has_bias: bool
    n_trajectories: int  # that back-propagation keeps

    def __str__(self):
        return self.name

    def positions(self, *inputs, **options):
        """Positions alone."""
        return self.oscillator(*inputs, **options)[0]

    def unit(self, *inputs, **options):
        """Outputs of the unit alone."""
        return self.oscillator_unit(*inputs, **options)[0]

    def problem(self, n_rows=3, n_steps=37, n_modes=5, dtype=F64, step=None):
        """Drive and parameters."""
        generator = torch.Generator().manual_seed(1)
        drive = torch.randn(n_rows, n_steps, n_modes, generator=generator, dtype=F64)
        return [drive.to(dtype), *self.draw_parameters(n_modes, step or self.step)]

    def unit_problem(self, n_rows=3, n_steps=37, n_modes=5, width=6):
        """Inputs, maps and parameters."""
        generator = torch.Generator().manual_seed(3)
        rand = lambda *shape: torch.randn(*shape, generator=generator, dtype=F64)  # noqa: E731
        bias = [rand(n_modes)] if self.has_bias else []
        maps = rand(n_modes, width), *bias, rand(width, n_modes), rand(width)
        parameters = self.draw_parameters(n_modes, self.step)
        return [rand(n_rows, n_steps, width), *maps, *parameters]

    def cpu(self):
        """Its engine on a CPU."""
        return import_module(f"sklearn_physrnn.kernels.oscillators.{self.name}.cpu")

    def cuda(self):
        """Its engine on a GPU, which needs Triton to be imported."""
        return import_module(f"sklearn_physrnn.kernels.oscillators.{self.name}.cuda")


def _linear(n_modes, step):
    generator = torch.Generator().manual_seed(0)
    rand = lambda: torch.rand(n_modes, generator=generator, dtype=F64)  # noqa: E731
    return [rand() + 0.05, step * (1 + 0.5 * rand())]


def _damped(n_modes, step):
    stiffness, step = _linear(n_modes, step)
    return [stiffness, torch.logspace(-3, -0.4, n_modes, dtype=F64), step]


def _nonlinear(n_modes, step):
    generator = torch.Generator().manual_seed(0)
    rand = lambda: torch.rand(n_modes, generator=generator, dtype=F64)  # noqa: E731
    return [0.5 + rand(), 0.2 + 0.5 * rand(), 0.1 + rand(), step * (0.5 + rand())]


LINEAR = Kind("linear", oscillator, oscillator_unit, undo_oscillator_unit, _linear, 0.5, False, 1)
DAMPED = Kind(
    "damped",
    damped_oscillator,
    damped_oscillator_unit,
    undo_damped_oscillator_unit,
    _damped,
    0.5,
    False,
    1,
)
NONLINEAR = Kind(
    "nonlinear",
    nonlinear_oscillator,
    nonlinear_oscillator_unit,
    undo_nonlinear_oscillator_unit,
    _nonlinear,
    0.4,
    True,
    2,
)
KINDS = [LINEAR, DAMPED, NONLINEAR]


def sequences(case, n_rows=3, n_steps=37):
    """Those of dt and lengths that `case` names."""
    generator = torch.Generator().manual_seed(7)
    dt = 0.2 + 0.8 * torch.rand(n_rows, n_steps, generator=generator, dtype=F64)
    lengths = torch.tensor([n_steps, n_steps // 2, 0, *[n_steps] * n_rows])[:n_rows]
    every = {"dt": dt, "lengths": lengths}
    return {name: every[name] for name in case}


def _weights(shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=F64)


def run(function, inputs, **options):
    """Result, and gradients of a fixed loss."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*inputs, **options)
    (y * _weights(y.shape).to(y)).sum().backward()
    return [y.detach(), *(x.grad for x in inputs)]


def run_on_gpu(function, inputs, **options):
    """The same on a GPU, where the device of the tensors chooses the backend."""
    moved = {k: v.cuda() if isinstance(v, torch.Tensor) else v for k, v in options.items()}
    return [x.cpu() for x in run(function, [x.cuda() for x in inputs], **moved)]


def assert_close(result, truth, tolerance, inputs=None):
    """Every entry is within `tolerance` of its truth, or of the largest one beside it.

    A gradient whose truth is zero but for rounding has no such size, and is measured by
    that of other gradients there may be, the loss's size over the input's, if `inputs`
    are given.
    """
    loss = float((truth[0] * _weights(truth[0].shape)).abs().sum())
    for i, (x, y) in enumerate(zip(result, truth, strict=True)):
        size = float(y.abs().max())
        if inputs is not None and i > 0:
            natural = loss / float(inputs[i - 1].abs().max())
            if size < torch.finfo(F64).eps * natural:
                size = natural
        torch.testing.assert_close(x.double(), y, rtol=tolerance, atol=tolerance * size)


def cosine_gap(x, y):
    x, y = x.double().flatten(), y.double().flatten()
    return 1 - float(x @ y / (x.norm() * y.norm()))


def with_gaps(gaps, n_rows=3, n_steps=13):
    """Steps of at most one unit, with a gap first, last and at every third between them."""
    generator = torch.Generator().manual_seed(7)
    dt = 0.2 + 0.8 * torch.rand(n_rows, n_steps, generator=generator, dtype=F64)
    at = torch.arange(0, n_steps, 3)
    for row in range(n_rows):
        dt[row, at] = gaps[(torch.arange(len(at)) + row) % len(gaps)]
    return dt


def drawn_state(n_rows, n_modes):
    """Momenta and positions."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, n_rows, n_modes, generator=generator, dtype=F64)
