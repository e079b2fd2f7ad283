"""What oscillators, as they begin, could hold of the past: a constant answer at any lag.

A kick moves each of 64 modes by exp(-decay t) sin(turn t); a readout is a weighted sum of such
answers. For how well the best sum comes to one constant over all lags up to a length: the share
of it that it has (R² about zero). As the paper starts oscillators, and with `memory` the length.
"""

import time

import torch
from _report import Report, parser, read

from sklearn_physrnn.nn import DampedHRU, LinearHRU

LENGTHS = (300, 1000, 5000, 20_000)
UNITS = {"linear": LinearHRU, "damped": DampedHRU}
SMALLEST = 1e-4  # singular values below this share of the largest count as zero


def share_held(unit, length):
    """Share of a constant answer that the best sum of a unit's modes has."""
    with torch.no_grad():
        stiffness, *_, step = unit.dynamics()
        lag = torch.arange(length, dtype=torch.float64)[:, None]
        turn = 2 * torch.asin(step * stiffness.sqrt() / 2)
        answers = (-unit.decays() * lag).exp() * torch.sin(turn * lag)
        constant = torch.ones_like(lag)
        weights = torch.linalg.lstsq(answers, constant, rcond=SMALLEST, driver="gelsd").solution
        return 1 - float((answers @ weights - constant).square().mean())


def main(arguments=None):
    options = parser(__doc__, seeds=5)
    options.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    options = read(options, arguments)
    if options.quick:
        options.lengths = (100,)
    report = Report("time scales", options, len(options.lengths) * len(UNITS) * 2 * options.seeds)
    for length in options.lengths:
        for name, make in UNITS.items():
            for memory in (None, length):
                for seed in range(options.seeds):
                    torch.manual_seed(seed)
                    start = time.perf_counter()
                    value = share_held(make(1, 64, memory=memory), length)
                    report.add(
                        data=f"{length:,} lags", seed=seed, metric="share held", value=value,
                        model=f"{name}, {'memory of the length' if memory else 'as the paper'}",
                        seconds=time.perf_counter() - start,
                    )  # fmt: skip
    report.summary()


if __name__ == "__main__":
    main()
