"""What hostile callers pass as labels, weights and parameters: Hypothesis strategies."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from hypothesis import strategies as st

from ._strategies import TINY, applied, frozen, masked

LABELS = {
    "integers": lambda k: k,
    "floats": lambda k: k.astype(float),
    "half floats": lambda k: k + 0.5,
    "texts": lambda k: np.array(["a", "bb", "ccc"])[k],
    "object texts": lambda k: np.array(["a", "bb", "ccc"], object)[k],
    "bytes": lambda k: np.array([b"a", b"b", b"c"])[k],
    "bools": lambda k: k > 0,
    "mixed": lambda k: np.array(["a", 1, 2.5], object)[k],
    "with None": lambda k: np.array(["a", None, "b"], object)[k],
    "with nan": lambda k: np.array([0.0, np.nan, 1.0])[k],
    "with inf": lambda k: np.array([0.0, np.inf, 1.0])[k],
    "with NA": lambda k: pd.array([0, None, 1], dtype="Int64")[k],
    "huge": lambda k: np.array([0.0, 1e308, -1e308])[k],
    "beyond int64": lambda k: np.array([0, 2**64 - 1, 2**63], "u8")[k],
    "negative": lambda k: -k,
    "one class": lambda k: np.zeros_like(k),
    "as many as rows": lambda k: np.arange(len(k)),
    "dates": lambda k: np.array(["2020-01-01", "2021-01-01", "NaT"], "M8[D]")[k],
    "complex": lambda k: k + 1j,
    "one-hot": lambda k: np.eye(3, dtype=int)[k],
    "column": lambda k: k[:, None],
    "two columns": lambda k: np.stack([k, k], 1),
    "list": lambda k: k.tolist(),
    "list of lists": lambda k: [[int(v)] for v in k],
    "ragged": lambda k: [[0] * int(v) for v in k],
    "categorical": lambda k: pd.Series(pd.Categorical.from_codes(k, ["x", "y", "z"])),
    "series of strings": lambda k: pd.Series(np.array(["a", "b", "c"])[k], dtype="string"),
    "nullable": lambda k: pd.Series(k, dtype="Int64"),
    "data frame": lambda k: pd.DataFrame({"y": k}),
    "masked": lambda k: np.ma.MaskedArray(k, k == 1),
    "tensor": torch.as_tensor,
    "sparse": lambda k: sp.csr_matrix(k[:, None]),
    "big-endian": lambda k: k.astype(">i4"),
    "read-only": frozen,
    "longer": lambda k: np.append(k, 0),
    "shorter": lambda k: k[:-1],
    "empty": lambda k: k[:0],
    "scalar": lambda k: 1,
    "none": lambda k: None,
    "text": lambda k: "abc",
    "dictionary": lambda k: dict(enumerate(k)),
}


def labels(plain: np.ndarray):
    """Class labels from small integers."""
    return st.sampled_from(sorted(LABELS)).map(lambda name: (name, applied(LABELS[name], plain)))


WEIGHTS = {
    "ones": np.ones,
    "integers": lambda n: np.arange(1, n + 1),
    "some zero": lambda n: np.arange(n) % 2.0,
    "all but one zero": lambda n: (np.arange(n) == 0) * 1.0,
    "zeros": np.zeros,
    "negative": lambda n: -np.ones(n),
    "one negative": lambda n: np.arange(n) - 0.5,
    "nan": lambda n: np.full(n, np.nan),
    "inf": lambda n: np.full(n, np.inf),
    "1e308": lambda n: np.full(n, 1e308),
    "denormal": lambda n: np.full(n, TINY),
    "far apart": lambda n: 10.0 ** np.linspace(-300, 300, n),
    "float32": lambda n: np.ones(n, "f4"),
    "bools": lambda n: np.ones(n, bool),
    "objects": lambda n: np.ones(n, object),
    "nones": lambda n: [None] * n,
    "texts": lambda n: ["1"] * n,
    "dates": lambda n: np.zeros(n, "M8[D]"),
    "complex": lambda n: np.ones(n) + 1j,
    "longer": lambda n: np.ones(n + 1),
    "shorter": lambda n: np.ones(n - 1),
    "matrix": lambda n: np.ones((n, 2)),
    "column": lambda n: np.ones((n, 1)),
    "scalar": lambda n: 2.0,
    "text": lambda n: "balanced",
    "dictionary": lambda n: {0: 1.0},
    "list": lambda n: [1.0] * n,
    "series": lambda n: pd.Series(np.ones(n), index=range(n, 0, -1)),
    "nullable": lambda n: pd.array([1.0] * (n - 1) + [None], dtype="Float64"),
    "masked": lambda n: masked(np.ones(n), True),
    "tensor with gradient": lambda n: torch.ones(n, requires_grad=True),
    "read-only": lambda n: frozen(np.ones(n)),
}


def weights(n: int):
    """Sample weights of `n` rows, good and bad."""
    return st.sampled_from(sorted(WEIGHTS)).map(lambda name: (name, applied(WEIGHTS[name], n)))


# Wrong for nearly every parameter, or right in an unusual type. None asks for much work.
PARAMETERS = [
    None, True, False, -1, 0, 1, 2, 2.0, 2.5, -0.5, 0.5, float("nan"), float("inf"),
    -float("inf"), 1e300, 1e-300, 1 + 2j, "", "abc", "auto", "2", b"x", [], [1], [0.5], (), {},
    {"a": 1}, {0: 2.0}, set(), np.int8(2), np.float32(0.5), np.bool_(True), np.str_("auto"),
    np.array(2), np.array([1, 2]), np.array(0.5), np.nan, pd.NA, object(),
    object, print, torch.ones(()), torch.nn.Linear(2, 2), 1.7e308, 5e-324, -(10**30), 10**30,
]  # fmt: skip
