"""Other networks for tables, in DynPMNN's place: all the rest of the estimator stays as it is.

And neighbours' targets for the models of others.
"""

import numpy as np
import torch
from ncps.torch import CfC
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import KFold
from torch import nn
from torchdiffeq import odeint

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.families.dynpmnn import DynPMNNFamily
from sklearn_physrnn.preparation.neighbors import Place, search


class NeuralODE(nn.Module):
    """A linear map in, an ODE whose right side is a two-layer network, a linear map out."""

    def __init__(self, input_size, output_size, hidden_size=32):
        super().__init__()
        self.encoder = nn.Linear(input_size, hidden_size)
        self.field = nn.Sequential(
            nn.Linear(hidden_size, hidden_size), nn.Tanh(), nn.Linear(hidden_size, hidden_size)
        )
        self.head = nn.Linear(hidden_size, output_size)
        self.register_buffer("times", torch.tensor([0.0, 1.0]))

    def forward(self, x):
        """Integrate from 0 to 1 in eight Runge-Kutta steps."""
        state = odeint(
            lambda t, state: self.field(state),
            self.encoder(x),
            self.times.to(x),
            method="rk4",
            options={"step_size": 0.125},
        )
        return self.head(state[-1])


class ClosedFormContinuous(nn.Module):
    """A CfC cell (Hasani and others, 2022) that sees the row as a sequence of one step."""

    def __init__(self, input_size, output_size, hidden_size=32):
        super().__init__()
        self.cell = CfC(input_size, hidden_size, backbone_units=hidden_size, backbone_layers=1)
        self.head = nn.Linear(hidden_size, output_size)

    def forward(self, x):
        """Run one step from the state zero."""
        return self.head(self.cell(x.unsqueeze(1))[0][:, -1])


class MultilayerPerceptron(nn.Module):
    """Two hidden layers of ReLU."""

    def __init__(self, input_size, output_size, hidden_size=64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(input_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, output_size),
        )

    def forward(self, x):
        """Map rows to outputs."""
        return self.layers(x)


class _PeerFamily(DynPMNNFamily):
    """DynPMNN's family, with another network."""

    def __init__(self, network):
        self.make = network

    def module(self, params, inputs, n_outputs):
        """Build the network for rows of a table."""
        return self.make(inputs.n_columns, n_outputs)

    def examine(self, module, inputs):
        """See nothing: there is no solver's step to look at."""
        return {}


def _peer(network, base, name):
    # scikit-learn reads parameters from the class's own signature: DynPMNN's.
    members = {"_family": _PeerFamily(network), "__init__": base.__init__}
    return type(name, (base,), members)


PEERS = {
    "Neural ODE": NeuralODE,
    "CfC": ClosedFormContinuous,
    "MLP, same training": MultilayerPerceptron,
}
REGRESSORS = {name: _peer(network, DynPMNNRegressor, name) for name, network in PEERS.items()}
CLASSIFIERS = {name: _peer(network, DynPMNNClassifier, name) for name, network in PEERS.items()}


class WithNeighbors(RegressorMixin, BaseEstimator):
    """Give any regressor the columns that DynPMNN has by ``neighbors="auto"``."""

    def __init__(self, regressor):
        self.regressor = regressor

    def fit(self, X, y):
        """Look for a place, and fit the regressor to rows that do not see their own target."""
        X, y = np.asarray(X), np.asarray(y)
        folds = np.empty(len(X), dtype=int)
        for fold, (_, own) in enumerate(KFold(5, shuffle=True, random_state=0).split(X)):
            folds[own] = fold
        values = ((y - y.mean()) / y.std())[:, None]
        columns = search(X, range(X.shape[1]), values, None, folds)
        self.place_ = None if columns is None else Place.of(columns, X, values, None)
        if self.place_ is not None:
            X = np.c_[X, self.place_.out_of_fold(X, folds)]
        self.regressor_ = self.regressor.fit(X, y)
        return self

    def predict(self, X):
        """Predict rows from their columns and near training rows' targets."""
        X = np.asarray(X)
        return self.regressor_.predict(
            X if self.place_ is None else np.c_[X, self.place_.features(X)]
        )
