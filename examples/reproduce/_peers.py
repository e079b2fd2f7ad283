"""torch's LSTM and GRU in PETNN's place: all the rest of the estimator stays as it is."""

import torch
from torch import nn

from sklearn_physrnn import PETNNClassifier, PETNNRegressor
from sklearn_physrnn.families.petnn import PETNNFamily


class _Peer(nn.Module):
    """One of torch's recurrent layers behind the manners of PETNN's."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x, *, dt=None, lengths=None):
        output, state = self.layers(x)
        if lengths is not None:
            # These layers run from left to right: padding cannot reach a sample's steps.
            inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
            output = output * inside.unsqueeze(2)
        return output, state


class _PeerFamily(PETNNFamily):
    """PETNN's family, with layers of torch's."""

    def __init__(self, layers):
        self.layers = layers

    def recurrent(self, params, input_size, dropout):
        """Build layers that take what PETNN's take."""
        return _Peer(
            self.layers(
                input_size,
                params.hidden_size,
                params.num_layers,
                batch_first=True,
                dropout=dropout if params.num_layers > 1 else 0.0,
            )
        )

    def examine(self, module, inputs):
        """See nothing: there are no timers."""
        return {}


class LSTMClassifier(PETNNClassifier):
    """PETNNClassifier with torch.nn.LSTM for its recurrent layers."""

    _family = _PeerFamily(nn.LSTM)


class LSTMRegressor(PETNNRegressor):
    """PETNNRegressor with torch.nn.LSTM for its recurrent layers."""

    _family = _PeerFamily(nn.LSTM)


class GRUClassifier(PETNNClassifier):
    """PETNNClassifier with torch.nn.GRU for its recurrent layers."""

    _family = _PeerFamily(nn.GRU)


class GRURegressor(PETNNRegressor):
    """PETNNRegressor with torch.nn.GRU for its recurrent layers."""

    _family = _PeerFamily(nn.GRU)
