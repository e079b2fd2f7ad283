"""Tables that scikit-learn does not have."""

import os

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ._files import find

_BANKNOTE = "data_banknote_authentication.txt"


def load_banknote(*, data_home: str | os.PathLike | None = None) -> Bunch:
    """Load UCI's banknote authentication: wavelet statistics of images of banknotes.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder of ``data_banknote_authentication.txt``; see :func:`get_data_home`.

    Returns
    -------
    Bunch
        data, a DataFrame of shape (1372, 4); target, 0 or 1, of shape (1372,).

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says where it comes from.
    """
    source = "UCI's banknote authentication, https://archive.ics.uci.edu/dataset/267"
    rows = np.loadtxt(find(_BANKNOTE, source, data_home), delimiter=",", ndmin=2)
    columns = ["variance", "skewness", "curtosis", "entropy"]
    return Bunch(data=pd.DataFrame(rows[:, :-1], columns=columns), target=rows[:, -1].astype(int))
