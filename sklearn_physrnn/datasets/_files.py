"""Where data files that nobody ships are looked for."""

import os
from pathlib import Path

_VARIABLE = "SKLEARN_PHYSRNN_DATA"


def get_data_home(data_home: str | os.PathLike | None = None) -> Path:
    """Give the folder that holds data files.

    Parameters
    ----------
    data_home : path-like or None, default=None
        The folder. If None, the environment variable ``SKLEARN_PHYSRNN_DATA``, or
        ``~/sklearn_physrnn_data``.

    Returns
    -------
    pathlib.Path
        Not created, and not required to exist.
    """
    if data_home is not None:
        return Path(data_home).expanduser()
    return Path(os.environ.get(_VARIABLE, "~/sklearn_physrnn_data")).expanduser()


def find(name: str, source: str, data_home: str | os.PathLike | None) -> Path:
    """Find a file in the data home or a folder in it.

    Raises
    ------
    FileNotFoundError
        Naming the file, where it was looked for, and where it comes from.
    """
    home = get_data_home(data_home)
    places = [home / name, *sorted(home.glob(f"*/{name}"))]
    for path in places:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{name} is neither in {home} nor in a folder in it. It is {source}. Name the folder "
        f"that holds it by data_home= or the environment variable {_VARIABLE}."
    )
