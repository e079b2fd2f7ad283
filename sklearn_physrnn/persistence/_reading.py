"""Estimators from a JSON object and named arrays.

The JSON object says all that the dtypes and shapes of the arrays follow from, so that a file
can be refused before any of them is read. Writing makes the same check: what is saved can be
loaded.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..estimators._classification import _BaseClassifier
from ..estimators._dynpmnn import DynPMNNClassifier, DynPMNNRegressor
from ..estimators._hssm import HSSMClassifier, HSSMRegressor
from ..estimators._petnn import PETNNClassifier, PETNNRegressor
from ..estimators._sequences import Preparation, _SequenceInputs
from ..storage import modules
from ..storage.format import Spec
from ..storage.plain import Fields, from_json
from ..training._groups import names_in_order
from . import _outline, _scalers

Arrays = dict[str, np.ndarray]

CLASSES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        *(DynPMNNRegressor, DynPMNNClassifier),
        *(PETNNRegressor, PETNNClassifier),
        *(HSSMRegressor, HSSMClassifier),
    )
}

CURVES = (
    "loss_curve_",
    "learning_rate_curve_",
    "validation_loss_curve_",
    "validation_scores_",
)

# Files that a training writes: where they are is the matter of a machine, and no file from
# a stranger may say where to write.
NOT_SAVED = {"checkpoint"}


def from_contents(
    model: dict[str, Any], specs: dict[str, Spec], read_arrays: Callable[[], Arrays]
) -> Any:
    """Build the estimator that a JSON object and arrays describe.

    Parameters
    ----------
    model : dict
        The JSON object.
    specs : dict of str to (str, tuple of int)
        Dtype and shape of every array that there is.
    read_arrays : callable
        Called when all checks that need no values are passed.

    Raises
    ------
    ValueError
        If a class or field is unknown or missing, or a value or an array is not as the
        others ask for.
    """
    estimator, module, fields = outline(model, specs)
    arrays = read_arrays()
    check_finite(arrays)

    def part(prefix: str) -> Arrays:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    modules.fill(module, part("module."))
    estimator.module_ = module
    estimator._optimizer_state = modules.make_optimizer_state(
        fields["optimizer"], part("optimizer."), names_in_order(module)
    )
    scaler = _scalers.make_scaler(fields["input_scaler"], part("input_scaler."))
    estimator._preparation = (
        replace(estimator._preparation, scaler=scaler)
        if isinstance(estimator, _SequenceInputs)
        else scaler
    )
    if "y_shape" in fields:
        estimator._y_scaler = _scalers.make_scaler({"kind": "standard"}, part("target_scaler."))
    for name in CURVES:
        curve = arrays.get(f"curves.{name}")
        setattr(estimator, name, None if curve is None else curve.tolist())
    for name, array in part("attributes.").items():
        setattr(estimator, name, array)
    return estimator


def outline(model: dict[str, Any], specs: dict[str, Spec]) -> tuple[Any, Any, dict[str, Any]]:
    """Build the estimator without its arrays, and check `specs` against it.

    Returns
    -------
    estimator : object
    module : nn.Module
        On the meta device.
    fields : dict
        The checked JSON of what was fitted.
    """
    top = Fields(model, "contents")
    top.take("versions", dict)
    name = top.take("class", str)
    parameters, fitted = top.take("parameters", dict), top.take("fitted", dict)
    top.close()
    if name not in CLASSES:
        raise ValueError(f"its class {name!r:.100} is not one of {', '.join(CLASSES)}.")
    estimator = untrained(CLASSES[name], parameters)
    _set_fitted(estimator, Fields(fitted, "fitted attributes"))
    module = _outline.outline(estimator, fitted["dtype"], max_layers=len(specs))
    expected = _expected_specs(estimator, module, fitted)
    for name in modules.younger_buffers(module):
        if f"module.{name}" not in specs:
            del expected[f"module.{name}"]
    if specs != expected:
        wrong = next(k for k in [*expected, *specs] if specs.get(k) != expected.get(k))
        raise ValueError(
            f"its array {wrong!r:.200} must be {_in_words(expected.get(wrong))}, and is "
            f"{_in_words(specs.get(wrong))}."
        )
    return estimator, module, fitted


def _in_words(spec: Spec | None) -> str:
    return "absent" if spec is None else f"{spec[0]} of shape {spec[1]}"


def check_finite(arrays: Arrays) -> None:
    # Not the curves, nor the optimizer: a training that diverged leaves its last good weights.
    for name, array in arrays.items():
        checked = name.startswith(("module.", "input_scaler.", "target_scaler."))
        if checked and not np.isfinite(array).all():
            raise ValueError(f"its array {name!r} is not finite.")


def untrained(cls: type[Any], parameters: dict[str, Any], check: str = "_validate_params") -> Any:
    """Make an estimator of the JSON of its parameters, and call its method `check`."""
    known = cls().get_params(deep=False).keys() - NOT_SAVED
    unknown = parameters.keys() - known
    if unknown:
        raise ValueError(f"{cls.__name__} has no parameter {min(unknown)!r:.100} to load.")
    # A parameter that is younger than the file has its default.
    estimator = cls(**{name: from_json(value) for name, value in parameters.items()})
    if estimator.callbacks:
        raise ValueError("callbacks cannot be loaded.")
    getattr(estimator, check)()
    return estimator


def _set_fitted(estimator: Any, fields: Fields) -> None:
    """Set the attributes that the module's shapes follow from, and those without arrays."""
    if fields.take("dtype", str) not in ("float32", "float64"):
        raise ValueError("its dtype must be float32 or float64.")
    estimator.n_features_in_ = fields.integer("n_features_in_")
    names = fields.take("feature_names_in_", list, type(None))
    if names is not None:
        if len(names) != estimator.n_features_in_ or not all(type(n) is str for n in names):
            raise ValueError("its feature names are not one text a feature.")
        estimator.feature_names_in_ = np.array(names, dtype=object)
    estimator.n_iter_ = fields.integer("n_iter_", 0)
    if "split_seed" in fields:  # which is younger than the first files
        estimator._split_seed = fields.integer("split_seed", 0)
    estimator.best_loss_ = from_json(fields.take("best_loss_", float, dict))
    if type(estimator.best_loss_) is not float:
        raise ValueError("its best loss must be a number.")
    fields.take("curves", list)
    fields.take("optimizer", dict)
    fields.take("input_scaler", dict, type(None))
    if isinstance(estimator, _SequenceInputs):
        estimator._n_dims = fields.integer("n_dims", 2)
        if estimator._n_dims > 3:
            raise ValueError("its inputs must have 2 or 3 dimensions.")
        time_unit = fields.take("time_unit", float)
        if not 0 < time_unit < np.inf:
            raise ValueError("its unit of time must be positive.")
        longest = fields.integer("longest")
        if getattr(estimator, "every", 1) > longest:
            raise ValueError(f"every={estimator.every} exceeds its longest series, {longest}.")
        # Files of version 0.1 lack it.
        mean_dt = fields.take("mean_dt", float) if fields.has("mean_dt") else 1.0
        if not 0 < mean_dt <= 1:
            raise ValueError("its mean step of time must be positive, and at most 1.")
        estimator._preparation = Preparation(None, longest, time_unit, mean_dt)
    if isinstance(estimator, _BaseClassifier):
        estimator.classes_ = _classes(fields.take("classes_", dict))
    else:
        estimator._y_shape = tuple(fields.integers("y_shape"))
        if len(estimator._y_shape) > 1:
            raise ValueError("its targets have too many dimensions.")
    fields.close()
    estimator._n_outputs = estimator._n_module_outputs()


def _classes(data: dict[str, Any]) -> np.ndarray:
    classes = from_json(data)
    ordered = isinstance(classes, np.ndarray) and len(classes) > 1
    if not ordered or not (classes[:-1] < classes[1:]).all():
        raise ValueError("its classes must be two labels or more, in order.")
    return classes


def _expected_specs(estimator: Any, module: Any, fitted: dict[str, Any]) -> dict[str, Spec]:
    """Dtype and shape of every array that belongs to the estimator, and of no other."""
    sequences = isinstance(estimator, _SequenceInputs)
    n_columns = estimator._n_channels() if sequences else estimator.n_features_in_
    tokens = getattr(estimator, "vocabulary_size", None) is not None
    if (fitted["input_scaler"] is None) != tokens:
        raise ValueError("it must hold a scaler of its inputs, unless they are tokens.")
    lengths = fitted["curves"]
    if len(lengths) != len(CURVES) or lengths[0] != estimator.n_iter_:
        raise ValueError("its curves are not as long as it was trained.")
    curves: dict[str, Spec] = {
        name: ("F64", (length,))
        for name, length in zip(CURVES, lengths, strict=True)
        if length is not None
    }
    attributes: dict[str, Spec] = {}
    if isinstance(estimator, PETNNRegressor | PETNNClassifier):
        shape = (estimator.num_layers, estimator.hidden_size)
        attributes["release_rate_"] = "F32" if fitted["dtype"] == "float32" else "F64", shape
    regression = "y_shape" in fitted
    parts: dict[str, dict[str, Spec]] = {
        "module": modules.weight_specs(module),
        "optimizer": modules.optimizer_specs(fitted["optimizer"], module),
        "input_scaler": _scalers.scaler_specs(fitted["input_scaler"], n_columns),
        "target_scaler": _scalers.scaler_specs(
            {"kind": "standard"} if regression else None,
            int(np.prod(estimator._y_shape)) if regression else 0,
        ),
        "curves": curves,
        "attributes": attributes,
    }
    return {f"{part}.{name}": spec for part in parts for name, spec in parts[part].items()}
