"""What is no array at all, and what to make of it."""

import os
from collections.abc import Iterator, Mapping, Set
from typing import Any


def refuse_no_array(values: Any, name: str) -> None:
    """Refuse what cannot be data, in words that say what can.

    Parameters
    ----------
    values : object
    name : str
        What messages call it.

    Raises
    ------
    TypeError
        Of paths, generators, dicts, sets, and torch's data sets.
    ValueError
        Of None, as scikit-learn has it.
    """
    what = advice = ""
    if values is None:
        raise ValueError(f"{name} must be an array, a data frame or a list, got None.")
    if isinstance(values, str | bytes | os.PathLike):
        what = f"the text or path {values!r:.60}"
        advice = "read the file first, by pandas.read_csv or numpy.load say"
    elif isinstance(values, Mapping) and not hasattr(values, "toarray"):  # of SciPy's
        what, advice = (
            f"a {type(values).__name__}",
            "a dict of columns becomes pandas.DataFrame(...)",
        )
    elif isinstance(values, Set):
        what, advice = f"a {type(values).__name__}", "which has no order: give a list"
    elif isinstance(values, Iterator):
        what, advice = f"a {type(values).__name__}", f"give list({name})"
    elif type(values).__module__.startswith("torch.utils.data"):
        what = f"torch's {type(values).__name__}"
        advice = "give its tensors, X and y; the estimators make batches themselves"
    if what:
        raise TypeError(f"{name} must be an array, a data frame or a list, got {what}: {advice}.")
