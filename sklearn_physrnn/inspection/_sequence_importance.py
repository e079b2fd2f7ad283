"""``sequence_importance``: what a score loses when samples exchange a channel, or a span."""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..preparation.tables import TableInputs
from ..preparation.tokens import TokenInputs
from ._courses import Courses


def sequence_importance(
    estimator,
    X,
    y,
    *,
    scoring: str | Callable | None = None,
    n_spans: int = 10,
    n_repeats: int = 5,
    time_channel: int | str | None = "auto",
    sample_weight=None,
    random_state=None,
) -> Bunch:
    r"""Measure how much a score falls when samples exchange a channel, or a span of time.

    As scikit-learn's ``permutation_importance`` does it for the columns of a table: a channel's
    whole courses are dealt out anew among the samples; or the values of all channels within a
    span of time, a share of each sample's length. What the score loses is the importance.

    Parameters
    ----------
    estimator : estimator
        Fitted, of sequences: of this package, or any other that reads X, or a pipeline or
        search around it.
    X : array-like or list
        Samples of shape (n_samples, n_timesteps, n_channels), or (n_samples, n_timesteps) of
        one channel or of tokens; or a list of arrays or of pandas DataFrames, of any lengths.
        Samples that were not trained on tell what generalises.
    y : array-like
        As the scorer takes it.
    scoring : str, callable or None, default=None
        As in scikit-learn, one score, the greater the better; None takes ``estimator.score``.
    n_spans : int, default=10
        Into how many spans of equal length each sample is cut.
    n_repeats : int, default=5
        How often each channel and span is permuted.
    time_channel : "auto", int, str or None, default="auto"
        Time stamps, which stay where they are and have no importance: a channel's place, or
        its name where samples are data frames. "auto" asks the fitted estimator, of a pipeline
        the last step that has such a parameter, for the place in its own X.
    sample_weight : array-like of shape (n_samples,), default=None
        Of the score.
    random_state : int, RandomState or None, default=None
        Of the permutations, which are the same for all channels and spans.

    Returns
    -------
    result : Bunch
        ``channels`` and ``spans`` are Bunches with ``importances`` of shape (n, n_repeats),
        ``importances_mean`` and ``importances_std`` of shape (n,); ``channels.names``, without
        the time channel; ``spans.borders`` of shape (n_spans + 1,), as shares of a sample's
        length; ``n_timesteps``, None where samples differ in length; ``baseline_score``.

    Raises
    ------
    TypeError
        If X is a table, or the estimator reads one, or is sktime's.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If there are fewer than two samples, or more spans than time steps, or another
        parameter is not as described.

    See Also
    --------
    SequenceImportanceDisplay : A picture of it.
    integrated_gradients : What in a single sample moved its prediction.

    Notes
    -----
    A sample that borrows from one of another length takes the values at the same share of its
    own. Where two channels, or neighbouring spans, tell the same, either alone may seem to be of
    no importance. A span of another sample fits the steps beside it badly, and a model that has
    not seen such jumps may lose by them, too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMRegressor
    >>> from sklearn_physrnn.inspection import sequence_importance
    >>> X = np.random.default_rng(0).normal(size=(80, 12, 2))
    >>> y = X[:, 6:, 1].sum(axis=1)
    >>> model = HSSMRegressor(8, 8, max_iter=30, random_state=0).fit(X, y)
    >>> found = sequence_importance(model, X, y, n_spans=2, random_state=0)
    >>> int(found.channels.importances_mean.argmax()), int(found.spans.importances_mean.argmax())
    (1, 1)
    """
    if hasattr(estimator, "get_class_tag"):
        raise TypeError(
            f"{type(estimator).__name__} is sktime's, with channels before time; give its "
            "classifier_ or regressor_, and X with time before channels."
        )
    check_is_fitted(estimator)
    _check_count("n_spans", n_spans)
    _check_count("n_repeats", n_repeats)
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise ValueError(f"scoring must be one score, its name or a callable, got {scoring!r}.")
    scorer = check_scoring(estimator, scoring)
    fitted = _sequence_estimator(estimator)
    inputs = getattr(getattr(fitted, "_prepared", None), "inputs", None)
    if isinstance(inputs, TableInputs):
        raise TypeError(
            f"{type(fitted).__name__} reads tables; sklearn.inspection.permutation_importance "
            "permutes their columns."
        )
    courses = Courses(X, tokens=isinstance(inputs, TokenInputs))
    n_samples = len(courses)
    if n_samples < 2:
        raise ValueError(f"X must have two samples at least to permute, got {n_samples}.")
    check_consistent_length(range(n_samples), y, sample_weight)
    if n_spans > courses.lengths.max():
        raise ValueError(
            f"n_spans must be at most the {courses.lengths.max()} time steps of the longest "
            f"sample, got {n_spans}."
        )
    kept = _time_channel(fitted, time_channel, courses)
    channels = [k for k in range(courses.n_channels) if k != kept]
    if not channels:
        raise ValueError("X has no channel but that of time stamps.")
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    baseline = float(scorer(estimator, X, y, **weights))
    random = check_random_state(random_state)
    orders = [random.permutation(n_samples) for _ in range(n_repeats)]

    def losses(borrowed: list[int], steps: list[np.ndarray]) -> list[float]:
        changed = (courses.lent(order, borrowed, steps) for order in orders)
        return [baseline - scorer(estimator, X_changed, y, **weights) for X_changed in changed]

    everywhere = [np.ones(n, bool) for n in courses.lengths]
    spans = courses.spans(n_spans)
    n_timesteps = courses.lengths.max() if len(set(courses.lengths)) == 1 else None
    return Bunch(
        channels=_summary(
            [losses([k], everywhere) for k in channels], names=[courses.names[k] for k in channels]
        ),
        spans=_summary(
            [losses(channels, [span == s for span in spans]) for s in range(n_spans)],
            borders=np.linspace(0, 1, n_spans + 1),
        ),
        n_timesteps=None if n_timesteps is None else int(n_timesteps),
        baseline_score=baseline,
    )


