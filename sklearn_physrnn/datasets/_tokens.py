"""Text as integer tokens."""

import os

import numpy as np
from sklearn.utils import Bunch

from ._files import find

_SOURCE = (
    "made of the Large Movie Review Dataset (Maas et al., ACL 2011, "
    "https://ai.stanford.edu/~amaas/data/sentiment/): word ids by frequency in the training "
    "part, ids_train of all reviews one after the other, offsets_train where each begins, "
    "y_train, and the same for test"
)


def load_imdb_tokens(
    *,
    vocabulary_size: int = 20_000,
    max_length: int | None = None,
    data_home: str | os.PathLike | None = None,
) -> Bunch:
    """Load IMDB's film reviews as word ids with their sentiment.

    Parameters
    ----------
    vocabulary_size : int, default=20000
        Ids run from 0, the most frequent word, to ``vocabulary_size - 1``, which all rarer
        words share.
    max_length : int or None, default=None
        Keep so many words of each review, its last.
    data_home : path-like or None, default=None
        Folder of ``imdb_ids20k.npz``; see :func:`get_data_home`.

    Returns
    -------
    Bunch
        X_train, X_test: lists of 25,000 arrays of ids; y_train, y_test: 0 negative, 1
        positive.

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says what it holds.
    """
    bunch = Bunch()
    keep = slice(None) if max_length is None else slice(-max_length, None)
    with np.load(find("imdb_ids20k.npz", _SOURCE, data_home), allow_pickle=False) as data:
        for part in ("train", "test"):
            ids = np.minimum(data[f"ids_{part}"], vocabulary_size - 1).astype(np.int64)
            reviews = np.split(ids, data[f"offsets_{part}"][1:-1])
            bunch[f"X_{part}"] = [review[keep] for review in reviews]
            bunch[f"y_{part}"] = data[f"y_{part}"]
    return bunch
