"""What the displays of HSSM compute: free runs, echoes, energies and frequencies."""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from ..estimators._hssm import HSSMClassifier, HSSMRegressor
from ..kernels.oscillators.borders import borders_of
from ..kernels.oscillators.engine import Reference
from ..kernels.oscillators.reference import leapfrog
from ..kernels.oscillators.scan import as_arrays
from ..kernels.oscillators.steps import as_steps, elapsed
from ..nn._hru import HRU
from ..nn.hssm import HSSM
from ..preparation.sequences import SequenceInputs
from ..preparation.series import Series
from ._models import check_family, checked, exact_copy, exact_inputs, prepared, time_channel

Array = torch.Tensor

_FINER = 4  # grid of frequencies than that of the series' own length


def network(estimator) -> HSSM:
    """Copy the fitted network in float64.

    Raises
    ------
    TypeError, NotFittedError
        If `estimator` is no fitted HSSM.
    """
    check_family(estimator, (HSSMClassifier, HSSMRegressor), "an HSSMClassifier or HSSMRegressor")
    return cast(HSSM, exact_copy(estimator))


@dataclass(frozen=True)
class Oscillators:
    """A block's oscillators and what drives them along one sequence.

    Attributes
    ----------
    kind : Reference
        Their force and their potential.
    parameters : tuple of Tensor
        As `kind` takes them, and the step size last.
    drive : Tensor of shape (n_timesteps, n_oscillators)
        Bu, or Bu + b for nonlinear ones. Complex modes are two oscillators, the real
        parts of all before the imaginary ones.
    dt : Tensor of shape (n_timesteps,)
        Time that passes at each step, in units of the step size.
    quiet : Tensor of shape (n_oscillators,)
        The drive without input.
    patches : int64 Tensor or None
        Of each time step, the number of the patch it is in, where a step of the oscillators
        is of several: `drive` and `dt` are of patches then.
    """

    kind: Reference
    parameters: tuple[Array, ...]
    drive: Array
    dt: Array
    quiet: Array
    patches: Array | None = None

    def _of_steps(self, states: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        momenta, positions = (torch.stack(part) for part in zip(*states, strict=True))
        if self.patches is None:
            return momenta, positions
        return momenta[self.patches], positions[self.patches]

    def energy(self, momenta: Array, positions: Array) -> Array:
        """The Hamiltonian without input, which is what is stored, above that at rest."""
        *shape, _ = self.parameters
        rest = self.kind.potential(torch.zeros_like(self.quiet), self.quiet, *shape)[0]
        return momenta**2 / 2 + self.kind.potential(positions, self.quiet, *shape)[0] - rest

    @property
    def _undoing(self) -> "Oscillators":
        """Those that gain what these lose."""
        if self.kind.left is None:
            return self
        *shape, decay, step = self.parameters
        return replace(self, parameters=(*shape, -decay, step))

    def _borders(self) -> Array:
        """Before which steps an echo begins anew, as in training on a CPU."""
        if self.kind.left is None:
            return torch.zeros(len(self.drive), dtype=torch.bool)
        steps, counts = as_arrays(
            self.drive[None], as_steps(self.dt[None], self.kind.LONGEST), None
        )
        return borders_of(self.drive[None], self.parameters[-2], steps, counts, 0).slots >= 0

    def _step(self, z: Array, y: Array, t: int) -> tuple[Array, Array]:
        drive, size = self.drive[None, t, None], self.dt[None, None, t, None].clamp(max=1)
        _, z, y = leapfrog(self.kind, drive, self.parameters, size, None, (z[None], y[None]))
        return z[0], y[0]

    def _gap(self, z: Array, y: Array, t: int) -> tuple[Array, Array]:
        if self.dt[t] <= 1:
            return z, y
        return self.kind.gap(z, y, self.dt[t] - 1, *self.parameters)

    def run(self) -> tuple[Array, Array]:
        """Momenta and positions (n_timesteps, n_oscillators) after each step from rest."""
        z = y = torch.zeros_like(self.quiet)
        states = []
        for t in range(len(self.drive)):
            z, y = self._step(*self._gap(z, y, t), t)
            states.append((z, y))
        return self._of_steps(states)

    def echo(self, momenta: Array, positions: Array) -> tuple[Array, Array]:
        """The same states from the last, with the momentum turned round.

        Where motions decay they gain on the way back what they lost, and begin anew, from a
        state of the run, where training does.
        """
        z, y = -momenta[-1], positions[-1]
        undoing, borders, states = self._undoing, self._borders(), []
        for t in range(len(self.drive) - 1, -1, -1):
            states.append((-z, y))
            z, y = undoing._gap(*undoing._step(z, y, t), t)
            if borders[t] and t > 0:
                last = t - 1 if self.patches is None else int((self.patches < t).sum()) - 1
                z, y = -momenta[last], positions[last]
        return self._of_steps(states[::-1])


@torch.no_grad()
def oscillators(
    module: HSSM, inputs: dict[str, Array], block: int, dtype: torch.dtype = torch.float64
) -> Oscillators:
    """Take a block's oscillators, driven as in the network by one sequence, in `dtype`.

    Of a block that is used several times, as in its first use.
    """
    x, dt = module.encoded(inputs["x"], inputs.get("dt"))
    blocks = cast(Any, module.blocks)
    for below in blocks[:block]:
        x, _ = below(x, dt=dt)
    unit: HRU = blocks[block].hru
    u = blocks[block].norm(x)[0]
    drive, parameters = unit.driven(u)
    quiet, _ = unit.driven(torch.zeros_like(u[0]))
    return Oscillators(
        unit.kind,
        tuple(value.to(dtype) for value in parameters),
        drive.to(dtype),
        torch.ones(len(u), dtype=dtype) if dt is None else elapsed(dt)[0].to(dtype),
        quiet.to(dtype),
        _patches(module, inputs["x"].shape[1], len(u)),
    )


def _patches(module: HSSM, n_steps: int, n_patches: int) -> Array | None:
    if module.patch_size == 1:
        return None
    # What is left over and not looked at counts with what was.
    return (torch.arange(n_steps) // module.patch_size).clamp(max=n_patches - 1)


def _cycles(curvature: Array, step: Array) -> np.ndarray:
    """Cycles a leapfrog step: it turns phase space by arccos(1 - d^2 V'' / 2)."""
    return (torch.arccos(1 - step**2 * curvature / 2) / (2 * torch.pi)).numpy()


@torch.no_grad()
def mode_frequencies(estimator, *, sampling_rate: float | None = None) -> pd.DataFrame:
    r"""Frequencies at which the oscillators of a fitted HSSM swing when left alone.

    A leapfrog step of size d turns an oscillator of stiffness a by
    :math:`\arccos(1 - d^2 a / 2)`. A nonlinear one swings the faster the less it swings:
    about rest with :math:`a = \alpha + c w / \cosh^2 b`, far out with
    :math:`a = \alpha`. A damped one swings with the frequency that it would have undamped,
    and fades: what answers to a frequency half a resonance's width away,
    1 / (2 pi decay time), answers with 1 / sqrt(2) of the full swing. With `patch_size` a
    leapfrog step is of so many time steps.

    Parameters
    ----------
    estimator : HSSMClassifier or HSSMRegressor
        Fitted.
    sampling_rate : float, default=None
        Time steps a unit of time, say a second. None leaves frequencies in cycles a step,
        or with `time_channel` gives them in cycles a unit of its time.

    Returns
    -------
    DataFrame
        A row a mode with the columns "block", "mode", "frequency", with nonlinear
        dynamics "lowest_frequency", that of wide swings, "decay_time", in which a swing left
        alone fades to 1/e, in steps or units of time, infinite unless the dynamics are damped,
        and "coupling", the norm of what B brings to the mode times the norm of what C takes
        from it.

    Raises
    ------
    TypeError, NotFittedError
        If `estimator` is no fitted HSSM.
    ValueError
        If `sampling_rate` is not positive, or given although the model has time stamps.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMClassifier
    >>> from sklearn_physrnn.inspection import mode_frequencies
    >>> X = np.random.default_rng(0).normal(size=(20, 50, 2))
    >>> y = X[:, :, 0].mean(axis=1) > 0
    >>> model = HSSMClassifier(8, 4, max_iter=1, random_state=0).fit(X, y)
    >>> mode_frequencies(model).shape
    (8, 5)
    """
    module = network(estimator)
    unit_time = 1.0
    if sampling_rate is not None:
        if time_channel(estimator) is not None:
            raise ValueError("sampling_rate is for models without a time channel.")
        if not 0 < sampling_rate < np.inf:
            raise ValueError(f"sampling_rate must be positive, got {sampling_rate!r}.")
        unit_time = 1 / sampling_rate
    elif time_channel(estimator) is not None:
        unit_time = cast(SequenceInputs, prepared(estimator).inputs).time_unit
    unit_time *= module.patch_size
    tables = []
    for index, block in enumerate(cast(Any, module.blocks)):
        unit: HRU = block.hru
        columns: dict[str, Any] = {"block": index, "mode": np.arange(unit.state_size)}
        step = unit.dynamics()[-1]
        names = ("frequency", "lowest_frequency")
        for name, stiffness in zip(names, unit.stiffnesses(), strict=False):
            columns[name] = _cycles(stiffness, step) / unit_time
        columns["decay_time"] = (unit_time / unit.decays()).numpy()
        columns["coupling"] = _coupling(unit)
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def frequency_unit(estimator, sampling_rate: float | None) -> str:
    """Name the unit that :func:`mode_frequencies` gives."""
    per_time = sampling_rate is not None or time_channel(estimator) is not None
    return "cycles per unit of time" if per_time else "cycles per step"


def _coupling(unit) -> np.ndarray:
    into, out = unit.B.flatten(1).norm(dim=1), unit.C.transpose(0, 1).flatten(1).norm(dim=1)
    return (into * out).numpy()


@torch.no_grad()
def input_power(estimator, X) -> pd.Series:
    """Mean periodogram of scaled inputs without their means, by cycles a step.

    Raises
    ------
    ValueError
        If the steps of X are not evenly spaced, or X is not what the estimator takes.
    """
    if time_channel(estimator) is not None:
        raise ValueError("The power of X needs evenly spaced steps; this model has time stamps.")
    series = cast(Series, checked(estimator, X))
    inputs = exact_inputs(estimator, series)
    x, mask = inputs["x"], torch.as_tensor(series.mask)[:, :, None]
    x = torch.where(mask, x - x.sum(1, keepdim=True) / mask.sum(1, keepdim=True), 0.0)
    n_padded = _FINER * x.shape[1]
    power = torch.fft.rfft(x, n_padded, dim=1).abs().square() / mask.sum(1, keepdim=True)
    return pd.Series(
        power.mean((0, 2)).numpy(),
        index=pd.Index(np.fft.rfftfreq(n_padded), name="frequency"),
        name="power",
    )
