"""HSSM forecaster."""

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from ..estimators._hssm import HSSMRegressor
from ..estimators._parameters import set_parameters
from ._base import _BaseForecaster
from ._docstrings import documented
from ._sizes import Sizes

# Windows are of one length.
_NORM = """
norm : {"batch", "layer"} or None
    Normalisation before each block.
"""


@documented(HSSMRegressor, norm=_NORM)
class HSSMForecaster(_BaseForecaster):
    """Forecasts by a Hamiltonian state space model.

    An HSSM is a stack of layers of oscillators that conserve energy, driven by the input
    (arXiv 2506.05259; the equations are in :class:`sklearn_physrnn.nn.HSSM`). Here one of
    its steps is a segment of the series, and over the horizon the oscillators ring on.

    {data}

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from sklearn_physrnn.forecasting import HSSMForecaster
    >>> forecaster = HSSMForecaster(max_iter=5, random_state=0).fit(load_airline())
    >>> forecaster.predict(fh=[1, 2, 12]).shape
    (3,)
    >>> forecaster.predict_interval(fh=[1, 2, 12], coverage=0.8).shape
    (3, 2)
    """

    _family = "hssm"
    _test_sizes: ClassVar[dict[str, int]] = {"hidden_size": 4, "state_size": 4}

    state_size: int
    num_blocks: int
    fitter: str
    dynamics: str
    epsilon: float | str
    norm: str | None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseForecaster._parameter_constraints,
        "state_size": [Interval(Integral, 1, None, closed="left")],
        "num_blocks": [Interval(Integral, 1, None, closed="left")],
        "fitter": [StrOptions({"rhel", "bptt"})],
        "dynamics": [StrOptions({"linear", "nonlinear"})],
        "epsilon": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "norm": [StrOptions({"batch", "layer"}), None],
    }

    def __init__(
        self,
        hidden_size: int = 64,
        state_size: int = 64,
        num_blocks: int = 1,
        *,
        fitter: str = "rhel",
        dynamics: str = "linear",
        epsilon: float | str = "auto",
        norm: str | None = None,
        segment_length: int | str = "auto",
        window_length: int | str = "auto",
        horizon: int | str = "auto",
        calendar: str | Sequence[str] | None = None,
        interval: str | None = "conformal",
        calibration_size: int = 500,
        normalization: str | None = "last",
        linear: bool = True,
        dropout: float = 0.3,
        loss: str = "absolute_error",
        refit: bool | str = "auto",
        update_max_iter: int = 5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.003,
        learning_rate: str = "one_cycle",
        alpha: float = 0.01,
        batch_size: int | str = "auto",
        max_iter: int = 100,
        max_grad_norm: float | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        set_parameters(self, locals())
        super().__init__()

    def _family_options(self, sizes: Sizes) -> dict[str, Any]:
        return {
            "num_layers": self.num_blocks,
            "segment_length": sizes.segment_length,
            "state_size": self.state_size,
            "gradient": self.fitter,
            "dynamics": self.dynamics,
            "epsilon": self.epsilon,
            "norm": self.norm,
        }
