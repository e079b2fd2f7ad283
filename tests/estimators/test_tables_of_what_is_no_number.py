"""What a table's column or y holds in place of numbers is named, with what to do about it."""

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.inspection import integrated_gradients
from tests.families import CLASSIFIERS, ENTRIES, N, each

DAYS = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=i) for i in range(N)]
OF_DATES = "Give numbers made of it that mean something"
OF_CATEGORIES = "Give categories the dtype 'category', or name them in categorical_features"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (DAYS, rf"datetime64\[..\] in column 'odd'. {OF_DATES}"),
        (pd.date_range("2020", periods=N, tz="UTC"), rf"UTC\] in column 'odd'. {OF_DATES}"),
        (pd.to_timedelta(np.arange(N), unit="h"), rf"in column 'odd'. {OF_DATES}"),
        (
            pd.period_range("2020", periods=N, freq="M"),
            rf"period\[M\] in column 'odd'. {OF_DATES}",
        ),
        (
            [day.date() for day in DAYS],
            r"object in column 'odd': .*datetime.date.*numbers of dates",
        ),
        (pd.interval_range(0, N), rf"interval.* in column 'odd': .*{OF_CATEGORIES}"),
        (pd.Series(["a"] * N, dtype="str"), rf"str(ing)? in column 'odd'. {OF_CATEGORIES}"),
        (
            pd.Series(["a"] * N, dtype=object),
            rf"object in column 'odd': could not convert string to float: 'a'. {OF_CATEGORIES}",
        ),
        (np.arange(N) + 1j, "complex128 in column 'odd'"),
    ],
)
def test_a_column_of_pandas_is_named(values, message):
    entry = ENTRIES[DynPMNNRegressor]
    frame = pd.DataFrame({"x": entry.y, "odd": values})
    with pytest.raises(
        (TypeError, ValueError), match=f"X must hold real numbers, got .*{message}"
    ):
        entry.make().fit(frame, entry.y)
    fitted = entry.make().fit(frame.assign(odd=1.0), entry.y)
    with pytest.raises(
        (TypeError, ValueError), match=f"X must hold real numbers, got .*{message}"
    ):
        fitted.predict(frame)


@pytest.mark.parametrize("dates", [str, lambda x: x], ids=["text", "objects"])
def test_a_column_of_an_array_is_numbered(dates):
    rows = np.array([[1.0, dates(day.date())] for day in DAYS], dtype=object)
    with pytest.raises((TypeError, ValueError), match="got object in column 1: "):
        ENTRIES[DynPMNNRegressor].make().fit(rows, np.arange(N))


class TestPolars:
    @pytest.fixture
    def polars(self):
        return pytest.importorskip("polars")

    @pytest.mark.parametrize(
        "change",
        [
            lambda day: day,
            lambda day: day.date(),
            lambda day: day.time(),
            lambda day: day - DAYS[0],
        ],
        ids=["datetime", "date", "time", "duration"],
    )
    def test_dates_are_refused(self, polars, change):
        entry = ENTRIES[DynPMNNRegressor]
        frame = polars.DataFrame({"x": entry.y, "day": [change(day) for day in DAYS]})
        with pytest.raises(ValueError, match=f"in column 'day'. {OF_DATES}"):
            entry.make().fit(frame, entry.y)

    @pytest.mark.parametrize("dtype", ["Categorical", "Enum"])
    def test_categories_and_missing_numbers_are_what_they_are_in_pandas(self, polars, dtype):
        entry = ENTRIES[DynPMNNRegressor]
        kinds = list("abcd") * (N // 4)
        numbers = [None if i == 3 else float(value) for i, value in enumerate(entry.y)]
        frame = pd.DataFrame({"x": numbers, "kind": pd.Categorical(kinds)})
        own = polars.Categorical if dtype == "Categorical" else polars.Enum(list("abcd"))
        other = polars.DataFrame({"x": numbers, "kind": kinds}).with_columns(
            polars.col("kind").cast(own)
        )
        expected = entry.make().fit(frame, entry.y).predict(frame)
        np.testing.assert_array_equal(entry.make().fit(other, entry.y).predict(other), expected)
        with pytest.raises(ValueError, match=f"String in column 'kind'. {OF_CATEGORIES}"):
            entry.make().fit(other.with_columns(polars.col("kind").cast(polars.String)), entry.y)


@each(CLASSIFIERS)
@pytest.mark.parametrize("values", [[0, 1], [0.0, 1.0], [False, True]])
def test_labels_that_are_kept_as_objects_are_taken(kind, values):
    y = np.array(values * (N // 2), dtype=object)
    model = ENTRIES[kind].make().fit(ENTRIES[kind].X, y)
    assert model.classes_.tolist() == values
    assert model.classes_.dtype.kind in "ibf"
    plain = np.array(values * (N // 2))
    assert model.score(ENTRIES[kind].X, y) == model.score(ENTRIES[kind].X, plain)


def test_labels_of_two_types_are_refused():
    y = np.array([0, "a"] * (N // 2), dtype=object)
    with pytest.raises(TypeError, match=r"^y must hold labels of one type .*, got int, str"):
        ENTRIES[DynPMNNClassifier].make().fit(ENTRIES[DynPMNNClassifier].X, y)


def test_a_search_is_told_to_give_its_best_estimator():
    entry = ENTRIES[DynPMNNRegressor]
    search = GridSearchCV(entry.make(), {"max_iter": [1]}, cv=2).fit(*entry.data)
    with pytest.raises(TypeError, match="Of a search, give its best_estimator_"):
        integrated_gradients(search, entry.X)
