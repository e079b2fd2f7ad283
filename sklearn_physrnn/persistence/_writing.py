"""Fitted estimators as a JSON object and named arrays."""

import platform
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._version import __version__
from ..estimators._sequences import Preparation, _SequenceInputs
from . import _module, _scalers
from ._format import spec_of
from ._plain import NotPlainError, to_json
from ._reading import CLASSES, CURVES, NOT_SAVED, Arrays, check_finite, outline

# All that fit sets. An attribute that is not here is refused, lest it be lost unnoticed.
_KNOWN = {
    *("module_", "_optimizer_state", "_preparation", "_y_scaler", "_y_shape", "_n_outputs"),
    "_split_seed",
    *("n_features_in_", "feature_names_in_", "_n_dims", "classes_", "release_rate_"),
    *CURVES,
    *("n_iter_", "best_loss_"),
}

_ADVICE = {
    "callbacks": "set callbacks=None before saving",
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
    name = type(estimator).__name__
    if CLASSES.get(name) is not type(estimator):
        raise ValueError(
            f"Estimators of the class {type(estimator).__qualname__} cannot be saved without "
            f"pickle, only those of {', '.join(CLASSES)}."
        )
    check_is_fitted(estimator)
    parameters = estimator.get_params(deep=False)
    for attribute in vars(estimator):
        if attribute not in parameters and attribute not in _KNOWN:
            raise ValueError(
                f"This {name} has an attribute {attribute!r} that is no parameter and was not "
                "set by fit; saving would lose it. Delete it, or use joblib.dump."
            )
    fitted = _fitted_fields(estimator)
    model = {
        "versions": _versions(),
        "class": name,
        "parameters": {
            parameter: _parameter_to_json(name, parameter, value)
            for parameter, value in parameters.items()
            if parameter not in NOT_SAVED
        },
        "fitted": fitted,
    }
    arrays = {
        key: np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        for key, array in _fitted_arrays(estimator, fitted).items()
    }
    # The check that loading makes, of an estimator made from the same JSON.
    specs = {key: spec_of(array) for key, array in arrays.items()}
    try:
        _, described, _ = outline(model, specs)
        same = _module.same_settings(described, estimator.module_)
    except ValueError as error:
        raise ValueError(_changed(name)) from error
    if not same:
        raise ValueError(_changed(name))
    check_finite(arrays)
    return model, arrays


def _changed(name: str) -> str:
    return (
        f"The fitted module of this {name} is not the one that its parameters describe: they, "
        "or it, were changed after fitting. Set the parameters back or fit again before saving."
    )


def _versions() -> dict[str, str]:
    others = {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"sklearn_physrnn": __version__, **others, "python": platform.python_version()}


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


def _fitted_fields(estimator: Any) -> dict[str, Any]:
    own = vars(estimator)
    names = own.get("feature_names_in_")
    preparation = own["_preparation"]
    fields: dict[str, Any] = {
        "dtype": str(next(estimator.module_.parameters()).dtype).removeprefix("torch."),
        "n_features_in_": int(own["n_features_in_"]),
        "feature_names_in_": None if names is None else [str(name) for name in names],
        "n_iter_": int(own["n_iter_"]),
        "split_seed": int(own["_split_seed"]),
        "best_loss_": to_json(float(own["best_loss_"])),
        "curves": [None if own[curve] is None else len(own[curve]) for curve in CURVES],
        "optimizer": _module.optimizer_fields(own["_optimizer_state"], estimator.module_),
    }
    if isinstance(estimator, _SequenceInputs):
        fields["n_dims"] = int(own["_n_dims"])
        fields["longest"] = int(preparation.longest)
        fields["time_unit"] = float(preparation.time_unit)
        fields["mean_dt"] = float(preparation.mean_dt)
        fields["input_scaler"] = _scalers.scaler_fields(preparation.scaler)
    else:
        fields["input_scaler"] = _scalers.scaler_fields(preparation)
    if "classes_" in own:
        fields["classes_"] = _labels_to_json(own["classes_"])
    else:
        fields["y_shape"] = [int(n) for n in own["_y_shape"]]
    return fields


def _labels_to_json(classes: np.ndarray) -> Any:
    try:
        return to_json(classes)
    except NotPlainError as error:
        raise ValueError(
            f"Labels of the dtype {classes.dtype} cannot be saved without pickle; fit to "
            "numbers, booleans or text, or use joblib.dump."
        ) from error


def _fitted_arrays(estimator: Any, fields: dict[str, Any]) -> Arrays:
    own = vars(estimator)
    preparation = own["_preparation"]
    scaler = preparation.scaler if isinstance(preparation, Preparation) else preparation
    parts = {
        "module": _module.weight_arrays(estimator.module_),
        "optimizer": _module.optimizer_arrays(fields["optimizer"], own["_optimizer_state"]),
        "input_scaler": _scalers.scaler_arrays(scaler),
        "target_scaler": _scalers.scaler_arrays(own.get("_y_scaler")),
        "curves": {
            name: np.asarray(own[name], dtype=np.float64)
            for name in CURVES
            if own[name] is not None
        },
        "attributes": {name: own[name] for name in ("release_rate_",) if name in own},
    }
    return {
        f"{part}.{name}": array for part, some in parts.items() for name, array in some.items()
    }