def _summary(losses: list[list[float]], **others: Any) -> Bunch:
    importances = np.array(losses, dtype=float)
    return Bunch(
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        importances=importances,
        **others,
    )


def _check_count(name: str, n: Any) -> None:
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {n!r}.")


def _sequence_estimator(estimator: Any) -> Any:
    """Find the estimator that reads sequences, within searches and pipelines."""
    if hasattr(estimator, "best_estimator_"):
        return _sequence_estimator(estimator.best_estimator_)
    for name in ("classifier_", "regressor_", "estimator_"):
        if hasattr(estimator, name):
            return _sequence_estimator(getattr(estimator, name))
    if hasattr(estimator, "steps"):
        steps = [_sequence_estimator(step) for _, step in reversed(estimator.steps)]
        return next((step for step in steps if hasattr(step, "time_channel")), steps[0])
    return estimator


def _time_channel(fitted: Any, time_channel: Any, courses: Courses) -> int | None:
    """Give the place of time stamps among the channels of X, if they are there."""
    if isinstance(time_channel, str) and time_channel == "auto":
        time_channel = getattr(fitted, "time_channel", None)
        if isinstance(time_channel, str) and time_channel not in courses.names:
            return None  # they are in an index, which is not permuted
    if time_channel is None:
        return None
    if isinstance(time_channel, str):
        if time_channel not in courses.names:
            raise ValueError(
                f"time_channel={time_channel!r} is none of the channels {courses.names}."
            )
        return courses.names.index(time_channel)
    if not isinstance(time_channel, Integral) or isinstance(time_channel, bool):
        raise ValueError(f"time_channel must be an integer or a name, got {time_channel!r}.")
    place = int(time_channel)
    if not -courses.n_channels <= place < courses.n_channels:
        raise ValueError(
            f"time_channel={place} is not one of the {courses.n_channels} channels of X."
        )
    return place % courses.n_channels
