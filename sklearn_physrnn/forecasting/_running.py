"""A window model's network at work: windows in, forecasts out, batch by batch."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..training._device import inference_device
from ..training._inference import BATCH_VALUES, module_outputs

if TYPE_CHECKING:
    from ._model import WindowModel


def run(
    model: "WindowModel",
    contexts: np.ndarray,
    features: np.ndarray | None,
    n_rolled: int = 0,
    present: np.ndarray | None = None,
    starts: np.ndarray | None = None,
) -> np.ndarray:
    """Run a model's module on contexts whose features stand in one table.

    They begin at `starts`; without any it is window after window. At the last `n_rolled`
    steps of each, which are forecasts, what is known up to the present only is what it was
    then: the rows `present` of such a table.
    """
    inputs: dict[str, Any] = {"x": _as_tensor(contexts)}
    if np.isnan(contexts.sum()):  # without a mask of all windows, which takes memory
        missing = np.isnan(contexts)
        inputs["x"] = torch.from_numpy(np.where(missing, 0.0, contexts))
        inputs["observed"] = torch.from_numpy(~missing)
    if features is not None:
        table = torch.from_numpy(features).unfold(0, model.sizes.length, 1)
        rows = slice(len(contexts)) if starts is None else torch.from_numpy(starts)
        inputs["features"] = table[rows].transpose(1, 2)
        if n_rolled and model.features.hidden:
            assert present is not None
            end, hidden = model.sizes.window_length, list(model.features.hidden)
            inputs["features"] = inputs["features"].clone()
            inputs["features"][:, max(0, end - n_rolled) : end, hidden] = torch.from_numpy(
                present[: len(contexts), None, hidden]
            )
    outputs = module_outputs(
        model.module,
        inputs,
        dtype=torch.float64,
        device=inference_device(model.device, model.module, contexts.size),
        batch_size=max(1, BATCH_VALUES // (16 * model.sizes.length * model.n_channels)),
        kernels=model.kernels,
    )
    # Quantiles learned one by one may cross; sorted ones are never worse.
    return np.sort(outputs, axis=3)


def _as_tensor(contexts: np.ndarray) -> torch.Tensor:
    """Share the memory of overlapping windows, which numpy marks as not to be written."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(contexts)
