"""What is kept of a fitted or pretrained forecaster.

One of a panel or hierarchy holds a forecaster of each series, and so does its file.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sktime.datatypes import VectorizedDF

from ..estimators._outline import outline
from ..estimators._reading import CURVES, untrained
from ..estimators._writing import parameters_to_json, versions
from ..forecasting._calendar import resolve_calendar
from ..forecasting._features import Features
from ..forecasting._framing import choice_state, take_choice
from ..forecasting._history import History
from ..forecasting._intervals import Scores
from ..forecasting._model import WindowModel
from ..forecasting._pretraining import Pretrained
from ..forecasting._sizes import Sizes
from ..preparation.times import check_steps, following
from ..storage import modules
from ..storage.format import Spec, spec_of
from ..storage.index import index_state, read_index
from ..storage.plain import Fields, NotPlainError
from ..storage.state import Arrays, Json, State, Store, split
from ..training._groups import names_in_order
from ._sktime import (
    converter_state,
    horizon_state,
    metadata_json,
    read_converter,
    read_horizon,
    read_metadata,
    read_mtype,
)

# All that fit, update and pretrain set. An attribute that is not here is refused, lest it be
# lost unnoticed; sktime's tags and configuration are those of the process that loads.
_KNOWN = {
    *("_fh", "_cutoff", "_converter_store_y", "_state", "_y", "_X", "_y_metadata"),
    *("_y_mtype_last_seen", "_is_vectorized", "_yvec", "forecasters_", "_tags_dynamic"),
    *("_config_dynamic", "_pretrained_attrs", "pretrained_", "module_", "_optimizer_state"),
    *("_model", "_scores", "_n_calibrated", "_history", "window_length_", "horizon_"),
    *CURVES,
    *("n_iter_", "best_loss_", "kernels_"),
    *("choice_", "network_share_", "validation_errors_"),
}


def to_contents(forecaster: Any) -> tuple[dict[str, Any], Arrays]:
    """Turn a forecaster into a JSON object and arrays.

    Raises
    ------
    NotFittedError
        If it is neither fitted nor pretrained.
    ValueError
        If something in it is not data, or not known.
    """
    name = type(forecaster).__name__
    if forecaster._state != "pretrained":
        forecaster.check_is_fitted()
    try:
        contents, arrays = split(_state(forecaster))
    except NotPlainError as error:
        [part] = error.args
        raise ValueError(
            f"This {name} holds a {type(part).__name__} among what fit learned, {part!r:.100}, "
            "which cannot be saved without pickle."
        ) from error
    arrays = {key.removeprefix("fitted."): array for key, array in arrays.items()}
    model = {"versions": versions(), "class": name, **contents}
    specs = {key: spec_of(array) for key, array in arrays.items()}
    try:  # what is saved can be loaded
        loaded = from_contents(type(forecaster), model, specs, lambda: dict(arrays))
    except ValueError as error:
        raise ValueError(f"{_changed(name)} ({error})") from error
    if not _same(loaded, forecaster):
        raise ValueError(_changed(name))
    return model, arrays


def _changed(name: str) -> str:
    return (
        f"What this {name} learned is not what its parameters describe: they, or it, were "
        "changed after fitting. Set the parameters back or fit again before saving."
    )


def _same(loaded: Any, forecaster: Any) -> bool:
    """Compare what the arrays of a file do not tell."""
    pairs = [
        (getattr(one, "module_", None) or one.pretrained_.module)
        for one in (*_series(loaded), *_series(forecaster))
    ]
    half = len(pairs) // 2
    same = all(map(modules.same_settings, pairs[:half], pairs[half:]))
    if getattr(forecaster, "_is_vectorized", False):
        same &= loaded.forecasters_.index.equals(forecaster.forecasters_.index)
    return same


def _series(forecaster: Any) -> list[Any]:
    """Give the forecasters that hold a module: of each series, or the one itself."""
    if getattr(forecaster, "_is_vectorized", False):
        return list(forecaster.forecasters_.iloc[:, 0])
    return [forecaster]


def place(forecaster: Any, device: str) -> None:
    """Set where to compute, which sktime's ``set_params`` would reset the forecaster for."""
    forecaster.device = device
    for one in _series(forecaster):
        one.device = device
        if hasattr(one, "_model"):
            one._model = replace(one._model, device=device)


# -- writing -----------------------------------------------------------------------------


def _state(forecaster: Any) -> dict[str, Any]:
    """Give the state of a forecaster, parameters and all."""
    name = type(forecaster).__name__
    parameters = forecaster.get_params(deep=False)
    for attribute in vars(forecaster):
        if attribute not in parameters and attribute not in _KNOWN:
            raise ValueError(
                f"This {name} has an attribute {attribute!r} that is no parameter and was not "
                "set by fit; saving would lose it. Delete it before saving."
            )
    kept = parameters_to_json(forecaster)
    return {"parameters": Json(kept), "fitted": _fitted_state(forecaster)}


