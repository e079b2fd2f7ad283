"""What a model family says of itself, whichever library's estimator asks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Protocol

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ..nn._features import without_head
from ..nn._segments import ForecastCore
from ..preparation.every_step import at_every_step
from ..preparation.inputs import Inputs
from ..preparation.targets import Targets
from ..storage.format import Spec

Constraints = Mapping[str, list[Any]]

AT_LEAST_ONE: list[Any] = [Interval(Integral, 1, None, closed="left")]
POSITIVE: list[Any] = [Interval(Real, 0, None, closed="neither")]
SHARE: list[Any] = [Interval(Real, 0, 1, closed="left")]

# Of families whose networks walk through time: training in pieces of it, and on from a state.
WALKING: Constraints = {
    "chunk_size": [StrOptions({"auto"}), *AT_LEAST_ONE, None],
    "carry_state": ["boolean"],
}


# Of families whose inputs are sequences, among their `entries`.
MISSING_IN_SEQUENCES = """
missing : {"auto", "linear", "mask", "error"}
    What becomes of values that are missing inside sequences: NaN, None or pandas' NA. "mask"
    puts a channel's last value in the place of a missing one, or zero, the mean of scaled
    channels, before there is one: nothing depends on what comes later. "linear" puts what lies
    on the straight line, in time, between the values before and after it. With both, each
    channel of which values were missing in training has an input more that says where, and
    scales are those of the values that are there. "auto" is "mask" with readout "sequence",
    whose answers come step by step, and else "linear", with those inputs only if how much or
    when values are missing goes with the targets in training, by a test of permutations:
    where holes come by chance they are noise. "error" refuses missing values. A model
    that was fitted without any takes them in the same way, but is not told. A channel without
    a value in training is not looked at, later either; a sequence without a value is refused,
    and so is a missing time stamp.
"""


@dataclass(frozen=True)
class CoreSizes:
    """What a forecasting core has to know of the windows it is trained on.

    Attributes
    ----------
    n_channels, window_length, horizon, n_features, n_quantiles : int
        See :class:`~sklearn_physrnn.nn._segments.ForecastCore`.
    segment_length : int
        Steps of the series that are one of the recurrence, where it recurs.
    told : bool
        Whether it is told of gaps.
    """

    n_channels: int
    window_length: int
    horizon: int
    segment_length: int
    n_features: int = 0
    n_quantiles: int = 1
    told: bool = False

    def of_data(self) -> dict[str, Any]:
        """Give what every core takes: all but the length of a segment."""
        sizes = asdict(self)
        del sizes["segment_length"]
        return sizes


class Family(ABC):
    """One model family: its parameters, what they mean, and how its networks are made.

    It has no state. `params`, in its methods, is any object whose attributes are the
    parameters, such as an estimator.

    Attributes
    ----------
    recurrence : mapping of str to list
        Constraints, as scikit-learn takes them, of the parameters of the recurrence itself,
        which estimators and forecasters have alike.
    network : mapping of str to list
        Of the network that estimators put around it.
    per_step : mapping of str to list
        What they take besides, or instead, where the network can be read at every step.
    training : mapping of str to list
        Of how estimators train and predict; the network does not depend on them.
    forecasting : mapping of str to list
        Of the forecasting core; `segment_length`, unless it is told otherwise.
    depth : str
        The parameter that says of how many layers the recurrence is.
    about : str
        What the model is, for docstrings.
    entries : str
        Descriptions of all parameters, in numpydoc's form.
    per_step_readout : str
        Of `readout` in `per_step`.
    remedies : str
        What to try where a trained network overflows, after "Fit it anew with".
    """

    recurrence: ClassVar[Constraints]
    network: ClassVar[Constraints] = {}
    per_step: ClassVar[Constraints] = {}
    training: ClassVar[Constraints] = {}
    forecasting: ClassVar[Constraints] = {
        "segment_length": [StrOptions({"auto"}), *AT_LEAST_ONE],
    }
    depth: ClassVar[str] = "num_layers"
    about: ClassVar[str]
    entries: ClassVar[str]
    per_step_readout: ClassVar[str] = ""
    examines_often: ClassVar[bool] = True  # after every call of partial_fit
    remedies: ClassVar[str] = "a smaller learning_rate_init or max_grad_norm"

    @property
    def estimator_constraints(self) -> dict[str, list[Any]]:
        """Constraints of the parameters that its estimators have of it.

        Network, inputs and targets follow from them.
        """
        return {**self.recurrence, **self.network, **self.per_step}

    @property
    def forecaster_constraints(self) -> dict[str, list[Any]]:
        """Constraints of the parameters that its forecaster has of it."""
        return {**self.recurrence, **self.forecasting}

    @abstractmethod
    def module(self, params: Any, inputs: Inputs, n_outputs: int) -> nn.Module:
        """Build the untrained network of an estimator for fitted `inputs`; drawn under a seed."""

    @abstractmethod
    def inputs(self, params: Any) -> Inputs:
        """Say what X of an estimator is, before it is seen."""

    def takes_missing(self, params: Any) -> bool:
        """Say whether values of X may be missing."""
        return params.missing != "error"

    def targets(self, params: Any, one: Targets) -> Targets:
        """Say what y is, before it is seen, if `one` is what it is of a single row or step."""
        if self.per_step and params.readout == "sequence":
            return at_every_step(one, params.every, holes=params.missing != "error")
        return one

    def every(self, params: Any) -> int:
        """Say at which steps the network is read; of no account but for readout "sequence"."""
        return params.every if params.readout == "sequence" else 1

    def criterion(self, params: Any, criterion: nn.Module) -> nn.Module:
        """Fit the loss to networks whose outputs have an axis more."""
        return criterion

    def segment_length(self, params: Any) -> int | str:
        """Give the parameter of a forecaster, or 1 where the recurrence knows no segments."""
        return params.segment_length if "segment_length" in self.forecasting else 1

    @abstractmethod
    def core(self, params: Any, sizes: CoreSizes) -> ForecastCore:
        """Build the untrained core of a forecaster; drawn under a seed."""

    def no_stream(self, params: Any) -> str | None:
        """Say why ``partial_fit`` cannot do what parameters ask for, if it cannot."""
        return None

    def without_head(self, module: nn.Module) -> nn.Module | None:
        """Give a network whose outputs are what the head of `module` sees, if it has one."""
        return without_head(module) if hasattr(module, "width") else None

    def examine(self, module: nn.Module, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """Look at a trained network on a few training inputs, and warn of what is amiss.

        Returns
        -------
        dict of str to object
            Attributes that ``fit`` is to set.
        """
        return {}

    def attributes(self, params: Any, dtype: str) -> dict[str, Spec]:
        """Say of what type and shape the attributes that `examine` gives are in a file."""
        return {}


class OfFamily(Protocol):
    """An estimator that says its family."""

    _family: ClassVar[Family]
