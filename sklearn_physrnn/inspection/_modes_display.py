"""Positions of an HSSM's oscillators along a sequence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch

from ._gaps import broken, shade_silent
from ._models import check_indices, one_sequence
from ._oscillators import frequency_unit, mode_frequencies, network, oscillators
from ._plotting import (
    BLUE,
    GREY,
    ORANGE,
    draw_inputs,
    import_pyplot,
    legend_above,
    panels,
    span_time,
)

_N_MODES = 4  # drawn unless chosen


@dataclass(eq=False, repr=False, kw_only=True)
class ModesDisplay:
    """How chosen oscillators of an HSSM block move under a sequence.

    Use :meth:`from_estimator` to make one. Under the input, each panel is the position of
    one oscillator, from slow to fast, with its frequency beside it and, if it is damped, the
    time in which it fades to 1/e; for complex modes the real part in blue and the imaginary
    in orange.

    Parameters
    ----------
    time : ndarray of shape (n_timesteps,)
    inputs : ndarray of shape (n_timesteps, n_channels)
        In the units of X.
    positions : ndarray of shape (n_timesteps, n_modes)
        Positions of the drawn modes after each step; complex for complex modes.
    modes : list of int
        Which these are.
    frequencies : ndarray of shape (n_modes,)
        Of the drawn modes.
    decay_times : ndarray of shape (n_modes,) or None, default=None
        Of the drawn modes, infinite where they do not fade.
    block : int, default=0
    unit : str, default="cycles per step"
    channel_names : list of str or None, default=None
    time_label : str, default="time step"

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
        For the input, then one a mode.
    lines_ : list of list of matplotlib Line2D
        For each mode its position, or its real and imaginary part.
    gaps_ : list of list of matplotlib Rectangle
        For each of the axes the shades where no input was observed; there the oscillators
        swing on.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMClassifier
    >>> from sklearn_physrnn.inspection import ModesDisplay
    >>> X = np.random.default_rng(0).normal(size=(20, 50, 2))
    >>> y = X[:, :, 0].mean(axis=1) > 0
    >>> model = HSSMClassifier(8, 4, max_iter=1, random_state=0).fit(X, y)
    >>> ModesDisplay.from_estimator(model, X, modes=[0, 2]).positions.shape
    (50, 2)
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    lines_: list[list[Any]] = field(init=False)
    gaps_: list[list[Any]] = field(init=False)

    time: np.ndarray
    inputs: np.ndarray
    positions: np.ndarray
    modes: Sequence[int]
    frequencies: np.ndarray
    decay_times: np.ndarray | None = None
    block: int = 0
    unit: str = "cycles per step"
    channel_names: Sequence[str] | None = None
    time_label: str = "time step"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        sample: int = 0,
        block: int = 0,
        modes: Sequence[int] | None = None,
        sampling_rate: float | None = None,
        unit: str | None = None,
        channel_names: Sequence[str] | None = None,
        ax=None,
    ) -> "ModesDisplay":
        """Run a fitted block's oscillators over a sample and draw some of them.

        Parameters
        ----------
        estimator : HSSMClassifier or HSSMRegressor
            Fitted.
        X : array-like
            Sequences, as in ``fit``.
        sample : int, default=0
            Which of them.
        block : int, default=0
            Which block, counting from the input.
        modes : sequence of int, default=None
            Which of its oscillators. None picks the four that move the block's output
            most on this sample, slow ones first.
        sampling_rate : float, default=None
            As in :func:`mode_frequencies`.
        unit : str, default=None
            What the frequencies' unit is called, say "Hz" where `sampling_rate` counts
            steps a second. None says which cycles they are.
        channel_names : sequence of str, default=None
            Without the time channel.
        ax : as in :meth:`plot`

        Returns
        -------
        ModesDisplay

        Raises
        ------
        TypeError, NotFittedError
            If the estimator is no fitted HSSM.
        ValueError
            If X is not what it takes, or there is no such sample, block or mode.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        module = network(estimator)
        (block,) = check_indices("block", [block], len(module.blocks))
        table = mode_frequencies(estimator, sampling_rate=sampling_rate)
        table = table[table["block"] == block]
        frequencies = table["frequency"].to_numpy()
        sequence = one_sequence(estimator, X, sample, channel_names)
        hru = cast(Any, module.blocks)[block].hru
        positions = _positions(oscillators(module, sequence.inputs, block), hru)
        if modes is None:
            into_output = hru.C.transpose(0, 1).flatten(1).norm(dim=1).numpy()
            strongest = np.argsort(-positions.std(axis=0) * into_output, kind="stable")
            chosen = strongest[:_N_MODES]
            modes = chosen[np.argsort(frequencies[chosen], kind="stable")].tolist()
        modes = check_indices("modes", modes, hru.state_size)
        return cls(
            time=sequence.time,
            inputs=sequence.values,
            positions=positions[:, modes],
            modes=modes,
            frequencies=frequencies[modes],
            decay_times=table["decay_time"].to_numpy()[modes],
            block=block,
            unit=unit or frequency_unit(estimator, sampling_rate),
            channel_names=sequence.names,
            time_label=sequence.time_label,
        ).plot(ax=ax)

    def plot(self, *, ax=None) -> "ModesDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : ModesDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        n_modes = len(self.modes)
        self.figure_, axes, _ = panels(
            plt, ax, 1 + n_modes, size=(7, 1.9 + 1.05 * n_modes), sharex=True,
            height_ratios=[1.4, *([1] * n_modes)],
        )  # fmt: skip
        self.axes_ = axes[:, 0]
        draw_inputs(self.axes_[0], self.time, self.inputs, self.channel_names)
        parts = (np.real, np.imag) if np.iscomplexobj(self.positions) else (np.real,)
        self.lines_ = []
        for k, axis in enumerate(self.axes_[1:]):
            axis.axhline(0, color="0.85", linewidth=0.8, zorder=0)
            self.lines_.append(
                [
                    axis.plot(
                        *broken(self.time, part(self.positions[:, k])), color=color, linewidth=1.2
                    )[0]
                    for part, color in zip(parts, (BLUE, ORANGE), strict=False)
                ]
            )
            axis.set_ylabel(f"mode {self.modes[k]}")
            axis.set_title(self._caption(k), loc="right", fontsize="small", pad=2, color=GREY)
        if len(parts) > 1:
            for line, name in zip(self.lines_[0], ("real part", "imaginary part"), strict=True):
                line.set_label(name)
            legend_above(self.axes_[1])
        self.gaps_ = shade_silent(self.axes_, self.time, self.inputs)
        span_time(self.axes_[-1], self.time, self.time_label)
        self.figure_.align_ylabels(list(self.axes_))
        return self

    def _caption(self, k: int) -> str:
        frequency = f"{self.frequencies[k]:.3g} {self.unit}"
        if self.decay_times is None or np.isinf(self.decay_times[k]):
            return frequency
        unit = "steps" if self.unit == "cycles per step" else "units of time"
        return f"{frequency}, fades in {self.decay_times[k]:.3g} {unit}"


@torch.no_grad()
def _positions(system, hru) -> np.ndarray:
    positions = system.run()[1].numpy()
    if hru.n_oscillators > hru.state_size:
        real, imaginary = np.split(positions, 2, axis=1)
        return real + 1j * imaginary
    return positions
