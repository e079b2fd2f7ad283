"""What is known of the steps of a history and of those after it, in one table."""

import numpy as np
import pandas as pd

from ._features import Features
from ._history import History, exogenous_at


def table_of(
    features: Features, history: History, ahead: pd.Index, exogenous: np.ndarray | None = None
) -> np.ndarray | None:
    """Give the features of a history and of the times `ahead`."""
    known = history.exogenous
    if known is not None:
        if exogenous is not None:
            known = np.concatenate((known, exogenous))
        missing = len(history) + len(ahead) - len(known)
        known = np.concatenate((known, np.repeat(known[-1:], missing, axis=0)))
    return features.of(history.index.append(ahead), known)


def exogenous_ahead(
    features: Features, ahead: pd.Index, X: pd.DataFrame | None, n_steps: int, known: History
) -> np.ndarray | None:
    """Take X at the steps asked for, and as far as it goes at those forecast with them.

    Of the columns that are not asked for, the last known value stands.
    """
    last = known.exogenous
    if features.columns is None or last is None:
        return exogenous_at(ahead[:n_steps], X, None)
    places = list(features.ahead)
    if not places:
        return np.repeat(last[-1:], len(ahead), axis=0)
    columns = [features.columns[place] for place in places]
    exogenous = exogenous_at(ahead[:n_steps], X, columns)
    assert exogenous is not None
    assert X is not None
    further = X[columns].reindex(ahead[n_steps:]).to_numpy(dtype=np.float64)
    there = np.isfinite(further).all(axis=1).cumprod().astype(bool)
    given = np.concatenate((exogenous, further[there]))
    full = np.repeat(last[-1:], len(given), axis=0)
    full[:, places] = given
    return full
