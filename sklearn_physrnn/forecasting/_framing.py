"""A trained network and the linear map beside it, weighed on held-out times."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..storage.state import State
from ._frame import (
    Linear,
    apply,
    choose,
    error_of,
    lengths_to_try,
    module_of,
    share_of,
    solved,
)
from ._history import History
from ._model import WindowModel
from ._ridge import filled
from ._sizes import season

_WEIGHED = 20_000  # numbers of forecasts that weigh the network
ERRORS = ("linear", "network", "both")
COLUMNS = ("window_length", "seasonal", "level", "penalty", "own", "error", "chosen")


@dataclass(frozen=True)
class Framing:
    """What was chosen to stand beside the network.

    Attributes
    ----------
    linear : Linear
    share : float
        Of the network.
    evidence : DataFrame
        Of each candidate, its mean error on the held-out times and on earlier ones.
    errors : dict of str to float
        On the held-out times, of the "linear" map, the "network", and "both".
    """

    linear: Linear
    share: float
    evidence: pd.DataFrame
    errors: dict[str, float]

    def told(self) -> str:
        """Say in a line what was chosen."""
        errors = ", ".join(f"{name} {error:.4g}" for name, error in self.errors.items())
        return (
            f"Linear map of {self.linear.window_length} steps, the best of {len(self.evidence)}; "
            f"the network's share is {self.share:.2f}. Errors on held-out times: {errors}."
        )

    def around(self, module, model: WindowModel, known: History) -> WindowModel:
        """Put the map, learned from `known` times, beside a model's network, in `module`."""
        values = model.scaler.transform(known.values) - model.effects(known)
        dtype = next(module.parameters()).dtype
        frame = module_of(values, self.linear, model.sizes.horizon, self.share, dtype)
        module.frame = frame
        sizes = model.sizes.framed(self.linear.window_length, len(frame.weight))
        return replace(model, module=module, sizes=sizes)


def frame_for(
    model: WindowModel,
    history: History,
    boundary: int,
    *,
    free: bool,
    normalization: str | None,
    squared: bool,
) -> Framing | None:
    """Choose a linear map for a model whose training ended at `boundary`, and the share of it.

    Parameters
    ----------
    model : WindowModel
        A network alone.
    history : History
        The times that it was trained on and those held out.
    boundary : int
    free : bool
        Choose the map's window length, too; else it is the network's.
    normalization : str or None
        The estimator's own.
    squared : bool
        Compare squared errors, else absolute ones.

    Returns
    -------
    Framing or None
        None where too little is known for a choice.
    """
    sizes = model.sizes
    effects = model.effects(history)
    values = model.scaler.transform(history.values) - effects
    lengths = [sizes.window_length]
    if free:
        lengths = lengths_to_try(sizes.window_length, boundary)
    levels = {"auto": (0.0, 0.5, 1.0), None: (1.0,)}.get(normalization, (0.0,))
    choice = choose(
        values,
        boundary,
        lengths,
        sizes.horizon,
        season=season(history.index),
        levels=levels,
        squared=squared,
    )
    if choice is None:
        return None
    longest = max(sizes.window_length, choice.linear.window_length)
    starts = np.arange(max(0, boundary - longest), len(history) - longest - sizes.horizon + 1)
    starts = starts[:: -(-len(starts) * sizes.horizon * values.shape[1] // _WEIGHED)]
    network = model.of_some_windows(history, starts + longest - sizes.window_length)
    views = np.lib.stride_tricks.sliding_window_view
    if isinstance(effects, np.ndarray):
        network -= views(effects, sizes.horizon, axis=0)[starts + longest].transpose(0, 2, 1)
    targets = views(values, sizes.horizon, axis=0)[starts + longest].transpose(0, 2, 1)
    weight, level = solved(filled(values[:boundary]), choice.linear, sizes.horizon)
    n_steps = choice.linear.window_length
    contexts = views(filled(values), n_steps, axis=0)[starts + longest - n_steps]
    linear = apply(contexts.transpose(1, 0, 2), weight, level).transpose(1, 2, 0)
    n_horizons = (len(history) - boundary) / sizes.horizon
    share = share_of(network, linear, targets, n_horizons, squared=squared)
    both = linear + share * (network - linear)
    forecasts = {"linear": linear, "network": network, "both": both}
    errors = {k: error_of(one, targets, squared=squared) for k, one in forecasts.items()}
    return Framing(choice.linear, share, typed(choice.evidence), errors)


def choice_state(forecaster: Any) -> dict[str, Any] | None:
    """Give what is kept of a forecaster's choice."""
    table = getattr(forecaster, "choice_", None)  # of one that an older version fitted
    if table is None:
        return None
    return {
        "table": {name: table[name].to_numpy(float) for name in COLUMNS},
        "share": float(forecaster.network_share_),
        "errors": np.array([forecaster.validation_errors_[name] for name in ERRORS]),
    }


def take_choice(forecaster: Any, state: State) -> bool:
    """Set what `choice_state` kept."""
    forecaster.choice_ = state.part("table").read(_table)
    forecaster.network_share_ = state.plain("share", float)
    errors = state.array("errors", (len(ERRORS),), finite=False)
    forecaster.validation_errors_ = dict(zip(ERRORS, errors.tolist(), strict=True))
    return True


def _table(state: State) -> pd.DataFrame:
    (n,) = state.check("error", (None,))
    columns = {name: state.array(name, (n,), finite=False) for name in COLUMNS}
    return typed(columns)


def typed(columns: Any) -> pd.DataFrame:
    """Give the evidence its types."""
    table = pd.DataFrame(columns, columns=list(COLUMNS))
    return table.astype({"window_length": int, "seasonal": int, "chosen": bool})
