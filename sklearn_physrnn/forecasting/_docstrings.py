"""Parameter and attribute descriptions that all forecasters share, written once."""

from typing import TypeVar

from ..estimators._docstrings import filled, parameter_entries, parameters_of
from ..families import OfFamily

_DATA = """
The forecaster looks at the last `window_length` values and forecasts the next `horizon`
at once; steps further ahead are forecast from forecasts. Each channel of a multivariate
series goes through the same weights by itself, in units of its own window
(`normalization`). Exogenous X is used at the window's times and at those of the horizon,
so ``predict`` needs it up to the last step asked for. Columns of y and X go by their names.

A horizon of 0 and less asks for known times, each forecast one step ahead from the window
that ends before it (the mean of the first window stands for what is before the series), by
weights that were trained on them; intervals are of what comes alone.

Values and times may be missing (`missing`). Behind a gap that is longer than those it has
learned, a forecast starts from the values before the gap, and its intervals are as wide as so
many steps more ahead; they can be asked for in the gap, too. Dates or integers that follow no
rule are put on steps of their median distance, the last one of ``fit`` on a step: each value
belongs to the nearest step, of several there the mean counts, and steps without one are missing.
A horizon of absolute times may then ask for any, between two steps on a straight line; relative
ones count those steps.

A panel or hierarchy gets one forecaster for each series; ``pretrain`` on a panel and then
``fit`` on one series keeps the panel's weights, and learns scale and intervals of the series
only.
"""

_PARAMETERS = """
segment_length : int or "auto"
    Steps of the series that are one step of the network; "auto" is a season where the
    window holds two, else a quarter of the window.
window_length : int or "auto"
    Values that a forecast is made from. With "auto" the network sees two seasons (years of
    months, weeks of days, days of hours), at least 12 steps, and at most a third of the series;
    the linear map of ``linear="auto"`` as many as forecast the held-out times best, of that
    number, its doubles, and 720, up to a fourth of the series.
horizon : int or "auto"
    Steps forecast at once; "auto" is a season, or 6 where the index has no dates, and
    at most a quarter of the series.
calendar : list of str, "auto" or None
    Features of the date: of "minute", "hour", "day_of_week", "day_of_month", "week",
    "month", "quarter" and "day_of_year", each as a sine and a cosine. "auto" takes those
    that the distance of times calls for, and none where the index has no dates.
past_covariates : list or None
    Columns of X that are known up to the present only, such as the weather where no forecast
    of it is used. ``predict`` asks for the others; rolled out past the horizon, the last value
    of these stays. With ``pretrain``, columns that differ between series and change in none
    are not asked for either.
bounds : tuple of (float or None, float or None), or None
    What y cannot go below and above, such as ``(0, None)`` for sales: no forecast, interval,
    quantile or path goes beyond, and y beyond is refused.
interval : {"conformal", "quantile"} or None
    How intervals and quantiles are made: from the errors of forecasts of held-out times,
    in units of the window's spread, which ``update`` keeps renewing; or by learning seven
    quantiles, of which the median is the point forecast, and reading them at the levels
    that held-out values lay at; or not at all. Past the horizon both widen by as much as
    forecasts rolled out were worse on the series.
calibration_size : int
    Times whose errors make conformal intervals, the latest ones.
normalization : {"auto", "last", "standard", "last_standard"} or None
    What a window loses before the network sees it: its last value; its mean, and its
    standard deviation as unit; or its last value, with that unit. A window that stands
    still has a typical window's unit. "auto" is "last" for the network, and lets the linear
    map of ``linear="auto"`` pull forecasts to the mean of the series where that was clearly
    better on held-out times; with None it always may, with the others never.
linear : "auto" or bool
    What stands beside the network. With "auto" a linear map of the window is learned with the
    network, as with True, and a ridge regression is put beside both: solved in closed form, its
    window, penalty and the rest chosen on held-out times (`choice_`). The forecast is a mean of
    the two, in which the network's share (`network_share_`) is the one that was best on
    held-out times, drawn to a half where those are few. With True there is no regression, with
    False no linear map either. After ``pretrain`` there is no regression. But with False, a linear
    effect of X at its own step is taken from windows, and added to forecasts, so that a rare
    holiday has its effect.
dropout : float
    Share dropped in training, before the output and of the linear map's input.
loss : {"absolute_error", "squared_error", "huber"}
    Training loss, in units of the channel's standard deviation; for all but
    "squared_error" one that wild values have little weight in. With
    ``interval="quantile"`` the quantiles' loss takes its place. The default forecasts the
    median: where most of y is one value, as in intermittent demand, that is this value,
    and ``fit`` warns; "squared_error" forecasts the mean.
refit : bool or "auto"
    After calibration or early stopping train again on all windows, the held-out ones
    included; "auto" where there are at most 1000.
stride : int or "auto"
    Steps from one window that the network is trained on to the next: neighbouring windows of a
    long series say almost the same. "auto" is 1 up to 2000 windows, and as many steps as leave
    no more than that, prime to the season. The linear map and what is validated take all.
update_max_iter : int
    Epochs of an ``update`` with ``update_params=True``, at a twentieth of the learning rate.
missing : {"auto", "bridge", "mask", "error"}
    What becomes of NaN in y and in the past of X, and of times that an index lacks. They count
    for nothing in units, losses and intervals. In a window "bridge", which "auto" is, puts a
    straight line over a gap, as a window is known to its end; where there were gaps in `fit`,
    what other channels do meanwhile bends it. "mask" puts the last value in it. With both the
    network is told which values are missing and for how long, if there were gaps in `fit`; one
    fitted without takes them in the same way, but is not told. In X the column's mean stands,
    with an indicator. "error" refuses gaps.
early_stopping : bool
    Stop when the loss of the held-out windows has not improved for `n_iter_no_change`
    epochs, and restore the best weights. Without it training takes all of `max_iter`.
validation_fraction : float
    Share of the times held out at the end of the series, for early stopping, for intervals and
    for the choice of ``linear="auto"``; at least one horizon. Not held out where none of them
    is asked for.
checkpoint : str, path-like or None
    File that an unfinished training is kept in, written after an epoch, every five seconds
    at most. After a crash, a kill or an interrupt, ``fit`` (or ``pretrain``) with the same
    parameters and data goes on from it and ends where it would have ended, also with the
    seed that a `random_state` of None drew; both trainings of a `refit` are in it. Other
    parameters or data are refused as long as the file is there; a fit that ends deletes
    it. Give an existing folder to keep a file a training in it, as a panel needs, which is
    one training for each series, or a search. What `callbacks` remember is not kept, and
    ``update`` keeps nothing. To train further what is fitted is no matter of a checkpoint:
    ``fit`` forgets, and ``pretrain`` and ``update`` go on.
dtype : {"float32", "float64", "bfloat16"}
    Precision of training; "bfloat16" is mixed precision with float32 weights.
    Forecasts are computed in float64.
"""

