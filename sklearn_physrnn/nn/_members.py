"""Several networks in one: members that share their weights up to a scale."""

import torch
from torch import nn


class MemberLinear(nn.Module):
    r"""An affine map for `n_members` networks that share one weight matrix.

    Member k maps x to :math:`s_k \circ W (r_k \circ x) + b_k` (BatchEnsemble, Wen, Tran
    and Ba, arXiv 2002.06715; for tables TabM, Gorishniy et al., arXiv 2410.24210).

    Parameters
    ----------
    input_size, output_size : int
    n_members : int
    diverse : bool
        Draw the input scales at random, so that members differ; where they differ
        already, scales start at one.
    """

    # Scales and biases have no reason to shrink to zero.
    undecayed = ("scale_in", "scale_out", "bias")

    def __init__(
        self, input_size: int, output_size: int, n_members: int, *, diverse: bool
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(output_size, input_size))
        scale = torch.randn if diverse else torch.ones
        self.scale_in = nn.Parameter(scale(n_members, input_size))
        self.scale_out = nn.Parameter(torch.ones(n_members, output_size))
        self.bias = nn.Parameter(torch.zeros(n_members, output_size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (batch, input_size) or (batch, n_members, input_size), to members."""
        if x.ndim == 2:
            x = x.unsqueeze(1)
        return nn.functional.linear(x * self.scale_in, self.weight) * self.scale_out + self.bias


class MemberHead(nn.Module):
    """A linear map of its own for each member.

    Parameters
    ----------
    input_size, output_size : int
    n_members : int
    """

    undecayed = ("bias",)

    def __init__(self, input_size: int, output_size: int, n_members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_members, input_size, output_size))
        nn.init.uniform_(self.weight, -(input_size**-0.5), input_size**-0.5)
        self.bias = nn.Parameter(torch.zeros(n_members, output_size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (batch, n_members, input_size) to (batch, n_members, output_size)."""
        return torch.einsum("bmi,mio->bmo", x, self.weight) + self.bias