def _fitted_state(forecaster: Any) -> dict[str, Any]:
    own = vars(forecaster)
    fitted = forecaster._state == "fitted"
    in_panel = fitted and forecaster._is_vectorized
    pretrained, cutoff = own.get("pretrained_"), own["_cutoff"]
    return {
        "state": forecaster._state,
        "cutoff": None if cutoff is None else index_state(cutoff),
        "fh": horizon_state(own["_fh"]),
        "y_metadata": Json(metadata_json(own["_y_metadata"])),
        "y_mtype_last_seen": own["_y_mtype_last_seen"],
        "converter_store_y": converter_state(own["_converter_store_y"]),
        "pretrained": None if pretrained is None else _pretrained_state(pretrained),
        "learned": _learned_state(forecaster) if fitted and not in_panel else None,
        "panel": _panel_state(forecaster) if in_panel else None,
    }


def _pretrained_state(pretrained: Pretrained) -> dict[str, Any]:
    module, optimizer = pretrained.module, pretrained.record.optimizer_state
    kept = modules.module_state(module, optimizer, names_in_order(module))
    return {**pretrained.to_state(), "module": kept}


def _learned_state(forecaster: Any) -> dict[str, Any]:
    own = vars(forecaster)
    module, scores = forecaster.module_, own["_scores"]
    curves = {name: own[name] for name in CURVES}
    return {
        "module": modules.module_state(module, own["_optimizer_state"], names_in_order(module)),
        "model": own["_model"].to_state(),
        "scores": None if scores is None else scores.to_state(),
        "choice": choice_state(forecaster),
        "history": own["_history"].to_state(),
        "n_calibrated": int(own["_n_calibrated"]),
        "best_loss": float(own["best_loss_"]),
        "curves": {k: None if v is None else np.array(v, float) for k, v in curves.items()},
    }


def _panel_state(forecaster: Any) -> dict[str, Any]:
    frame = forecaster.forecasters_
    keys = frame.index
    series = list(frame.iloc[:, 0])
    return {
        "names": list(forecaster._yvec.X_mi_index.names),
        "keys": {
            str(level): index_state(keys.get_level_values(level)) for level in range(keys.nlevels)
        },
        "series": {str(place): _state(one) for place, one in enumerate(series)},
    }


# -- reading -----------------------------------------------------------------------------


def from_contents(
    cls: type[Any],
    model: dict[str, Any],
    specs: dict[str, Spec],
    read_arrays: Callable[[], Arrays],
) -> Any:
    """Build the forecaster of a JSON object and arrays; see ``estimators._reading``."""
    top = Fields(model, "contents")
    top.take("versions", dict)
    top.take("class", str)
    parameters, fitted = top.take("parameters", dict), top.take("fitted", dict)
    top.close()
    store = Store(specs, read_arrays)
    state = State(fitted, store, "fitted attributes")
    forecaster = state.read(lambda state: _forecaster(cls, parameters, state, alone=True))
    store.close()
    return forecaster


def _forecaster(cls: type[Any], parameters: dict, state: State, *, alone: bool) -> Any:
    forecaster = untrained(cls, parameters, check="check_parameters")
    forecaster._state = state.choice("state", ("fitted", "pretrained"))
    fitted = forecaster._state == "fitted"
    forecaster._fh = state.optional("fh", lambda state: state.read(read_horizon))
    forecaster._y_metadata = read_metadata(state, "y_metadata")
    forecaster._y_mtype_last_seen = read_mtype(state.take("y_mtype_last_seen", str))
    forecaster._converter_store_y = state.part("converter_store_y").read(read_converter)
    pretrained = state.optional("pretrained", lambda state: _pretrained(forecaster, state))
    if pretrained is not None:
        forecaster.pretrained_ = pretrained
        forecaster._pretrained_attrs = ["pretrained_"]
    cutoff = state.optional("cutoff", lambda state: read_index(state, 1 if fitted else None))
    panel = state.optional("panel", lambda state: _panel(forecaster, state)) if alone else None
    if not alone:
        state.take("panel", type(None))
    learned = state.optional("learned", lambda state: state.read(partial(_learn, forecaster)))
    if (learned is None) + (panel is None) != (1 if fitted else 2):
        raise ValueError("it must hold what was learned of one series or of a panel.")
    if fitted:
        if cutoff is None:
            raise ValueError("it must say where the series ends.")
        forecaster._is_vectorized = panel is not None
    elif pretrained is None:
        raise ValueError("it is neither fitted nor pretrained.")
    forecaster._cutoff = cutoff
    return forecaster


def _module(
    forecaster: Any, part: State, sizes: Sizes, features: Features, n_channels: int
) -> tuple[Any, dict[str, Any]]:
    """Build the module that the parameters describe, and fill it; give it and its optimizer."""
    make = partial(forecaster.make_module, sizes, features, n_channels)
    module = outline(forecaster, make, forecaster.dtype, len(part.specs()))
    return module, modules.read_module(part, module, names_in_order(module))


