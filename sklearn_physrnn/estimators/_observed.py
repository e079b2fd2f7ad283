"""scikit-learn's callbacks (from its version 1.9 on): a fit is a task, and an epoch one in it."""

import copy
from typing import Any

from torch import nn

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9: estimators have no set_callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing."""

    def with_callbacks(method):
        """Leave a method as it is."""
        return method


class FitTask:
    """One call of ``fit``, as the callbacks see it that ``set_callbacks`` was given.

    Parameters
    ----------
    estimator : estimator
    context : CallbackContext
        Of the fit.
    X, y, sample_weight
        As the user gave them.
    """

    def __init__(self, estimator: Any, context: Any, X: Any, y: Any, sample_weight: Any) -> None:
        self.stopped = False
        self._estimator, self._context = estimator, context
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}

    def begin(self) -> None:
        """Tell that training begins."""
        self._context.call_on_fit_task_begin(**self._data)

    def end(self) -> None:
        """Tell that the estimator is fitted."""
        self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=dict)

    def epoch_begins(self) -> None:
        """Tell that an epoch begins."""
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._data)

    def epoch_ends(self, module: nn.Module) -> None:
        """Tell that one has ended, with these weights; a callback may want training to stop."""

        def fitted_now() -> dict[str, Any]:
            prepared = self._estimator._prepared.settled()
            fitted = copy.deepcopy(module).cpu().eval()
            return {"module_": fitted, "_prepared": prepared, "kernels_": {}}

        self.stopped = bool(
            self._epoch.call_on_fit_task_end(**self._data, reconstruction_attributes=fitted_now)
        )


def fit_task(estimator: Any, max_epochs: int, X: Any, y: Any, sample_weight: Any) -> Any:
    """Give the task of a fit, or None where nobody watches it."""
    watched = hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")
    if not watched:
        return None
    context = estimator._init_callback_context(max_subtasks=max_epochs)
    return FitTask(estimator, context, X, y, sample_weight)
