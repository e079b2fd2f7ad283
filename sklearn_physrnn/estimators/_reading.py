"""Estimators from a JSON object and named arrays.

The JSON object says all that the dtypes and shapes of the arrays follow from, so that a file
can be refused before any of them is read. Writing makes the same check: what is saved can be
loaded.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels._ways import checked
from ..preparation.calibration import Calibration, calibration_specs
from ..preparation.number_targets import NumberTargets
from ..storage import modules
from ..storage.format import Spec
from ..storage.plain import Fields, from_json
from ..training._groups import names_in_order
from . import _carrying as carrying
from ._outline import outline

Arrays = dict[str, np.ndarray]

CURVES = (
    "loss_curve_",
    "learning_rate_curve_",
    "validation_loss_curve_",
    "validation_scores_",
)

# Files that a training writes: where they are is the matter of a machine, and no file from
# a stranger may say where to write. Vectors that tokens began with are in the weights.
NOT_SAVED = {"checkpoint", "embedding"}


def from_contents(
    cls: type[Any],
    model: dict[str, Any],
    specs: dict[str, Spec],
    read_arrays: Callable[[], Arrays],
) -> Any:
    """Build the estimator that a JSON object and arrays describe.

    Parameters
    ----------
    cls : type
        Its class, which the file has no say in.
    model : dict
        The JSON object.
    specs : dict of str to (str, tuple of int)
        Dtype and shape of every array that there is.
    read_arrays : callable
        Called when all checks that need no values are passed.

    Raises
    ------
    ValueError
        If a field is unknown or missing, or a value or an array is not as the
        others ask for.
    """
    estimator, module, fields = described(cls, model, specs)
    arrays = read_arrays()
    check_finite(arrays)

    def part(prefix: str) -> Arrays:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    modules.fill(module, part("module."))
    estimator.module_ = module
    estimator._optimizer_state = modules.make_optimizer_state(
        fields["optimizer"], part("optimizer."), names_in_order(module)
    )
    estimator._prepared = estimator._prepared.filled(fields["input_scaler"], arrays)
    for name in CURVES:
        curve = arrays.get(f"curves.{name}")
        setattr(estimator, name, None if curve is None else curve.tolist())
    for name, array in part("attributes.").items():
        setattr(estimator, name, array)
    if states := part("carried."):
        estimator.carried_state_ = carrying.from_arrays(states)
    if errors := part("calibration."):
        estimator.calibration_ = Calibration.from_arrays(errors)
    return estimator


def described(
    cls: type[Any], model: dict[str, Any], specs: dict[str, Spec]
) -> tuple[Any, Any, dict[str, Any]]:
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
    if name != cls.__name__:
        raise ValueError(f"its class must be {cls.__name__}, got {name!r:.100}.")
    parameters, fitted = top.take("parameters", dict), top.take("fitted", dict)
    top.close()
    estimator = untrained(cls, parameters)
    _set_fitted(estimator, Fields(fitted, "fitted attributes"))
    module = outline(estimator, estimator._make_module, fitted["dtype"], len(specs))
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
        checked = name.startswith(
            ("module.", "input_scaler.", "target_scaler.", "carried.", "calibration.")
        )
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
    n_features = fields.integer("n_features_in_")
    prepared = estimator._new_prepared().described(fields, n_features)
    estimator._set_prepared(prepared)
    names = fields.take("feature_names_in_", list, type(None))
    if names is not None:
        if len(names) != n_features or not all(type(n) is str for n in names):
            raise ValueError("its feature names are not one text a feature.")
        estimator.feature_names_in_ = np.array(names, dtype=object)
    estimator.n_iter_ = fields.integer("n_iter_", 0)
    if "split_seed" in fields:  # which is younger than the first files
        estimator._split_seed = fields.integer("split_seed", 0)
    estimator.best_loss_ = from_json(fields.take("best_loss_", float, dict))
    if type(estimator.best_loss_) is not float:
        raise ValueError("its best loss must be a number.")
    # Which is younger than the first files, too.
    estimator.kernels_ = checked(fields.take("kernels", dict)) if "kernels" in fields else {}
    if "carried" in fields:  # a state, of so many records
        fields.integer("carried")
    if "calibration" in fields:
        fields.take("calibration", dict)
    fields.take("curves", list)
    fields.take("optimizer", dict)
    fields.take("input_scaler", dict, type(None))
    fields.close()


def _expected_specs(estimator: Any, module: Any, fitted: dict[str, Any]) -> dict[str, Spec]:
    """Dtype and shape of every array that belongs to the estimator, and of no other."""
    lengths = fitted["curves"]
    if len(lengths) != len(CURVES) or lengths[0] != estimator.n_iter_:
        raise ValueError("its curves are not as long as it was trained.")
    curves: dict[str, Spec] = {
        name: ("F64", (length,))
        for name, length in zip(CURVES, lengths, strict=True)
        if length is not None
    }
    parts: dict[str, dict[str, Spec]] = {
        "module": modules.weight_specs(module),
        "optimizer": modules.optimizer_specs(fitted["optimizer"], module),
        "curves": curves,
        "attributes": estimator._family.attributes(estimator, fitted["dtype"]),
        "carried": carrying.specs_of(estimator, module, fitted),
        "calibration": _calibration_specs(estimator, fitted),
    }
    specs = {f"{part}.{name}": spec for part in parts for name, spec in parts[part].items()}
    return {**specs, **estimator._prepared.specs(fitted["input_scaler"])}


def _calibration_specs(estimator: Any, fitted: dict[str, Any]) -> dict[str, Spec]:
    if "calibration" not in fitted:
        return {}
    targets = estimator._prepared.targets
    if not isinstance(targets, NumberTargets):
        raise ValueError("it has a calibration, which its targets cannot have.")
    return calibration_specs(fitted["calibration"], targets.n_targets)
