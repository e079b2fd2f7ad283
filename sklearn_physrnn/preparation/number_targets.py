"""Real numbers as targets, one or several a sample."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np
import torch
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils import check_array, check_consistent_length
from torch import nn

from ..storage.format import Spec
from ..storage.plain import Fields
from ..training._losses import ROBUST_LOSSES, regression_loss
from .arrays import checking_targets, naming
from .moments import Moments
from .scaling import Standard
from .stored_scalers import Arrays, scaler_arrays, scaler_specs
from .targets import Targets


@dataclass(frozen=True)
class NumberTargets(Targets):
    """Real targets, scaled; encoded as an array (n_samples, n_targets).

    Attributes
    ----------
    loss : str
    levels : tuple of float
        Quantiles that the loss "quantile" estimates.
    several : bool
        Whether predictions have an axis for them.
    shape : tuple of int
        Of a sample's y: () or (n_targets,).
    scaler : Standard or None
        None until fitted.
    """

    loss: str
    levels: tuple[float, ...]
    several: bool
    shape: tuple[int, ...] = ()
    scaler: Standard | None = None

    @classmethod
    def of(cls, loss: str, quantile: float | Sequence[float]) -> Self:
        """Make it of an estimator's parameters; `quantile` counts with the loss "quantile".

        Raises
        ------
        ValueError
            If `quantile` is no number in (0, 1), nor an increasing list of them.
        """
        with naming(f"quantile={quantile!r}"):
            levels = np.atleast_1d(np.asarray(quantile, dtype=float))
        if levels.ndim != 1 or not len(levels) or not ((levels > 0) & (levels < 1)).all():
            raise ValueError(
                f"quantile must be a number, or a list of numbers, in (0, 1), got {quantile}."
            )
        if (np.diff(levels) <= 0).any():
            raise ValueError(f"quantile must be in increasing order, got {quantile}.")
        several = loss == "quantile" and not isinstance(quantile, Real)
        return cls(loss, tuple(levels.tolist()), several)

    @property
    def link(self) -> str:
        """How outputs become predictions."""
        return "identity"

    @property
    def n_targets(self) -> int:
        """Numbers a sample."""
        return int(np.prod(self.shape))

    @property
    def n_outputs(self) -> int:
        """One a target and quantile."""
        return self.n_targets * (len(self.levels) if self.loss == "quantile" else 1)

    @property
    def prediction_shape(self) -> tuple[int, ...]:
        """Shape of a sample's prediction."""
        return (*self.shape, len(self.levels)) if self.several else self.shape

    @property
    def fitted_scaler(self) -> Standard:
        """The scaler, once there is one."""
        assert self.scaler is not None
        return self.scaler

    def learned(self, y: np.ndarray, caller: Any) -> Self:
        """Learn the shape: (n,) stays one target, and its predictions are (n,) too."""
        return replace(self, shape=y.shape[1:])

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Give each sample a row."""
        if y.shape[1:] != self.shape:
            raise ValueError(
                f"y must be of shape (n_samples{''.join(f', {k}' for k in self.shape)}) as in "
                f"the first fit, got {y.shape}."
            )
        return y.reshape(len(y), -1).astype(np.float64)

    def with_options_of(self, new: Any) -> Any:
        """Take another loss, and other quantiles, if predictions are made of outputs alike.

        Raises
        ------
        ValueError
            If a loss of logarithms takes the place of another, or another its place.
        """
        if new.link != self.link:
            raise ValueError(
                f"loss={new.loss!r} makes predictions of the network's outputs in another way "
                f"than loss={self.loss!r}, which was fitted: fit anew with warm_start=False."
            )
        return replace(new, shape=self.shape, scaler=self.scaler)

    def fit(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn the scale of each target."""
        return replace(self, scaler=Standard.fit(y, weights, constant="fixed", robust=self.robust))

    def revised(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Take in further targets: one that was constant before may vary now."""
        return replace(self, scaler=self.fitted_scaler.revised(y, weights, robust=self.robust))

    def scaler_of(self, moments: Moments) -> Standard:
        """Give the scale of targets that are not had whole, without wild values among them."""
        return Standard.of_moments(moments, constant="fixed")

    def measured(self, y: np.ndarray) -> Self:
        """Learn what else the loss asks of some encoded targets, beside their scale."""
        return self

    def of_scaler(self, scaler: Standard, *, revised: bool = False) -> Self:
        """Take the scale of targets, or of further ones, that are not had whole."""
        if revised:
            scaler = self.fitted_scaler.awakened(scaler)
        return replace(self, scaler=scaler)

    @property
    def robust(self) -> bool:
        """Whether a few wild values must not set the scale."""
        return self.loss in ROBUST_LOSSES

    def tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Give scaled targets."""
        return torch.as_tensor(self.fitted_scaler.transform(y)).to(dtype)

    def criterion(self) -> nn.Module:
        """Build the loss."""
        return regression_loss(self.loss, list(self.levels))

    def decode(self, outputs: np.ndarray, X: Any = None) -> np.ndarray:
        """Turn outputs (n, n_outputs) into predictions (n, ...), in the units of y."""
        if not self.several:
            return self.fitted_scaler.inverse(outputs).reshape(-1, *self.shape)
        values = outputs.reshape(len(outputs), self.n_targets, -1)
        values = self.fitted_scaler.inverse(values.swapaxes(1, 2)).swapaxes(1, 2)
        # Separately learned quantiles may cross; sorted ones are never worse.
        return np.sort(values, axis=-1).reshape(len(outputs), *self.prediction_shape)

    def decode_tensor(self, outputs: torch.Tensor) -> torch.Tensor:
        """Do what `decode` does, for gradients; outputs may have axes between (n, ..., n_outputs).

        No value is cut to what a type can hold.
        """
        scaler = self.fitted_scaler
        scale, center = (torch.as_tensor(x)[:, None] for x in (scaler.scale, scaler.center))
        lead = outputs.shape[:-1]
        values = outputs.reshape(*lead, self.n_targets, -1) * scale + center
        return values.sort(-1).values.reshape(*lead, *self.prediction_shape)

    def score_given(self, y, predictions, X, weights, caller) -> float:
        """Check y, and score predictions against it."""
        with checking_targets(caller, y) as y:
            y = check_array(
                y, dtype=np.float64, ensure_2d=False, allow_nd=True, ensure_all_finite=False
            )
            check_consistent_length(X, y)
            return self.score(y, predictions, weights)

    def score(self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
        """Give R², or the mean of D² over several quantiles."""
        # The scores do not depend on the unit, but the squares of extreme values overflow.
        unit = np.abs(y[np.isfinite(y)]).max(initial=0)
        if unit > 1e100 or 0 < unit < 1e-100:
            y, predictions = y / unit, predictions / unit
        if not self.several:
            return r2_score(y, predictions, sample_weight=weights)
        scores = [
            d2_pinball_score(y, predictions[..., k], sample_weight=weights, alpha=level)
            for k, level in enumerate(self.levels)
        ]
        return float(np.mean(scores))

    def score_outputs(self, outputs, y, weights) -> float:
        """Score the module's outputs for encoded y, NaN where that is impossible."""
        if len(y) < 2 or not np.isfinite(outputs).all():
            return float("nan")
        return self.score(y.reshape(*y.shape[:-1], *self.shape), self.decode(outputs), weights)

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give shape and scale."""
        arrays = scaler_arrays(self.scaler)
        return (
            {"y_shape": [int(n) for n in self.shape]},
            {f"target_scaler.{name}": array for name, array in arrays.items()},
        )

    def described(self, fields: Fields, longest: int) -> Self:
        """Take the shape."""
        shape = tuple(fields.integers("y_shape"))
        if len(shape) > 1:
            raise ValueError("its targets have too many dimensions.")
        return replace(self, shape=shape)

    def specs(self) -> dict[str, Spec]:
        """Say of what shape centre and scale are."""
        specs = scaler_specs({"kind": "standard"}, self.n_targets)
        return {f"target_scaler.{name}": spec for name, spec in specs.items()}

    def filled(self, arrays: Arrays) -> Self:
        """Take centre and scale."""
        center, scale = (arrays[f"target_scaler.{name}"] for name in ("center", "scale"))
        return replace(self, scaler=Standard(center, scale))
