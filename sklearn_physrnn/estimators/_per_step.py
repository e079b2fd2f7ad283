"""Regression at every step of a sequence."""

import numpy as np
import torch
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..training._losses import PerStep
from ._regression import _BaseRegressor
from ._sequences import Series, _SequenceInputs


class _PerStepRegressor(_SequenceInputs, _BaseRegressor):
    """With ``readout="sequence"``, y has a time axis between samples and targets."""

    readout: str
    every: int

    @property
    def _per_step(self) -> bool:
        return self.readout == "sequence"

    def _check_targets(self, y, X: Series) -> np.ndarray:
        if not self._per_step:
            return super()._check_targets(y, X)
        y = check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite="allow-nan",
            input_name="y",
        )
        check_consistent_length(X, y)
        steps = X.longest // self.every
        if y.ndim not in (2, 3) or y.shape[1] != steps or steps == 0:
            raise ValueError(
                f"With readout='sequence' and every={self.every}, y must be of shape "
                f"(n_samples, {steps}) or (n_samples, {steps}, n_targets), got {y.shape}."
            )
        inside = np.arange(steps) < (X.lengths // self.every)[:, None]
        missing = np.isnan(y.reshape(len(y), steps, -1)).any(axis=2)
        if (missing & inside).any():
            sample, step = np.argwhere(missing & inside)[0]
            raise ValueError(f"Input y contains NaN: sample {sample}, step {step}.")
        return np.where(inside if y.ndim == 2 else inside[:, :, None], y, np.nan)

    def _encode_targets(self, y: np.ndarray, *, reset: bool) -> np.ndarray:
        if not self._per_step:
            return super()._encode_targets(y, reset=reset)
        super()._encode_targets(y[:, 0], reset=reset)
        return y.reshape(*y.shape[:2], -1)

    def _fit_targets(self, y: np.ndarray, weights: np.ndarray | None) -> None:
        if not self._per_step:
            super()._fit_targets(y, weights)
            return
        present = ~np.isnan(y).any(axis=2)
        step_weights = None if weights is None else np.repeat(weights, present.sum(axis=1))
        super()._fit_targets(y[present], step_weights)

    def _target_tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        if not self._per_step:
            return super()._target_tensor(y, dtype)
        # Scaled where there are any: of one long series among short ones most are padding.
        present = ~np.isnan(y).any(axis=2)
        targets = torch.full(y.shape, torch.nan, dtype=dtype)
        targets[torch.from_numpy(present)] = super()._target_tensor(y[present], dtype)
        return targets

    def _adapt_criterion(self, criterion: nn.Module) -> nn.Module:
        return PerStep(criterion) if self._per_step else criterion

    def _decode(self, outputs: np.ndarray) -> np.ndarray:
        if not self._per_step:
            return super()._decode(outputs)
        values = super()._decode(outputs.reshape(-1, outputs.shape[-1]))
        return values.reshape(*outputs.shape[:2], *values.shape[1:])

    def predict(self, X):
        """Predict the targets of X.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the units of the y that was fitted; float32 where X is and float32 can hold
            the values and tell them apart, else float64. With
            ``readout="sequence"`` of shape (n_samples, n_timesteps // every) or
            (n_samples, n_timesteps // every, n_targets), NaN past a sample's end. With
            ``loss="quantile"`` and a list of quantiles, a last axis holds one value a
            quantile, in increasing order.
        """
        if not self._per_step:
            return super().predict(X)
        check_is_fitted(self)
        series = self._validate_inputs(X, reset=False)
        outputs = self._run(series)
        present = np.arange(outputs.shape[1]) < (series.lengths // self.every)[:, None]
        decoded = super()._decode(outputs[present])
        values = np.full((*present.shape, *decoded.shape[1:]), np.nan, decoded.dtype)
        values[present] = decoded
        return values

    def _score_predictions(self, y, predictions, weights) -> float:
        if not self._per_step:
            return super()._score_predictions(y, predictions, weights)
        # Validation batches are trimmed to their longest sequence.
        y = np.asarray(y, dtype=np.float64)[:, : predictions.shape[1]]
        present = ~np.isnan(y.reshape(*y.shape[:2], -1)).any(axis=2)
        if weights is not None:
            weights = np.repeat(weights, present.sum(axis=1))
        return super()._score_predictions(y[present], predictions[present], weights)
