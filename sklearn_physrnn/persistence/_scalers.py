"""What is kept of a fitted scaler."""

from typing import Any

import numpy as np

from ..estimators._scaling import Identity, NormalQuantile, Scaler, Standard
from ._format import Spec
from ._plain import Fields

Arrays = dict[str, np.ndarray]


def scaler_fields(scaler: Scaler | None) -> dict[str, Any] | None:
    """Give what describes the scaler's arrays."""
    if scaler is None:
        return None
    if isinstance(scaler, NormalQuantile):
        return {"kind": "quantile", "n_knots": [len(values) for values, _ in scaler.knots]}
    return {"kind": "standard" if isinstance(scaler, Standard) else "none"}


def scaler_arrays(scaler: Scaler | None) -> Arrays:
    """Give the scaler's arrays, in float64: where it was float32, nothing is rounded."""
    if isinstance(scaler, Standard):
        arrays = {"center": scaler.center, "scale": scaler.scale}
    elif isinstance(scaler, NormalQuantile):
        values, normal = zip(*scaler.knots, strict=True)
        arrays = {"values": np.concatenate(values), "normal": np.concatenate(normal)}
    else:
        arrays = {}
    return {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}


def scaler_specs(data: Any, n_columns: int) -> dict[str, Spec]:
    """Say which arrays belong to a scaler of `n_columns` that `data` describes."""
    if data is None:
        return {}
    fields = Fields(data, "scaler")
    kind = fields.take("kind", str)
    n_knots = fields.integers("n_knots") if kind == "quantile" else []
    fields.close()
    if kind == "quantile" and len(n_knots) == n_columns:
        return dict.fromkeys(("values", "normal"), ("F64", (sum(n_knots),)))
    if kind == "standard":
        return dict.fromkeys(("center", "scale"), ("F64", (n_columns,)))
    if kind != "none":
        raise ValueError(f"its scaler {kind!r:.50} is unknown, or not one of {n_columns} columns.")
    return {}


def make_scaler(data: dict[str, Any] | None, arrays: Arrays) -> Scaler | None:
    """Build the scaler from arrays of the shapes that `scaler_specs` gives."""
    if data is None:
        return None
    if data["kind"] == "none":
        return Identity()
    scaler: Scaler
    if data["kind"] == "standard":
        return Standard(arrays["center"], arrays["scale"])
    ends = np.cumsum(data["n_knots"])[:-1]
    columns = [np.split(arrays[name], ends) for name in ("values", "normal")]
    if any((np.diff(knots) < 0).any() for column in columns for knots in column):
        raise ValueError("its scaler has knots that are out of order.")
    scaler = NormalQuantile.__new__(NormalQuantile)
    scaler.knots = list(zip(*columns, strict=True))
    return scaler
