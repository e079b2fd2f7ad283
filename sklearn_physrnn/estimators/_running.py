"""A fitted estimator's network, or another in its place, at work on what was prepared."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ..preparation.recordings import Recordings
from ..preparation.series import Series
from ..training._data import steps_per_sample
from ..training._device import inference_device
from ..training._inference import module_outputs, recorded_outputs, rows_at_a_time

if TYPE_CHECKING:
    from ._base import _BaseEstimator


def outputs_of_arrays(
    estimator: "_BaseEstimator", inputs: dict[str, np.ndarray], module: nn.Module | None = None
) -> np.ndarray:
    """Give the outputs for inputs in memory, in their precision."""
    positions = len(inputs["x"]) * steps_per_sample(inputs["x"])
    return module_outputs(
        estimator.module_ if module is None else module,
        inputs,
        dtype=torch.float64 if inputs["x"].dtype == np.float64 else torch.float32,
        device=inference_device(estimator.device, estimator.module_, positions),
        batch_size=rows_at_a_time(inputs["x"], estimator._built_with["hidden_size"]),
        chunk_size=getattr(estimator, "chunk_size", None),  # of estimators of sequences
        kernels=estimator.kernels_,
    )


def outputs_of_recordings(
    estimator: "_BaseEstimator",
    X: Series | Recordings,
    run: Callable[..., Any] = recorded_outputs,
    module: nn.Module | None = None,
) -> Any:
    """Give the outputs for sequences read piece by piece, or what `run` makes of them."""
    return run(
        estimator.module_ if module is None else module,
        partial(estimator._prepared.inputs.stretch, X),
        X.lengths,
        dtype=torch.float64 if X.dtype == np.float64 else torch.float32,
        device=inference_device(estimator.device, estimator.module_, int(X.lengths.sum())),
        chunk_size=getattr(estimator, "chunk_size", None),
        kernels=estimator.kernels_,
    )