_ATTRIBUTES = """
module_ : torch.nn.Module
    The fitted network, on the CPU; it takes and gives standardised values.
window_length_, horizon_ : int
    What was used for `window_length` and `horizon`.
n_iter_ : int
    Epochs trained.
loss_curve_ : list of float
    Mean training loss of each epoch.
learning_rate_curve_ : list of float
    Learning rate of each epoch.
validation_loss_curve_ : list of float or None
    Loss on held-out windows after each epoch of the first training, before what was held
    out is trained on too; None where nothing was held out.
best_loss_ : float
    Lowest validation loss, or training loss where nothing was validated.
kernels_ : dict of str to list
    In which of several ways kernels were run on a GPU, by kernel, size and card: part of what
    `random_state` promises, and taken up again where training goes on or the model
    forecasts. Empty on a CPU.
choice_ : DataFrame or None
    With ``linear="auto"``: each linear map that was tried, the best first, and which was
    chosen. "window_length" steps; "seasonal", the season whose last values it is drawn to, or 0
    where it is the last value; "level", how far it may pull to the series' mean; "penalty", and
    "own", that of a channel's departure from the map of all channels (0: one map); "error",
    mean on times held out. None where there was nothing to choose from, as in too short
    series.
network_share_ : float
    Of the network in the forecast; the rest is the linear map's.
validation_errors_ : dict or None
    Mean errors on held-out times of the "linear" map, the "network" and "both": squared ones in
    units of the series' deviation, or absolute ones where `loss` is.
pretrained_ : object
    What ``pretrain`` learned.
"""

_Class = TypeVar("_Class", bound=type[OfFamily])


def documented(**entries: str):
    """Fill ``{family}``, ``{data}``, ``{parameters}`` and ``{attributes}`` in a docstring.

    The class says its family in ``_family``, which describes its own parameters.

    Parameters
    ----------
    **entries : str
        Descriptions that take the place of those, in numpydoc's form.
    """

    def fill(cls: _Class) -> _Class:
        if cls.__doc__ is None:  # python -OO
            return cls
        own = parameter_entries(_PARAMETERS) | entries
        cls.__doc__ = filled(
            cls.__doc__,
            family=cls._family.about,
            data=_DATA,
            parameters=parameters_of(cls, cls._family, **own),
            attributes=_ATTRIBUTES,
        )
        return cls

    return fill
