"""What sktime's base classes keep of a fit, and need where it is to be predicted from."""

from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import pandas as pd
from sktime.datatypes import (
    MTYPE_LIST_HIERARCHICAL,
    MTYPE_LIST_PANEL,
    MTYPE_LIST_SERIES,
    MTYPE_LIST_TABLE,
)
from sktime.datatypes._dtypekind import DtypeKind
from sktime.forecasting.base import ForecastingHorizon

from ..storage.index import index_state, read_index
from ..storage.plain import NotPlainError, to_json
from ..storage.state import State

_MTYPES = {
    *MTYPE_LIST_SERIES,
    *MTYPE_LIST_PANEL,
    *MTYPE_LIST_HIERARCHICAL,
    *MTYPE_LIST_TABLE,
}


def metadata_json(metadata: dict[str, Any]) -> Any:
    """Give, as JSON, what sktime found out of data, as far as that is plain."""
    kept = {}
    for name, value in metadata.items():
        if name == "feature_kind":
            value = [DtypeKind(kind).value for kind in value]
        with suppress(NotPlainError):
            to_json(value)
            kept[name] = value
    return to_json(kept)


def read_metadata(state: State, name: str) -> dict[str, Any]:
    """Undo `metadata_json`."""
    metadata: dict[str, Any] = state.plain(name, dict)
    if "feature_kind" in metadata:
        metadata["feature_kind"] = [DtypeKind(kind) for kind in metadata["feature_kind"]]
    read_mtype(metadata.get("mtype"))
    names = metadata.get("feature_names", [])
    if type(names) is not list or not all(isinstance(name, Hashable) for name in names):
        raise ValueError(f"its {name} must hold a list of names.")
    return metadata


def read_mtype(name: Any) -> str:
    """Give the name of a type of sktime's, unless it is none."""
    if type(name) is not str or name not in _MTYPES:
        raise ValueError(f"its type of data {name!r:.50} is none that sktime knows.")
    return name


def converter_state(store: dict[str, Any]) -> dict[str, Any]:
    """Give the state of what sktime needs to give predictions the type that y had."""
    return {
        name: {"index": index_state(value)}
        if isinstance(value, pd.Index)
        else {"value": list(value) if isinstance(value, list) else value}  # pandas' own, too
        for name, value in store.items()
    }


def read_converter(state: State) -> dict[str, Any]:
    """Undo `converter_state`."""
    store: dict[str, Any] = {}
    for name in state.names():
        entry = state.part(name)
        if entry.has("index"):
            store[name] = read_index(entry.part("index"))
        else:
            store[name] = entry.plain("value", str, int, float, bool, list, tuple, type(None))
        entry.close()
    return store


def horizon_state(fh: ForecastingHorizon | None) -> dict[str, Any] | None:
    """Give the state of a forecasting horizon."""
    if fh is None:
        return None
    return {
        "values": index_state(fh.to_pandas()),
        "is_relative": bool(fh.is_relative),
        "freq": fh.freq,
    }


def read_horizon(state: State) -> ForecastingHorizon:
    """Undo `horizon_state`."""
    freq = state.take("freq", str, type(None))
    is_relative = state.take("is_relative", bool)
    values = read_index(state.part("values"))
    return ForecastingHorizon(values, is_relative=is_relative, freq=freq)