def _pretrained(forecaster: Any, state: State) -> Pretrained:
    part = state.part("module")
    return state.read(
        lambda state: Pretrained.from_state(state, partial(_module, forecaster, part))
    )


def _learn(forecaster: Any, state: State) -> bool:
    part = state.part("module")

    def build(sizes: Sizes, features: Features, n_channels: int) -> Any:
        module, forecaster._optimizer_state = _module(
            forecaster, part, sizes, features, n_channels
        )
        return module

    model = state.part("model").read(
        lambda state: WindowModel.from_state(state, build, forecaster.device)
    )
    sizes, n_channels = model.sizes, model.n_channels
    columns = model.features.columns
    n_columns = None if columns is None else len(columns)
    history = state.part("history").read(
        lambda state: History.from_state(state, n_channels, n_columns)
    )
    # After `pretrain` a series may be shorter than a window.
    short = hasattr(forecaster, "pretrained_") and forecaster.takes_gaps
    _check_times(history, model, 1 if short else sizes.window_length)
    shape = sizes.horizon, n_channels, model.n_quantiles
    forecaster._scores = state.optional(
        "scores", lambda state: state.read(lambda state: Scores.from_state(state, shape))
    )
    if (forecaster._scores is None) != (forecaster.interval is None):
        raise ValueError("it must hold errors of forecasts where there are to be intervals.")
    if len(forecaster._y_metadata.get("feature_names", ())) != n_channels:
        raise ValueError("it must name each channel.")
    forecaster._model, forecaster._history, forecaster.module_ = model, history, model.module
    forecaster.kernels_ = dict(model.kernels or {})
    forecaster._n_calibrated = state.integer("n_calibrated", 0)
    forecaster.choice_, forecaster.network_share_ = None, 1.0
    forecaster.validation_errors_ = None
    if "choice" in state:  # which is younger than some files
        state.optional("choice", lambda state: state.read(partial(take_choice, forecaster)))
    forecaster.best_loss_ = state.plain("best_loss", float)
    state.part("curves").read(partial(_take_curves, forecaster))
    forecaster.window_length_, forecaster.horizon_ = sizes.window_length, sizes.horizon
    return True


def _take_curves(forecaster: Any, state: State) -> None:
    for name in CURVES:
        setattr(forecaster, name, state.curve(name))
    if forecaster.loss_curve_ is None or forecaster.learning_rate_curve_ is None:
        raise ValueError("it lacks the curve of its training.")
    forecaster.n_iter_ = len(forecaster.loss_curve_)


def _check_times(history: History, model: WindowModel, least: int) -> None:
    if len(history) < least:
        raise ValueError("its history is shorter than a window.")
    dated = isinstance(history.index, pd.DatetimeIndex | pd.PeriodIndex)
    if dated == isinstance(model.step, int):
        raise ValueError("its times are no series, a step of them is of another kind.")
    try:
        check_steps(history.index, model.step)
        ahead = following(history.index[-1], 1, model.step)
        if model.features.calendar:
            resolve_calendar(model.features.calendar, history.index)
            model.features.of(ahead, None)
    except Exception as error:  # of pandas, whatever a file made to deceive leads to
        raise ValueError(f"its times are no series ({error!s:.200}).") from error


def _panel(forecaster: Any, state: State) -> bool:
    return state.read(partial(_take_panel, forecaster))


def _take_panel(forecaster: Any, state: State) -> bool:
    names = state.plain("names", list)
    scitype = forecaster._y_metadata.get("scitype")
    if scitype not in ("Panel", "Hierarchical"):
        raise ValueError("its series are those of no panel.")
    series = state.part("series")
    places = series.names()
    if places != [str(place) for place in range(len(places))] or not places:
        raise ValueError("its series must be numbered.")
    forecasters = [series.part(place).read(partial(_member, type(forecaster))) for place in places]
    keys = state.part("keys")
    levels = [read_index(keys.part(name), len(places)) for name in keys.names()]
    if len(names) != len(levels) + 1 or (len(levels) == 1) != (scitype == "Panel"):
        raise ValueError("its series must have keys of as many levels as the panel.")
    last = [one._cutoff[-1] for one in forecasters]
    index = pd.MultiIndex.from_arrays([*levels, last], names=names)
    if index.droplevel(-1).has_duplicates:
        raise ValueError("its series must have different keys.")
    columns = forecasters[0]._y_metadata["feature_names"]
    # Of a panel forecasts take the keys alone.
    ends = pd.DataFrame(0.0, index=index, columns=columns)
    forecaster._yvec = VectorizedDF(ends, is_scitype=scitype)
    rows, _ = forecaster._yvec.get_iter_indices()
    rows = rows.set_names([level.name for level in levels])
    forecaster.forecasters_ = pd.DataFrame({"forecasters": forecasters}, index=rows)
    return True


def _member(cls: type[Any], state: State) -> Any:
    parameters = state.take("parameters", dict)
    part = state.part("fitted")
    one = part.read(lambda state: _forecaster(cls, parameters, state, alone=False))
    if one._state != "fitted":
        raise ValueError("its series must each be fitted.")
    return one
