"""Fitted estimators as a JSON object and named arrays."""

import platform
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._version import __version__
from ..kernels._ways import checked
from ..preparation.calibration import Calibration
from ..storage import modules
from ..storage.format import spec_of
from ..storage.plain import NotPlainError, to_json
from ..training._groups import names_in_order
from . import _carrying as carrying
from ._reading import CURVES, NOT_SAVED, Arrays, described, from_contents

_PACKAGE = __name__.partition(".")[0]

_ADVICE = {
    "callbacks": "set callbacks=None before saving",
    "loss": "set loss='squared_error' before saving, which changes no prediction",
    "dynamics": "built-in vector fields are given by their names",
    "random_state": "set random_state to an integer or None before saving",
}


def to_contents(estimator: Any) -> tuple[dict[str, Any], Arrays]:
    """Turn a fitted estimator into a JSON object and arrays.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If something in it is not data, or not known.
    """
    cls = type(estimator)
    name = cls.__name__
    if cls.__module__.partition(".")[0] != _PACKAGE:
        raise refused(cls)
    check_is_fitted(estimator)
    parameters = estimator.get_params(deep=False)
    fitted, arrays = _fitted(estimator)
    model = {
        "versions": versions(),
        "class": name,
        "parameters": parameters_to_json(estimator),
        "fitted": fitted,
    }
    arrays = {
        key: np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        for key, array in arrays.items()
    }
    # The check that loading makes, of an estimator made from the same JSON.
    specs = {key: spec_of(array) for key, array in arrays.items()}
    try:
        _, module, _ = described(cls, model, specs)
        same = modules.same_settings(module, estimator.module_)
    except ValueError as error:
        raise ValueError(_changed(name)) from error
    if not same:
        raise ValueError(_changed(name))
    loaded = from_contents(cls, model, specs, lambda: arrays)
    watching = {"_skl_callbacks"}  # which no model needs
    lost = vars(estimator).keys() - vars(loaded).keys() - parameters.keys() - watching
    if lost:
        raise ValueError(
            f"This {name} has an attribute {min(lost)!r} that is no parameter and was not "
            "set by fit; saving would lose it. Delete it, or use joblib.dump."
        )
    return model, arrays


def refused(cls: type[Any]) -> ValueError:
    """Make the error of a class whose estimators no file of ours can hold."""
    ours = (one for one in cls.__mro__ if one.__module__.partition(".")[0] == _PACKAGE)
    parent = next(ours, None)
    instead = "" if parent is None else f", such as {parent.__name__}"
    return ValueError(
        f"Estimators of the class {cls.__qualname__} cannot be saved without pickle, only those "
        f"of the package{instead}."
    )


def _changed(name: str) -> str:
    return (
        f"The fitted module of this {name} is not the one that its parameters describe: they, "
        "or it, were changed after fitting. Set the parameters back or fit again before saving."
    )


def versions() -> dict[str, str]:
    """Tell what wrote a file."""
    others = {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"sklearn_physrnn": __version__, **others, "python": platform.python_version()}


def parameters_to_json(estimator: Any) -> dict[str, Any]:
    """Turn the parameters into JSON, or say which of them cannot be, and why."""
    name = type(estimator).__name__
    return {
        parameter: _parameter_to_json(name, parameter, value)
        for parameter, value in estimator.get_params(deep=False).items()
        if parameter not in NOT_SAVED
    }


def _parameter_to_json(name: str, parameter: str, value: Any) -> Any:
    try:
        if parameter == "callbacks" and value:
            raise NotPlainError(value)
        return to_json(value)
    except NotPlainError as error:
        [part] = error.args
        advice = _ADVICE.get(parameter, "give it as numbers, text, or lists of them")
        raise ValueError(
            f"{name}({parameter}=...) holds a {type(part).__name__}, which a file without code "
            f"cannot keep: {advice}. joblib.dump keeps everything, in files that only those "
            "who trust you should load."
        ) from error


def calibration_state(calibration: Calibration | None) -> tuple[dict[str, Any], Arrays]:
    """Give a calibration, if there is one, as JSON and arrays."""
    if calibration is None:
        return {}, {}
    fields, arrays = calibration.to_state()
    return {"calibration": fields}, arrays


def _fitted(estimator: Any) -> tuple[dict[str, Any], Arrays]:
    """Give all that fit set, as JSON and arrays."""
    own, order = vars(estimator), names_in_order(estimator.module_)
    names, optimizer = own.get("feature_names_in_"), own["_optimizer_state"]
    learned, scales = estimator._prepared.to_state()
    carried, states = carrying.to_state(own.get("carried_state_"))
    calibration, errors = calibration_state(own.get("calibration_"))
    dtype = str(next(estimator.module_.parameters()).dtype).removeprefix("torch.")
    fields: dict[str, Any] = {
        "dtype": dtype,
        "n_features_in_": int(own["n_features_in_"]),
        "feature_names_in_": None if names is None else [str(name) for name in names],
        "n_iter_": int(own["n_iter_"]),
        "split_seed": int(own["_split_seed"]),
        "best_loss_": to_json(float(own["best_loss_"])),
        "curves": [None if own[curve] is None else len(own[curve]) for curve in CURVES],
        "optimizer": modules.optimizer_fields(optimizer, order),
        "kernels": checked(own["kernels_"]),
        **learned,
        **carried,
        **calibration,
    }
    curves = {name: own[name] for name in CURVES if own[name] is not None}
    parts = {
        "module": modules.weight_arrays(estimator.module_),
        "optimizer": modules.optimizer_arrays(fields["optimizer"], optimizer),
        "curves": {name: np.asarray(curve, dtype=np.float64) for name, curve in curves.items()},
        "attributes": {name: own[name] for name in estimator._family.attributes(estimator, dtype)},
        "carried": states,
        "calibration": errors,
    }
    arrays = {f"{part}.{name}": x for part, some in parts.items() for name, x in some.items()}
    return fields, {**arrays, **scales}
