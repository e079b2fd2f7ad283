"""Long series in several channels."""

import os

import pandas as pd

from ._files import find

_SOURCES = {
    "ETT": "part of ETDataset (https://github.com/zhouhaoyi/ETDataset)",
    "exchange_rate": "part of https://github.com/laiguokun/multivariate-time-series-data",
}


def load_multivariate_series(
    name: str, *, data_home: str | os.PathLike | None = None
) -> pd.DataFrame:
    """Load a csv of several series whose first column is the date.

    Parameters
    ----------
    name : str
        ``<name>.csv`` or ``<name>.csv.gz`` is read from the data home: "ETTh1", "ETTm1",
        "exchange_rate" or any other in their layout.
    data_home : path-like or None, default=None
        See :func:`get_data_home`.

    Returns
    -------
    DataFrame of shape (n_times, n_channels)
        With a DatetimeIndex, whose frequency is set where it is regular.

    Raises
    ------
    FileNotFoundError
        If neither file is there; the message says where it comes from.
    """
    source = next((s for prefix, s in _SOURCES.items() if name.startswith(prefix)), None)
    source = source or "a csv with the date as its first column"
    try:
        path = find(f"{name}.csv", source, data_home)
    except FileNotFoundError as missing:
        try:
            path = find(f"{name}.csv.gz", source, data_home)
        except FileNotFoundError:
            raise missing from None
    frame = pd.read_csv(path, index_col=0, parse_dates=True)
    if (frequency := pd.infer_freq(frame.index)) is not None:
        frame = frame.asfreq(frequency)
    return frame
