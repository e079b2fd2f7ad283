"""``gradient_agreement``: what the two fitters of an HSSM say about the same gradient."""

import copy
from collections import defaultdict
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from ..estimators._hssm import HSSMClassifier, HSSMRegressor
from ..nn._dropout import Dropout
from ..nn._hru import HRU
from ..nn.hssm import HSSM
from ..training._data import BatchIterator, run_module
from ..training._threads import sensible_threads, work_per_batch
from ..training.parameters import samples_a_step
from ._models import prepared

# Who is compared with whom, by the prefix of the two columns.
_PAIRS = {"": ("rhel", "bptt"), "rhel_": ("rhel", "exact"), "bptt_": ("bptt", "exact")}
_COLUMNS = [prefix + name for prefix in _PAIRS for name in ("cosine", "norm_ratio")]


def gradient_agreement(estimator, X, y) -> pd.DataFrame:
    """Compare the gradients of recurrent Hamiltonian echo learning and back-propagation.

    The gradient of the fitted model's loss on `X` and `y` is computed three times: by
    echoes (RHEL) and by back-propagation through time (BPTT) in the precision the
    estimator trains in, and by BPTT in float64, which is the truth. Where BPTT itself
    departs from the truth, the dynamics magnify rounding, and no fitter can help:
    shorten the series, or take fewer or smaller steps.

    Parameters
    ----------
    estimator : HSSMClassifier or HSSMRegressor
        Fitted, with either fitter. It is left as it is.
    X : array-like of shape (n_samples, n_timesteps, n_channels), or as in ``fit``
        Sequences; a training batch's worth is enough.
    y : array-like
        Their targets, as in ``fit``.

    Returns
    -------
    DataFrame
        A row for every parameter of every block's oscillators, and one, "input", for
        what the block's oscillators are driven by. Columns:

        block : int
            Counting from the input.
        parameter : str
            Name in :class:`~sklearn_physrnn.nn.LinearHRU` or
            :class:`~sklearn_physrnn.nn.NonlinearHRU`, without ``_raw``; or "input".
        cosine, norm_ratio : float
            Cosine of the angle between RHEL's and BPTT's gradient, and RHEL's norm over
            BPTT's, both in training precision.
        rhel_cosine, rhel_norm_ratio : float
            The same of RHEL against BPTT in float64.
        bptt_cosine, bptt_norm_ratio : float
            The same of BPTT in training precision against BPTT in float64.

        NaN where a gradient is zero or not finite.

    Raises
    ------
    TypeError
        If `estimator` is not an HSSM estimator.
    NotFittedError
        If it is not fitted.
    ValueError
        If `X` or `y` is not what the estimator takes.

    Notes
    -----
    The gradient is the one that training takes: batch normalisation uses the statistics
    of each batch, of `batch_size` samples in the order of `X`; class weights count; and a
    block's gradient includes the errors of the blocks above it. Only dropout is off, so
    that nothing is random. With ``dtype="bfloat16"`` the training precision is taken to
    be float32, in which the oscillators run then too.

    At a minimum, the samples' gradients cancel and what is left of them shows their
    rounding: agreement is best judged early in training.

    References
    ----------
    .. [1] Pourcel and Ernoult, "Learning long range dependencies through time reversal
       symmetry breaking", arXiv 2506.05259, figure 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMClassifier
    >>> from sklearn_physrnn.inspection import gradient_agreement
    >>> X = np.random.default_rng(0).normal(size=(20, 50, 2))
    >>> y = X[:, :, 0].mean(axis=1) > 0
    >>> model = HSSMClassifier(8, 4, max_iter=1, random_state=0).fit(X, y)
    >>> report = gradient_agreement(model, X, y)
    >>> bool((report["cosine"] > 1 - 1e-6).all())
    True
    """
    if not isinstance(estimator, HSSMClassifier | HSSMRegressor):
        raise TypeError(
            "estimator must be an HSSMClassifier or HSSMRegressor, which have two fitters to "
            f"compare, got {type(estimator).__name__}."
        )
    check_is_fitted(estimator)
    module = cast(HSSM, estimator.module_)
    dtype = next(module.parameters()).dtype
    known = prepared(estimator)
    data = known.read(X, y, estimator)
    known = known.balanced(data)
    samples = known.samples(data.with_weight(known.weigh(data)), dtype, known=False)
    criterion = known.targets.criterion()
    batch_size = min(samples_a_step(estimator.batch_size, len(samples)), len(samples))
    runs = {
        "rhel": _Run(module, "rhel", dtype),
        "bptt": _Run(module, "bptt", dtype),
        "exact": _Run(module, "bptt", torch.float64),
    }
    inputs = [_Products() for _ in module.blocks]
    with sensible_threads(work_per_batch(module, samples, batch_size)):
        for batch in BatchIterator(samples, batch_size):
            for run in runs.values():
                run.add(batch, criterion, len(samples))
            for block, products in enumerate(inputs):
                # One at a time: these are as long as the series.
                products.add({who: run.pop_input_gradient(block) for who, run in runs.items()})
    rows = []
    for block, input_products in enumerate(inputs):
        gradients = {who: run.parameter_gradients(block) for who, run in runs.items()}
        for parameter in gradients["exact"]:
            products = _Products()
            products.add({who: gradients[who][parameter] for who in runs})
            rows.append((block, parameter, *products.compare()))
        rows.append((block, "input", *input_products.compare()))
    return pd.DataFrame(rows, columns=["block", "parameter", *_COLUMNS])


