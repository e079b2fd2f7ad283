"""Images as sequences."""

import gzip
import os

import numpy as np
from sklearn.utils import Bunch

from ._files import find

_SOURCE = (
    "part of MNIST in idx format (LeCun et al.), "
    "from https://ossci-datasets.s3.amazonaws.com/mnist/"
)


def load_mnist_rows(*, pixels: bool = False, data_home: str | os.PathLike | None = None) -> Bunch:
    """Load MNIST's digits as sequences of rows, or of pixels.

    Parameters
    ----------
    pixels : bool, default=False
        One pixel a step instead of one row of 28.
    data_home : path-like or None, default=None
        Folder of the four files ``train-images-idx3-ubyte.gz`` and so on; see
        :func:`get_data_home`.

    Returns
    -------
    Bunch
        X_train (60000, 28, 28), or (60000, 784, 1), float32 in [0, 1]; y_train (60000,);
        X_test and y_test likewise, 10000.

    Raises
    ------
    FileNotFoundError
        If a file is not there; the message says where it comes from.
    """
    bunch = Bunch()
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images = _read(f"{prefix}-images-idx3-ubyte.gz", 16, data_home)
        shape = (-1, 784, 1) if pixels else (-1, 28, 28)
        bunch[f"X_{part}"] = images.reshape(shape).astype(np.float32) / 255
        bunch[f"y_{part}"] = _read(f"{prefix}-labels-idx1-ubyte.gz", 8, data_home)
    return bunch


def _read(name: str, header: int, data_home: str | os.PathLike | None) -> np.ndarray:
    content = gzip.decompress(find(name, _SOURCE, data_home).read_bytes())
    return np.frombuffer(content, np.uint8, -1, header)
