"""Rows of a table as inputs: numbers, with holes or without, and categories."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ..storage.format import Spec
from ..storage.plain import Fields
from ..training._stored import StoredRows
from .arrays import naming, native, numbers_expected, real_numbers, unmasked
from .categories import Categories, chosen_columns
from .frames import columns_of, is_frame
from .inputs import Inputs
from .no_arrays import refuse_no_array
from .scaling import Identity, make_scaler, make_scaler_by_column
from .series import DTYPES
from .sparse import SparseTable, sparse_rows
from .stored_scalers import scaler_specs
from .stored_tables import StoredTable, stored_table

MISSING = ("indicator", "middle", "error")

_ADVICE = "Give categories the dtype 'category', or name them in categorical_features"

# What an indicator of a missing number is, where it is not 0. Smaller than the unit of the
# columns, its weights decay sooner where holes mean nothing, and would be noise.
INDICATOR = 0.25

Checked = np.ndarray | SparseTable | StoredTable

# Numbers of a sparse table that are made dense at a time, where nothing is trained.
_AT_A_TIME = 1_000_000


@dataclass(frozen=True)
class TableInputs(Inputs):
    """X of shape (n_samples, n_features).

    The module sees the columns of numbers, scaled, 0 where a value is missing; then an
    indicator for each column of which values were missing in training; then one for each
    category of each column of categories, all 0 for one that training has not seen.

    Checked, X is an array of floats, with NaN where numbers are missing and positions in
    place of categories; or a :class:`SparseTable` or :class:`StoredTable`.

    Attributes
    ----------
    scaling : {"standard", "quantile", "quantile_linear", False}
    missing : {"indicator", "middle", "error"}
        Whether holes may be, and have indicators.
    categorical_features : "from_dtype", None, or tuple
        Which columns hold categories: those of such a dtype; or positions, names or a mask.
    categories : tuple of Categories
        Of the columns that hold some, in order.
    holed : tuple of int
        Columns of numbers that have an indicator.
    empty : tuple of int
        Columns of numbers that had no value in training, and are not looked at.
    """

    scaling: str | bool
    missing: str = "error"
    categorical_features: Any = None
    categories: tuple[Categories, ...] = ()
    holed: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()

    @property
    def named(self) -> bool:
        """Whether columns of X may have names, which `caller` keeps."""
        return True

    @cached_property
    def numbers(self) -> np.ndarray:
        """Columns of X that are numbers to the module."""
        others = {*self.empty, *(own.column for own in self.categories)}
        return np.array([i for i in range(self.n_features) if i not in others], dtype=np.intp)

    @cached_property
    def origins(self) -> np.ndarray:
        """Column of X that each of the module's is made of."""
        categories = [np.full(len(own.kept), own.column) for own in self.categories]
        return np.concatenate([self.numbers, self.holed, *categories]).astype(np.intp)

    @property
    def n_columns(self) -> int:
        """Columns that the module sees."""
        return len(self.origins)

    # -- reading -----------------------------------------------------------------

    def first(self, X: Any, caller: Any) -> tuple[Self, Checked]:
        """Check the X that is to be learned from; return it, and inputs of its width."""
        with naming("X"):
            refuse_no_array(X, "X")
            X, stored = self._where_it_is(X)
            if stored is not None:
                validate_data(caller, X, reset=True, skip_check_array=True)
                return replace(self, n_features=stored.shape[1]), stored
            X = _opened(X, by_column=_names_columns(self.categorical_features))
            known = replace(self, categories=self._seen(X))
            values = known._values(X, caller, reset=True, ensure_min_samples=2)
        return replace(known, n_features=values.shape[1]), values

    def _seen(self, X: Any) -> tuple[Categories, ...]:
        """Learn the categories of the columns that hold some."""
        option = self.categorical_features
        if issparse(X) and _names_columns(option):
            raise ValueError(
                f"categorical_features={option!r:.100} needs a DataFrame or a dense array, got "
                f"a sparse {type(X).__name__}."
            )
        if issparse(X) or len(getattr(X, "shape", ())) != 2:
            return ()
        chosen = set(chosen_columns(option, X))
        columns = enumerate(columns_of(X)) if chosen else ()
        return tuple(Categories.seen(i, column) for i, column in columns if i in chosen)

    def read(self, X: Any, caller: Any) -> Checked:
        """Check X, its width and the names of its columns."""
        with naming("X"):
            refuse_no_array(X, "X")
            if issparse(X) and self.categories:
                raise ValueError(
                    f"X must be a DataFrame or a dense array, since the X that was fitted has "
                    f"columns of categories; got a sparse {type(X).__name__}."
                )
            X, stored = self._where_it_is(X)
            if stored is None:
                X = _opened(X, by_column=bool(self.categories))
                return self._values(X, caller, reset=False)
            validate_data(caller, X, reset=False, skip_check_array=True)
            return stored

    def _where_it_is(self, X: Any) -> tuple[Any, StoredTable | None]:
        categories = bool(self.categories) or _names_columns(self.categorical_features)
        return stored_table(X, holes=self.missing != "error", categories=categories)

    def _values(
        self, X: Any, caller: Any, *, reset: bool, ensure_min_samples: int = 1
    ) -> np.ndarray | SparseTable:
        """Check X, and put positions in the place of categories."""
        options = {
            "dtype": DTYPES,
            "ensure_all_finite": True if self.missing == "error" else "allow-nan",
            "ensure_min_samples": ensure_min_samples,
        }
        coded = {own.column for own in self.categories}
        if by_column := bool(coded) and len(X.shape) == 2:
            validate_data(caller, X, reset=reset, skip_check_array=True)
        if is_frame(X) or not (coded or issparse(X)):
            X = real_numbers(X, "X", but=coded, advice=_ADVICE)
        _check_flat(X, caller)
        if not by_column and is_frame(X) and _has_objects(X):
            validate_data(caller, X, reset=reset, skip_check_array=True)
            by_column = True
        if by_column:
            X = check_array(self._by_column(X), estimator=caller, input_name="X", **options)
        else:
            # A frame of sparse columns is a sparse table, too.
            X = validate_data(caller, X, reset=reset, accept_sparse="csr", **options)
        return SparseTable.of(X) if issparse(X) else native(X)

    def _by_column(self, X: Any) -> np.ndarray:
        """Put numbers and positions of categories side by side."""
        categories = {own.column: own for own in self.categories}
        columns: list[np.ndarray] = []
        types = []
        for i, column in enumerate(columns_of(X)):
            if i in categories:
                columns.append(self._codes(categories[i], column))
                continue
            with numbers_expected("X", _ADVICE):
                columns.append(column.floats())
            types.append(columns[-1].dtype)
        return np.column_stack(columns).astype(np.result_type(*types) if types else np.float64)

    def _codes(self, categories: Categories, column: Any) -> np.ndarray:
        codes = categories.codes(column)
        if self.missing == "error" and column.has_missing():
            raise ValueError(
                f"X has missing values in {column.place}, which missing='error' refuses; "
                "'indicator' takes them for a category."
            )
        return codes

    # -- learning ----------------------------------------------------------------

    def fit(self, X: Any, weights: np.ndarray | None) -> Self:
        """Learn categories, holes and the scale of each column of numbers."""
        if isinstance(X, SparseTable):
            return self._fit_sparse(X, weights)
        if isinstance(X, StoredTable):
            return self._fit_stored(X, weights)
        known = replace(
            self, categories=tuple(own.fit(X[:, own.column]) for own in self.categories)
        )
        holes = np.isnan(X)
        if not holes.any():
            numbers = X if len(known.numbers) == X.shape[1] else X[:, known.numbers]
            scaler = make_scaler(self.scaling, numbers, weights) if numbers.size else Identity()
            return replace(known, scaler=scaler)._with_columns()
        known = known._with_holes(holes.any(axis=0), holes.all(axis=0))
        return known._scaled(
            (X[there, i], None if weights is None else weights[there])
            for i, there in ((i, ~holes[:, i]) for i in known.numbers)
        )

    def _fit_sparse(self, X: SparseTable, weights: np.ndarray | None) -> Self:
        columns = []
        some = np.zeros(X.n_columns, dtype=bool)
        empty = np.zeros(X.n_columns, dtype=bool)
        for i, (x, own) in enumerate(X.by_column(weights)):
            there = ~np.isnan(x)
            some[i], empty[i] = not there.all(), not there.any()
            columns.append((x[there], None if own is None else own[there]))
        known = self._with_holes(some, empty)
        return known._scaled(columns[i] for i in known.numbers)

    def _fit_stored(self, X: StoredTable, weights: np.ndarray | None) -> Self:
        """Learn holes from all rows, and scales from a sample of them."""
        sample, rows = X.sampled()
        weights = None if weights is None else weights[rows]
        if not X.holes:
            return replace(self, scaler=make_scaler(self.scaling, sample, weights))._with_columns()
        known = self._with_holes(X.holed(), np.isnan(sample).all(axis=0))
        return known._scaled(
            (sample[there, i], None if weights is None else weights[there])
            for i, there in ((i, ~np.isnan(sample[:, i])) for i in known.numbers)
        )

    def _with_holes(self, some: np.ndarray, empty: np.ndarray) -> Self:
        """Learn which columns have holes, and which nothing else."""
        holed = np.flatnonzero(some & ~empty) if self.missing == "indicator" else ()
        return replace(
            self,
            holed=tuple(int(i) for i in holed),
            empty=tuple(int(i) for i in np.flatnonzero(empty)),
        )

    def _scaled(self, columns: Any) -> Self:
        return replace(self, scaler=make_scaler_by_column(self.scaling, columns))._with_columns()

    def _with_columns(self) -> Self:
        if not self.n_columns:
            raise ValueError("X has no column with a value in the rows that are trained on.")
        return self

    # -- what the module takes ---------------------------------------------------

    def blocks(self, X: Any) -> Iterator[Any]:
        """Give X in pieces that may be made dense."""
        if isinstance(X, StoredTable):
            yield from X.blocks()
            return
        if not isinstance(X, SparseTable):
            yield X
            return
        rows = max(1, _AT_A_TIME // self.n_columns)
        for start in range(0, len(X), rows):
            yield X[start : start + rows]

    def arrays(self, X: Any) -> dict[str, np.ndarray]:
        """Scale X, and add indicators."""
        assert self.scaler is not None
        if isinstance(X, SparseTable | StoredTable):
            X = X.dense()
        plain = len(self.numbers) == X.shape[1]
        numbers = X if plain else X[:, self.numbers]
        holes = np.isnan(X)
        if not holes.any():
            x = self.scaler.transform(numbers)
            return {"x": x if plain and not self.holed else self._with_indicators(x, X, holes)}
        there = ~holes[:, self.numbers]
        x = self.scaler.transform(np.where(there, numbers, 0).astype(X.dtype, copy=False)) * there
        return {"x": self._with_indicators(x.astype(X.dtype, copy=False), X, holes)}

    def _with_indicators(self, x: np.ndarray, X: np.ndarray, holes: np.ndarray) -> np.ndarray:
        ones = holes[:, list(self.holed)].astype(X.dtype) * X.dtype.type(INDICATOR)
        categories = [own.indicators(X[:, own.column]) for own in self.categories]
        return np.concatenate([x, ones, *categories], axis=1)

    def tensors(
        self, X: Any, dtype: torch.dtype, *, padded: bool = False
    ) -> dict[str, torch.Tensor]:
        """Turn checked X into the module's keyword arguments; to look at it, dense."""
        if isinstance(X, StoredTable) and not padded:
            shape = len(X), self.n_columns
            own = X.chunks_to_shuffle()
            rows = StoredRows(lambda rows: self.arrays(X.taken(rows))["x"], shape, dtype, own)
            return {"x": rows}  # type: ignore[dict-item]
        if padded or not isinstance(X, SparseTable):
            return super().tensors(X, dtype, padded=padded)
        return {"x": sparse_rows(self, X, dtype, INDICATOR)}  # type: ignore[dict-item]

    def by_feature(self, values: torch.Tensor) -> torch.Tensor:
        """Add up columns of the module (n_samples, n_columns) that are of one column of X."""
        if self.n_columns == self.n_features and not self.categories:
            return values
        sums = values.new_zeros(len(values), self.n_features)
        return sums.index_add(1, torch.as_tensor(self.origins), values)

    def shown(self, X: Checked) -> np.ndarray:
        """Give checked rows as objects, with the names of categories."""
        shown = (X.dense() if isinstance(X, SparseTable | StoredTable) else X).astype(object)
        for own in self.categories:
            shown[:, own.column] = [own.shown(code) for code in shown[:, own.column]]
        return shown

    def middle(self, dtype: np.dtype) -> np.ndarray:
        """Give the middle of each column of numbers, no holes, and unknown categories."""
        middle = np.zeros(self.n_columns, dtype=dtype)
        middle[: len(self.numbers)] = super().middle(dtype)
        return middle

    # -- in files ----------------------------------------------------------------

    def to_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Give what was learned as JSON and arrays."""
        fields, arrays = super().to_state()
        table = {
            "missing": self.missing,
            "holed": list(self.holed),
            "empty": list(self.empty),
            "categories": [own.to_state() for own in self.categories],
        }
        return {**fields, "table": table}, arrays

    def described(self, fields: Fields, n_features: int) -> Self:
        """Take what `to_state` gave as JSON, all but the scaler."""
        known = replace(self, n_features=n_features)
        if not fields.has("table"):  # which is younger than the first files
            return known
        table = Fields(fields.take("table", dict), "table")
        missing = table.take("missing", str)
        holed, empty = (table.integers(name, 0) for name in ("holed", "empty"))
        categories = [Categories.from_state(x) for x in table.take("categories", list)]
        table.close()
        if missing not in MISSING:
            raise ValueError(f"its missing={missing!r:.50} is unknown.")
        columns = [own.column for own in categories]
        for some in (holed, empty, columns):
            _check_columns(some, n_features)
        if {*holed} & {*empty, *columns} or {*empty} & {*columns}:
            raise ValueError("a column of its table is of two kinds.")
        known = replace(
            known,
            missing=missing,
            holed=tuple(holed),
            empty=tuple(empty),
            categories=tuple(categories),
        )
        return known._with_columns()

    def specs(self, scaler: Any) -> dict[str, Spec]:
        """Say which arrays belong to a `scaler` that a file describes."""
        if scaler is None:
            raise ValueError("it must hold a scaler of its inputs.")
        specs = scaler_specs(scaler, len(self.numbers))
        return {f"input_scaler.{name}": spec for name, spec in specs.items()}


def _check_columns(columns: Sequence[int], n_features: int) -> None:
    ascending = all(a < b for a, b in pairwise(columns))
    if not ascending or not all(0 <= i < n_features for i in columns):
        raise ValueError("its table names columns that there are not, or twice.")


def _names_columns(option: Any) -> bool:
    """Tell whether `categorical_features` itself says which columns hold categories."""
    return option is not None and not isinstance(option, str)


def _check_flat(X: Any, caller: Any) -> None:
    if isinstance(X, np.ndarray) and X.ndim > 2:
        raise ValueError(
            f"Found array with dim {X.ndim}, of shape {X.shape}; {type(caller).__name__} takes "
            "tables, of shape (n_samples, n_features). For sequences there are PETNN and HSSM."
        )


def _has_objects(X: Any) -> bool:
    return any(column.kind == "object" for column in columns_of(X))


def _opened(X: Any, *, by_column: bool) -> Any:
    """Give X as it can be read by column, where it has to be; or as it is."""
    if issparse(X) or is_frame(X) or not by_column:
        return X
    unmasked(X, "X")
    # Lists of numbers and texts would all be texts.
    return X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
