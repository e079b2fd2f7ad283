"""Phase portraits of a DynPMNN's neurons."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch

from ..nn._stability import couples_neurons
from ._models import check_indices
from ._neurons import layer_inputs, network
from ._plotting import (
    COLORS,
    SEQUENTIAL,
    columns_that_fit,
    import_pyplot,
    legend_across,
    panels,
    short,
    width_of,
)

_N_NEURONS, _N_SAMPLES = 4, 60  # drawn unless chosen
_GRID = 201  # points a side for the nullclines
_LEGEND_COLUMNS = 3
_MARGIN = 0.12  # of the trajectories' extent, around them


@dataclass(eq=False, repr=False, kw_only=True)
class PhasePortraitDisplay:
    r"""States of a DynPMNN layer's neurons on their way through the integration.

    Use :meth:`from_estimator` to make one. Each panel is a neuron's plane of states, for
    FitzHugh-Nagumo potential v and recovery w. Each line is a sample's trajectory, from
    where the layer's affine map puts it to the dot, which is what the layer passes on.
    Lines have the colour of the sample's prediction. The nullclines, on which one of the
    two variables stands still, are those at the samples' mean drive; where
    they cross, both do.

    Parameters
    ----------
    states : ndarray of shape (n_samples, n_steps + 1, n_neurons, 2)
        Both state variables of the drawn neurons from start to end.
    drive : ndarray of shape (n_samples, n_neurons)
        The constant drive I.
    neurons : list of int
        Which neurons these are.
    grids : list of tuple of 4 ndarray of shape (n_grid, n_grid), or None
        For each neuron a grid of both variables, and their derivatives there at the mean
        drive, both zero on the nullclines. None if neurons act on each other, for then a
        neuron's plane has none.
    response : ndarray of shape (n_samples,)
        The samples' predictions: numbers, or the indices of classes.
    classes : ndarray of shape (n_classes,) or None, default=None
    response_name : str, default="prediction"
        Of numbers.
    variables : tuple of str, default=("v", "w")
    layer : int, default=0

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
        One a neuron.
    trajectories_ : list of matplotlib LineCollection
        One a neuron, with a line a sample.
    ends_ : list of matplotlib PathCollection
        The dots.
    nullclines_ : list of tuple of 2 matplotlib QuadContourSet
        For each neuron, where the first and where the second variable stands still.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_physrnn import DynPMNNRegressor
    >>> from sklearn_physrnn.inspection import PhasePortraitDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DynPMNNRegressor(max_iter=5, random_state=0).fit(X, y)
    >>> display = PhasePortraitDisplay.from_estimator(model, X[:40], neurons=[0, 1])
    >>> display.states.shape
    (40, 9, 2, 2)
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    trajectories_: list[Any] = field(init=False)
    ends_: list[Any] = field(init=False)
    nullclines_: list[tuple[Any, Any]] = field(init=False)

    states: np.ndarray
    drive: np.ndarray
    neurons: Sequence[int]
    grids: Sequence[tuple[np.ndarray, ...]] | None
    response: np.ndarray
    classes: np.ndarray | None = None
    response_name: str = "prediction"
    variables: tuple[str, str] = ("v", "w")
    layer: int = 0

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        layer: int = 0,
        neurons: Sequence[int] | None = None,
        samples: Sequence[int] | None = None,
        member: int = 0,
        ax=None,
    ) -> "PhasePortraitDisplay":
        """Integrate a fitted layer for the rows of X and draw it.

        Parameters
        ----------
        estimator : DynPMNNClassifier or DynPMNNRegressor
            Fitted, with a vector field of two state variables.
        X : array-like of shape (n_samples, n_features)
            Rows.
        layer : int, default=0
            Which hidden layer.
        neurons : sequence of int, default=None
            Which of its neurons. None picks the four whose outputs differ most between
            samples for what the integration does to them.
        samples : sequence of int, default=None
            Which rows of X. None takes 60 at most, evenly spread over X.
        member : int, default=0
            Which of `n_members` networks.
        ax : as in :meth:`plot`

        Returns
        -------
        PhasePortraitDisplay

        Raises
        ------
        TypeError, NotFittedError
            If the estimator is no fitted DynPMNN.
        ValueError
            If its vector field has not two state variables, X is not what it takes, or
            there is no such layer, neuron, sample or member.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        module = network(estimator)
        (layer,) = check_indices("layer", [layer], len(module.layers))
        (member,) = check_indices("member", [member], module.n_members)
        part = cast(Any, module.layers)[layer]
        if part.n_states != 2:
            raise ValueError(
                "A phase portrait needs a vector field of 2 state variables; "
                f"{type(part.field).__name__} has {part.n_states}."
            )
        outputs = np.asarray(estimator.predict(X))
        if samples is None:
            spread = np.linspace(0, len(outputs) - 1, _N_SAMPLES).round().astype(int)
            samples = np.unique(spread).tolist()
        assert samples is not None
        samples = check_indices("samples", samples, len(outputs))
        classes = getattr(estimator, "classes_", None)
        if classes is not None and outputs.ndim > 1:
            raise ValueError(
                "A phase portrait is coloured by one class a sample, y was sets of them."
            )
        response = outputs[samples] if classes is None else np.searchsorted(classes, outputs)
        response = response if classes is None else response[samples]
        x = layer_inputs(estimator, module, X)[layer]
        states, drive = part.path(x)
        # One row a sample and member, the members of a sample together.
        states, drive = (rows[member :: module.n_members] for rows in (states, drive))
        if neurons is None:
            neurons = _busiest(states)
        neurons = check_indices("neurons", neurons, part.hidden_size)
        states, drive = states[samples], drive[samples]
        coupled = couples_neurons(part.field, states[:1, 0], drive[:1])
        states = states[:, :, neurons]
        grids = None if coupled else _grids(part.field, states, drive, neurons)
        return cls(
            states=states.numpy(),
            drive=drive[:, neurons].numpy(),
            neurons=neurons,
            grids=grids,
            response=response.reshape(len(samples), -1)[:, 0],
            classes=classes,
            response_name="prediction" + (" of the first target" if outputs.ndim > 1 else ""),
            variables=tuple(getattr(part.field, "state_names", None) or ("s_0", "s_1")),
            layer=layer,
        ).plot(ax=ax)

    def plot(self, *, ax=None) -> "PhasePortraitDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : PhasePortraitDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        n_columns = min(2, len(self.neurons))
        n_rows = -(-len(self.neurons) // n_columns)
        colors, scale = self._colors(plt)
        handles = self._handles(scale)
        width = 1.2 + 3.1 * n_columns
        labels = [handle.get_label() for handle in handles]
        ncols = columns_that_fit(labels, width_of(ax, width), _LEGEND_COLUMNS)
        lines = -(-len(handles) // ncols)
        size = width, 0.6 + 0.3 * lines + 2.6 * n_rows
        self.figure_, axes, frame = panels(
            plt, ax, n_rows, n_columns, size=size, legend_lines=lines
        )
        legend_across(frame, handles, ncols=ncols)
        for unused in axes.ravel()[len(self.neurons) :]:
            unused.remove()
        self.axes_ = axes.ravel()[: len(self.neurons)]
        self.trajectories_, self.ends_, self.nullclines_ = [], [], []
        for k in range(len(self.neurons)):
            self._draw(self.axes_[k], k, colors)
            first, second = self.variables
            if k % n_columns == 0:
                self.axes_[k].set_ylabel(f"${second}$")
            if k >= len(self.neurons) - n_columns:
                self.axes_[k].set_xlabel(f"${first}$")
        if scale is not None:
            bar = self.figure_.colorbar(scale, ax=list(self.axes_), pad=0.02, aspect=30)
            bar.set_label(self.response_name if self.classes is None else "predicted class")
            if self.classes is not None:
                shown = np.unique(self.response)
                bar.set_ticks(range(len(shown)), labels=[short(self.classes[k]) for k in shown])
            bar.outline.set_visible(False)
        return self

    def _colors(self, plt) -> tuple[np.ndarray, Any]:
        """Colours of the samples, and what a colour bar needs, for numbers."""
        if self.classes is not None and len(self.classes) <= len(COLORS):
            from matplotlib.colors import to_rgba_array

            return to_rgba_array([COLORS[int(k)] for k in self.response]), None
        if self.classes is not None:
            from matplotlib.colors import BoundaryNorm, ListedColormap

            # A colour a class, of those that are drawn.
            shown, index = np.unique(self.response, return_inverse=True)
            palette = plt.get_cmap(SEQUENTIAL)(np.linspace(0, 1, len(shown)))
            borders = BoundaryNorm(np.arange(len(shown) + 1) - 0.5, len(shown))
            return palette[index], plt.cm.ScalarMappable(borders, ListedColormap(palette))
        low, high = np.percentile(self.response, [2, 98])
        scale = plt.cm.ScalarMappable(plt.Normalize(low, high), SEQUENTIAL)
        return scale.to_rgba(self.response), scale

    def _draw(self, axes, k: int, colors: np.ndarray) -> None:
        from matplotlib.collections import LineCollection

        paths = self.states[:, :, k]
        lines = LineCollection(list(paths), colors=colors, linewidths=0.9, alpha=0.7)
        self.trajectories_.append(axes.add_collection(lines))
        self.ends_.append(
            axes.scatter(paths[:, -1, 0], paths[:, -1, 1], c=colors, s=13, linewidths=0, zorder=3)
        )
        if self.grids is not None:
            first, second, d_first, d_second = self.grids[k]
            self.nullclines_.append(
                (
                    axes.contour(
                        first, second, d_first, [0.0], colors="k", linewidths=1.1,
                        linestyles="dashed",
                    ),
                    axes.contour(
                        first, second, d_second, [0.0], colors="k", linewidths=1.3,
                        linestyles="dotted",
                    ),
                )
            )  # fmt: skip
            axes.set_xlim(first.min(), first.max())
            axes.set_ylim(second.min(), second.max())
        else:
            axes.autoscale_view()
        axes.set_title(f"layer {self.layer}, neuron {self.neurons[k]}", fontsize="medium")

    def _handles(self, scale) -> list[Any]:
        from matplotlib.lines import Line2D

        handles = [Line2D([], [], color="0.4", marker="o", markersize=4, label="sample, its end")]
        if self.grids is not None:
            for name, style in zip(self.variables, ("dashed", "dotted"), strict=True):
                label = rf"$\dot {name} = 0$ at mean drive"
                handles.append(Line2D([], [], color="k", ls=style, label=label))
        if scale is None:
            assert self.classes is not None
            for name, color in zip(self.classes, COLORS, strict=False):
                label = f"predicted {short(name)}"
                handles.append(Line2D([], [], color=color, linewidth=2, label=label))
        return handles


def _busiest(states: torch.Tensor) -> list[int]:
    """Neurons whose integration sets samples apart the most."""
    moved = (states[:, -1] - states[:, 0]).std(0, correction=0).norm(dim=-1)
    return moved.argsort(descending=True, stable=True)[:_N_NEURONS].sort().values.tolist()


@torch.no_grad()
def _grids(field, states: torch.Tensor, drive: torch.Tensor, neurons: list[int]):
    """Both derivatives of each neuron on a grid around its trajectories, at the mean drive."""
    grids = []
    mean_drive = drive.mean(0).expand(_GRID * _GRID, -1)
    for k, neuron in enumerate(neurons):
        points = states[:, :, k].reshape(-1, 2)
        low, high = points.min(0).values, points.max(0).values
        margin = _MARGIN * (high - low) + 1e-6
        axes = [
            torch.linspace(float(a), float(b), _GRID, dtype=torch.float64)
            for a, b in zip(low - margin, high + margin, strict=True)
        ]
        first, second = torch.meshgrid(*axes, indexing="xy")
        state = torch.stack((first.ravel(), second.ravel()), -1)
        state = state[:, None, :].expand(-1, drive.shape[1], -1)
        derivative = field(state, mean_drive)[:, neuron]
        grids.append(
            tuple(
                part.numpy()
                for part in (first, second, *derivative.T.reshape(2, _GRID, _GRID).unbind(0))
            )
        )
    return grids
