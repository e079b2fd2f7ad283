"""What sktime asks of a forecaster, for every one of the package.

A forecaster adds its model family, and its parameters with their defaults.
"""

import copy
import os
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions

from ..nn._forecast import NORMALIZATIONS
from ..preparation.clocks import Clock
from ..storage.stages import Stage
from ..training.parameters import TrainingParameters, ready_to_train
from ._bounds import check_within
from ._calendar import resolve_calendar
from ._calibration import calibrated, in_units_of_errors, reawakened, updated
from ._cautions import warn_of_constants, warn_of_median
from ._checkpointing import open_checkpoint
from ._features import Features, places_of
from ._framing import frame_for
from ._gaps import learned_reach
from ._history import History, continued, read
from ._intervals import Scores
from ._model import WindowModel
from ._prediction import _Prediction
from ._pretraining import _Pretraining
from ._sizes import Sizes, season, split_at_end, stride_of

# Up to here, training a second time on all windows takes little.
_FEW_WINDOWS = 1000

# Windows of the past that `update` trains on beside the new ones, so as not to forget them.
_REHEARSED = 256
_FIRST = 0.45  # of a limit of time, for the training that is validated; the last has more windows


class _BaseForecaster(_Pretraining, _Prediction):
    """Fitting, updating and forecasting."""

    _tags: ClassVar[dict[str, Any]] = {
        "authors": "The sklearn_physrnn developers",
        "maintainers": "The sklearn_physrnn developers",
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:categorical_in_X": False,
        "capability:non_contiguous_X": False,
        "capability:insample": True,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": True,
        "capability:update": True,
        "capability:pretrain": True,
        "capability:unequal_length": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "pretrain:fitted_params": ["pretrained_"],
        "requires-fh-in-fit": False,
        "X-y-must-have-same-index": True,
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
    }
    # Our own history is all that is needed of the data.
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}

    # Of the models that sktime's checks fit.
    _test_sizes: ClassVar[dict[str, int]] = {"hidden_size": 4}

    calibration_size: int
    refit: bool | str
    choice_: pd.DataFrame | None
    network_share_: float
    validation_errors_: dict[str, float] | None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TrainingParameters._parameter_constraints,
        "window_length": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "horizon": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "calendar": [StrOptions({"auto"}), list, tuple, None],
        "past_covariates": [list, tuple, None],
        "bounds": [list, tuple, None],
        "interval": [StrOptions({"conformal", "quantile"}), None],
        "calibration_size": [Interval(Integral, 1, None, closed="left")],
        "normalization": [StrOptions({"auto", *filter(None, NORMALIZATIONS)}), None],
        "linear": [StrOptions({"auto"}), "boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "loss": [StrOptions({"squared_error", "absolute_error", "huber"})],
        "refit": ["boolean", StrOptions({"auto"})],
        "stride": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "missing": [StrOptions({"auto", "bridge", "mask", "error"})],
        "checkpoint": [str, os.PathLike, None],
        "update_max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __post_init__(self) -> None:
        # sktime makes them only where it is to remember the data.
        self._y = self._X = None
        if self.interval is None:
            self.set_tags(**{"capability:pred_int": False})
        if not self.takes_gaps:
            self.set_tags(**{"capability:missing_values": False})

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Give small settings for sktime's checks.

        Parameters
        ----------
        parameter_set : str, default="default"
            Ignored: there is one collection of sets.

        Returns
        -------
        params : list of dict
        """
        small = {**cls._test_sizes, "max_iter": 1, "update_max_iter": 1, "random_state": 0}
        return [
            {**small, "window_length": 3, "horizon": 2},
            {**small, "calendar": "auto", "interval": "quantile", "normalization": "standard"},
        ]

    # -- fitting -------------------------------------------------------------------

    @ready_to_train()
    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh) -> "_BaseForecaster":
        self.check_parameters()
        self.choice_, self.network_share_, self.validation_errors_ = None, 1.0, None
        history, columns, clock, sizes = self._read(y, X)
        pretrained = getattr(self, "pretrained_", None)
        if pretrained is None:
            self._fit_anew(history, columns, clock, sizes)
        else:
            self._fit_pretrained(history, pretrained, clock)
        self.window_length_ = self._model.sizes.window_length
        self.horizon_ = sizes.horizon
        self._history = history
        warn_of_constants(history.values, list(y.columns))
        if self._forecasts_median():
            warn_of_median(history.values, list(y.columns))
        return self

    def check_series(self, y: pd.DataFrame, X: pd.DataFrame | None = None) -> None:
        """Refuse a series that ``fit`` would refuse, before any training.

        Parameters
        ----------
        y : DataFrame of shape (n_times, n_channels)
        X : DataFrame, default=None
            At the times of y.

        Raises
        ------
        ValueError
            As ``fit`` raises it.
        """
        history, _, _, sizes = self._read(y, X)
        if not hasattr(self, "pretrained_"):
            self._split(history, sizes)

    def _read(
        self, y: pd.DataFrame, X: pd.DataFrame | None
    ) -> tuple[History, list | None, Clock, Sizes]:
        """Give what ``fit`` takes of data, with their clock and the sizes for them."""
        pretrained = getattr(self, "pretrained_", None)
        if pretrained is None:
            columns = None if X is None else list(X.columns)
            places_of(self.past_covariates, columns)
            history, clock = self._history_of(y, X, columns)
            sizes = self._choose_sizes(len(history), history.index)
            if len(history) < sizes.length:
                raise ValueError(sizes.too_short_for(len(history)))
            told = bool(np.isnan(history.values).any())
            return history, columns, clock, replace(sizes, told=told)
        self._check_against(pretrained, y.shape[1])
        sizes, columns = pretrained.sizes, pretrained.features.columns
        history, clock = self._history_of(y, X, columns)
        if len(history) < sizes.window_length and not self.takes_gaps:
            raise ValueError(
                f"y has {len(history)} time steps; the window_length={sizes.window_length} of "
                f"pretraining needs at least {sizes.window_length}, unless values may be missing "
                "(missing='auto')."
            )
        return history, columns, clock, sizes

    def _fit_anew(
        self, history: History, columns: list | None, clock: Clock, sizes: Sizes
    ) -> None:
        deadline = self._deadline()
        training, validation, boundary = self._split(history, sizes)
        stages, seed = open_checkpoint(self, [history], columns, self._draw_seed())
        n_windows = len(training) + len(validation)
        train = partial(self._train_model, history, columns, clock, sizes, seed)
        refits = len(validation) > 0 and self._refits(n_windows)
        model, record = train(
            history[:boundary],
            training,
            validation,
            checkpoint=stages["first training"],
            deadline=self._deadline(_FIRST) if refits else deadline,
        )
        final, last = model, record
        if refits and not record.interrupted:
            epochs = None
            if self.early_stopping:
                epochs = int(np.argmin(record.validation_loss_curve)) + 1
            every = np.arange(len(history) - sizes.length + 1)
            refit = partial(
                train, max_epochs=epochs, checkpoint=stages["refit"], deadline=deadline
            )
            final, last = refit(history, every, every[:0])
            self._keep_validation(record.validation_loss_curve, record.best_loss)
        model, final = self._framed(model, final, history, boundary)
        first = boundary if len(validation) else model.sizes.window_length
        self._take(final, history, first, model)
        self._n_calibrated = len(history) - boundary
        if not last.interrupted:
            stages.remove()

    def _train_model(
        self,
        history: History,
        columns: list | None,
        clock: Clock,
        sizes: Sizes,
        seed: int,
        known: History,
        training: np.ndarray,
        validation: np.ndarray,
        max_epochs: int | None = None,
        checkpoint: Stage | None = None,
        deadline: float | None = None,
    ) -> tuple[WindowModel, Any]:
        """Learn units and weights from the `known` part of a history."""
        # What is idle all that while takes its unit from the part held out, too.
        scaler = self._units(known.values, sizes).following(
            history.values, robust=self._is_robust(), n_steps=sizes.window_length
        )
        calendar = resolve_calendar(self.calendar, history.index)
        past = places_of(self.past_covariates, columns)
        features = Features(known.exogenous, columns, calendar, past, adjusts=bool(self.linear))
        features = features.following(history.exogenous)
        series = scaler.transform(history.values), features.of_history(history)
        training = training[:: stride_of(self.stride, len(training), season(history.index))]
        windows = self._training_windows(*series, training, sizes)
        held_out = self._windows(*series, validation, sizes)
        module = self._new_module(sizes, features, len(scaler.center), seed, windows)
        record = self._train(
            module,
            windows,
            held_out if len(held_out) else None,  # all of it may be missing
            seed,
            max_epochs=max_epochs,
            checkpoint=checkpoint,
            deadline=deadline,
        )
        self._keep(module, record, resume=False)
        reach = learned_reach(known.values, sizes.window_length) if sizes.told else 0
        model = WindowModel(
            module, sizes, scaler, features, clock, self.device,
            kernels=self.kernels_, reach=reach,
        )  # fmt: skip
        return model.measuring(history), record

    def _framed(
        self, model: WindowModel, final: WindowModel, history: History, boundary: int
    ) -> tuple[WindowModel, WindowModel]:
        """Choose the linear map beside the network, on the times held out from `model`.

        Returns
        -------
        model, final : WindowModel
            The ones given, each with a map learned from the times that it was trained on; of
            `final` from all.
        """
        if self.linear != "auto" or boundary == len(history):
            return model, final
        frame = frame_for(
            model, history, boundary,
            free=self.window_length == "auto",
            normalization=self.normalization,
            squared=self._squares(),
        )  # fmt: skip
        if frame is None:
            return model, final
        self.choice_, self.network_share_ = frame.evidence, frame.share
        self.validation_errors_ = frame.errors
        if self.verbose:
            print(frame.told())
        judged = frame.around(copy.deepcopy(model.module), model, history[:boundary])
        final = frame.around(final.module, final, history)
        self.module_ = final.module
        return judged.measuring(history), final.measuring(history)

    def _by_network(self, model: WindowModel) -> WindowModel:
        """Leave the forecast to the network: of what came to life the map knows the sleep."""
        if self.module_.frame is None:
            return model
        module: Any = copy.deepcopy(self.module_)
        module.frame.share.fill_(1.0)
        self.module_, self.network_share_ = module, 1.0
        return replace(model, module=module)

    def _squares(self) -> bool:
        """Tell whether forecasts are judged by squared errors, else by absolute ones."""
        return self.loss != "absolute_error" and self.interval != "quantile"

    def _take(
        self, model: WindowModel, history: History, boundary: int, judged: WindowModel
    ) -> None:
        """Forecast by `model`, with intervals from errors of the one `judged`."""
        self._model = model
        self._scores: Scores | None = None
        if self.interval is not None:
            size = self.calibration_size
            if self.interval == "conformal":
                self._model = in_units_of_errors(judged, history, boundary, size, model)
            self._scores = calibrated(judged, history, boundary, size, self._model)

    def _split(self, history: History, sizes: Sizes) -> tuple[np.ndarray, np.ndarray, int]:
        """Hold out the last times where something needs it, if there are enough of them."""
        needed = self.early_stopping or self.interval is not None or self.linear == "auto"
        fraction = self.validation_fraction if needed else 0.0
        return split_at_end(len(history), sizes, fraction, required=self.early_stopping)

    def _refits(self, n_windows: int) -> bool:
        return n_windows <= _FEW_WINDOWS if self.refit == "auto" else bool(self.refit)

    # -- updating --------------------------------------------------------------------

    def update(self, y, X=None, update_params=True):
        """Take in new values, and with `update_params` go on training.

        The values may repeat or revise the last ones known; times between the two count as
        missing. The errors of their earlier
        forecasts join those that conformal intervals are made from.

        Parameters
        ----------
        y : time series in a type of sktime
        X : time series in a type of sktime, default=None
            At the times of y; where fitted with one.
        update_params : bool, default=True
            Train `update_max_iter` epochs from the fitted weights, on the new windows and
            the latest before; else only the context moves.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the steps of the known values do not lead to those of y; with ``missing="error"``,
            if times are missing between them. The forecaster is then as it was before.
        """
        with self._unchanged_on_error():
            return super().update(y=y, X=X, update_params=update_params)

    @ready_to_train()
    def _update(self, y: pd.DataFrame, X: pd.DataFrame | None = None, update_params=True):
        before, sizes = self._model, self._model.sizes
        gaps = self.takes_gaps
        check_within(self.bounds, y)
        new = read(y, X, before.features.columns, gaps=gaps)
        # After `pretrain` a history may be shorter than a window.
        needed = min(sizes.window_length, len(self._history))
        known, n_new = continued(self._history, new, before.clock, needed, gaps=gaps)
        # So much of it that nothing takes longer as the history grows.
        history = known[-(sizes.length - 1 + _REHEARSED + max(n_new, len(new))) :]
        history = before.with_context(history, sizes.window_length + n_new)
        self._model = model = before.following(history, robust=self._is_robust())
        awake = model.scaler.scale != before.scaler.scale
        if awake.any():
            self._model = model = self._by_network(model)
        if self._scores is not None:
            self._scores = updated(model, self._scores, history, n_new)
            self._n_calibrated += n_new
            if awake.any():
                self._scores = reawakened(model, self._scores, history, n_new, awake)
        own = sizes.of_network()
        n_windows = len(history) - own.length + 1
        if update_params and n_windows > 0:
            starts = np.arange(n_windows)[-max(_REHEARSED, n_new) :]
            values = model.scaler.transform(history.values)
            table = model.features.of_history(history)
            self._train_on(self._windows(values, table, starts, own))
            self._model = replace(model, module=self.module_, kernels=self.kernels_)
        self._history = known
        return self
