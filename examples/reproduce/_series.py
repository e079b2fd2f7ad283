"""Where the published protocol of long-horizon forecasting divides a series."""

import sys

import numpy as np
import pandas as pd

DAYS = (360, 120, 120)  # ETT: training, validation, test
SHARES = (0.7, 0.1, 0.2)  # all other series


def ends_of(name, table):
    """Give the ends of the training, validation and test rows.

    Parameters
    ----------
    name : str
        Of the csv file.
    table : DataFrame
        With a DatetimeIndex.
    """
    if not name.startswith("ETT"):
        n_train, n_test = int(SHARES[0] * len(table)), int(SHARES[2] * len(table))
        return [n_train, len(table) - n_test, len(table)]
    per_day = pd.Timedelta(days=1) // table.index.to_series().diff().median()
    ends = [int(end) for end in np.cumsum(DAYS) * per_day]
    if len(table) < ends[-1]:
        sys.exit(f"The data have {len(table)} rows; {ends[-1]} are needed, {sum(DAYS)} days.")
    return ends
