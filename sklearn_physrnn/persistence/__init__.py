"""Fitted estimators as files that hold data and no code.

One file in the safetensors format: weights and other arrays as tensors, everything else as
JSON in its header. ``storage`` turns that into bytes and back. What is kept of a fitted
estimator of tables and sequences it says itself, in ``estimators``; what of forecasters,
``_forecasters``, of estimators of panels, ``_panels``, and of sktime's base classes, ``_sktime``.

Loading builds an estimator of a public class from known fields. Nothing in the file is
executed or imported, and no memory is taken for what the file only claims to hold.
"""

import os
from collections.abc import Iterator
from typing import Any

from .. import estimators
from .._version import __version__

__all__ = ["load", "save"]


# What a file that does not fit leads to, in pandas and torch too.
_MISFITS = (
    *(ValueError, TypeError, ArithmeticError, LookupError),
    *(AttributeError, NotImplementedError, RecursionError),
)


def _rooms() -> Iterator[tuple[Any, Any]]:
    """Give the rooms with public classes, each with the module that writes and reads them."""
    from . import _estimators

    yield estimators, _estimators
    # Here: who only imports the package, or has none of their classes, needs no sktime.
    from .. import classification, forecasting, regression
    from . import _forecasters, _panels

    yield forecasting, _forecasters
    yield classification, _panels
    yield regression, _panels


def _find(name: str) -> tuple[type[Any] | None, Any]:
    """Find a public class by its name, and the module that writes and reads it.

    A name that is in no room's ``__all__`` is neither looked up nor imported.
    """
    for room, kind in _rooms():
        if name in room.__all__:
            return getattr(room, name), kind
    return None, None


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to a file without pickle, for :func:`load`.

    Every estimator of this package can be saved so. ``estimator.save(path)`` is the same for
    those of scikit-learn's kind; forecasters and estimators of panels have a method ``save``
    of sktime's, whose files are pickles.

    Parameters
    ----------
    estimator : estimator of sklearn_physrnn
        Fitted, or a forecaster that is pretrained; see :func:`load` for what is kept.
    path : str or path-like
        The file. One that is there already is replaced, once the new one is complete.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the estimator holds objects that are not data, such as callbacks, a vector field
        of your own or a RandomState; or if parameters that the fitted module was built
        from were changed after fitting. Nothing is written then.
    OSError
        If the file cannot be written; one that was there is as before.
    """
    # Here, and below: who only imports the package needs none of this.
    from ..estimators._writing import refused
    from ..storage.atomic import write_atomically
    from ..storage.format import pack

    cls, kind = _find(type(estimator).__name__)
    if cls is not type(estimator):
        raise refused(type(estimator))
    write_atomically(path, pack(*kind.to_contents(estimator)))


def load(path: str | os.PathLike[str], device: str = "auto") -> Any:
    """Load an estimator that was written by :func:`save`, or by its own method of that name.

    The file may come from a stranger: nothing in it is executed, only known classes and
    fields are accepted, and what it claims about sizes is checked before memory is taken.
    What a stranger's model predicts, and how long that takes, is another question.

    Parameters
    ----------
    path : str or path-like
        The file.
    device : str, default="auto"
        What becomes the estimator's `device`. "auto" keeps the one it was saved with, if
        this machine has it.

    Returns
    -------
    estimator : object
        An estimator of the class that was saved, with its parameters and fitted attributes.
        Predictions are those of the saved one to the last bit, on the same machine;
        training can go on with `warm_start`, `partial_fit` or a forecaster's `update` as if
        there had been no file, for the optimizer's state is kept too. Of a forecaster there
        is what `fit`, `update` and `pretrain` left, of all series of a panel; sktime's
        configuration (``set_config``) is that of the process.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, damaged, of a newer version, or otherwise not as `save`
        writes it; or if this machine does not have `device`.

    Notes
    -----
    A hash guards the file against accidents. It is no signature: whoever can change the
    file can change the hash.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sklearn_physrnn
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = sklearn_physrnn.DynPMNNClassifier(max_iter=2, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(Path(folder) / "iris.safetensors")
    ...     loaded = sklearn_physrnn.load(Path(folder) / "iris.safetensors")
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    from ..storage.format import read_arrays, read_header
    from ..training._device import training_device

    if device != "auto":
        training_device(device)  # refuses one that is not here
    writer = None
    with open(path, "rb") as file:
        try:
            header = read_header(file)
            writer = header.writer
            cls, kind = _class_of(header.model)
            estimator = kind.from_contents(
                cls, header.model, header.specs, lambda: read_arrays(file, header)
            )
        except _MISFITS as error:
            hint = ""
            if writer not in (None, __version__):
                hint = f" It was saved by version {writer:.50} of sklearn_physrnn."
            raise ValueError(f"{os.fspath(path)} cannot be loaded: {error}{hint}") from error
    if device != "auto":
        kind.place(estimator, device)
        return estimator
    try:
        training_device(estimator.device)
    except ValueError:
        kind.place(estimator, "auto")
    return estimator


def _class_of(model: dict[str, Any]) -> tuple[type[Any], Any]:
    """Give the class that a file's JSON object names, and the module that reads it."""
    from ..storage.plain import Fields

    name = Fields(model, "contents").take("class", str)
    cls, kind = _find(name)
    if cls is None:
        known = ", ".join(name for room, _ in _rooms() for name in room.__all__)
        raise ValueError(
            f"its class {name!r:.100} is not one of {known}, as this version knows them."
        )
    return cls, kind
