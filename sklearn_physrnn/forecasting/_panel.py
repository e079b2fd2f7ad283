"""Panels and hierarchies: a forecaster for each series, which goes by its key."""

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
from sktime.datatypes import VectorizedDF
from sktime.utils.parallel import parallelize

from ._border import _Border

# Errors of several series are told by one, of the first of these that they all are.
_KINDS = (NotImplementedError, TypeError, ValueError)

_Series = Mapping[Hashable, pd.DataFrame]


class _OfPanels(_Border):
    """A loop over series, in place of sktime's, in which each goes by its place."""

    _yvec: Any

    def _vectorize(self, methodname: str, **kwargs):
        if methodname == "update_predict_single":
            fh, X = kwargs.pop("fh"), kwargs.pop("X", None)
            self._vectorize("update", X=X, **kwargs)
            return self._vectorize("predict", fh=fh, X=X)
        if methodname == "fit":
            self._yvec = kwargs["y"]
        y, X = (_by_key(kwargs.pop(name, None)) for name in ("y", "X"))
        if methodname == "fit":
            assert y is not None
            return self._fit_each(y, X, kwargs)
        members = self.forecasters_["forecasters"]
        if y is not None:
            _check_known(list(y), members.index, type(self).__name__)
            members = members[[key in y for key in members.index]]
        if methodname == "update":
            return self._update_each(members, y, X, kwargs)
        results = self._each(methodname, list(members.index), list(members), y, X, kwargs)
        return pd.concat(results, keys=members.index, names=self._yvec.X_mi_index.names)

    def _update_each(
        self, members: pd.Series, y: _Series | None, X: _Series | None, kwargs: dict[str, Any]
    ):
        # On copies: an error in one of them leaves all as they were.
        copies = [_copied(one) for one in members]
        results = self._each("update", list(members.index), copies, y, X, kwargs)
        every = self.forecasters_["forecasters"].copy()
        every[members.index] = results
        self.forecasters_ = every.to_frame()
        return self

    def _fit_each(self, y: _Series, X: _Series | None, kwargs: dict[str, Any]):
        self.check_parameters()
        keys = list(y)
        # All that is wrong with any of them is said before a long training.
        self._each("check_series", keys, [self] * len(keys), y, X, {})
        fitted = self._each("fit", keys, [self.clone() for _ in keys], y, X, kwargs)
        index = pd.MultiIndex.from_tuples(keys) if isinstance(keys[0], tuple) else pd.Index(keys)
        self.forecasters_ = pd.DataFrame({"forecasters": fitted}, index=index)
        return self

    def _residuals_of_each(self, y: pd.DataFrame | None, X: Any) -> pd.DataFrame:
        """Give the residuals of each series, at the times of y or of all that is known."""
        series = None
        if y is not None:
            if not isinstance(y, pd.DataFrame) or not isinstance(y.index, pd.MultiIndex):
                raise TypeError(
                    "y must be a DataFrame with an index of series and times, as the forecaster "
                    f"was fitted to several series; got {type(y).__name__}."
                )
            levels = list(range(y.index.nlevels - 1))
            groups = y.groupby(level=levels if levels[1:] else 0, sort=False)
            series = {key: part.droplevel(levels) for key, part in groups}
        return self._vectorize("predict_residuals", y=series, X=self._check_X(X))

    def _paths_of_each(self, fh: Any, X: VectorizedDF | None, **kwargs: Any) -> pd.DataFrame:
        """Give the paths of each series, one after the other, as they draw from one stream."""
        members, tables = self.forecasters_["forecasters"], _by_key(X)
        if tables is not None:
            lacking = [key for key in members.index if key not in tables]
            if lacking:
                raise ValueError(
                    f"X must have every series that y has; it lacks {_listed(lacking)}."
                )
        parts = [
            one.predict_paths(fh, None if tables is None else tables[key], **kwargs)
            for key, one in members.items()
        ]
        names = [*self._yvec.X_mi_index.names[:-1], "sample", "time"]
        return pd.concat(parts, keys=members.index, names=names)

    def _each(
        self,
        method: str,
        keys: Sequence[Hashable],
        forecasters: Sequence[Any],
        y: _Series | None,
        X: _Series | None,
        kwargs: dict[str, Any],
    ) -> list[Any]:
        """Call a method of each series' forecaster, with y and X of that series.

        Raises
        ------
        NotImplementedError, TypeError, ValueError or RuntimeError
            If any is refused, with the names of all that are; any other error ends the loop.
        """
        if X is not None and (lacking := [key for key in keys if key not in X]):
            raise ValueError(f"X must have every series that y has; it lacks {_listed(lacking)}.")
        calls = []
        for key, forecaster in zip(keys, forecasters, strict=True):
            given = {"X": None if X is None else X[key], **kwargs}
            calls.append((forecaster, given if y is None else {"y": y[key], **given}))
        config = self.get_config()
        results = parallelize(
            _call,
            calls,
            meta={"method": method},
            backend=config["backend:parallel"],
            backend_params=config["backend:parallel:params"],
        )
        raise_together(
            {key: error for key, (_, error) in zip(keys, results, strict=True) if error}, len(keys)
        )
        return [result for result, _ in results]


def _call(call: tuple[Any, dict[str, Any]], meta: dict[str, Any]) -> tuple[Any, Exception | None]:
    forecaster, kwargs = call
    try:
        return getattr(forecaster, meta["method"])(**kwargs), None
    except _KINDS as error:  # what is wrong with a series is raised with what is with others
        return None, error


def raise_together(errors: Mapping[Hashable, Exception], n_series: int) -> None:
    """Raise one error for those of several series, with the names of all, if there are any."""
    if not errors:
        return
    by_message: dict[str, list[Hashable]] = {}
    for key, error in errors.items():
        by_message.setdefault(str(error), []).append(key)
    parts = [f"{_listed(keys)}: {message}" for message, keys in by_message.items()]
    found = list(errors.values())
    kinds = [kind for kind in _KINDS if all(isinstance(error, kind) for error in found)]
    kind = kinds[0] if kinds else RuntimeError
    raise kind("\n".join([f"{len(found)} of {n_series} series failed.", *parts])) from found[0]


def _listed(keys: Sequence[Hashable]) -> str:
    return ", ".join(map(repr, keys))


def _by_key(data: VectorizedDF | _Series | None) -> _Series | None:
    if isinstance(data, VectorizedDF):
        return {key: series for key, _, series in data.items()}
    return data


def _check_known(keys: Sequence[Hashable], known: pd.Index, model: str) -> None:
    new = [key for key in keys if key not in known]
    if new:
        raise ValueError(
            f"y has the series {_listed(new)}, which {model} was not fitted to; it was to "
            f"{_listed(list(known))}. Fit it again to all of them, or pretrain on many series "
            "and fit to each."
        )


def _copied(forecaster: Any) -> Any:
    """Copy what an update changes: attributes, and what sktime keeps to convert forecasts."""
    one = copy.copy(forecaster)
    one._converter_store_y = dict(forecaster._converter_store_y)
    return one
