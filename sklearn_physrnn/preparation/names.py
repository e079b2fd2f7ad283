"""Names of columns and channels: data go by them, where they have any."""

from collections.abc import Hashable, Sequence

from .._warnings import warn


def numbered(names: Sequence[Hashable]) -> bool:
    """Tell what pandas or sktime call columns that nobody has named."""
    n = len(names)
    numbers = list(range(n)), [f"var_{i}" for i in range(n)]
    return list(names) in numbers or list(names) == [None]


def in_order(
    names: Sequence[Hashable], fitted: Sequence[Hashable], *, data: str, parts: str, model: str
) -> list[Hashable]:
    """Give `names` in the order of those fitted to, or as they are where one side has none.

    Parameters
    ----------
    names : sequence
        Of the data that are given, "columns" or "channels".
    fitted : sequence
        Of the data that were fitted to; none, or numbers, where these had no names.
    data, parts, model : str
        What messages call the data, those that have names, and the estimator.

    Raises
    ------
    ValueError
        If some of `fitted` are lacking, or `names` has others besides.
    """
    names, fitted = list(names), list(fitted)
    given, known = set(names), set(fitted)
    lacking = [name for name in fitted if name not in given]
    besides = [name for name in names if name not in known]
    if not lacking and not besides:
        return fitted
    if lacking == fitted and (numbered(fitted) or numbered(names)):
        if fitted and len(names) != len(fitted):
            counted = f"{len(fitted)} {parts if len(fitted) > 1 else parts.removesuffix('s')}"
            raise ValueError(
                f"{data} must have the {counted} that {model} was fitted to, got "
                f"{len(names)}: {names}."
            )
        warn_where_one_has_names(names, fitted, data=data, parts=parts, model=model)
        return names
    found = []
    if lacking:
        found.append(f"lacks {lacking}")
    if besides:
        found.append(f"has {besides} besides")
    raise ValueError(
        f"{data} must have the {parts} that {model} was fitted to, in any order; it "
        f"{' and '.join(found)}."
    )


def warn_where_one_has_names(
    names: Sequence[Hashable] | None,
    fitted: Sequence[Hashable],
    *,
    data: str,
    parts: str,
    model: str,
) -> None:
    """Warn where only one of the data has names, as scikit-learn does for tables.

    Where there is but one column, nothing can be taken for another.
    """
    if max(len(fitted), len(names or ())) < 2:
        return
    if not numbered(fitted) and (names is None or numbered(names)):
        warn(
            f"The {parts} of {data} have no names, but {model} was fitted to "
            f"{list(fitted)}: they are taken in that order."
        )
    elif names is not None and not numbered(names):
        warn(
            f"The {parts} of {data} are called {list(names)}, but {model} was fitted to {parts} "
            f"without names: they are taken in the order of {data}."
        )
