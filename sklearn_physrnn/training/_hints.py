"""What is added to messages about wrong parameters: what was probably meant."""

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

# Options by names that other libraries have for them.
_ELSEWHERE = {
    "mse": "squared_error",
    "l2": "squared_error",
    "mae": "absolute_error",
    "l1": "absolute_error",
    "smooth_l1": "huber",
    "pinball": "quantile",
    "onecycle": "one_cycle",
    "bf16": "bfloat16",
}


@contextmanager
def hinting(parameters: Mapping[str, Any]) -> Iterator[None]:
    """Add to the error of a wrong parameter what was probably meant."""
    try:
        yield
    except InvalidParameterError as error:
        message = str(error)
        found = re.match(r"The '(\w+)' parameter", message)
        hint = _hint(found[1], parameters[found[1]], message) if found else ""
        if not hint:
            raise
        raise InvalidParameterError(f"{message} {hint}") from None


def _hint(name: str, value: Any, message: str) -> str:
    if name == "learning_rate" and _is_number(value):
        return f"The rate is learning_rate_init={value}; learning_rate is its schedule."
    if name in ("hidden_size", "state_size") and isinstance(value, tuple | list):
        return "It is one number, the same in all layers."
    if isinstance(value, str):
        options = re.findall(r"'(\w+)'", message.split("Got")[0])[1:]
        plain = value.lower().replace("-", "_")
        meant = _ELSEWHERE.get(plain, plain)
        near = difflib.get_close_matches(meant, options, 1)
        return f"Did you mean {near[0]!r}?" if near else ""
    if isinstance(value, float) and value.is_integer() and "an int in" in message:
        return f"Write {int(value)}."
    return ""


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, Real | str) and float(value) > 0
    except ValueError:
        return False
