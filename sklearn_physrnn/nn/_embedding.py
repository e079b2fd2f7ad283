"""Embeddings of real numbers."""

import math

import torch
from torch import nn


class PeriodicEmbedding(nn.Module):
    r"""Each feature beside a learned function of its own sines and cosines.

    Feature j becomes :math:`x_j` and
    :math:`\mathrm{ReLU}(W_j [\cos 2\pi f_j x_j, \sin 2\pi f_j x_j] + b_j)`
    ("PLR" of Gorishniy, Rubachev and Babenko, arXiv 2203.05556), which lets a network
    follow targets that change fast along a feature, as prices do along a map.

    Parameters
    ----------
    input_size : int
        Number of features.
    n_frequencies : int
        Frequencies a feature.
    embedding_dim : int
        Width of the embedding of a feature.
    frequency_scale : float
        Standard deviation of the initial frequencies, in periods a unit of x.
    """

    undecayed = ("bias",)

    def __init__(
        self, input_size: int, n_frequencies: int, embedding_dim: int, frequency_scale: float
    ) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(frequency_scale * torch.randn(input_size, n_frequencies))
        bound = (2 * n_frequencies) ** -0.5
        shape = (input_size, 2 * n_frequencies, embedding_dim)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        bias = torch.empty(input_size, embedding_dim).uniform_(-bound, bound)
        self.bias = nn.Parameter(bias)
        self.output_size = input_size * (embedding_dim + 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (batch, input_size) to (batch, input_size * (embedding_dim + 1))."""
        phase = 2 * math.pi * x.unsqueeze(-1) * self.frequencies
        waves = torch.cat((phase.cos(), phase.sin()), -1)
        embedded = torch.einsum("bfw,fwe->bfe", waves, self.weight) + self.bias
        return torch.cat((x, embedded.relu().flatten(1)), 1)


class FixedEmbedding(nn.Embedding):
    """Vectors of tokens that training leaves as they are."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__(num_embeddings, embedding_dim)
        vectors = self._parameters.pop("weight")
        assert vectors is not None
        self.register_buffer("weight", vectors.detach())
