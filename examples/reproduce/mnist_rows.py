"""MNIST by rows: each image a sequence of 28 rows of 28 pixels.

Prints test accuracy, trainable numbers and seconds of every seed, and how many timers stand
still over the test images.
"""

import gzip

import numpy as np
from _common import changes, data_file, header, parser, run

CONFIGURATION = {
    "hidden_size": 120,
    "batch_size": 128,
    "max_iter": 20,
    "learning_rate_init": 0.01,
    "readout": "max",
    "dropout": 0.2,
    "scale_inputs": False,  # pixels in [0, 1]; the margin's never vary
}
SOURCE = "MNIST in idx format (LeCun et al.), from https://ossci-datasets.s3.amazonaws.com/mnist/"


def load(home):
    """Read MNIST's four files as X_train, y_train, X_test, y_test."""
    arrays = []
    for part in ("train", "t10k"):
        for name, offset in ((f"{part}-images-idx3", 16), (f"{part}-labels-idx1", 8)):
            path = data_file(home, f"mnist/{name}-ubyte.gz", SOURCE)
            arrays.append(np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, -1, offset))
    for i in (0, 2):
        arrays[i] = arrays[i].reshape(-1, 28, 28).astype(np.float32) / 255
    return tuple(arrays)


def main():
    options = parser(__doc__).parse_args()
    X_train, y_train, X_test, y_test = load(options.data_home)
    configuration = {**CONFIGURATION, **changes(options)}
    if options.quick:
        configuration["max_iter"] = 1
        X_train, y_train, X_test, y_test = (a[:5000] for a in (X_train, y_train, X_test, y_test))
    print(configuration)
    header()
    run("MNIST by rows", (X_train, y_train, X_test, y_test), configuration, options)


if __name__ == "__main__":
    main()
