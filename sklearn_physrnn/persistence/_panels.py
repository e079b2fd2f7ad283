"""What is kept of a fitted classifier or regressor of panels: the estimator that it wraps."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sktime.classification.base import BaseClassifier

from ..estimators import _reading, _writing
from ..estimators._reading import untrained
from ..estimators._writing import parameters_to_json, versions
from ..panel._border import Channels
from ..storage.format import Spec
from ..storage.plain import Fields, NotPlainError, to_json
from ..storage.state import Arrays, Json, State, Store, split
from ._sktime import (
    converter_state,
    metadata_json,
    read_converter,
    read_metadata,
    read_mtype,
)

# All that fit sets, but for the wrapped estimator. An attribute that is not here is refused,
# lest it be lost unnoticed.
_KNOWN = {
    *("classes_", "n_classes_", "fit_time_", "_class_dictionary", "_estimator_type"),
    *("_X_metadata", "_y_metadata", "_y_inner_mtype", "_converter_store_y", "_is_fitted"),
    *("_is_vectorized", "_is_timed", "_channels", "_tags_dynamic", "_config_dynamic"),
}

_PREFIX = "estimator."


def _classifies(cls: type[Any]) -> bool:
    return issubclass(cls, BaseClassifier)


def _wrapped_name(cls: type[Any]) -> str:
    return "classifier_" if _classifies(cls) else "regressor_"


def to_contents(estimator: Any) -> tuple[dict[str, Any], Arrays]:
    """Turn a fitted estimator of panels into a JSON object and arrays.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If something in it is not data, or not known.
    """
    name = type(estimator).__name__
    estimator.check_is_fitted()
    if estimator._is_vectorized:
        raise ValueError(
            f"This {name} is fitted to several columns of y, an estimator for each; save the "
            "entries of its frame of estimators one by one."
        )
    parameters = estimator.get_params(deep=False)
    wrapped_name = _wrapped_name(type(estimator))
    for attribute in vars(estimator):
        if attribute not in {*parameters, *_KNOWN, wrapped_name}:
            raise ValueError(
                f"This {name} has an attribute {attribute!r} that is no parameter and was not "
                "set by fit; saving would lose it. Delete it before saving."
            )
    wrapped = getattr(estimator, wrapped_name, None)  # none where there is one class
    model, arrays = (None, {}) if wrapped is None else _writing.to_contents(wrapped)
    own = vars(estimator)
    only_class = None if model or not _classifies(type(estimator)) else to_json(own["classes_"])
    state = {
        "fit_time": int(own["fit_time_"]),
        "X_metadata": Json(metadata_json(own["_X_metadata"])),
        "y_metadata": Json(metadata_json(own["_y_metadata"])),
        "y_inner_mtype": own["_y_inner_mtype"],
        "channels": estimator._channels.to_state(),
        "converter_store_y": converter_state(own["_converter_store_y"]),
        "only_class": Json(only_class),
        "estimator": Json(model),
    }
    try:
        fitted, more = split(state)
    except NotPlainError as error:
        [part] = error.args
        raise ValueError(
            f"This {name} holds a {type(part).__name__} among names or labels, {part!r:.100}, "
            "which cannot be saved without pickle."
        ) from error
    contents = {
        "versions": versions(),
        "class": name,
        "parameters": parameters_to_json(estimator),
        "fitted": fitted,
    }
    return contents, {**more, **{_PREFIX + key: array for key, array in arrays.items()}}


def from_contents(
    cls: type[Any],
    model: dict[str, Any],
    specs: dict[str, Spec],
    read_arrays: Callable[[], Arrays],
) -> Any:
    """Build the estimator of a JSON object and arrays; see ``estimators._reading``."""
    top = Fields(model, "contents")
    top.take("versions", dict)
    top.take("class", str)
    estimator = untrained(cls, top.take("parameters", dict), check="_make_estimator")
    fitted = top.take("fitted", dict)
    top.close()
    own: dict[str, Spec] = {k: v for k, v in specs.items() if not k.startswith(_PREFIX)}
    inner = {k.removeprefix(_PREFIX): v for k, v in specs.items() if k.startswith(_PREFIX)}
    arrays: Arrays = {}

    def read() -> Arrays:
        if not arrays:
            arrays.update(read_arrays())
        return arrays

    store = Store(own, lambda: {name: read()[name] for name in own})
    state = State(fitted, store, "fitted attributes")
    estimator.fit_time_ = state.integer("fit_time", 0)
    estimator._X_metadata = read_metadata(state, "X_metadata")
    estimator._y_metadata = read_metadata(state, "y_metadata")
    estimator._y_inner_mtype = read_mtype(state.take("y_inner_mtype", str))
    contents = state.take("estimator", dict, type(None))
    only_class = state.plain("only_class", np.ndarray, type(None))
    if contents is not None:
        wrapped = _reading.from_contents(
            *(cls._wrapped, contents, inner),
            lambda: {name: read()[_PREFIX + name] for name in inner},
        )
        setattr(estimator, _wrapped_name(cls), wrapped)
    elif inner or not _classifies(cls) or only_class is None or len(only_class) != 1:
        raise ValueError("it holds no estimator.")
    if _classifies(cls):
        classes = only_class if contents is None else wrapped.classes_
        estimator.classes_, estimator.n_classes_ = classes, len(classes)
        estimator._class_dictionary = {label: place for place, label in enumerate(classes)}
    channels = state.part("channels").read(Channels.from_state)
    if contents is not None:
        estimator._channels = channels
    estimator._converter_store_y = state.part("converter_store_y").read(read_converter)
    state.close()
    store.close()
    estimator._is_vectorized = False
    estimator._is_fitted = True
    return estimator


def place(estimator: Any, device: str) -> None:
    """Set where to compute, which sktime's ``set_params`` would reset the estimator for."""
    estimator.device = device
    wrapped = getattr(estimator, _wrapped_name(type(estimator)), None)
    if wrapped is not None:
        wrapped.device = device
