"""A picture of ``integrated_gradients``."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import _num_samples

from ..preparation.label_sets import LabelSets
from ..preparation.tables import TableInputs
from ..preparation.tokens import TokenInputs
from ._integrated_gradients import Attribution, attribute
from ._models import one_sequence, prepared, time_channel
from ._plotting import BLUE, DIVERGING, VERMILION, edges, import_pyplot, panels, short

_N_BARS = 15  # of a table's columns, the strongest, strongest first
_N_TOKENS = 40  # of a text, the strongest, in reading order
_N_LINES = 8  # channels: more are drawn as an image
_CEILING = 0.995  # quantile of the magnitudes where colours end


@dataclass(eq=False, repr=False)
class AttributionDisplay:
    """What in one input has moved its prediction, and which way.

    Use :meth:`from_estimator` to make one. Sequences are drawn channel by channel over
    stripes of the attributions' colour: red moved the prediction up from the baseline's,
    blue down. With more than eight channels there is an image of the attributions alone.
    Columns of a table are bars, the 15 strongest, largest on top, and tokens bars in reading
    order, the 40 strongest. The attributions add up to the difference between the two
    numbers in the title (integrated gradients, arXiv 1703.01365; see
    :func:`integrated_gradients`).

    Parameters
    ----------
    attributions : ndarray of shape (n_timesteps, n_channels) or (n_features,)
        Of one sample. Tokens have one channel.
    inputs : ndarray of the same shape
        In the units of X; token ids for tokens.
    kind : {"sequence", "tokens", "table"}
    response, baseline_response : float
        What is explained, at the input and at the baseline.
    response_name : str, default="prediction"
    names : sequence of str or None, default=None
        Of channels, columns or tokens.
    time : ndarray of shape (n_timesteps,) or None, default=None
    time_label : str, default="time step"

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
        One a channel of a sequence, else one.
    images_ : list of matplotlib QuadMesh
        The stripes, one a channel, or the image.
    lines_ : list of matplotlib Line2D
        The inputs.
    bars_ : matplotlib BarContainer or None

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_physrnn import DynPMNNRegressor
    >>> from sklearn_physrnn.inspection import AttributionDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = DynPMNNRegressor(max_iter=5, random_state=0).fit(X, y)
    >>> display = AttributionDisplay.from_estimator(model, X, sample=7)
    >>> change = display.response - display.baseline_response
    >>> bool(abs(display.attributions.sum() - change) < 1e-6)
    True
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    images_: list[Any] = field(init=False)
    lines_: list[Any] = field(init=False)
    bars_: Any = field(init=False)

    attributions: np.ndarray
    inputs: np.ndarray
    _: KW_ONLY
    kind: str
    response: float
    baseline_response: float
    response_name: str = "prediction"
    names: Sequence[str] | None = None
    time: np.ndarray | None = None
    time_label: str = "time step"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        sample: int = 0,
        baseline=None,
        target=None,
        response: str = "auto",
        n_steps: int = 64,
        names: Sequence[str] | None = None,
        ax=None,
    ) -> "AttributionDisplay":
        """Attribute the prediction of one sample and draw it.

        Parameters
        ----------
        estimator, X, baseline, target, response, n_steps : as in :func:`integrated_gradients`
            Only the sample's own part of X is worked on, so `baseline` is for one sample.
        sample : int, default=0
            Which sample of X.
        names : sequence of str, default=None
            Of the channels, without the time channel; of the columns, where X's own are
            not to be used; or of all tokens, by their id.
        ax : as in :meth:`plot`

        Returns
        -------
        AttributionDisplay

        Raises
        ------
        TypeError, NotFittedError, ValueError
            As from :func:`integrated_gradients`; ValueError too if there is no such sample
            or `names` are too few.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        n_samples = _num_samples(X)
        if not -n_samples <= sample < n_samples:
            raise ValueError(f"sample must be one of the {n_samples} in X, got {sample}.")
        row = slice(sample % n_samples, sample % n_samples + 1)
        one = X.iloc[row] if hasattr(X, "iloc") else X[row]
        found = attribute(estimator, one, baseline, target, response, n_steps)
        options: dict[str, Any] = {
            "response": float(found.response[0]),
            "baseline_response": float(found.baseline_response[0]),
            "response_name": _response_name(estimator, one, target, found),
        }
        known = prepared(estimator).inputs
        if isinstance(known, TableInputs):
            inputs = known.shown(known.read(one, estimator))[0]
            if names is None:
                default = [f"x{k}" for k in range(len(inputs))]
                names = list(getattr(estimator, "feature_names_in_", default))
            names = _checked(names, len(inputs))
            return cls(found.values[0], inputs, kind="table", names=names, **options).plot(ax=ax)
        tokens = isinstance(known, TokenInputs)
        sequence = one_sequence(estimator, one, 0, None if tokens else names)
        values = found.values[0, : len(sequence.values)]
        if isinstance(known, TokenInputs):
            ids = sequence.values[:, 0].astype(int)
            if names is not None:
                _checked(names, known.vocabulary_size)
            return cls(
                values, sequence.values, kind="tokens", time=sequence.time,
                names=[str(k) if names is None else str(names[k]) for k in ids], **options,
            ).plot(ax=ax)  # fmt: skip
        if (channel := time_channel(estimator)) is not None:
            values = np.delete(values, channel, axis=1)
        return cls(
            values, sequence.values, kind="sequence", names=sequence.names, time=sequence.time,
            time_label=sequence.time_label, **options,
        ).plot(ax=ax)  # fmt: skip

    def plot(self, *, ax=None) -> "AttributionDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : AttributionDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        self.images_, self.lines_, self.bars_ = [], [], None
        if self.kind != "sequence":
            self._plot_bars(plt, ax)
        elif self.attributions.shape[1] > _N_LINES:
            self._plot_image(plt, ax)
        else:
            self._plot_lines(plt, ax)
        self.axes_[0].set_title(
            f"{self.response_name}: {self.response:.3g}, at the baseline "
            f"{self.baseline_response:.3g}",
            fontsize="medium", loc="left",
        )  # fmt: skip
        return self

    @property
    def _names(self) -> list[str]:
        n = self.attributions.shape[-1] if self.kind == "sequence" else len(self.attributions)
        return [str(k) for k in range(n)] if self.names is None else list(self.names)

    @property
    def _label(self) -> str:
        unit = self.response_name.partition(" of ")[0]
        return f"attribution ({'units of y' if unit.startswith('prediction') else unit})"

    @property
    def _time(self) -> np.ndarray:
        return np.arange(len(self.attributions)) if self.time is None else self.time

    def _colors(self) -> dict[str, Any]:
        magnitude = np.abs(self.attributions)
        limit = np.quantile(magnitude, _CEILING) or magnitude.max() or 1.0
        return {"cmap": DIVERGING, "vmin": -limit, "vmax": limit, "rasterized": True}

    def _plot_lines(self, plt, ax) -> None:
        n = self.attributions.shape[1]
        self.figure_, axes, _ = panels(
            plt, ax, n, size=(8, 1.0 + (2.4 if n == 1 else 1.05 * n)), sharex=True
        )
        self.axes_ = axes[:, 0]
        for axis, values, x, name in zip(
            self.axes_, self.attributions.T, self.inputs.T, self._names, strict=True
        ):
            margin = 0.08 * (np.ptp(x) or 1.0)
            span = np.array([x.min() - margin, x.max() + margin])
            borders = edges(self._time)
            self.images_.append(axis.pcolormesh(borders, span, values[None], **self._colors()))
            self.lines_ += axis.plot(self._time, x, color="k", linewidth=1.2)
            axis.set_ylim(span)
            if n > 1:
                axis.set_ylabel(short(name, 16), rotation=0, ha="right", va="center")
            else:
                axis.set_ylabel("input")
        self.axes_[-1].set_xlabel(self.time_label)
        self.figure_.align_ylabels(list(self.axes_))
        self._colorbar()

    def _plot_image(self, plt, ax) -> None:
        n = self.attributions.shape[1]
        self.figure_, axes, _ = panels(plt, ax, 1, size=(8, min(8, 1.5 + 0.17 * n)))
        self.axes_ = axes[0]
        axis = self.axes_[0]
        rows = np.arange(n + 1) - 0.5
        self.images_.append(
            axis.pcolormesh(edges(self._time), rows, self.attributions.T, **self._colors())
        )
        axis.invert_yaxis()
        if n <= 40:
            axis.set_yticks(range(n), [short(name) for name in self._names], fontsize="small")
        axis.set_ylabel("channel")
        axis.set_xlabel(self.time_label)
        self._colorbar()

    def _colorbar(self) -> None:
        beyond = np.abs(self.attributions).max() > self.images_[0].norm.vmax
        bar = self.figure_.colorbar(
            self.images_[0], ax=list(self.axes_), pad=0.02, aspect=25, extendfrac=0.02,
            extend="both" if beyond else "neither",
        )  # fmt: skip
        bar.set_label(self._label)
        bar.outline.set_visible(False)

    def _plot_bars(self, plt, ax) -> None:
        values = self.attributions.reshape(len(self.attributions))
        names, rows = self._names, np.arange(len(values))
        if self.kind == "table":
            rows = np.argsort(-np.abs(values), kind="stable")[:_N_BARS]
            names = [f"{short(names[k])} = {_shown(self.inputs[k])}" for k in range(len(values))]
        elif len(values) > _N_TOKENS:
            rows = np.sort(np.argsort(-np.abs(values), kind="stable")[:_N_TOKENS])
        self.figure_, axes, _ = panels(plt, ax, 1, size=(6.4, 1.2 + 0.27 * len(rows)))
        self.axes_ = axes[0]
        axis = self.axes_[0]
        colors = [VERMILION if values[k] > 0 else BLUE for k in rows]
        self.bars_ = axis.barh(range(len(rows)), values[rows], color=colors, height=0.7)
        axis.axvline(0, color="0.3", linewidth=0.8)
        axis.set_yticks(range(len(rows)), [names[k] for k in rows])
        axis.tick_params(axis="y", length=0)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xlabel(self._label)
        if len(rows) < len(values):
            what = "columns" if self.kind == "table" else "tokens"
            axis.set_ylabel(f"the strongest {len(rows)} of {len(values)} {what}")
        axis.spines["left"].set_visible(False)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "missing" if np.isnan(value) else f"{value:.4g}"


def _checked(names: Sequence[str], n: int) -> list[str]:
    if len(names) != n:
        raise ValueError(f"names must be {n}, got {len(names)}.")
    return [str(name) for name in names]


def _response_name(estimator, one, target, found: Attribution) -> str:
    if not is_classifier(estimator):
        return "prediction" if target is None else f"prediction {target}"
    label = estimator.predict(one)[0] if target is None else target
    if target is None and isinstance(prepared(estimator).targets, LabelSets):
        label = int(estimator.predict_proba(one)[0].argmax())  # whose response it is
    return f"{found.name.replace('_', '-')} of class {label}"
