"""What a message tells a user to change is a parameter that the estimator has."""

import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    PETNNClassifier,
    PETNNRegressor,
)
from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.kernels.petnn import INCREMENTS, RELEASES, Switches
from sklearn_physrnn.kernels.petnn.cpu_layout import as_flags
from tests.families import ENTRIES, SKLEARN, each

# Of all families; single words may be just words.
NAMES = {name for kind in SKLEARN for name in kind().get_params() if "_" in name}


def _named(message):
    return NAMES.intersection(re.findall(r"\w+", str(message)))


class _Poison(Callback):
    def on_batch_end(self, net, training=False, **kwargs):
        if training and net.history[-1]["epoch"] == 2:
            with torch.no_grad():
                next(net.module_.parameters()).fill_(np.nan)


@each(SKLEARN)
def test_remedies_for_what_is_not_finite_are_the_family_s_own(kind):
    model = ENTRIES[kind].fitted()
    with torch.no_grad():
        for parameter in model.module_.parameters():
            parameter.fill_(np.nan)
    with pytest.raises(ValueError, match=r"not finite for 24 of 24 .* Fit it anew") as caught:
        model.predict(ENTRIES[kind].X)
    assert "learning_rate_init" in _named(caught.value)
    assert _named(caught.value) <= set(model.get_params())
    assert ("t_end" in _named(caught.value)) == hasattr(model, "t_end")


@each(SKLEARN)
def test_remedies_for_a_fit_that_diverged_are_the_family_s_own(kind):
    model = ENTRIES[kind].make(callbacks=[_Poison()])
    with pytest.warns(ConvergenceWarning, match="no longer finite") as caught:
        model.fit(*ENTRIES[kind].data)
    (message,) = (str(w.message) for w in caught if "no longer" in str(w.message))
    assert f"max_grad_norm (now {model.max_grad_norm})" in message
    assert _named(message) <= set(model.get_params())


def _options(kind, name):
    (constraint,) = kind._parameter_constraints[name]
    return set(constraint.options)


@pytest.mark.parametrize("kind", [PETNNRegressor, PETNNClassifier, PETNNForecaster])
def test_switches_of_petnn_are_those_of_its_kernel(kind):
    assert _options(kind, "release") == set(RELEASES)
    assert _options(kind, "increment") == set(INCREMENTS)
    assert len({as_flags(Switches(release), np.float32)[1] for release in RELEASES}) == 3


@each([DynPMNNRegressor, DynPMNNClassifier])
def test_a_network_that_overflows_does_not_predict(kind):
    X, y = ENTRIES[kind].data
    model = ENTRIES[kind].make(solver="euler", n_steps=50, t_end=1e4)

    def fit_and_predict():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y).predict(X)

    with pytest.raises(ValueError, match=r"output is not finite for \d+ of 24 samples of X"):
        fit_and_predict()