class _Run:
    """A copy of the model, and the gradient that one method gives it."""

    def __init__(self, module: HSSM, gradient: str, dtype: torch.dtype):
        self.dtype = dtype
        self.module = copy.deepcopy(module).to(dtype).train().requires_grad_()
        for part in self.module.modules():
            if isinstance(part, Dropout):
                part.eval()
            elif isinstance(part, HRU):
                part.gradient = gradient
        self.units: list[Any] = [block.hru for block in self.module.blocks]
        self.input_gradients: dict[int, list[torch.Tensor]] = defaultdict(list)
        for block, unit in enumerate(self.units):
            unit.register_forward_pre_hook(self._watcher(block))

    def _watcher(self, block: int):
        def watch(unit, args):
            # A view: without a norm the skip connection reads the same tensor.
            u = args[0].view_as(args[0])
            u.register_hook(self.input_gradients[block].append)
            return (u, *args[1:])

        return watch

    def add(self, batch, criterion, n_samples: int) -> None:
        """Add the gradient of a batch's share of the mean loss."""
        inputs, (targets, weights) = batch
        inputs = {k: x if k == "lengths" else x.to(self.dtype) for k, x in inputs.items()}
        if targets.is_floating_point():
            targets = targets.to(self.dtype)
        losses = criterion(run_module(self.module, inputs), targets)
        if weights is not None:
            losses = losses * weights.to(self.dtype)
        (losses.sum() / n_samples).backward()

    def pop_input_gradient(self, block: int) -> torch.Tensor:
        """Give that of the last batch: sequences of unequal length come in groups."""
        return torch.cat([grad.flatten() for grad in self.input_gradients.pop(block)])

    def parameter_gradients(self, block: int) -> dict[str, torch.Tensor]:
        named = self.units[block].named_parameters()
        return {name.removesuffix("_raw"): p.grad for name, p in named if p.grad is not None}


class _Products:
    """Inner products of the three gradients, summed over pieces."""

    def __init__(self) -> None:
        self.sums = {pair: 0.0 for a in _PAIRS.values() for pair in (a, (a[0],) * 2, (a[1],) * 2)}

    def add(self, gradients: dict[str, torch.Tensor]) -> None:
        wide = {who: gradient.double().flatten() for who, gradient in gradients.items()}
        for a, b in self.sums:
            self.sums[a, b] += float(wide[a] @ wide[b])

    def compare(self) -> list[float]:
        values = []
        for a, b in _PAIRS.values():
            norms = self.sums[a, a] ** 0.5, self.sums[b, b] ** 0.5
            valid = min(norms) > 0 and max(norms) < np.inf
            cosine = self.sums[a, b] / (norms[0] * norms[1]) if valid else np.nan
            values += [cosine, norms[0] / norms[1] if valid else np.nan]
        return values
