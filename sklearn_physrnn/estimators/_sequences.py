"""What estimators of sequences have besides: features, and streams."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..nn._features import without_head
from ..preparation.step_targets import StepAnswer
from ..storage.checkpoint import digest
from ..streaming import Stream
from ..training.parameters import DTYPES


class ReadsSequences(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Estimators whose networks walk through time."""

    def transform(self, X):
        """Give what the network makes of sequences: what its head sees.

        Features for other estimators, in a pipeline for example: the readout's mean, maximum
        or last state; with readout "sequence" the state after the last step.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        features : ndarray of shape (n_samples, hidden_size)
            float32 where X is, else float64.
        """
        estimator: Any = self
        X = estimator._read_inputs(X)
        return estimator._outputs(X, without_head(estimator.module_))

    @property
    def _n_features_out(self) -> int:
        estimator: Any = self
        return int(estimator.module_.width)

    def stream(self, n_streams: int = 1, *, dtype: str = "float64") -> Stream:
        """Let the fitted model live in its data: step in, answer out, in constant time.

        Parameters
        ----------
        n_streams : int, default=1
            Streams that run side by side.
        dtype : {"float64", "float32"}, default="float64"
            Of the computation, as the type of X is that of a prediction.

        Returns
        -------
        stream : Stream
            At the beginning; see :class:`sklearn_physrnn.streaming.Stream`. Fitting the
            estimator anew does not change it.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the model cannot be streamed, since it needs a sequence as a whole.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_physrnn import HSSMRegressor
        >>> X = np.random.default_rng(0).normal(size=(40, 30, 2))
        >>> model = HSSMRegressor(8, 8, max_iter=5, random_state=0).fit(X, X[:, :, 0].sum(axis=1))
        >>> stream = model.stream(n_streams=3)
        >>> for step in X[:3].swapaxes(0, 1):
        ...     y = stream.push(step)
        >>> bool(np.allclose(y, model.predict(X[:3])))
        True
        """
        check_is_fitted(self)
        whole = isinstance(n_streams, int | np.integer) and not isinstance(n_streams, bool)
        if not whole or n_streams < 1:
            raise ValueError(f"n_streams must be an integer of at least 1, got {n_streams!r}.")
        if dtype not in ("float64", "float32"):
            raise ValueError(f"dtype must be 'float64' or 'float32', got {dtype!r}.")
        estimator: Any = self
        network = copy.deepcopy(estimator.module_).to(DTYPES[dtype]).eval()
        with torch.no_grad():
            step = network.as_step()
        known = estimator._prepared
        _, scales = known.inputs.to_state()
        weights = estimator.module_.state_dict()
        return Stream(
            step,
            known.inputs,
            estimator._answers(),
            digest([type(self).__name__, *weights, *weights.values(), *scales.values()]),
            names=getattr(self, "feature_names_in_", None),
            n_streams=int(n_streams),
            dtype=dtype,
            remedies=estimator._family.remedies,
        )

    def _answers(self) -> dict[str, StepAnswer]:
        """Say what methods of the estimator make of the network's outputs."""
        estimator: Any = self
        targets: Any = estimator._prepared.targets
        if hasattr(targets, "answer"):  # of every step
            answers = {"predict": targets.answer()}
            if hasattr(targets, "answer_of_probabilities"):
                answers["predict_proba"] = targets.answer_of_probabilities()
            return answers
        answers = {"predict": _whole(targets.decode)}
        if hasattr(targets, "probabilities"):
            answers["predict_proba"] = _whole(targets.probabilities)
        return answers


def _whole(decode: Callable[[np.ndarray], np.ndarray]) -> StepAnswer:
    return StepAnswer(decode, (), True, np.nan)
