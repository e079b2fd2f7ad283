"""Groups, weights and validation data on their way through pipelines and searches."""

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.estimators import _base
from tests.families import ENTRIES, SKLEARN, N, each

GROUPS = np.repeat(["ann", "bob", "cem", "dee", "eve", "fay"], N // 6)


@pytest.fixture
def held_out(monkeypatch):
    """What was held out, as (training, held out) rows of each fit."""
    seen = []
    split = _base.split_rows

    def remember(*args):
        seen.append(split(*args))
        return seen[-1]

    monkeypatch.setattr(_base, "split_rows", remember)
    return seen


@each(SKLEARN)
def test_early_stopping_holds_out_whole_groups(kind, held_out):
    entry = ENTRIES[kind]
    model = entry.make(early_stopping=True, validation_fraction=0.3, warm_start=True)
    weights = np.where(GROUPS == "ann", 0.0, 1.0)  # a group that takes no part
    model.fit(entry.X, entry.y, weights, groups=GROUPS).fit(entry.X, entry.y, groups=GROUPS)
    for training, held in held_out:
        assert not set(training.groups) & set(held.groups)
    sizes = [(len(training), len(held)) for training, held in held_out]
    assert sizes == [(12, 8), (16, 8)]
    alone = entry.make(early_stopping=True, validation_fraction=0.3)
    with pytest.raises(ValueError, match="at least 2 groups"):
        alone.fit(entry.X, entry.y, groups=np.zeros(N))
    with pytest.raises(ValueError, match="groups must be 24, one a sample, got 3"):
        alone.fit(entry.X, entry.y, groups=[1, 2, 3])


def test_they_are_routed(held_out):
    entry = ENTRIES[DynPMNNRegressor]
    weights = np.linspace(1, 2, N)
    with sklearn.config_context(enable_metadata_routing=True):
        model = entry.make(early_stopping=True, validation_fraction=0.5)
        model.set_fit_request(groups=True, sample_weight=True).set_score_request(
            sample_weight=True
        )
        search = GridSearchCV(
            make_pipeline(FunctionTransformer(), model),
            {"dynpmnnregressor__hidden_size": [2]},
            cv=GroupKFold(2),
            error_score="raise",
        )
        search.fit(entry.X, entry.y, groups=GROUPS, sample_weight=weights)
    for training, held in held_out:
        assert not set(training.groups) & set(held.groups)
        assert len(np.unique(training.weights)) > 1
    assert len(held_out) == 3


def test_validation_data_go_the_same_way(held_out):
    entry = ENTRIES[DynPMNNRegressor]
    given = {"X_val": entry.X[:6], "y_val": entry.y[:6], "sample_weight_val": np.arange(1, 7)}
    with sklearn.config_context(enable_metadata_routing=True):
        model = entry.make(early_stopping=True)
        model.set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
        scale = FunctionTransformer(lambda X: 2 * X)
        pipeline = make_pipeline(scale, model, transform_input=["X_val"])
        pipeline.fit(entry.X, entry.y, **given)
    direct = entry.make(early_stopping=True)
    direct.fit(2 * entry.X, entry.y, **{**given, "X_val": 2 * entry.X[:6]})
    assert pipeline[-1].validation_loss_curve_ == direct.validation_loss_curve_
    assert not held_out
