"""Energy of an HSSM's oscillators along a run, and back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch

from ._models import OneSequence, check_indices, one_sequence
from ._oscillators import network, oscillators
from ._plotting import (
    BLUE,
    GREEN,
    ORANGE,
    draw_inputs,
    import_pyplot,
    legend_above,
    panels,
    span_time,
)


@dataclass(eq=False, repr=False, kw_only=True)
class EchoDisplay:
    r"""Energy of an HSSM block's oscillators along a sequence, and along its echo.

    Use :meth:`from_estimator` to make one. From top to bottom: the input; the energy that
    the block's oscillators store, which only the input and damping change, on the way
    forward and on the way back from the last state with every momentum turned round; and
    how far the two differ, in float64 and in float32, relative to the largest energy. What
    is left there is rounding. RHEL reads gradients off such echoes (arXiv 2506.05259):
    where the difference in float32 approaches 1, the dynamics magnify rounding and neither
    echoes nor back-propagation give a gradient. What damped oscillators lose on the way
    they are given back, and rounding grows with it, a thousandfold at most: then the echo
    begins anew from a state of the run, as it does in training.

    Parameters
    ----------
    time : ndarray of shape (n_timesteps,)
    inputs : ndarray of shape (n_timesteps, n_channels)
        In the units of X.
    energies : DataFrame of shape (n_timesteps, 4)
        Energy after every step, summed over the block's oscillators, in the columns
        "free", "echo", "free_float32" and "echo_float32": the Hamiltonian without input,
        :math:`\tfrac12 z^2 + \tfrac12 a y^2`, or :math:`\tfrac12 z^2 + \tfrac\alpha2 y^2 +
        \tfrac cw (\log\cosh(w y + b) - \log\cosh b)` where it is nonlinear.
    block : int, default=0
    channel_names : list of str or None, default=None
    time_label : str, default="time step"

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of 3 matplotlib Axes
        For input, energy and difference.
    free_, echo_ : matplotlib Line2D
    differences_ : list of matplotlib Line2D
        For float64 and float32, without the steps where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMClassifier
    >>> from sklearn_physrnn.inspection import EchoDisplay
    >>> X = np.random.default_rng(0).normal(size=(20, 50, 2))
    >>> y = X[:, :, 0].mean(axis=1) > 0
    >>> model = HSSMClassifier(8, 4, max_iter=1, random_state=0).fit(X, y)
    >>> energies = EchoDisplay.from_estimator(model, X).energies
    >>> bool(np.allclose(energies["echo"], energies["free"], rtol=0, atol=1e-10))
    True
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    free_: Any = field(init=False)
    echo_: Any = field(init=False)
    differences_: list[Any] = field(init=False)

    time: np.ndarray
    inputs: np.ndarray
    energies: pd.DataFrame
    block: int = 0
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
        channel_names: Sequence[str] | None = None,
        ax=None,
    ) -> "EchoDisplay":
        """Run a fitted block's oscillators over a sample, and back, and draw the energy.

        Parameters
        ----------
        estimator : HSSMClassifier or HSSMRegressor
            Fitted, with either fitter.
        X : array-like
            Sequences, as in ``fit``.
        sample : int, default=0
            Which of them.
        block : int, default=0
            Which block, counting from the input.
        channel_names : sequence of str, default=None
            Without the time channel.
        ax : as in :meth:`plot`

        Returns
        -------
        EchoDisplay

        Raises
        ------
        TypeError, NotFittedError
            If the estimator is no fitted HSSM.
        ValueError
            If X is not what it takes, or there is no such sample or block.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        module = network(estimator)
        (block,) = check_indices("block", [block], len(module.blocks))
        sequence = one_sequence(estimator, X, sample, channel_names)
        return cls(
            time=sequence.time,
            inputs=sequence.values,
            energies=_energies(module, sequence, block),
            block=block,
            channel_names=sequence.names,
            time_label=sequence.time_label,
        ).plot(ax=ax)

    def plot(self, *, ax=None) -> "EchoDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : EchoDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        self.figure_, axes, _ = panels(
            plt, ax, 3, size=(7, 5.6), sharex=True, height_ratios=(1, 1.5, 1)
        )
        self.axes_ = axes[:, 0]
        top, middle, bottom = self.axes_
        draw_inputs(top, self.time, self.inputs, self.channel_names)
        table = self.energies
        (self.free_,) = middle.plot(
            self.time, table["free"], color=ORANGE, linewidth=4, label="free run"
        )
        (self.echo_,) = middle.plot(
            self.time, table["echo"], color=BLUE, linewidth=1.3, label="its echo, backward"
        )
        middle.set_ylabel(f"stored energy,\nblock {self.block}")
        middle.set_ylim(bottom=0)
        legend_above(middle)
        self.differences_, gaps = [], []
        for suffix, name, color in (("", "float64", GREEN), ("_float32", "float32", "0.35")):
            gap = np.abs(table["echo" + suffix] - table["free" + suffix]).to_numpy(float)
            gap = np.where(gap > 0, gap, np.nan) / table["free" + suffix].max()
            gaps.append(gap[gap > 0])
            self.differences_ += bottom.plot(
                self.time, gap, ".", color=color, markersize=3, label=name
            )
        bottom.set_yscale("log")
        every = np.concatenate(gaps)
        bottom.set_ylim(every.min(initial=1e-17) / 5, every.max(initial=1e-6) * 5)
        if not len(every):
            bottom.text(0.5, 0.5, "no difference", transform=bottom.transAxes, ha="center")
        bottom.set_ylabel("difference,\nrelative")
        legend_above(bottom, markerscale=2.5)
        span_time(bottom, self.time, self.time_label)
        self.figure_.align_ylabels(list(self.axes_))
        return self


@torch.no_grad()
def _energies(module, sequence: OneSequence, block: int) -> pd.DataFrame:
    columns = {}
    for dtype, suffix in ((torch.float64, ""), (torch.float32, "_float32")):
        system = oscillators(module, sequence.inputs, block, dtype)
        momenta, positions = system.run()
        back = system.echo(momenta, positions)
        columns["free" + suffix] = system.energy(momenta, positions).sum(1).double().numpy()
        columns["echo" + suffix] = system.energy(*back).sum(1).double().numpy()
    return pd.DataFrame(columns)
