"""sktime's tags under the names that the installed version has for them."""

from typing import Any

from sktime.forecasting.base import BaseForecaster

# Names before sktime 0.38, and how their values differ.
_FORMER: dict[str, tuple[str, dict[bool, Any]]] = {
    "capability:multivariate": ("scitype:y", {True: "both", False: "univariate"}),
    "capability:exogenous": ("ignores-exogeneous-X", {True: False, False: True}),
    "capability:missing_values": ("handles-missing-data", {True: True, False: False}),
}


def known_tags(tags: dict[str, Any]) -> dict[str, Any]:
    """Rename tags for an older sktime."""
    known = BaseForecaster._tags
    renamed = {}
    for name, value in tags.items():
        former = _FORMER.get(name)
        if former is not None and name not in known and former[0] in known:
            name, value = former[0], former[1][value]
        renamed[name] = value
    return renamed
