"""What is kept of a fitted scaler."""

from typing import Any

import numpy as np
from scipy.special import ndtr

from ..storage.format import Spec
from ..storage.plain import Fields
from .robust import Distribution
from .scaling import Identity, LinearTails, NormalQuantile, Scaler, Standard

_QUANTILE = "quantile, median"
_LINEAR_TAILS = "quantile, linear tails"
_WITHOUT_MEDIAN = "quantile"  # of version 0.1
_OF_QUANTILES = (_QUANTILE, _LINEAR_TAILS, _WITHOUT_MEDIAN)

Arrays = dict[str, np.ndarray]


def scaler_fields(scaler: Scaler | None) -> dict[str, Any] | None:
    """Give what describes the scaler's arrays."""
    if scaler is None:
        return None
    if isinstance(scaler, NormalQuantile):
        kind = _LINEAR_TAILS if isinstance(scaler, LinearTails) else _QUANTILE
        return {"kind": kind, "n_knots": [len(values) for values, _ in scaler.knots]}
    return {"kind": "standard" if isinstance(scaler, Standard) else "none"}


def scaler_arrays(scaler: Scaler | None) -> Arrays:
    """Give the scaler's arrays, in float64: where it was float32, nothing is rounded."""
    if isinstance(scaler, Standard):
        arrays = {"center": scaler.center, "scale": scaler.scale}
    elif isinstance(scaler, NormalQuantile):
        values, normal = zip(*scaler.knots, strict=True)
        arrays = {"values": np.concatenate(values), "normal": np.concatenate(normal)}
        arrays["median"] = scaler.median
    else:
        arrays = {}
    return {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}


def scaler_specs(data: Any, n_columns: int) -> dict[str, Spec]:
    """Say which arrays belong to a scaler of `n_columns` that `data` describes."""
    if data is None:
        return {}
    fields = Fields(data, "scaler")
    kind = fields.take("kind", str)
    n_knots = fields.integers("n_knots") if kind in _OF_QUANTILES else []
    fields.close()
    if kind in _OF_QUANTILES and len(n_knots) == n_columns:
        specs: dict[str, Spec] = dict.fromkeys(("values", "normal"), ("F64", (sum(n_knots),)))
        return specs if kind == _WITHOUT_MEDIAN else {**specs, "median": ("F64", (n_columns,))}
    if kind == "standard":
        return dict.fromkeys(("center", "scale"), ("F64", (n_columns,)))
    if kind != "none":
        raise ValueError(f"its scaler {kind!r:.50} is unknown, or not one of {n_columns} columns.")
    return {}


def stored_scaler(data: dict[str, Any] | None, arrays: Arrays) -> Scaler | None:
    """Build the scaler from arrays of the shapes that `scaler_specs` gives."""
    if data is None:
        return None
    if data["kind"] == "none":
        return Identity()
    if data["kind"] == "standard":
        return Standard(arrays["center"], arrays["scale"])
    ends = np.cumsum(data["n_knots"])[:-1]
    columns = [np.split(arrays[name], ends) for name in ("values", "normal")]
    if any((np.diff(knots) < 0).any() for column in columns for knots in column):
        raise ValueError("its scaler has knots that are out of order.")
    knots = list(zip(*columns, strict=True))
    if data["kind"] == _WITHOUT_MEDIAN:
        return NormalQuantile(knots, np.array([_median(*pair) for pair in knots]))
    kind = LinearTails if data["kind"] == _LINEAR_TAILS else NormalQuantile
    return kind(knots, arrays["median"])


def _median(values: np.ndarray, normal: np.ndarray) -> float:
    """Give the median of a column of which a file keeps but the middles of the ranks."""
    ranks = ndtr(normal)
    # Twice a middle is where a value's ranks begin and end, and the first begin at zero.
    signs = np.resize([1, -1], len(ranks))
    masses = np.diff(2 * signs * np.cumsum(signs * ranks), prepend=0)
    if (masses <= 0).any():  # thinned out: middles no longer
        return float(np.interp(0, normal, values))
    return Distribution(values, masses).median()
