"""The masks in plain torch, on any device.

64 bits of a row come of its place and the key by the finalizer of SplitMix64; 32 of an element
of those and its column by two rounds of multiplication and shift, which pass for random in
all that a network could notice. int64 stands for the unsigned integers that torch lacks.
"""

import torch

SCALE_BITS = 32  # of the number that is compared with the share kept

_MASK = 2**32 - 1
_COLUMN = 0x9E3779B9  # 2^32 divided by the golden ratio
_ROUNDS = (0x21F0AAAD, 0x735A2D97)
_ROW_ROUNDS = (-0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)  # as signed numbers


def _shifted(x: torch.Tensor, n: int) -> torch.Tensor:
    return (x >> n) & ((1 << (64 - n)) - 1)


def row_bits(places: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """64 random bits of every row."""
    x = places + key
    x = (x ^ _shifted(x, 30)) * _ROW_ROUNDS[0]
    x = (x ^ _shifted(x, 27)) * _ROW_ROUNDS[1]
    return x ^ _shifted(x, 31)


def dropped(x: torch.Tensor, bits: torch.Tensor, limit: int, scale: float) -> torch.Tensor:
    """`x` (..., channels) times `scale` where an element's number is below `limit`, else 0."""
    columns = torch.arange(x.shape[-1], device=x.device) * _COLUMN
    low, high = bits & _MASK, _shifted(bits, 32)
    number = (low.unsqueeze(-1) + columns) & _MASK
    number = ((number ^ (number >> 16)) * _ROUNDS[0]) & _MASK
    number = number ^ (number >> 15) ^ high.unsqueeze(-1)
    number = (number * _ROUNDS[1]) & _MASK
    number = number ^ (number >> 15)
    return torch.where(number < limit, x * scale, 0)
