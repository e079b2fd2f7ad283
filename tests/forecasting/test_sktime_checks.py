import inspect

import pytest
from skbase.lookup import all_objects
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from tests.families import FORECASTERS


def _examined(forecaster):
    """What checks are given: a class for all of its test settings, or a forecaster of one.

    What checks walk through, times and horizons above all, is the same code in every family.
    """
    place = FORECASTERS.index(forecaster)
    settings = forecaster.get_test_params()
    return forecaster if place == 0 else forecaster(**settings[(place - 1) % len(settings)])


# All checks, none left out. One test for each of them, so that processes share the work.
# A check's series may be too short to calibrate on, of which predict_interval warns.
@pytest.mark.filterwarnings("ignore:The series is too short to hold out:UserWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@parametrize_with_checks(FORECASTERS, obj_varname="forecaster", check_varname="check")
def test_sktime_check(forecaster, check):
    results = check_estimator(
        _examined(forecaster), tests_to_run=check, raise_exceptions=True, verbose=False
    )
    assert results
    assert all(result == "PASSED" for result in results.values())


def test_lookup_finds_the_forecasters():
    found = all_objects(package_name="sklearn_physrnn.forecasting", return_names=False)
    assert {cls.__name__ for cls in found} == {cls.__name__ for cls in FORECASTERS}


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_two_test_settings(forecaster):
    first, second = forecaster.get_test_params()
    assert first != second


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_docstring_describes_every_parameter_once(forecaster):
    text = inspect.getdoc(forecaster)  # Python 3.13 cuts the indentation off by itself
    for name, parameter in inspect.signature(forecaster).parameters.items():
        assert text.count(f"\n{name} : ") == 1, name
        line, _, description = text.partition(f"\n{name} : ")[2].partition("\n")
        assert line.endswith(f", default={parameter.default!r}"), name
        assert line.count("default=") == 1, name
        assert description.startswith("    "), name
    # Of the regressor that other descriptions are from; what was not filled in.
    for word in ("X_val", "stratified", "padding", "precision of X", "{p"):
        assert word not in text
