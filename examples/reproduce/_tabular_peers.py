"""Other networks for tables, in DynPMNN's place: all the rest of the estimator stays as it is."""

import torch
from ncps.torch import CfC
from torch import nn
from torchdiffeq import odeint

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.families.dynpmnn import DynPMNNFamily


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
