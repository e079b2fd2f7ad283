"""What hostile callers pass as inputs: a Hypothesis strategy.

An input is plain numbers, then values put into them, then a dtype, then a container, each
drawn by name from the tables here, so that a failing case can be read.
"""

import tempfile
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from hypothesis import strategies as st

HUGE = 1.7e308
TINY = 5e-324


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# -- values ------------------------------------------------------------------------------


def _put(*values: float):
    def put(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        flat = x.reshape(-1)
        for k, value in enumerate(values):
            if len(flat):
                flat[(7 * k + 3) % len(flat)] = value
        return x

    return put


def _column(value):
    def fill(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[..., -1] = value(x[..., -1])
        return x

    return fill


VALUES = {
    "nan": _put(np.nan),
    "inf": _put(np.inf),
    "-inf": _put(-np.inf),
    "nan and inf": _put(np.nan, np.inf),
    "all nan": lambda x: np.full_like(x, np.nan),
    "denormal": _put(TINY),
    "all denormal": lambda x: np.round(x * 4) * TINY,
    "huge": _put(HUGE),
    "huge of both signs": _put(HUGE, -HUGE),
    "all huge": lambda x: np.sign(x) * HUGE,
    "1e308 times": lambda x: np.clip(x, -1.7, 1.7) * 1e308,
    "1e300 times": lambda x: x * 1e300,
    "1e39 times": lambda x: x * 1e39,
    "1e-300 times": lambda x: x * 1e-300,
    "1e-45 times": lambda x: x * 1e-45,
    "an outlier": _put(1e30),
    "zeros": np.zeros_like,
    "negative zeros": lambda x: -np.zeros_like(x),
    "ones": np.ones_like,
    "all 1e308": lambda x: np.full_like(x, 1e308),
    "constant column": _column(lambda c: np.full_like(c, -7e11)),
    "nearly constant column": _column(lambda c: 1 + 1e-15 * c),
    "column of 1e9 and noise": _column(lambda c: 1e9 + c),
    "huge column": _column(lambda c: c * 1e200),
    "units apart": lambda x: x * np.where(np.arange(x.shape[-1]) % 2, 1e6, 1e-6),
    "rounded": np.round,
    "float32's edge": lambda x: np.sign(x) * 3.4028235e38,
    "beyond int64": lambda x: np.sign(x) * 2.0**63,
    "duplicate rows": lambda x: np.broadcast_to(x[:1], x.shape).copy() if len(x) else x,
}

# -- dtypes ------------------------------------------------------------------------------


def _dates(x: np.ndarray, kind: str) -> np.ndarray:
    days = np.nan_to_num(x, posinf=1, neginf=-1).clip(-9e3, 9e3) * 100
    return days.astype(np.int64).astype(f"{kind}8[D]")


def _objects(x: np.ndarray, odd) -> np.ndarray:
    objects = x.astype(object)
    if objects.size:
        objects.reshape(-1)[objects.size // 2] = odd
    return objects


DTYPES = {
    **{
        name: lambda x, name=name: x.astype(name)
        for name in (
            "?", "i1", "u1", "i2", "i8", "u8", "f2", "f4", "g", "c8", "c16",
            ">f4", ">f8", ">i4", ">c16", "O", "U", "S",
        )
    },
    "datetime": lambda x: _dates(x, "M"),
    "timedelta": lambda x: _dates(x, "m"),
    "NaT": lambda x: np.full(x.shape, np.datetime64("NaT")),
    "strings of numbers": lambda x: np.round(np.nan_to_num(x), 3).astype("U6"),
    "variable strings": lambda x: x.astype("U8").astype(np.dtypes.StringDType()),
    "structured": lambda x: x.astype([("a", "f8")]),
    "void": lambda x: np.ascontiguousarray(x).view("V8"),
    **{
        f"objects with {odd!r}": lambda x, odd=odd: _objects(x, odd)
        for odd in (
            None, "a", "1.5", [1, 2], {}, 1j, pd.NA, pd.NaT, 10**400, Fraction(1, 3), True,
            b"x", print, np.float32(2), (), pd.Timestamp(0),
        )
    },
}  # fmt: skip

# -- containers --------------------------------------------------------------------------

_files = tempfile.TemporaryDirectory()


def _mapped(x: np.ndarray) -> np.ndarray:
    if not x.size or x.dtype.hasobject or x.dtype.kind == "T":
        return x
    path = Path(_files.name, f"{x.dtype.str.strip('<>|=?')}{'_'.join(map(str, x.shape))}.dat")
    np.asarray(x).tofile(path)
    return np.memmap(path, x.dtype, "r", shape=x.shape)


def frozen(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def _strided(x: np.ndarray) -> np.ndarray:
    return np.repeat(np.repeat(x, 2, axis=0), 3, axis=-1)[::2, ..., ::3]


def masked(x: np.ndarray, where: bool) -> np.ma.MaskedArray:
    mask = np.zeros(x.shape, bool)
    if where and mask.size:
        mask.reshape(-1)[0] = True
    return np.ma.MaskedArray(x, mask)


def _objects_of(x: np.ndarray) -> np.ndarray:
    rows = np.empty(len(x), object)
    for k, row in enumerate(x):
        rows[k] = row
    return rows


class Subclass(np.ndarray):
    pass


class Liar:
    """Says that it is an array, and raises."""

    shape = (4, 2)

    def __len__(self):
        return 4

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no")


CONTAINERS = {
    "array": lambda x: x,
    "nested list": lambda x: x.tolist(),
    "nested tuple": lambda x: tuple(map(tuple, x.tolist())) if x.ndim == 2 else tuple(x.tolist()),
    "fortran": np.asfortranarray,
    "strided": _strided,
    "backwards": lambda x: x[::-1, ..., ::-1],
    "transposed": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0),
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "read-only": frozen,
    "memory-mapped": _mapped,
    "masked": lambda x: masked(x, True),
    "unmasked": lambda x: masked(x, False),
    "subclass": lambda x: x.view(Subclass),
    "tensor": torch.as_tensor,
    "tensor with gradient": lambda x: torch.as_tensor(x).requires_grad_(),
    "bfloat16 tensor": lambda x: torch.as_tensor(x).bfloat16(),
    "tensor without data": lambda x: torch.as_tensor(x).to("meta"),
    "sparse tensor": lambda x: torch.as_tensor(x).to_sparse(),
    "list of rows": list,
    "lists and arrays": lambda x: [row.tolist() if k % 2 else row for k, row in enumerate(x)],
    "objects of rows": _objects_of,
    "object": lambda x: x.astype(object),
    # shapes
    "no rows": lambda x: x[:0],
    "no columns": lambda x: x[..., :0],
    "one row": lambda x: x[:1],
    "one column": lambda x: x[..., :1],
    "an axis less": lambda x: x[..., 0],
    "an axis more": lambda x: x[..., None],
    "two axes more": lambda x: x[..., None, None],
    "flat": np.ravel,
    "swapped": lambda x: x.T,
    "scalar": lambda x: x.dtype.type(3) if x.dtype.kind in "fiu" else 3,
    "zero axes": lambda x: np.array(3.0),
    "wider": lambda x: np.concatenate([x, x], axis=-1),
    "ragged": lambda x: [row[: 1 + k % x.shape[1]] for k, row in enumerate(x.tolist())],
    # not arrays
    **{
        repr(thing): lambda x, thing=thing: thing
        for thing in (None, "text", b"bytes", {}, {"a": 1}, set(), [], [[]], [None], object, 3.5)
    },
    "generator": lambda x: (row for row in x),
    "liar": lambda x: Liar(),
}  # fmt: skip

_NAMES = {
    "numbers": lambda d: range(d),
    "mixed": lambda d: ["a", *range(d - 1)],
    "twice the same": lambda d: ["a"] * d,
    "empty": lambda d: [""] * d,
    "none": lambda d: [None] * d,
    "long": lambda d: ["x" * 5000 + str(k) for k in range(d)],
    "odd letters": lambda d: [f"µ\n{k}\x00[]<" for k in range(d)],
    "bytes": lambda d: [b"%d" % k for k in range(d)],
    "pairs": lambda d: pd.MultiIndex.from_product([["a"], range(d)]),
    "dates": lambda d: pd.date_range("2020", periods=d),
}

TABLES = {
    **CONTAINERS,
    "data frame": pd.DataFrame,
    **{
        f"data frame named by {name}": lambda x, names=names: pd.DataFrame(
            x, columns=names(x.shape[1])
        )
        for name, names in _NAMES.items()
    },
    **{
        f"data frame of {dtype}": lambda x, dtype=dtype: pd.DataFrame(np.round(x)).astype(dtype)
        for dtype in ("Float64", "Float32", "Int64", "boolean", "category", "string", "Sparse")
    },
    "data frame with a text column": lambda x: pd.DataFrame(x).assign(t="a"),
    "data frame with a date column": lambda x: pd.DataFrame(x).assign(t=pd.Timestamp(0)),
    "data frame with a zoned date": lambda x: pd.DataFrame(x).assign(t=pd.Timestamp(0, tz="UTC")),
    "data frame with a category": lambda x: pd.DataFrame(x).assign(
        t=pd.Categorical(["b"] * len(x))
    ),
    "data frame with a span": lambda x: pd.DataFrame(x).assign(t=pd.Timedelta(1)),
    "data frame with a period": lambda x: pd.DataFrame(x).assign(t=pd.Period("2020")),
    "data frame with NA": lambda x: pd.DataFrame(x).astype("Float64").mask(pd.DataFrame(x) > 0),
    "data frame without columns": lambda x: pd.DataFrame(index=range(len(x))),
    "data frame of series": lambda x: pd.DataFrame({"a": [pd.Series(row) for row in x]}),
    "data frame indexed oddly": lambda x: pd.DataFrame(x, index=[3] * len(x)),
    "series": lambda x: pd.Series(x[:, 0]),
    "sparse rows": sp.csr_matrix,
    "sparse array": sp.coo_array,
    "sparse with nothing": lambda x: sp.csr_matrix(x.shape),
    "matrix": lambda x: np.asmatrix(x),
}  # fmt: skip


def _cut(x: np.ndarray) -> list[np.ndarray]:
    return [row[: 1 + k % len(row)] for k, row in enumerate(x)]


def _padding(x: np.ndarray, hole: bool = False) -> np.ndarray:
    x = x.copy()
    for k, row in enumerate(x):
        row[1 + k % len(row) :] = np.nan
    if hole and len(x):
        x[-1, 0] = np.nan
    return x


def _series(change):
    """A list of arrays, of which `change` makes the last one."""
    return lambda x: [*x[:-1], change(x[-1])]


SEQUENCES = {
    **CONTAINERS,
    "list of lengths": lambda x: _cut(x),
    "tuple of lengths": lambda x: tuple(_cut(x)),
    "objects of lengths": lambda x: _objects_of(_cut(x)),
    "padding": _padding,
    "padding with a hole": lambda x: _padding(x, hole=True),
    "one step each": lambda x: [row[:1] for row in x],
    "an empty one": _series(lambda row: row[:0]),
    "one of other channels": _series(lambda row: np.concatenate([row, row], axis=1)),
    "one of no channels": _series(lambda row: row[:, :0]),
    "one of other type": _series(lambda row: row.astype("f4")),
    "one of texts": _series(lambda row: row.astype("U8")),
    "one of dates": _series(lambda row: _dates(row, "M")),
    "one complex": _series(lambda row: row + 1j),
    "one masked": _series(lambda row: masked(row, True)),
    "one sparse": _series(sp.csr_matrix),
    "one a data frame": _series(pd.DataFrame),
    "one with NaN": _series(_put(np.nan)),
    "one with inf": _series(_put(np.inf)),
    "one flat": _series(lambda row: row[:, 0]),
    "one deep": _series(lambda row: row[..., None]),
    "one None": _series(lambda row: None),
    "one a number": _series(lambda row: 3.0),
    "one object": _series(lambda row: _objects(row, "a")),
    "data frames": lambda x: [pd.DataFrame(row) for row in x],
    "tensors": lambda x: [torch.as_tensor(row) for row in x],
    "lists": lambda x: [[list(step) for step in row] for row in x],
    "dictionary": lambda x: dict(enumerate(x)),
}  # fmt: skip


def applied(change, x):
    """`x` changed, or as it was where numpy or pandas itself will not."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return change(x)
        except (ValueError, TypeError, IndexError, RuntimeError, OverflowError, KeyError):
            return x


@st.composite
def hostile(draw, plain: np.ndarray, containers: dict) -> tuple[str, object]:
    """`plain` made hostile, with the names of what was done to it."""
    done = []
    x = plain
    for table, most in ((VALUES, 2), (DTYPES, 1), (containers, 1)):
        names = draw(st.lists(st.sampled_from(sorted(table)), max_size=most, unique=True))
        for name in names:
            x = applied(table[name], x)
            done.append(name)
    return ", ".join(done) or "plain", x
