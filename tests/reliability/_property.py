"""The promise to hostile callers, as code: a sound result, or a well-mannered refusal."""

import os
import re
import time
import traceback
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

_COMMON = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
}
CASES = {"ci": 300, "long": 20_000}
settings.register_profile("ci", derandomize=True, **_COMMON)
settings.register_profile("long", **_COMMON)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")

LONGEST = 120.0  # seconds; a case takes milliseconds, but a first one compiles


class RefusedError(Exception):
    """A well-mannered refusal, its cause attached."""


_FOREIGN = re.compile(r"/(torch|numba|llvmlite|skorch)/")
_INTERNAL = re.compile(
    r"numba|nopython|aten::|c10|autograd|skorch|\bmat[12]\b|object has no attribute"
    r"|not supported between instances|unsupported operand|not subscriptable|not iterable"
    r"|unhashable|positional argument|\(\) (got an|missing \d|takes \d)|\w\(\): "
    r"|internal assert|stack expects|The size of tensor|Dimension out of range"
    r"|'NoneType'|cannot unpack|index out of|out of bounds|requires_grad|0-dim|allocat"
    r"|assertion|broadcast together",
    re.IGNORECASE,
)


def check_manners(error: Exception, about: str) -> None:
    """Assert that a refusal is of a promised kind, about the caller's data, and says what."""
    frames = traceback.extract_tb(error.__traceback__)
    where = "".join(traceback.format_exception(error)[-12:])
    assert isinstance(error, ValueError | TypeError), where
    assert not _FOREIGN.search(frames[-1].filename), f"raised by a library below:\n{where}"
    message = str(error)
    assert len(message) > 15, f"says too little: {message!r}\n{where}"
    assert not _INTERNAL.search(message), f"speaks of internals: {message!r}\n{where}"
    assert re.search(about, message), f"does not say what it is about: {message!r}\n{where}"


def attempt(call, *args, about: str, **kwargs):
    """Result of ``call(*args, **kwargs)``, or :class:`RefusedError` where it refuses politely.

    Inputs are as before either way, and the time it takes is bounded.
    """
    before = fingerprint((args, kwargs))
    start = time.perf_counter()
    refusal = result = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Numbers that went wrong on the way, and torch complaining of what it was given.
        warnings.simplefilter("error", RuntimeWarning)
        warnings.filterwarnings("error", message=".*(torch|tensor|NumPy array).*")
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            result = call(*args, **kwargs)
        except Exception as error:
            refusal = error
    assert time.perf_counter() - start < LONGEST, "took too long"
    assert fingerprint((args, kwargs)) == before, "input was modified"
    if refusal is not None:
        check_manners(refusal, about)
        raise RefusedError(f"{type(refusal).__name__}: {refusal}") from refusal
    return result


def fingerprint(thing):
    """Something that compares equal as long as `thing` holds the same."""
    if isinstance(thing, np.ma.MaskedArray):
        return "masked", fingerprint(thing.data), fingerprint(np.asarray(thing.mask))
    if isinstance(thing, np.ndarray):
        held = repr(thing.tolist()) if thing.dtype.kind in "OT" else thing.tobytes()
        return thing.dtype, thing.shape, thing.flags.writeable, held
    if isinstance(thing, pd.DataFrame):
        values = [fingerprint(thing.iloc[:, k]) for k in range(thing.shape[1])]
        return repr(thing.columns), repr(thing.index), values
    if isinstance(thing, pd.Series):
        return str(thing.dtype), repr(thing.index), repr(thing.tolist())
    if sp.issparse(thing):
        return repr(thing), thing.data.tobytes()
    if isinstance(thing, torch.Tensor):
        if thing.device.type != "cpu" or thing.layout != torch.strided:
            return repr(thing.shape)
        return thing.dtype, thing.shape, repr(thing.detach().double().flatten().tolist())
    if isinstance(thing, list | tuple):
        return [fingerprint(part) for part in thing]
    if isinstance(thing, dict):
        return [(repr(key), fingerprint(value)) for key, value in thing.items()]
    return repr(thing)


def try_all(share: float, check, record_property, *strategies) -> None:
    """Try ``check(tally, *drawn)`` on `share` of the profile's cases, and count them.

    The counts go to the terminal's summary; fewer than promised is a failure.
    """
    tally = Counter()
    profile = settings(settings.get_profile(PROFILE), max_examples=round(share * CASES[PROFILE]))
    profile(given(st.tuples(*strategies))(lambda drawn: check(tally, *drawn)))()
    for end, n in sorted(tally.items()):
        record_property("hostile", [end, n])
    assert tally.total() >= profile.max_examples
    assert tally["worked"], "nothing worked: the strategies are all too hostile"
    assert tally["refused"], "nothing was refused: the strategies are too tame"
