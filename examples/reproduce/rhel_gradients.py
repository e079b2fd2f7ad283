"""Agreement of RHEL's gradient with BPTT's, by length, precision and dynamics.

Two blocks of 64 channels and 16 oscillators at their initial weights, batches of 4 random walks
in 6 channels and 5 classes: the configuration of EigenWorms. Prints the worst of all blocks, by
parameter, as 1 - cosine and norm ratio; the truth is BPTT in float64.
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_physrnn import HSSMClassifier
from sklearn_physrnn.inspection import gradient_agreement

LENGTHS = (896, 17984, 50000)


def worst(table, column):
    """Give the block's value that is farthest from 1, by parameter."""
    by_parameter = table.groupby("parameter", sort=False)[column]
    return by_parameter.agg(lambda values: values.iloc[(values - 1).abs().argmax()])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="the shortest length only")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print(f"{'':<38}{'RHEL':>22}{'BPTT':>22}")
    print(
        f"{'dynamics':<10} {'length':>6} {'dtype':<8} {'parameter':<10}"
        + 2 * f"{'1 - cosine':>13} {'ratio':>8}"
    )
    for dynamics in ("linear", "nonlinear"):
        for length in options.lengths[: 1 if options.quick else None]:
            X = rng.normal(size=(4, length, 6)).cumsum(axis=1).astype(np.float32)
            y = np.array([0, 1, 2, 3])
            for dtype in ("float64", "float32"):
                start = time.perf_counter()
                model = HSSMClassifier(
                    64, 16, 2, dynamics=dynamics, dtype=dtype, dropout=0.0, max_iter=1,
                    learning_rate_init=1e-12, learning_rate="constant", random_state=options.seed,
                )  # fmt: skip
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    model.fit(X, y)
                table = gradient_agreement(model, X, y)
                columns = ("rhel_cosine", "rhel_norm_ratio", "bptt_cosine", "bptt_norm_ratio")
                values = [worst(table, column) for column in columns]
                for parameter in values[0].index:
                    rhel, ratio, bptt, bptt_ratio = (float(v[parameter]) for v in values)
                    print(
                        f"{dynamics:<10} {length:>6} {dtype:<8} {parameter:<10}"
                        f"{1 - rhel:>13.1e} {ratio:>8.5f}{1 - bptt:>13.1e} {bptt_ratio:>8.5f}",
                        flush=True,
                    )
                print(f"{time.perf_counter() - start:>70.1f} s", flush=True)


if __name__ == "__main__":
    main()
