"""Fitted models and their inputs, as the displays look at them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..preparation.prepared import Prepared
from ..preparation.recordings import Recordings, whole
from ..preparation.series import Series
from ..preparation.sparse import SparseTable


def check_family(estimator, family: type | tuple[type, ...], what: str) -> None:
    """Refuse an estimator that is not of `family`, or not fitted.

    Raises
    ------
    TypeError
        If it is another kind of estimator.
    NotFittedError
        If it is not fitted.
    """
    if not isinstance(estimator, family):
        hint = ""
        if hasattr(estimator, "named_steps"):
            hint = " Of a Pipeline, give the last step, pipe[-1], and pipe[:-1].transform(X)."
        if hasattr(estimator, "best_estimator_"):
            hint = " Of a search, give its best_estimator_."
        for name in ("classifier_", "regressor_"):
            if isinstance(inner := getattr(estimator, name, None), family):
                hint = (
                    f" Give its {name}, a {type(inner).__name__}, and X with time before channels."
                )
        raise TypeError(f"estimator must be {what}, got {type(estimator).__name__}.{hint}")
    check_is_fitted(estimator)


def exact_copy(estimator) -> nn.Module:
    """Copy the fitted module in float64, without gradients for its parameters.

    What is looked at is the model, not the rounding of the precision it was trained in.
    """
    return copy.deepcopy(estimator.module_).double().eval().requires_grad_(False)


def prepared(estimator) -> Prepared:
    """Give what a fitted estimator has learned of inputs and targets."""
    return estimator._prepared


def checked(estimator, X) -> np.ndarray | Series | SparseTable:
    """Check X against what the estimator was fitted to; read what is in files."""
    found = prepared(estimator).inputs.read(X, estimator)
    return whole(found) if isinstance(found, Recordings) else found


def exact_inputs(estimator, X) -> dict[str, torch.Tensor]:
    """Turn checked X into the module's inputs, in float64; sequences padded."""
    return prepared(estimator).inputs.tensors(X, torch.float64, padded=True)


def time_channel(estimator) -> int | None:
    """Give the channel of time stamps, if the fitted estimator has one."""
    return getattr(prepared(estimator).inputs, "time_channel", None)


@dataclass(frozen=True)
class OneSequence:
    """One sequence of X.

    Attributes
    ----------
    time : ndarray of shape (n_timesteps,)
        Time stamps where the model has a time channel, else steps from 0.
    time_label : str
    values : ndarray of shape (n_timesteps, n_channels)
        Without the time channel, in the units of X.
    names : list of str
        Of the channels.
    inputs : dict of str to Tensor
        The module's, for this one sample.
    """

    time: np.ndarray
    time_label: str
    values: np.ndarray
    names: list[str]
    inputs: dict[str, torch.Tensor]


def one_sequence(
    estimator, X, sample: int, channel_names: Sequence[str] | None = None
) -> OneSequence:
    """Take a sample out of X, with its padding cut off.

    Raises
    ------
    ValueError
        If X is not what the estimator takes, there is no such sample, or there are not
        as many names as channels.
    """
    series = prepared(estimator).inputs.read(X, estimator)
    assert isinstance(series, Series | Recordings)
    if not -len(series) <= sample < len(series):
        raise ValueError(f"sample must be one of the {len(series)} in X, got {sample}.")
    series = series[[sample]]
    if isinstance(series, Recordings):
        series = whole(series)
    values, length = series.values, series.longest
    inputs = exact_inputs(estimator, series)
    channel = time_channel(estimator)
    names = [f"channel {k}" for k in range(values.shape[1])]
    if channel is None:
        time, label = np.arange(length), "time step"
    else:
        time, label = values[:, channel], "time"
        values = np.delete(values, channel, axis=1)
        del names[channel]
    if channel_names is not None:
        if len(channel_names) != len(names):
            raise ValueError(
                f"channel_names must name {len(names)} channels"
                + (", without the time channel" if channel is not None else "")
                + f", got {len(channel_names)} names."
            )
        names = [str(name) for name in channel_names]
    return OneSequence(time, label, values, names, inputs)


def check_indices(name: str, chosen: Sequence[int], n: int) -> list[int]:
    """Check that all of `chosen` lie in ``range(n)``.

    Raises
    ------
    ValueError
        If there is none, or one is out of range.
    """
    indices = [int(k) for k in np.atleast_1d(np.asarray(chosen))]
    if not indices or min(indices) < 0 or max(indices) >= n:
        raise ValueError(f"{name} must be between 0 and {n - 1}, got {list(indices)}.")
    return indices
