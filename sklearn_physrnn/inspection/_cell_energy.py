"""Energy, remaining time and releases of PETNN's neurons."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd

from ..estimators._petnn import PETNNClassifier, PETNNRegressor
from ..families.petnn import release_rate
from ..nn._recurrent import RecurrentModel
from ..nn.petnn import PETNN
from ._gaps import broken, shade_silent
from ._models import check_family, check_indices, checked, exact_copy, exact_inputs, one_sequence
from ._plotting import (
    COLORS,
    GREY,
    draw_inputs,
    edges,
    import_pyplot,
    legend_above,
    panels,
    span_time,
)

_WHAT = "a PETNNClassifier or PETNNRegressor"
_N_DRAWN = 3  # neurons, unless chosen


def _model(estimator) -> RecurrentModel:
    module = cast(RecurrentModel, exact_copy(estimator))
    if not isinstance(module.recurrent, PETNN):
        raise TypeError(f"estimator must have PETNN layers, got {type(module.recurrent).__name__}")
    return module


def release_rates(estimator, X) -> pd.DataFrame:
    """Share of the steps of `X` at which each neuron of a PETNN releases its energy.

    Parameters
    ----------
    estimator : PETNNClassifier or PETNNRegressor
        Fitted.
    X : array-like
        Sequences, as in ``fit``.

    Returns
    -------
    DataFrame
        A row a neuron with the columns "layer", "neuron" and "release_rate". A neuron at
        0 or at 1 has a dead timer: it never, or always, lets go.

    Raises
    ------
    TypeError, NotFittedError, ValueError
        If the estimator is no fitted PETNN, or X not what it takes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import PETNNClassifier
    >>> from sklearn_physrnn.inspection import release_rates
    >>> X = np.random.default_rng(0).normal(size=(20, 30, 2))
    >>> y = X[:, :, 0].mean(axis=1) > 0
    >>> model = PETNNClassifier(8, max_iter=5, random_state=0).fit(X, y)
    >>> release_rates(model, X).shape
    (8, 3)
    """
    check_family(estimator, (PETNNClassifier, PETNNRegressor), _WHAT)
    inputs = exact_inputs(estimator, checked(estimator, X))
    rates = release_rate(_model(estimator), inputs).numpy()
    layer, neuron = np.indices(rates.shape)
    return pd.DataFrame(
        {"layer": layer.ravel(), "neuron": neuron.ravel(), "release_rate": rates.ravel()}
    )


@dataclass(eq=False, repr=False, kw_only=True)
class CellEnergyDisplay:
    """What a PETNN layer's neurons go through along one sequence.

    Use :meth:`from_estimator` to make one. From top to bottom: the input; the energy C of
    chosen neurons, with a triangle where a release ends an excitation, as high as the energy
    released (a neuron at rest, which releases at every step what it has just taken up, gets
    none); the time T that remains to each until it releases; and all releases of the layer,
    dark, a row a neuron, ordered by how often it releases. The bars beside them are the
    released share of all steps in all of X (arXiv 2505.03281; the equations are in
    :class:`sklearn_physrnn.nn.PETNN`).

    Parameters
    ----------
    time : ndarray of shape (n_timesteps,)
    inputs : ndarray of shape (n_timesteps, n_channels)
        In the units of X.
    energy, remaining_time, released, released_energy : ndarray
        Each of shape (n_timesteps, hidden_size). C and T after each step; m, whether the
        neuron released in it (a share with ``release="soft"``); and E, the energy it then
        released.
    release_rate : ndarray of shape (hidden_size,)
        Released share of all steps of X.
    neurons : list of int
        Neurons to draw one by one.
    layer : int, default=0
    channel_names : list of str or None, default=None
    time_label : str, default="time step"

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of 5 matplotlib Axes
        For input, energy, remaining time, releases and release rates.
    energy_, remaining_time_ : list of matplotlib Line2D
        One a neuron drawn.
    releases_ : list of matplotlib PathCollection
        The triangles, one collection a neuron drawn.
    raster_ : matplotlib QuadMesh
        Releases of all neurons, ordered as in ``order_``.
    rates_ : matplotlib BarContainer
        Released shares, in the same order.
    order_ : ndarray of shape (hidden_size,)
        Neurons from the one that releases least to the one that releases most.
    gaps_ : list of list of matplotlib Rectangle
        For input, energy and remaining time the shades where no input was observed.

    Examples
    --------
    >>> from sktime.datasets import load_arrow_head
    >>> from sklearn_physrnn import PETNNClassifier
    >>> from sklearn_physrnn.inspection import CellEnergyDisplay
    >>> X, y = load_arrow_head(split="train", return_type="numpy2d")
    >>> model = PETNNClassifier(16, max_iter=5, random_state=0).fit(X, y)
    >>> display = CellEnergyDisplay.from_estimator(model, X, sample=3)
    >>> display.energy.shape
    (251, 16)
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    energy_: list[Any] = field(init=False)
    remaining_time_: list[Any] = field(init=False)
    releases_: list[Any] = field(init=False)
    raster_: Any = field(init=False)
    rates_: Any = field(init=False)
    order_: np.ndarray = field(init=False)
    gaps_: list[list[Any]] = field(init=False)

    time: np.ndarray
    inputs: np.ndarray
    energy: np.ndarray
    remaining_time: np.ndarray
    released: np.ndarray
    released_energy: np.ndarray
    release_rate: np.ndarray
    neurons: Sequence[int]
    layer: int = 0
    channel_names: Sequence[str] | None = None
    time_label: str = "time step"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        sample: int = 0,
        layer: int = 0,
        neurons: Sequence[int] | None = None,
        channel_names: Sequence[str] | None = None,
        ax=None,
    ) -> "CellEnergyDisplay":
        """Run the fitted layers over X and draw a sample's energies.

        Parameters
        ----------
        estimator : PETNNClassifier or PETNNRegressor
            Fitted.
        X : array-like
            Sequences, as in ``fit``; all of them count for the release rates.
        sample : int, default=0
            Which of them to draw.
        layer : int, default=0
            Which recurrent layer.
        neurons : sequence of int, default=None
            Which neurons to draw one by one. None picks three whose timers run at
            different paces on this sample.
        channel_names : sequence of str, default=None
            Without the time channel.
        ax : as in :meth:`plot`

        Returns
        -------
        CellEnergyDisplay

        Raises
        ------
        TypeError, NotFittedError
            If the estimator is no fitted PETNN.
        ValueError
            If X is not what it takes, or there is no such sample, layer or neuron.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        rates = release_rates(estimator, X)
        (layer,) = check_indices("layer", [layer], estimator.num_layers)
        rate = rates.loc[rates["layer"] == layer, "release_rate"].to_numpy()
        sequence = one_sequence(estimator, X, sample, channel_names)
        model = _model(estimator)
        ((x, dt, _),) = model.sequences(**sequence.inputs)[1]
        path = cast(PETNN, model.recurrent).trajectory(x, dt=dt)[layer]
        energy, remaining, released = (
            part[0].numpy() for part in (path.energy, path.remaining_time, path.released)
        )
        before = np.concatenate((np.zeros_like(energy[:1]), energy[:-1]))
        if neurons is None:
            neurons = _varied(released.mean(axis=0))
        return cls(
            time=sequence.time,
            inputs=sequence.values,
            energy=energy,
            remaining_time=remaining,
            released=released,
            released_energy=released * before,
            release_rate=rate,
            neurons=check_indices("neurons", neurons, len(rate)),
            layer=layer,
            channel_names=sequence.names,
            time_label=sequence.time_label,
        ).plot(ax=ax)

    def plot(self, *, ax=None) -> "CellEnergyDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : CellEnergyDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        self.figure_, axes, _ = panels(
            plt, ax, 4, 2, size=(8, 7), sharex=True, sharey=False,
            height_ratios=(1, 1.3, 1.3, 1.5), width_ratios=(5, 1),
        )  # fmt: skip
        for unused in axes[:3, 1]:
            unused.remove()
        self.axes_ = np.array([*axes[:, 0], axes[3, 1]])
        top, energy, remaining, raster, bars = self.axes_
        draw_inputs(top, self.time, self.inputs, self.channel_names)
        self.energy_, self.remaining_time_, self.releases_ = [], [], []
        for neuron, color in zip(self.neurons, _cycle(len(self.neurons)), strict=True):
            self._neuron(energy, remaining, neuron, color)
        energy.scatter([], [], s=16, marker="v", color=GREY, label="release")
        legend_above(energy)
        energy.set_ylabel("energy $C$")
        energy.set_ylim(bottom=0)
        remaining.set_ylabel("remaining\ntime $T$")
        remaining.set_ylim(bottom=0)
        self._raster(raster, bars)
        self.gaps_ = shade_silent(self.axes_[:3], self.time, self.inputs)
        span_time(raster, self.time, self.time_label)
        self.figure_.align_ylabels(list(self.axes_[:4]))
        return self

    def _neuron(self, energy, remaining, neuron: int, color: str) -> None:
        options = {"color": color, "linewidth": 1.1, "label": f"neuron {neuron}"}
        self.energy_ += energy.plot(*broken(self.time, self.energy[:, neuron]), **options)
        self.remaining_time_ += remaining.plot(
            *broken(self.time, self.remaining_time[:, neuron]), **options
        )
        steps = self._releases(neuron)
        self.releases_.append(
            energy.scatter(
                self.time[steps], self.released_energy[steps, neuron], s=16, marker="v",
                color=color, linewidths=0, zorder=3,
            )
        )  # fmt: skip

    def _releases(self, neuron: int) -> np.ndarray:
        """Steps of releases that follow a step without one."""
        released = self.released[:, neuron] > 0.5
        return 1 + np.flatnonzero(released[1:] & ~released[:-1])

    def _raster(self, raster, bars) -> None:
        self.order_ = np.argsort(self.release_rate, kind="stable")
        rows = np.arange(len(self.order_))
        self.raster_ = raster.pcolormesh(
            edges(self.time), edges(rows), self.released[:, self.order_].T, cmap="Greys",
            vmin=0, vmax=1.3, rasterized=True,
        )  # fmt: skip
        raster.set_ylabel("neurons\n(dark: release)")
        raster.set_yticks([])
        raster.set_ylim(-0.5, len(rows) - 0.5)
        colors = dict(zip(self.neurons, _cycle(len(self.neurons)), strict=True))
        self.rates_ = bars.barh(
            rows, self.release_rate[self.order_], height=1.0,
            color=[colors.get(int(neuron), "0.75") for neuron in self.order_],
        )  # fmt: skip
        bars.set_xlim(0, 1)
        bars.set_ylim(-0.5, len(rows) - 0.5)
        bars.set_yticks([])
        bars.set_xlabel("released\nshare of steps")
        for row, neuron in enumerate(self.order_):
            if int(neuron) in colors:
                raster.annotate(
                    "▸", (0, row), xycoords=("axes fraction", "data"), ha="right", va="center",
                    color=colors[int(neuron)], fontsize=9, annotation_clip=False,
                )  # fmt: skip


def _cycle(n: int) -> list[str]:
    return [COLORS[k % len(COLORS)] for k in range(n)]


def _varied(rate: np.ndarray) -> list[int]:
    """Pick neurons spread over the release rates of those whose timers are alive."""
    order = np.argsort(rate, kind="stable")
    alive = order[(rate[order] > 0) & (rate[order] < 1)]
    if len(alive) < _N_DRAWN:
        alive = order
    if len(alive) <= _N_DRAWN:
        return alive.tolist()
    # Not the extremes: the rarest releases hardly show, the most frequent only.
    levels = np.linspace(0.05, 0.7, _N_DRAWN) * (len(alive) - 1)
    return [int(k) for k in dict.fromkeys(alive[levels.round().astype(int)])]
