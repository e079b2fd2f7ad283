"""A family is declared once; estimators, forecasters and panel estimators take it from there."""

import inspect
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sktime.datasets import load_airline
from torch import nn

from sklearn_physrnn import DynPMNNRegressor, HSSMClassifier, PETNNRegressor
from sklearn_physrnn.classification import HSSMSeriesClassifier
from sklearn_physrnn.families import DynPMNN
from sklearn_physrnn.families.hssm import HSSMFamily
from sklearn_physrnn.families.petnn import PETNNFamily
from sklearn_physrnn.forecasting import PETNNForecaster

from .families import FORECASTERS, SKLEARN, each

SMALL = {"hidden_size": 4, "max_iter": 1, "random_state": 0}


class _GRU(nn.GRU):
    def rest(self, n_samples):
        return (self.weight_hh_l0.new_zeros(self.num_layers, n_samples, self.hidden_size),)

    def forward(self, x, state=None, *, dt=None, lengths=None):
        heard, last = super().forward(x, None if state is None else state[0])
        return heard, (last,)


class _WithGRU(PETNNFamily):
    remedies = "a GRU's own remedy"

    def recurrent(self, params, input_size, dropout):
        return _GRU(input_size, params.hidden_size, params.num_layers, batch_first=True)

    def examine(self, module, inputs):
        return {"n_examined_": len(inputs["x"])}


@each(SKLEARN + FORECASTERS)
def test_every_parameter_has_a_constraint_and_no_other_has(kind):
    assert set(kind._parameter_constraints) == set(inspect.signature(kind).parameters)


@each(SKLEARN + FORECASTERS)
def test_what_a_family_is_stands_in_every_docstring_once(kind):
    text = " ".join(inspect.getdoc(kind).split())
    assert text.count(" ".join(kind._family.about.split())) == 1


def test_an_estimator_trains_its_familys_network_and_speaks_its_familys_words():
    class Mine(PETNNRegressor):
        _family = _WithGRU()

    X = np.random.default_rng(0).normal(size=(20, 6, 2))
    model = Mine(**SMALL).fit(X, X[:, 0, 0])
    assert isinstance(model.module_.recurrent, nn.GRU)
    assert model.n_examined_ == 20
    nn.init.constant_(model.module_.head[-1].bias, np.nan)
    with pytest.raises(ValueError, match=r"Fit it anew with a GRU's own remedy\."):
        model.predict(X)


def test_a_forecaster_trains_its_familys_core():
    class Mine(PETNNForecaster):
        _family = _WithGRU()

    forecaster = Mine(**SMALL, num_layers=2).fit(load_airline())
    layers = forecaster.module_.core.recurrent
    assert isinstance(layers, nn.GRU)
    assert layers.num_layers == 2


def test_a_panel_estimator_trains_its_wrapped_estimators_network():
    class Shorter(HSSMFamily):
        def module(self, params, inputs, n_outputs):
            module = super().module(params, inputs, n_outputs)
            del module.blocks[1:]
            return module

    class Wrapped(HSSMClassifier):
        _family = Shorter()

    class Mine(HSSMSeriesClassifier):
        _wrapped = Wrapped

    X = np.random.default_rng(0).normal(size=(12, 2, 6))
    model = Mine(**SMALL, state_size=3, num_blocks=3).fit(X, np.arange(12) % 2)
    assert len(model.classifier_.module_.blocks) == 1


def test_a_family_needs_no_estimator():
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(DynPMNNRegressor).parameters.items()
    }
    params = SimpleNamespace(**defaults | {"num_layers": 3})
    module = DynPMNN.module(params, replace(DynPMNN.inputs(params), n_features=5), 2)
    assert len(module.layers) == 3
    assert module.input_size == 5
    assert module.head.out_features == 2
