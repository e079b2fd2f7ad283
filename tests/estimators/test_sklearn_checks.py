"""scikit-learn's own checks of an estimator, on a few configured instances."""

import inspect

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from tests.families import EXACT, FAMILIES, SKLEARN, each

INSTANCES = [
    family.estimator(setting, **EXACT) for family in FAMILIES for setting in family.checked
]


# Checks of what is learned, by a part of their names; to all others a few epochs are enough.
LEARNING = ("_train", "class_weight", "classifiers_classes")
FEW = 10


@parametrize_with_checks(INSTANCES)
def test_scikit_learn(estimator, check, request):
    if not any(part in request.node.name for part in LEARNING):
        # The instance is that of all checks.
        estimator = clone(estimator).set_params(max_iter=min(estimator.max_iter, FEW))
    check(estimator)


@pytest.mark.parametrize("estimator", INSTANCES, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_param_validation]
)
def test_scikit_learn_more(estimator, check):
    check(type(estimator).__name__, estimator)


@each(SKLEARN)
def test_docstring_lists_every_parameter(kind):
    text = inspect.getdoc(kind)  # Python 3.13 cuts the indentation off by itself
    for name in kind().get_params():
        assert f"\n{name} : " in text
