"""torch's LSTM and GRU in PETNN's place: all the rest of the estimator stays as it is."""

import torch
from torch import nn

from sklearn_physrnn import PETNNClassifier, PETNNRegressor


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


class _PeerLayers:
    # Comes before a PETNN estimator in a class's bases.
    _layers: type[nn.RNNBase]

    def _make_recurrent(self, input_size):
        layers = self._layers(
            input_size,
            self.hidden_size,
            self.num_layers,
            batch_first=True,
            dropout=self.dropout if self.num_layers > 1 else 0.0,
        )
        return _Peer(layers)


class LSTMClassifier(_PeerLayers, PETNNClassifier):
    """PETNNClassifier with torch.nn.LSTM for its recurrent layers."""

    _layers = nn.LSTM


class LSTMRegressor(_PeerLayers, PETNNRegressor):
    """PETNNRegressor with torch.nn.LSTM for its recurrent layers."""

    _layers = nn.LSTM


class GRUClassifier(_PeerLayers, PETNNClassifier):
    """PETNNClassifier with torch.nn.GRU for its recurrent layers."""

    _layers = nn.GRU


class GRURegressor(_PeerLayers, PETNNRegressor):
    """PETNNRegressor with torch.nn.GRU for its recurrent layers."""

    _layers = nn.GRU
