"""Agreement of RHEL's gradient with BPTT's, by length, precision and dynamics.

Two blocks of 64 channels and 16 oscillators at their initial weights, batches of 4 random walks
in 6 channels and 5 classes: the configuration of EigenWorms. Prints the worst of all blocks, by
parameter, as 1 - cosine and norm ratio; the truth is BPTT in float64. ``--figure PATH`` also draws
the paper's figure, agreement by block and parameter, of the longest float32 run of each dynamics.
"""

import itertools
import time
import warnings
from pathlib import Path

import numpy as np
from _report import Report, parser, read
from sklearn.exceptions import ConvergenceWarning

from sklearn_physrnn import HSSMClassifier
from sklearn_physrnn.inspection import GradientAgreementDisplay, gradient_agreement

LENGTHS = (896, 17984, 50000)
N_PARAMETERS = {"linear": 6, "nonlinear": 9}  # of a block, and its input


def worst(table, column):
    """Give the block's value that is farthest from 1, by parameter."""
    by_parameter = table.groupby("parameter", sort=False)[column]
    return by_parameter.agg(lambda values: values.iloc[(values - 1).abs().argmax()])


def draw(tables, path):
    """Draw the agreement of every dynamics side by side."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(16, 5), layout="constrained")
    for part, (dynamics, table) in zip(
        figure.subfigures(1, len(tables)), tables.items(), strict=True
    ):
        part.suptitle(dynamics)
        GradientAgreementDisplay(table).plot(ax=part.subplots())
    figure.savefig(path)
    plt.close(figure)
    print(f"Figure saved to {path}")


def main(arguments=None):
    options = parser(__doc__, seeds=1)
    options.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    options.add_argument("--figure", type=Path, help="file to draw the agreement into")
    options = read(options, arguments)
    lengths = (64,) if options.quick else options.lengths
    cases = list(itertools.product(N_PARAMETERS, lengths, ("float64", "float32")))
    n_values = 2 * sum(N_PARAMETERS[dynamics] for dynamics, _, _ in cases)
    report = Report("RHEL gradients", options, n_values * options.seeds)
    tables = {}
    for seed in range(options.seeds):
        for dynamics, length, dtype in cases:
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(4, length, 6)).cumsum(axis=1).astype(np.float32)
            y = np.array([0, 1, 2, 3])
            start = time.perf_counter()
            model = HSSMClassifier(
                64, 16, 2, dynamics=dynamics, norm="batch", dtype=dtype, dropout=0.0,
                max_iter=1, learning_rate_init=1e-12, learning_rate="constant",
                device=options.device, random_state=seed,
            )  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X, y)
            table = gradient_agreement(model, X, y)
            tables[dynamics] = table  # float32 comes last, and the longest
            seconds = time.perf_counter() - start
            for fitter in ("rhel", "bptt"):
                cosines, ratios = (worst(table, f"{fitter}_{c}") for c in ("cosine", "norm_ratio"))
                for parameter in cosines.index:
                    report.add(
                        data=f"{dynamics}, {length} steps, {dtype}, {fitter}", model=parameter,
                        seed=seed, metric="1 - cosine", value=1 - cosines[parameter],
                        seconds=seconds, detail=f"norm ratio {ratios[parameter]:.7f}",
                    )  # fmt: skip
    if options.figure:
        draw(tables, options.figure)


if __name__ == "__main__":
    main()
