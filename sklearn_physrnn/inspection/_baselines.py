"""Where the way of integrated gradients begins."""

from typing import cast

import numpy as np
import torch

from ..preparation.series import Series
from ..preparation.tables import TableInputs
from ..preparation.tokens import TokenInputs
from ._models import checked, exact_inputs, prepared, time_channel


def baseline_of(estimator, validated, x: torch.Tensor, baseline) -> torch.Tensor | None:
    """Where the way begins, in scaled inputs; token ids, or None for an embedding of zeros."""
    tokens = not x.is_floating_point()
    if baseline is None:
        return None if tokens else _middle(estimator, validated, x)
    known = prepared(estimator).inputs
    if isinstance(known, TableInputs) and known.categories:
        return _like(baseline, estimator, len(x))
    values = np.asarray(baseline)
    if tokens:
        n_words = cast(TokenInputs, known).vocabulary_size
        if values.ndim or values.dtype.kind not in "iu" or not 0 <= values < n_words:
            raise ValueError(f"baseline must be a token id in [0, {n_words}), got {baseline!r}.")
        return torch.full_like(x, int(values))
    like = validated
    if isinstance(validated, Series):
        like = validated.padded(validated.values)
    if getattr(prepared(estimator).inputs, "n_dims", None) == 2 and values.ndim:
        values = values[..., None]
    try:
        values = np.broadcast_to(values.astype(like.dtype), like.shape)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"baseline must be numbers that broadcast to the shape of X, {like.shape}, got "
            f"shape {np.shape(baseline)}."
        ) from error
    if not np.isfinite(values).all():
        raise ValueError("baseline must be finite.")
    if isinstance(validated, Series):
        values = values[validated.mask]
        if (channel := time_channel(estimator)) is not None:
            values[:, channel] = validated.values[:, channel]
        return exact_inputs(estimator, Series(values, validated.lengths))["x"]
    return exact_inputs(estimator, np.ascontiguousarray(values))["x"]


def _like(baseline, estimator, n_samples: int) -> torch.Tensor:
    """Read a baseline that has categories, as a table of one row or of one a sample."""
    try:
        rows = checked(estimator, baseline)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "baseline must be a table like X, of one row or of as many, since X has columns of "
            f"categories: {error}"
        ) from error
    if len(rows) not in (1, n_samples):
        raise ValueError(f"baseline must have one row, or {n_samples} as X, got {len(rows)}.")
    x = exact_inputs(estimator, rows)["x"]
    return x.expand(n_samples, -1)


def _middle(estimator, validated, x: torch.Tensor) -> torch.Tensor:
    """What the scaler makes of each column's mean or median, zero in padding."""
    inputs = prepared(estimator).inputs
    if not isinstance(validated, Series):
        return torch.zeros_like(x) + torch.as_tensor(inputs.middle(validated.dtype))
    inside = torch.zeros_like(x) + torch.as_tensor(validated.mask)[:, :, None]
    return inside * torch.as_tensor(inputs.middle(validated.values.dtype))
