"""Six sets of sequences: PETNN with its defaults, against LSTM and GRU in its place.

The peers have PETNN's defaults but for the learning rate, chosen as PETNN's was, by
cross-validation on training parts. FordA is fitted for 20 epochs, all else for 100. Official
splits; JapaneseVowels (of unequal length), BasicMotions, ItalyPowerDemand and ArrowHead come
with sktime. Accuracy by seed and set, and the mean over sets.
"""

import numpy as np
from _common import changes, options_of, report_of, run
from _report import get

from sklearn_physrnn.datasets import load_panel

SHIPPED = ["JapaneseVowels", "BasicMotions", "ItalyPowerDemand", "ArrowHead"]
PEERS = {"LSTM": {"learning_rate_init": 0.005}, "GRU": {"learning_rate_init": 0.005}}
EPOCHS = {"FordA": {"max_iter": 20}}


def main(arguments=None):
    sets = [*SHIPPED, "FordA", "ECG5000"]
    extra = [("--sets", {"nargs": "*", "default": sets, "metavar": "NAME"})]
    options = options_of(__doc__, arguments, extra=extra)
    configuration = changes(options)
    if options.quick:
        configuration["max_iter"] = 2
        options.sets = ["ItalyPowerDemand", "BasicMotions"]
    peers = {name: {**rate, **configuration} for name, rate in PEERS.items()}
    report = report_of("sequences", options, len(options.sets))
    for name in options.sets:
        data = get(
            options,
            lambda name=name: load_panel(name, data_home=options.data_home),
            lambda name=name: load_panel(name),
        )
        run(report, name, data, {**EPOCHS.get(name, {}), **configuration}, peers)
    report.summary()
    means = {}
    for row in report.rows:
        means.setdefault(row["model"], {}).setdefault(row["data"], []).append(row["value"])
    for model, by_set in means.items():
        print(f"mean of sets: {model} {np.mean([np.mean(v) for v in by_set.values()]):.4f}")


if __name__ == "__main__":
    main()
