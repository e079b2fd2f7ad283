"""Constructors of estimators of panels: those of the estimators that they wrap."""

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from ..estimators._parameters import set_parameters
from ._estimator import SeriesEstimator

_P = ParamSpec("_P")


def constructor(
    wrapped: Callable[_P, Any], *left_out: str, **annotations: Any
) -> Callable[Concatenate[Any, _P], None]:
    """Make an ``__init__`` of the parameters of another estimator, with its defaults.

    Parameters
    ----------
    wrapped : type
    *left_out : str
        Parameters of `wrapped` that the class does not have.
    **annotations : type
        Of parameters that the class allows less for.
    """
    parameters = [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *(
            parameter.replace(annotation=annotations.get(name, parameter.annotation))
            for name, parameter in inspect.signature(wrapped).parameters.items()
            if name not in left_out
        ),
    ]
    signature = inspect.Signature(parameters, return_annotation=None)

    def __init__(self, *args, **kwargs):  # noqa: N807
        try:
            given = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}.__init__(): {error}") from None
        given.apply_defaults()
        set_parameters(self, given.arguments)
        super(SeriesEstimator, self).__init__()
        if self.missing == "error":
            self.set_tags(**{"capability:missing_values": False})

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return __init__
