"""scikit-learn's own checks of an estimator, on a few configured instances."""

import inspect

import pytest
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)

# For time alone: checks fit hundreds of times, and none asks for a good model of more
# than 50 easy samples (accuracy 0.83, R² 0.5).
QUICK = {"hidden_size": 10, "num_layers": 1, "n_steps": 4, "max_iter": 40}

# check_sample_weight_equivalence compares to 1e-7 a weighted fit with one on repeated and
# shuffled rows. scikit-learn configures its own MLPs alike for it.
EXACT = {
    "dtype": "float64",  # float32 rounds at 1e-7 in every step
    "batch_size": 10_000,  # one batch an epoch: weights and repetition fill others differently
    "max_iter": 20,
}

RECURRENT = {"max_iter": 120, "learning_rate_init": 0.05, "alpha": 0}

INSTANCES = [
    DynPMNNRegressor(**{**QUICK, **EXACT, "max_iter": 40, "learning_rate_init": 0.03}),
    DynPMNNClassifier(**{**QUICK, **EXACT}),
    # Another way through the code: a generic scheme, and another loss.
    DynPMNNRegressor(**{**QUICK, **EXACT}, dynamics="van_der_pol", solver="heun", loss="huber"),
    # To a recurrent network a table's columns are time steps: it takes a higher rate and,
    # for R² 0.5, more epochs. Dropout and batch statistics would see repeated rows.
    PETNNRegressor(10, **EXACT | RECURRENT, readout="max"),
    PETNNClassifier(10, **EXACT | RECURRENT | {"max_iter": 30}, readout="max"),
    # More oscillators in place of more epochs: once the weighted check's 15 rows are learned
    # by heart, Adam divides rounding errors by each other.
    HSSMRegressor(
        16,
        16,
        1,
        **EXACT | RECURRENT | {"max_iter": 70, "learning_rate_init": 0.03},
        norm=None,
        dropout=0,
        readout="last",
    ),
    HSSMClassifier(8, 8, 1, **EXACT | RECURRENT | {"max_iter": 30}, norm=None, dropout=0),
]


@parametrize_with_checks(INSTANCES)
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", INSTANCES, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_param_validation]
)
def test_scikit_learn_more(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.mark.parametrize("kind", sorted({type(e) for e in INSTANCES}, key=lambda k: k.__name__))
def test_docstring_lists_every_parameter(kind):
    text = inspect.getdoc(kind)  # Python 3.13 cuts the indentation off by itself
    for name in kind().get_params():
        assert f"\n{name} : " in text
