"""The border to sktime's data: columns go by their names, and dates know their step."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from sktime.datatypes import VectorizedDF
from sktime.forecasting.base import BaseForecaster

from ..preparation.names import in_order
from ..preparation.times import following, step_or_none, with_step
from ._history import History
from ._looks import check_series, is_nested, refuse_no_series, refuse_other_times
from ._model import WindowModel


class _Border(BaseForecaster):
    """What of y and X is looked at before `_fit`, `_update` and `_pretrain` see them."""

    _y_metadata: dict[str, Any]
    _cutoff: Any
    forecasters_: pd.DataFrame
    _history: History
    _model: WindowModel
    missing: str

    @property
    def takes_gaps(self) -> bool:
        """Whether values and times may be missing."""
        return self.missing != "error"

    def _check_X_y(self, X=None, y=None, y_inner_mtype=None, **kwargs):  # noqa: N802
        for name, data in (("y", y), ("X", X)):
            refuse_no_series(data, name)
            if isinstance(data, pd.DataFrame | pd.Series) and not is_nested(data):
                check_series(data, name, type(self).__name__, gaps=self.takes_gaps)
        known = self._known_names()
        if all(isinstance(data, pd.DataFrame | pd.Series) for data in (X, y)):
            refuse_other_times(X.index, y.index)
        X_inner, y_inner = self._checked(X, y, y_inner_mtype, kwargs)
        if y is not None and known is not None:
            y_inner = self._by_name(y_inner, known)
        return self._following(X, X_inner), self._following(y, y_inner)

    def _following(self, data: Any, inner: Any) -> Any:
        """Give an array the times after those known, as it has none; sktime counts from zero."""
        if not isinstance(data, np.ndarray) or not hasattr(self, "_history"):
            return inner
        last, step = self._history.index[-1], self._model.step
        return inner.set_axis(following(last, len(inner), step), axis=0)

    def _checked(self, X, y, y_inner_mtype, kwargs: dict[str, Any]):
        # For pretraining sktime widens the types of y that need no loop, but not those of X.
        if y_inner_mtype is not None:
            kwargs["y_inner_mtype"] = y_inner_mtype
        if y_inner_mtype is None or X is None:
            return super()._check_X_y(X=X, y=y, **kwargs)
        own = self.get_tag("X_inner_mtype")
        self.set_tags(X_inner_mtype=y_inner_mtype)
        try:
            return super()._check_X_y(X=X, y=y, **kwargs)
        finally:
            self.set_tags(X_inner_mtype=own)

    # -- columns ---------------------------------------------------------------------

    def _known_names(self) -> list[Hashable] | None:
        """Give the names of y's columns in `fit`, or before it in `pretrain`."""
        if hasattr(self, "_model") or hasattr(self, "forecasters_"):
            return list(self._y_metadata["feature_names"])
        pretrained = getattr(self, "pretrained_", None)
        if pretrained is None or pretrained.n_channels == 1:  # whose name says nothing
            return None
        return None if pretrained.names is None else list(pretrained.names)

    def _by_name(self, y: pd.DataFrame | VectorizedDF, known: list[Hashable]):
        """Put the columns of y in the order of those that were fitted to."""
        frame = y.X_multiindex if isinstance(y, VectorizedDF) else y
        names = self.columns_in_order(frame.columns, known)
        frame = frame[names]
        if hasattr(self, "_model") or hasattr(self, "forecasters_"):
            frame = frame.set_axis(known, axis=1)  # forecasts are called as in fit
        self._y_metadata = {**self._y_metadata, "feature_names": list(frame.columns)}
        if not isinstance(y, VectorizedDF):
            return frame
        return VectorizedDF(frame, is_scitype=y.is_scitype, iterate_as=y.iterate_as)

    def columns_in_order(self, names: Any, known: list[Hashable]) -> list[Hashable]:
        """Give the names of columns of y in the order of those that are `known`."""
        return in_order(names, known, data="y", parts="columns", model=type(self).__name__)

    # -- time ------------------------------------------------------------------------

    def _set_cutoff_from_y(self, y) -> None:
        # One row of a database, or a panel, has no frequency; the times before had one.
        super()._set_cutoff_from_y(y)
        self._cutoff = with_step(self._cutoff, self._known_step(y))

    def _known_step(self, y: Any) -> Any:
        forecasters = getattr(self, "forecasters_", None)
        one = self if forecasters is None else forecasters.iloc[0, 0]
        if hasattr(one, "_model"):
            return one._model.step
        if not isinstance(y, pd.DataFrame) or not isinstance(y.index, pd.MultiIndex):
            return None
        levels = list(range(y.index.nlevels - 1))
        _, first = next(iter(y.groupby(level=levels, sort=False)))
        return step_or_none(first.index.get_level_values(-1))
