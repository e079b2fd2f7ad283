"""A look at what training left, and warnings of what is amiss."""

from typing import Any

import torch

from ..preparation.arrays import check_finite
from ..training._data import Samples, run_module
from ..training._recorded import RecordedSamples
from ..training._threads import sensible_threads

_FEW = 32  # samples
_SELDOM = 128  # calls of partial_fit


def examine(
    estimator: Any, samples: Samples | RecordedSamples, *, diverged: bool, in_stream: bool
) -> None:
    """Let the family look at a trained network, and set the attributes that it gives.

    Raises
    ------
    ValueError
        If training diverged and the weights that were kept are no good either.
    """
    family = estimator._family
    seldom = in_stream and not (diverged or family.examines_often)
    if seldom and not _now_and_then(estimator.n_iter_):
        return
    few = samples.some(_FEW)
    with sensible_threads(0):
        if diverged:
            with torch.no_grad():
                outputs = run_module(estimator.module_, few).numpy()
            check_finite(outputs, family.remedies)
        for name, value in family.examine(estimator.module_, few).items():
            setattr(estimator, name, value)


def _now_and_then(n_calls: int) -> bool:
    """Tell the calls of a stream at which a costly look is taken: 1, 2, 4 ... 128, 256, 384."""
    return n_calls & (n_calls - 1) == 0 if n_calls < _SELDOM else n_calls % _SELDOM == 0
