"""``integrated_gradients``: how much each value of an input moved a prediction."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils.validation import _num_samples
from torch import nn

from ..estimators._base import _BaseEstimator
from ..nn._hru import HRU
from ..nn.petnn import PETNN
from ..preparation.containers import as_array, held_sequences
from ..preparation.label_sets import LabelSets
from ..preparation.number_targets import NumberTargets
from ..preparation.sequences import SequenceInputs
from ..preparation.series import Series
from ..preparation.step_classes import StepClasses
from ..preparation.step_numbers import StepNumbers
from ..preparation.tables import TableInputs
from ..training._data import run_module
from ..training._inference import rows_at_a_time
from ..training._threads import sensible_threads
from ._baselines import baseline_of
from ._models import check_family, checked, exact_copy, exact_inputs, prepared, time_channel

RESPONSES = ("auto", "prediction", "log_odds", "probability")
_AT_A_TIME = 4  # batches of a prediction's size would keep as many activations for gradients


def integrated_gradients(
    estimator,
    X,
    *,
    baseline=None,
    target=None,
    response: str = "auto",
    n_steps: int = 64,
):
    r"""Attribute predictions to the values of their inputs.

    The attribution of value i is the gradient's component i, integrated along the
    straight line from a baseline to the input (integrated gradients, Sundararajan, Taly
    and Yan, arXiv 1703.01365, equation 1),

    .. math::
        a_i = (x_i - x'_i) \int_0^1 \partial_i f(x' + s (x - x'))\, ds,

    so that the attributions of a sample add up to :math:`f(x) - f(x')`.

    Parameters
    ----------
    estimator : estimator of this package
        Fitted, for sequences, tokens or tables.
    X : array-like
        Inputs, as in ``fit``.
    baseline : array-like or int, default=None
        What to compare with, in the units of X: a number, one value a channel (or
        column), or anything that broadcasts to the shape of X, sequences padded to one
        length; for tokens a token id. None takes the mean of each channel (or column) in
        training with ``scale_inputs="standard"``, its median with "quantile", also where
        values tie, and zero with False, statistics with the weights of training; for
        columns of categories one that training has not seen; for tokens it takes an
        embedding of zeros. Where X has columns of categories it is a table like X, of one
        row or of as many.
    target : int, tuple of int or label, default=None
        What to explain. For a classifier a label; None takes each sample's predicted
        class, and where there are labels at every step it is ``(step, label)``. For a
        regressor with several outputs an index into a sample's prediction, say
        ``(step, target)``.
    response : {"auto", "prediction", "log_odds", "probability"}, default="auto"
        What f is: the prediction of a regressor, in units of y; for a classifier the
        logarithm of the odds of the target class, or its probability. "auto" takes the
        first for regressors and log-odds for classifiers.
    n_steps : int, default=64
        Intervals of the trapezoidal rule.

    Returns
    -------
    attributions : ndarray, or list of ndarray
        Like X: (n_samples, n_features), (n_samples, n_timesteps), (n_samples,
        n_timesteps, n_channels) or a list of (n_timesteps, n_channels); for tokens one
        number a token. NaN in an array's padding. A time channel gets zeros: the times
        are those of the sample along the whole way.

    Raises
    ------
    TypeError, NotFittedError
        If the estimator is not one of this package's, or not fitted.
    ValueError
        If X, `baseline`, `target` or another parameter is not as described.

    Notes
    -----
    The way is straight in scaled inputs, and all is computed in float64. What an interval's
    trapezoid leaves of the exact change of f over that interval is shared out over the
    values in proportion to what each already has, so that the sum is right to rounding; for
    HSSM and DynPMNN this falls as 1/n_steps².

    NOTE[paper]: a PETNN jumps where a timer runs out, and a gradient cannot see that. Its
    gradient here holds every release fixed, and jumps are shared out in proportion to what
    the releases' surrogate gradient adds to that: over the inputs that moved the timers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMRegressor
    >>> from sklearn_physrnn.inspection import integrated_gradients
    >>> X = np.random.default_rng(0).normal(size=(40, 30, 2))
    >>> model = HSSMRegressor(8, 8, max_iter=5, random_state=0).fit(X, X[:, :, 0].mean(axis=1))
    >>> a = integrated_gradients(model, X[:3], baseline=0.0)
    >>> a.shape
    (3, 30, 2)
    >>> change = model.predict(X[:3]) - model.predict(np.zeros((1, 30, 2)))
    >>> bool(np.allclose(a.sum(axis=(1, 2)), change))
    True
    """
    return attribute(estimator, X, baseline, target, response, n_steps).like(X)


@dataclass(frozen=True)
class Attribution:
    """What :func:`integrated_gradients` finds, and what it is about.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_features) or (n_samples, n_timesteps, n_channels)
        Zero past a sample's length.
    response, baseline_response : ndarray of shape (n_samples,)
        f at the inputs and at the baseline.
    remainder : ndarray of shape (n_samples,)
        Sum of the absolute changes that the trapezoids leave.
    name : str
        Of the response.
    series : Series or None
        The validated sequences.
    """

    values: np.ndarray
    response: np.ndarray
    baseline_response: np.ndarray
    remainder: np.ndarray
    name: str
    series: Series | None

    def like(self, X) -> Any:
        """The values in the shape of X."""
        if self.series is None:
            return self.values
        held = held_sequences(X)
        if held is not None:
            flat = np.ndim(as_array(held.sequences[0])) == 1  # tokens, or one channel
            return [
                row[:length, 0] if flat else row[:length]
                for row, length in zip(self.values, self.series.lengths, strict=True)
            ]
        shape = np.shape(X)
        values = np.full((shape[0], shape[1], self.values.shape[2]), np.nan)
        inside = np.arange(shape[1]) < self.series.lengths[:, None]
        values[inside] = self.values[self.series.mask]
        return values if len(shape) == 3 else values[:, :, 0]


def attribute(estimator, X, baseline, target, response: str, n_steps: int) -> Attribution:
    """Do the work of :func:`integrated_gradients`."""
    check_family(estimator, _BaseEstimator, "one of this package's estimators")
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}.")
    if response not in RESPONSES:
        raise ValueError(f"response must be one of {RESPONSES}, got {response!r}.")
    classifies = is_classifier(estimator)
    if response == "auto":
        response = "log_odds" if classifies else "prediction"
    if (response == "prediction") == classifies:
        kind = "classifier" if classifies else "regressor"
        raise ValueError(f"response={response!r} does not suit a {kind}.")
    validated = checked(estimator, X)
    inputs = exact_inputs(estimator, validated)
    start = baseline_of(estimator, validated, inputs["x"], baseline)
    module = exact_copy(estimator)
    for part in module.modules():
        if isinstance(part, HRU):
            part.gradient = "bptt"  # RHEL's has an error of the nudge's size if nonlinear
    if (embedding := _embedding(module)) is not None:
        inputs["x"] = embedding(inputs["x"])
        start = torch.zeros_like(inputs["x"]) if start is None else embedding(start)
    assert start is not None
    pick = _picker(estimator, X, target, response)
    batch = max(1, rows_at_a_time(inputs["x"], estimator.hidden_size) // _AT_A_TIME)
    pieces = []
    with sensible_threads(0):
        for first in range(0, len(start), batch):
            rows = slice(first, first + batch)
            some = {name: x[rows] for name, x in inputs.items()}
            pieces.append(_integrate(module, some, start[rows], pick, rows, n_steps))
    values, end, begin, remainder = (torch.cat(p) for p in zip(*pieces, strict=True))
    known = prepared(estimator).inputs
    if isinstance(known, TableInputs):
        values = known.by_feature(values)
    series = validated if isinstance(validated, Series) else None
    if series is not None:
        values = values * torch.as_tensor(series.mask)[:, :, None]
        if embedding is not None:
            values = values.sum(2, keepdim=True)
        if isinstance(known, SequenceInputs):
            values = known.holes.by_channel(values)
        if (channel := time_channel(estimator)) is not None:
            axis = channel % series.values.shape[1]
            zeros = torch.zeros_like(values[:, :, :1])
            values = torch.cat((values[:, :, :axis], zeros, values[:, :, axis:]), 2)
    return Attribution(
        values=values.numpy(),
        response=end.numpy(),
        baseline_response=begin.numpy(),
        remainder=remainder.numpy(),
        name=response,
        series=series,
    )


def _embedding(module) -> nn.Embedding | None:
    """Take the embedding of tokens off the module, which then takes vectors."""
    found = getattr(module, "embedding", None)
    if not isinstance(found, nn.Embedding):
        return None
    module.embedding = None
    return found


Pick = Callable[[torch.Tensor, slice], torch.Tensor]


def _picker(estimator, X, target, response: str) -> Pick:
    """Make the function that takes f (rows,) out of the module's outputs."""
    if response == "prediction":
        return _regression_picker(estimator, target)
    classes, step = estimator.classes_, None
    if isinstance(prepared(estimator).targets, StepClasses):
        step, target = _step_and_label(target)
    if target is None:
        probabilities = estimator.predict_proba(X)
        chosen = torch.as_tensor(_at(probabilities, step).argmax(axis=1))
    else:
        found = np.flatnonzero(classes == target)
        if not len(found):
            raise ValueError(f"target must be one of {classes.tolist()}, got {target!r}.")
        chosen = torch.full((_num_samples(X),), int(found[0]))

    sets = isinstance(prepared(estimator).targets, LabelSets)

    def pick(outputs: torch.Tensor, rows: slice) -> torch.Tensor:
        if sets:
            odds = outputs.gather(1, chosen[rows, None])[:, 0]
            return odds.sigmoid() if response == "probability" else odds
        log_p = _at(outputs, step).log_softmax(1)
        own = torch.nn.functional.one_hot(chosen[rows], len(classes)).bool()
        log_own = log_p[own]
        if response == "probability":
            return log_own.exp()
        return log_own - log_p.masked_fill(own, -torch.inf).logsumexp(1)

    return pick


def _step_and_label(target) -> tuple[int, Any]:
    if not isinstance(target, tuple) or len(target) != 2 or not isinstance(target[0], Integral):
        raise ValueError(
            "target must be (step, label) for labels at every step, or (step, None) for the "
            f"predicted one, got {target!r}."
        )
    return int(target[0]), target[1]


def _at(outputs: Any, step: int | None) -> Any:
    """Take one step of outputs (n_samples, n_steps, n_classes)."""
    if step is None:
        return outputs
    if not -outputs.shape[1] <= step < outputs.shape[1]:
        raise ValueError(f"target has the step {step}, of {outputs.shape[1]} that are predicted.")
    return outputs[:, step]


def _regression_picker(estimator, target) -> Pick:
    index = () if target is None else tuple(np.atleast_1d(target).tolist())
    targets = cast(NumberTargets | StepNumbers, prepared(estimator).targets)

    def pick(outputs: torch.Tensor, rows: slice) -> torch.Tensor:
        values = targets.decode_tensor(outputs)
        shape = tuple(values.shape[1:])
        if len(index) != len(shape) or any(
            not -n <= k < n for k, n in zip(index, shape, strict=True)
        ):
            raise ValueError(
                f"target must be an index into a sample's prediction, of shape {shape}, got "
                f"{target!r}."
            )
        return values[(slice(None), *index)]

    return pick


def _gradients(
    module, inputs: dict[str, torch.Tensor], x: torch.Tensor, pick: Pick, rows: slice
) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        f = pick(run_module(module, {**inputs, "x": x}), rows)
    # A shared constant has no gradient: an output that sees no input at all.
    (gradient,) = torch.autograd.grad(f.sum(), x, allow_unused=True, materialize_grads=True)
    return f.detach(), gradient


def _releasing(module) -> list[PETNN]:
    """Layers of the module whose releases are jumps."""
    return [p for p in module.modules() if isinstance(p, PETNN) and p.release != "soft"]


def _points(
    module, inputs, start: torch.Tensor, pick: Pick, rows: slice, n_steps: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
    """At each point of the way f, its gradient, and what the timers would add to that."""
    end, layers = inputs["x"], _releasing(module)
    for k in range(n_steps + 1):
        x = torch.lerp(start, end, k / n_steps)
        if not layers:
            yield *_gradients(module, inputs, x, pick, rows), None
            continue
        for layer in layers:
            layer.release = "hard"
        f, gradient = _gradients(module, inputs, x, pick, rows)
        for layer in layers:
            layer.release = "surrogate"
        _, with_timers = _gradients(module, inputs, x, pick, rows)
        yield f, gradient, with_timers - gradient


def _integrate(
    module, inputs, start: torch.Tensor, pick: Pick, rows: slice, n_steps: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    way = (inputs["x"] - start).flatten(1)
    total, remainder = torch.zeros_like(way), way.new_zeros(len(way))
    points = _points(module, inputs, start, pick, rows, n_steps)
    f, gradient, timers = next(points)
    first = f
    for f_next, gradient_next, timers_next in points:
        part = (gradient + gradient_next).flatten(1) * way / (2 * n_steps)
        left = f_next - f - part.sum(1)
        share = part.abs()
        if timers is not None and timers_next is not None:
            jumped = ((timers.abs() + timers_next.abs()).flatten(1) * way).abs()
            share = torch.where(jumped.sum(1, keepdim=True) > 0, jumped, share)
        # Where nothing has a gradient, by how far each value goes.
        share = torch.where(share.sum(1, keepdim=True) > 0, share, way.abs())
        share = share / share.sum(1, keepdim=True).clamp_min(torch.finfo(share.dtype).tiny)
        total += part + left[:, None] * share
        remainder += left.abs()
        f, gradient, timers = f_next, gradient_next, timers_next
    return total.view_as(start), f, first, remainder
