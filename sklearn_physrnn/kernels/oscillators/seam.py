"""From a caller's tensors to the code that serves them, for any kind of oscillator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn.functional import linear

from .._dispatch import choose_backend
from .checks import check_gradient, check_parameters, check_sequence, check_unit
from .engine import Engine, Reference
from .nudge import check_epsilon
from .scan import ReferenceEcho, Scan
from .unit import Unit

Tensors = dict[str, torch.Tensor]


class Options(NamedTuple):
    """What every function of oscillators takes besides tensors with gradients."""

    dt: torch.Tensor | None
    lengths: torch.Tensor | None
    gradient: str
    epsilon: float | str
    backend: str | None


@dataclass(frozen=True)
class Oscillators:
    """One kind of oscillator.

    Parameters
    ----------
    reference : Reference
    engine : callable
        Compiled code for a backend, "cpu" or "cuda", imported only when it is first needed.
    """

    reference: Reference
    engine: Callable[[str], Engine]

    def positions(
        self, drive: torch.Tensor, parameters: Tensors, options: Options
    ) -> torch.Tensor:
        """Positions (B, T, P) under `drive` (B, T, P), which this checks."""
        check_gradient(options.gradient)
        check_sequence("drive", drive, options.dt, options.lengths)
        check_parameters(drive, parameters)
        check_epsilon(options.epsilon)
        (wide,) = _widened(drive)
        backend = choose_backend(wide, options.backend)
        if backend == "reference":
            return self._plain(wide, parameters, options).to(drive.dtype)
        y = Scan.apply(
            self.engine(backend), _wanted(options.gradient), options.epsilon, wide, options.dt,
            options.lengths, *parameters.values(),
        )  # fmt: skip
        return y.to(drive.dtype)

    def outputs(
        self, u: torch.Tensor, maps: Tensors, parameters: Tensors, options: Options, checked: bool
    ) -> torch.Tensor:
        """Readout (B, T, H) of oscillators driven through `maps` by `u` (B, T, H).

        `maps` are b_matrix, c_matrix, skip and, if there is one, bias. `checked`: the caller
        has called :func:`.checks.check_sequence` for u, dt and lengths.
        """
        check_gradient(options.gradient)
        if not checked:
            check_sequence("u", u, options.dt, options.lengths)
        check_unit(u, maps, parameters)
        check_epsilon(options.epsilon)
        wide, *values = _widened(u, *maps.values())
        maps = dict(zip(maps, values, strict=True))
        b_matrix, bias = maps["b_matrix"], maps.get("bias")
        c_matrix, skip = maps["c_matrix"], maps["skip"]
        backend = choose_backend(wide, options.backend)
        if backend == "reference":
            y = self._plain(linear(wide, b_matrix, bias), parameters, options)
            return torch.addcmul(y @ c_matrix.T, wide, skip).to(u.dtype)
        o = Unit.apply(
            self.engine(backend), _wanted(options.gradient), options.epsilon, wide, b_matrix,
            bias, c_matrix, skip, options.dt, options.lengths, *parameters.values(),
        )  # fmt: skip
        return o.to(u.dtype)

    def _plain(self, drive: torch.Tensor, parameters: Tensors, options: Options) -> torch.Tensor:
        values = [x.to(drive.dtype) for x in parameters.values()]
        dt, lengths = options.dt, options.lengths
        if options.gradient == "rhel":
            y = ReferenceEcho.apply(self.reference, options.epsilon, drive, dt, lengths, *values)
        else:
            y = self.reference.oscillator(drive, values, dt, lengths)[0]
        return y.to(drive.dtype)  # dt may be wider


def _wanted(gradient: str) -> str | None:
    """`gradient`, or None where autograd is off and nothing need be kept for it.

    Inside a function's forward it is too late to ask.
    """
    return gradient if torch.is_grad_enabled() else None


def _widened(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The first tensor in float32 at least, the others in its dtype.

    Rounding errors grow with time; half precision would not last a hundred steps.
    """
    dtype = torch.promote_types(tensors[0].dtype, torch.float32)
    return tuple(x.to(dtype) for x in tensors)
