"""Six sets of sequences: PETNN with its defaults, against LSTM and GRU with the same.

JapaneseVowels (of unequal length), BasicMotions, ItalyPowerDemand and ArrowHead come with
sktime; FordA and ECG5000 are read from npz files with X_train, X_test (n, time, channels),
y_train and y_test. Official splits. Prints accuracy by seed and set, and the mean over sets.
"""

import numpy as np
from _common import changes, data_file, header, parser, run
from sktime.datasets import (
    load_arrow_head,
    load_basic_motions,
    load_italy_power_demand,
    load_japanese_vowels,
)

SHIPPED = {
    "JapaneseVowels": load_japanese_vowels,
    "BasicMotions": load_basic_motions,
    "ItalyPowerDemand": load_italy_power_demand,
    "ArrowHead": load_arrow_head,
}
SOURCE = "a set of the UCR archive, from https://timeseriesclassification.com, as npz"


def load(name, home):
    """Give a set as X_train, y_train, X_test, y_test; X a list of (time, channels) arrays."""
    if name not in SHIPPED:
        with np.load(data_file(home, f"panel/{name}.npz", SOURCE), allow_pickle=False) as data:
            return tuple(data[part] for part in ("X_train", "y_train", "X_test", "y_test"))
    arrays = []
    for split in ("train", "test"):
        X, y = SHIPPED[name](split=split, return_type="nested_univ")
        arrays.append([np.column_stack(list(series)) for series in X.to_numpy()])
        arrays.append(y)
    return tuple(arrays)


def main():
    options = parser(__doc__)
    options.add_argument(
        "--sets", nargs="*", default=[*SHIPPED, "FordA", "ECG5000"], metavar="NAME"
    )
    options = options.parse_args()
    configuration = changes(options)
    if options.quick:
        configuration["max_iter"] = 5
        options.sets = [name for name in options.sets if name in SHIPPED]
    print(configuration or "defaults")
    header()
    means = {}
    for name in options.sets:
        results = run(name, load(name, options.data_home), configuration, options)
        for model_name, accuracies in results.items():
            means.setdefault(model_name, []).append(np.mean(accuracies))
    for model_name, accuracies in means.items():
        print(f"{'mean of sets':<16} {model_name:<6} mean {np.mean(accuracies):>8.4f}")


if __name__ == "__main__":
    main()
