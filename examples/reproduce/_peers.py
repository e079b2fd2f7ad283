"""torch's LSTM and GRU in PETNN's place: all the rest of the estimator stays as it is."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sklearn_physrnn import PETNNClassifier, PETNNRegressor
from sklearn_physrnn.families.petnn import PETNNFamily


class _Peer(nn.Module):
    """One of torch's recurrent layers behind the manners of PETNN's."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def rest(self, n_samples):
        """Give the state before the first step."""
        layers = self.layers
        zeros = layers.weight_hh_l0.new_zeros(layers.num_layers, n_samples, layers.hidden_size)
        return (zeros, zeros) if isinstance(layers, nn.LSTM) else (zeros,)

    def forward(self, x, state=None, *, dt=None, lengths=None, masks=None):
        state = self.rest(len(x)) if state is None else state
        if lengths is None:
            output, last = self._heard(x, state)
            return output, last
        # What has ended is run for a step that nobody sees.
        packed = pack_padded_sequence(
            x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        output, last = self._heard(packed, state)
        output, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
        alive = lengths.to(x.device) > 0
        last = tuple(
            torch.where(alive[:, None], new, old) for new, old in zip(last, state, strict=True)
        )
        return output * alive[:, None, None], last

    def _heard(self, x, state):
        output, last = self.layers(x, tuple(state) if len(state) == 2 else state[0])
        return output, last if isinstance(last, tuple) else (last,)


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

    def input_weight(self, recurrent):
        """Give the weights that the inputs meet first."""
        return recurrent.layers.weight_ih_l0

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
