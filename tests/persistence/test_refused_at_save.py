"""What a file without code cannot keep is refused, with advice, and nothing is written."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from skorch.callbacks import Callback

import sklearn_physrnn
from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, PETNNRegressor
from sklearn_physrnn.nn import FitzHughNagumo, VanDerPol
from tests.families import ENTRIES, SKLEARN, each

from ._models import SERIES, TABLE, TEXT, UP, small, y


class Quiet(Callback):
    pass


class OwnField(VanDerPol):
    pass


class OwnRegressor(DynPMNNRegressor):
    pass


@pytest.fixture
def path(tmp_path):
    yield tmp_path / "model.safetensors"
    assert not list(tmp_path.iterdir())


@each(SKLEARN)
def test_an_unfitted_estimator(kind, path):
    with pytest.raises(NotFittedError):
        ENTRIES[kind].make().save(path)


@pytest.mark.parametrize(
    ("parameters", "advice"),
    [
        ({"callbacks": [Quiet()]}, r"callbacks=.* holds a list.*set callbacks=None.*joblib\.dump"),
        ({"random_state": np.random.RandomState(0)}, "RandomState.*an integer or None"),
        ({"dynamics": OwnField(3)}, "holds a OwnField.*given by their names"),
        ({"dynamics": FitzHughNagumo(3)}, "holds a FitzHughNagumo.*given by their names"),
        ({"dynamics": VanDerPol}, "holds a type.*given by their names"),
        ({"dynamics": lambda hidden_size: VanDerPol(hidden_size)}, "holds a function"),
        ({"loss": "quantile", "quantile": pd.Series([0.1, 0.9])}, "holds a Series.*numbers"),
    ],
)
def test_what_is_not_data(parameters, advice, path):
    model = small(DynPMNNRegressor, **parameters).fit(TABLE, y)
    with pytest.raises(ValueError, match=advice):
        model.save(path)


def test_empty_callbacks_are_data(tmp_path):
    small(DynPMNNRegressor, callbacks=[]).fit(TABLE, y).save(tmp_path / "model")


@pytest.mark.parametrize(
    "target", [UP.astype("datetime64[D]"), UP.astype(np.longdouble)], ids=["dates", "longdouble"]
)
def test_labels_without_a_place_in_a_file(target, path):
    model = small(DynPMNNClassifier).fit(TABLE, target)
    expected = f"dtype {re.escape(str(target.dtype))}.*numbers, booleans or text"
    with pytest.raises(ValueError, match=expected):
        model.save(path)


def test_classes_of_ones_own(path):
    model = OwnRegressor(**small(DynPMNNRegressor).get_params()).fit(TABLE, y)
    for save in (model.save, partial(sklearn_physrnn.save, model)):
        with pytest.raises(ValueError, match=r"class OwnRegressor .* such as DynPMNNRegressor"):
            save(path)


@pytest.mark.parametrize("thing", [Ridge(), VanDerPol(3), "model"])
def test_what_is_no_estimator_of_ours(thing, path):
    with pytest.raises(ValueError, match=f"class {type(thing).__name__} cannot be saved"):
        sklearn_physrnn.save(thing, path)


def test_attributes_of_ones_own(path):
    model = small(DynPMNNRegressor).fit(TABLE, y)
    model.remark = "precious"
    with pytest.raises(ValueError, match=r"'remark'.*would lose it"):
        model.save(path)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 4},
        {"num_layers": 3},
        {"solver": "euler"},  # the same weights, another function
        {"t_end": 2.0},
        {"loss": "quantile", "quantile": [0.1, 0.9]},
        {"n_frequencies": 2},
    ],
)
def test_parameters_changed_after_fitting(change, path):
    model = small(DynPMNNRegressor).fit(TABLE, y).set_params(**change)
    with pytest.raises(ValueError, match="changed after fitting"):
        model.save(path)


def test_a_module_changed_after_fitting(path):
    model = small(PETNNRegressor).fit(SERIES, y)
    model.module_.readout = "mean"
    with pytest.raises(ValueError, match="changed after fitting"):
        model.save(path)


def test_weights_that_are_not_finite(path):
    model = small(DynPMNNClassifier).fit(TABLE, TEXT)
    next(model.module_.parameters()).data[0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        model.save(path)
