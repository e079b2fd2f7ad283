"""IMDB reviews as word ids, with a learned embedding.

Reads ``text/imdb_ids20k.npz``: ids_train (all reviews, one after the other), offsets_train,
y_train, and the same for test; ids by frequency in training, 0 to 19999. The last words of
each review are kept, and rare words share one id.
"""

import numpy as np
from _common import changes, data_file, header, parser, run

N_WORDS = 400
VOCABULARY = 20_000
CONFIGURATION = {
    "vocabulary_size": VOCABULARY,
    "embedding_dim": 32,
    "hidden_size": 32,
    "readout": "mean",
    "dropout": 0.5,
    "batch_size": 64,
    "max_iter": 3,
    "learning_rate_init": 0.005,
}
SOURCE = (
    "made of the Large Movie Review Dataset (Maas et al., ACL 2011), "
    "https://ai.stanford.edu/~amaas/data/sentiment/"
)


def load(home):
    """Give X_train, y_train, X_test, y_test; X a list of arrays of ids."""
    arrays = []
    with np.load(data_file(home, "text/imdb_ids20k.npz", SOURCE), allow_pickle=False) as data:
        for part in ("train", "test"):
            ids = np.minimum(data[f"ids_{part}"], VOCABULARY - 1).astype(np.int64)
            reviews = np.split(ids, data[f"offsets_{part}"][1:-1])
            arrays += [[review[-N_WORDS:] for review in reviews], data[f"y_{part}"]]
    return tuple(arrays)


def main():
    options = parser(__doc__).parse_args()
    data = load(options.data_home)
    configuration = {**CONFIGURATION, **changes(options)}
    if options.quick:
        configuration["max_iter"] = 1
        data = tuple(part[::20] for part in data)
    print(configuration)
    header()
    run("IMDB", data, configuration, options)


if __name__ == "__main__":
    main()
