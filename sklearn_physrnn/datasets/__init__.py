"""Loaders of the real data, and makers of the synthetic ones, that the papers' tables use."""

from ._california import load_california_split
from ._files import get_data_home
from ._forecasting import load_multivariate_series
from ._images import load_mnist_rows
from ._memory import make_adding, make_copy_memory, make_selective_copy
from ._panels import load_panel
from ._tables import load_banknote
from ._tokens import load_imdb_tokens

__all__ = [
    "get_data_home",
    "load_banknote",
    "load_california_split",
    "load_imdb_tokens",
    "load_mnist_rows",
    "load_multivariate_series",
    "load_panel",
    "make_adding",
    "make_copy_memory",
    "make_selective_copy",
]
