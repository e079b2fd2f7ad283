"""MNIST by rows: each image a sequence of 28 rows of 28 pixels; or, for HSSM, of 784 pixels.

Test accuracy, trainable numbers and seconds of every seed, and how many of PETNN's timers stand
still over the test images. ``--pixels`` trains HSSM on one pixel a step instead.
"""

import time

import numpy as np
from _common import changes, options_of, report_of, run
from _report import Report, get, n_parameters
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from sklearn_physrnn import HSSMClassifier
from sklearn_physrnn.datasets import load_mnist_rows

CONFIGURATION = {
    "hidden_size": 120,
    "batch_size": 128,
    "max_iter": 20,
    "learning_rate_init": 0.01,
    "alpha": 0.01,
    "release": "surrogate",
    "readout": "max",
    "dropout": 0.2,
    "scale_inputs": False,  # pixels in [0, 1]; the margin's never vary
}
PIXELS = {
    "hidden_size": 64,
    "state_size": 64,
    "num_blocks": 2,
    "norm": "batch",
    "batch_size": 64,
    "max_iter": 10,
    "scale_inputs": False,
}


def stand_in(pixels):
    """scikit-learn's small digits: 8 rows of 8 pixels."""
    images, y = load_digits(return_X_y=True)
    X = (images / 16).astype(np.float32).reshape(len(y), *((64, 1) if pixels else (8, 8)))
    return Bunch(X_train=X[:1000], y_train=y[:1000], X_test=X[1000:], y_test=y[1000:])


def by_pixels(data, options):
    """HSSM on sequences of pixels."""
    report = Report("MNIST by pixels", options, options.seeds)
    for seed in range(options.seeds):
        short = {"max_iter": 1} if options.quick else {}
        model = HSSMClassifier(random_state=seed, device=options.device, **{**PIXELS, **short})
        start = time.perf_counter()
        model.fit(data.X_train, data.y_train)
        seconds = time.perf_counter() - start
        report.add(
            data="MNIST by pixels", model="HSSM", seed=seed, metric="accuracy",
            value=model.score(data.X_test, data.y_test), parameters=n_parameters(model),
            seconds=seconds,
        )  # fmt: skip
    report.summary()


def main(arguments=None):
    extra = [("--pixels", {"action": "store_true", "help": "HSSM on 784 steps of one pixel"})]
    options = options_of(__doc__, arguments, extra=extra)
    data = get(
        options,
        lambda: load_mnist_rows(pixels=options.pixels, data_home=options.data_home),
        lambda: stand_in(options.pixels),
    )
    if options.pixels:
        by_pixels(data, options)
        return
    configuration = {**CONFIGURATION, **changes(options)}
    if options.quick:
        configuration["max_iter"] = 1
    report = report_of("MNIST by rows", options)
    run(report, "MNIST by rows", data, configuration)
    report.summary()


if __name__ == "__main__":
    main()
