"""Warnings that point at the user's line, however deep below it they are issued."""

import sys
import warnings
from types import FrameType

# Ours, those that we call and that call us, and what of Python lies between.
_BETWEEN = frozenset(
    {
        "sklearn_physrnn", "sklearn", "skorch", "sktime", "skbase", "torch", "joblib", "numpy",
        "pandas", "scipy", "contextlib", "functools", "concurrent", "multiprocessing", "threading",
        "runpy",
    }
)  # fmt: skip

_silent = False


def silence() -> None:
    """Issue no warnings from now on, in this process: another one like it does."""
    global _silent
    _silent = True


def _lies_between(frame: FrameType) -> bool:
    spec = frame.f_globals.get("__spec__")  # "__main__" is what ``python -m`` runs, a worker say
    name = getattr(spec, "name", None) or frame.f_globals.get("__name__") or ""
    return name.partition(".")[0] in _BETWEEN


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the innermost line that is the user's.

    ``warnings.warn`` counts frames, and how many lie between depends on the estimator, on
    Pipeline, search or validation around it, and on their versions. A warning that points
    at a library's line names no place to change, and another one from there, of another
    fit, is taken for a repetition and swallowed.

    Parameters
    ----------
    message : str
    category : type of Warning, default=UserWarning
    """
    if _silent:
        return
    frame = caller = sys._getframe(1)
    while _lies_between(frame):
        if frame.f_back is None:  # in a worker, where no line is the user's
            frame = caller
            break
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__") or "<unknown>",
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )
