"""Histograms of a DynPMNN's learned physical constants."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ._neurons import constant_names, initial_constants, physical_parameters
from ._plotting import BLUE, import_pyplot, legend_across, panels

_N_BINS = 20
_DRIVE = {"I_mean": "mean drive $I$"}


@dataclass(eq=False, repr=False)
class PhysicalParametersDisplay:
    """Physical constants that a DynPMNN has learned, beside what they started from.

    Use :meth:`from_estimator` to make one: a row a layer, a column a constant. The grey
    outline is the distribution that training starts from; the drives, which an affine map
    makes of the layer's input, have none.

    Parameters
    ----------
    parameters : DataFrame
        What :func:`physical_parameters` returned.
    initial : mapping of str to ndarray, default=None
        Values of untrained neurons by the constant's name, as far as they are known.
    names : mapping of str to str, default=None
        What to write below a constant's histograms, where it is more than its name.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of shape (n_layers, n_constants) of matplotlib Axes
    counts_ : ndarray of shape (n_layers, n_constants, n_bins)
        Neurons in each bin.
    edges_ : ndarray of shape (n_constants, n_bins + 1)
        Edges of the bins.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_physrnn import DynPMNNRegressor
    >>> from sklearn_physrnn.inspection import PhysicalParametersDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DynPMNNRegressor(max_iter=5, random_state=0).fit(X, y)
    >>> display = PhysicalParametersDisplay.from_estimator(model, X)
    >>> int(display.counts_[0, 0].sum()) == model.hidden_size
    True
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    counts_: np.ndarray = field(init=False)
    edges_: np.ndarray = field(init=False)

    parameters: pd.DataFrame
    _: KW_ONLY
    initial: Mapping[str, np.ndarray] | None = None
    names: Mapping[str, str] | None = None

    @classmethod
    def from_estimator(cls, estimator, X=None, *, ax=None) -> "PhysicalParametersDisplay":
        """Collect the constants of a fitted estimator and draw them.

        Parameters
        ----------
        estimator : DynPMNNClassifier or DynPMNNRegressor
            Fitted.
        X : array-like of shape (n_samples, n_features), default=None
            Rows to show the drives of, too.
        ax : as in :meth:`plot`

        Returns
        -------
        PhysicalParametersDisplay

        Raises
        ------
        TypeError, NotFittedError, ValueError
            As from :func:`physical_parameters`; ValueError too where the vector field has
            no constants.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        table = physical_parameters(estimator, X)
        initial, names = initial_constants(estimator), constant_names(estimator)
        return cls(table, initial=initial, names=names).plot(ax=ax)

    def plot(self, *, ax=None) -> "PhysicalParametersDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : PhysicalParametersDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If there is no constant to draw.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        table, initial = self.parameters, self.initial or {}
        names = [c for c in table.columns if c not in ("layer", "neuron", "I_std")]
        if not names:
            raise ValueError("The vector field has no physical constants to draw.")
        labels = {**_DRIVE, **(self.names or {})}
        layers = sorted(table["layer"].unique())
        size = 0.6 + 1.95 * len(names), 0.9 + 1.45 * len(layers)
        legend = 1 if any(name in initial for name in names) else 0
        self.figure_, self.axes_, frame = panels(
            plt, ax, len(layers), len(names), size=size, legend_lines=legend, sharex=True,
        )  # fmt: skip
        self.edges_ = np.array([_edges(table[name], initial.get(name)) for name in names])
        self.counts_ = np.empty((len(layers), len(names), _N_BINS))
        handles: dict[str, Any] = {}
        for j, (name, edges) in enumerate(zip(names, self.edges_, strict=True)):
            for i, layer in enumerate(layers):
                values = table.loc[table["layer"] == layer, name]
                axes = self.axes_[i, j]
                self.counts_[i, j], _, bars = axes.hist(values, edges, color=BLUE)
                handles["learned"] = bars
                if name in initial:
                    share = np.histogram(initial[name], edges)[0] / len(initial[name])
                    handles["at the start (expected)"] = axes.stairs(
                        share * len(values), edges, color="0.35", linewidth=1.2, zorder=3
                    )
                axes.yaxis.get_major_locator().set_params(integer=True)
            self.axes_[-1, j].set_xlabel(labels.get(name, name))
        for i, layer in enumerate(layers):
            self.axes_[i, 0].set_ylabel(f"layer {layer}\nneurons")
        if frame is not None:
            for label, artist in handles.items():
                artist.set_label(label)
            legend_across(frame, list(handles.values()), ncols=2)
        return self


def _edges(values: pd.Series, initial: np.ndarray | None) -> np.ndarray:
    # The far tail of what was drawn would squeeze what was learned.
    known = [] if initial is None else np.quantile(initial, [0.001, 0.999])
    return np.histogram_bin_edges(np.append(values.to_numpy(), known), _N_BINS)
