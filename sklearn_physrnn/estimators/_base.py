"""All of fitting and predicting, for every estimator of the package.

A model family adds what its inputs are (``_validate_inputs``, ``_module_inputs``) and
which module it trains (``_make_module``); a regressor or classifier adds its targets
(``_encode_targets`` and ``predict``). Everything else is here.
"""

import copy
import os
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from torch import nn

from ..families import Family
from ..training._data import Samples, run_module, steps_per_sample
from ..training._device import inference_device, training_device
from ..training._inference import BATCH_VALUES, module_outputs
from ..training._random import later_seed, seeded
from ..training._threads import sensible_threads
from ._arrays import check_finite, naming, real_numbers
from ._checkpointing import open_checkpoint
from ._training import DTYPES, _TrainingMixin

_MAX_SEED = np.iinfo(np.int32).max


class _BaseEstimator(_TrainingMixin, BaseEstimator, ABC):
    """Validation, splitting, scaling, training and prediction."""

    # Parameters and attributes that the code here relies on; each estimator's __init__
    # lists its own.
    _family: ClassVar[Family]
    hidden_size: int
    early_stopping: bool
    validation_fraction: float
    scale_inputs: str | bool
    warm_start: bool
    checkpoint: str | os.PathLike | None
    n_features_in_: int
    _n_outputs: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_TrainingMixin._parameter_constraints,
        "warm_start": ["boolean"],
        "scale_inputs": [StrOptions({"standard", "quantile"}), Options(bool, {False})],
        "checkpoint": [str, os.PathLike, None],
    }

    # The page that the HTML representation links to.
    _doc_link_module = "sklearn_physrnn"
    _doc_link_template = (
        "https://sklearn-physrnn.readthedocs.io/en/latest/api/generated/"
        "sklearn_physrnn.{estimator_name}.html"
    )

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"estimator_name": type(self).__name__}

    # -- what a model family adds ------------------------------------------------

    @abstractmethod
    def _validate_inputs(self, X, *, reset: bool):
        """Check X and return it as the other methods take it."""

    @abstractmethod
    def _validate_inputs_and_targets(self, X, y, *, reset: bool):
        """Check X and y together and return both."""

    @abstractmethod
    def _fit_inputs(self, X, weights: np.ndarray | None) -> Any:
        """Learn how to turn validated X into the module's inputs, from training rows."""

    @abstractmethod
    def _module_inputs(self, X, preparation: Any) -> dict[str, np.ndarray]:
        """Turn validated X into the module's keyword arguments."""

    @abstractmethod
    def _make_module(self, n_outputs: int) -> nn.Module:
        """Build the untrained module; drawn under a seed."""

    def _adapt_criterion(self, criterion: nn.Module) -> nn.Module:
        """Fit the loss to modules whose outputs have an axis more."""
        return criterion

    def _examine(self, module: nn.Module, inputs: dict[str, torch.Tensor]) -> None:
        """Look at the trained module on a few training inputs: warn, set attributes."""
        for name, value in self._family.examine(module, inputs).items():
            setattr(self, name, value)

    @property
    def _remedies(self) -> str:
        return self._family.remedies

    # -- what a regressor or classifier adds ---------------------------------------

    @abstractmethod
    def _encode_targets(self, y: np.ndarray, *, reset: bool) -> np.ndarray:
        """Check y and turn it into what `_fit_targets` takes; learn classes on reset."""

    @abstractmethod
    def _fit_targets(self, y: np.ndarray, weights: np.ndarray | None) -> None:
        """Learn the scale of encoded targets from training rows."""

    def _revise_targets(self, y: np.ndarray, weights: np.ndarray | None) -> None:
        """Take in further targets, where training goes on."""

    @abstractmethod
    def _target_tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Turn encoded targets into what the loss takes."""

    @abstractmethod
    def _criterion(self) -> nn.Module:
        """Build the loss, one value a sample."""

    @abstractmethod
    def _n_module_outputs(self) -> int:
        """Count the module's outputs, after `_encode_targets`."""

    @abstractmethod
    def _score_outputs(self, outputs: np.ndarray, y: np.ndarray, weights) -> float:
        """Score module outputs as ``score`` would score the predictions."""

    def _class_weights(self, y: np.ndarray) -> np.ndarray | None:
        """Weights that follow from encoded targets, one a class."""
        return None

    def _stratify_by(self, y: np.ndarray) -> np.ndarray | None:
        """Give what a validation split keeps in proportion."""
        return None

    # -- fitting -------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the model to training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or sequences
            Training inputs, as the class describes them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets: real numbers, of one or several targets, for a regressor; labels of
            any kind, one a sample, for a classifier.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A sample of weight zero takes no part at all.
        X_val, y_val, sample_weight_val : like X, y and sample_weight, default=None
            Validation data, looked at after every epoch. With early stopping they take
            the place of a part of the training data; without it they are only
            recorded. Their loss estimates the training loss, so a classifier's class
            weights, as the training data have them, multiply `sample_weight_val`; in
            ``validation_scores_``, as in ``score``, only `sample_weight_val` counts.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y or the weights are not as described. The estimator is
            then as it was before.

        Warns
        -----
        ConvergenceWarning
            If the loss turned non-finite: the last good weights are kept. If training was
            interrupted (Ctrl-C): the best so far, or without validation data the last.
        """
        validation = None
        if X_val is not None or y_val is not None:
            validation = X_val, y_val, sample_weight_val
        elif sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val, got neither.")
        with self._unchanged_on_error():
            resume = self.warm_start and hasattr(self, "module_")
            return self._fit(X, y, sample_weight, validation, resume=resume)

    def _fit(
        self,
        X,
        y,
        sample_weight=None,
        validation: tuple[Any, Any, Any] | None = None,
        *,
        resume: bool = False,
        max_iter: int | None = None,
        targets_known: bool = False,
    ):
        """Fit from scratch, or go on from the fitted weights where `resume` says so."""
        # Where a fit begins, not where the package is imported: skorch takes its time.
        from ..training._engine import train

        rng = check_random_state(self.random_state)
        split_seed, seed = (int(s) for s in rng.randint(_MAX_SEED, size=2))
        if resume:
            # The rows that were held out stay so: training has seen all others. (Models of
            # earlier versions do not know which.)
            split_seed = getattr(self, "_split_seed", split_seed)
            seed = later_seed(seed, self.n_iter_)
        device = training_device(self.device)
        dtype = DTYPES[self.dtype]

        X, y = self._validate_inputs_and_targets(X, y, reset=not resume)
        weights = self._check_weights(sample_weight, X)
        y = self._encode_targets(y, reset=not (resume or targets_known))
        X, y, weights = self._drop_weightless(X, y, weights)
        class_weights = self._class_weights(y)

        def total(y, weights) -> np.ndarray | None:
            """Weights in training and in the validation loss, but not in scores."""
            if class_weights is None:
                return weights
            return class_weights[y] if weights is None else weights * class_weights[y]

        X, y, weights = self._drop_weightless(X, y, weights, total(y, weights))

        one_pass = max_iter is not None
        early_stopping = self.early_stopping and not one_pass
        held_out = None if validation is None else self._validate_held_out(*validation)
        if held_out is not None and (w := total(*held_out[1:])) is not None and not w.any():
            raise ValueError("X_val, y_val: class_weight is zero for every class among them.")
        checkpoint = None
        if self.checkpoint is not None and not one_pass:
            data = (X, y, weights), held_out
            checkpoint = open_checkpoint(self, data, (split_seed, seed), device, resume=resume)
            split_seed, seed = checkpoint.seeds
        self._split_seed = split_seed
        if held_out is None and early_stopping:
            train_rows, valid_rows = self._split(y, split_seed)
            held_out = tuple(None if a is None else a[valid_rows] for a in (X, y, weights))
            X, y = X[train_rows], y[train_rows]
            weights = None if weights is None else weights[train_rows]
            class_weights = self._class_weights(y)

        if resume:
            self._revise_targets(y, weights)
        else:
            self._preparation = self._fit_inputs(X, total(y, weights))
            self._fit_targets(y, weights)

        def samples(X, y, weights) -> Samples:
            inputs = {
                name: torch.as_tensor(np.ascontiguousarray(x)).to(dtype)
                if np.issubdtype(np.asarray(x).dtype, np.floating)
                else torch.as_tensor(x)
                for name, x in self._module_inputs(X, self._preparation).items()
            }
            weights = total(y, weights)
            w = None if weights is None else torch.as_tensor(weights / weights.mean()).to(dtype)
            return Samples(inputs, self._target_tensor(y, dtype), w)

        training_samples = samples(X, y, weights)
        if resume:
            if self._n_module_outputs() != self._n_outputs:
                raise ValueError(
                    f"loss, quantile and classes now ask for {self._n_module_outputs()} outputs; "
                    f"the fitted model, which warm_start or partial_fit continues, has "
                    f"{self._n_outputs}."
                )
            # Trained on a copy: an error leaves the fitted weights as they were.
            module = copy.deepcopy(self.module_)
        else:
            self._n_outputs = self._n_module_outputs()
            with seeded(seed):
                module = self._make_module(self._n_outputs)
        module.to(dtype)

        def scorer(outputs: torch.Tensor) -> float:
            assert held_out is not None
            return self._score_outputs(outputs.double().cpu().numpy(), held_out[1], held_out[2])

        record = train(
            module,
            self._adapt_criterion(self._criterion()),
            training_samples,
            self._training_options(
                len(training_samples),
                device=device,
                seed=seed,
                early_stopping=early_stopping,
                max_epochs=max_iter,
                earlier_losses=self.loss_curve_ if resume else (),
            ),
            validation=None if held_out is None else samples(*held_out),
            scorer=scorer,
            optimizer_state=self._optimizer_state if resume else None,
            checkpoint=checkpoint,
        )
        self._keep(module, record, resume=resume)
        few, _ = training_samples.take(slice(_N_EXAMINED))
        with sensible_threads(0):
            if record.diverged_at is not None:  # the weights kept may be no good either
                with torch.no_grad():
                    check_finite(run_module(module, few).numpy(), self._remedies)
            self._examine(module, few)
        if checkpoint is not None and not record.interrupted:
            checkpoint.remove()
        return self

    def _check_weights(self, sample_weight, X) -> np.ndarray | None:
        if sample_weight is None:
            return None
        with naming("sample_weight"):
            weights = _check_sample_weight(
                real_numbers(sample_weight, "sample_weight"),
                np.empty((len(X), 0)),
                dtype=np.float64,
                ensure_non_negative=True,
            )
        if not (weights > 0).any():
            raise ValueError("sample_weight: at least one weight must be positive, all are zero.")
        return weights / weights.max()  # so that no sum of them overflows

    @staticmethod
    def _drop_weightless(X, y, weights, total=None):
        """Leave out rows of no (total) weight: from scaling, class balance, normalisation."""
        total = weights if total is None else total
        if total is None or (total > 0).all():
            return X, y, weights
        kept = np.flatnonzero(total > 0)
        return X[kept], y[kept], None if weights is None else weights[kept]

    def _validate_held_out(self, X, y, sample_weight):
        if X is None or y is None:
            raise ValueError("X_val and y_val must be given together, got only one of them.")
        try:
            X, y = self._validate_inputs_and_targets(X, y, reset=False)
            y = self._encode_targets(y, reset=False)
        except (TypeError, ValueError) as error:
            kind = ValueError if isinstance(error, ValueError) else TypeError
            raise kind(f"X_val, y_val: {error}") from error
        try:
            weights = self._check_weights(sample_weight, X)
        except (TypeError, ValueError) as error:
            raise ValueError(f"sample_weight_val: {error}") from error
        return X, y, weights

    def _split(self, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Hold out rows, stratified where the classes are large enough for it."""
        rows = np.arange(len(y))
        n_held_out = round(self.validation_fraction * len(y))
        if not 0 < n_held_out < len(y):
            raise ValueError(
                f"early_stopping with validation_fraction={self.validation_fraction} leaves "
                f"{len(y) - n_held_out} of {len(y)} samples for training and {n_held_out} for "
                "validation; both need at least one."
            )
        strata = self._stratify_by(y)
        if strata is not None:
            counts = np.unique(strata, return_counts=True)[1]
            if counts.min() < 2 or len(counts) > min(n_held_out, len(y) - n_held_out):
                strata = None
        return train_test_split(rows, test_size=n_held_out, stratify=strata, random_state=seed)

    # -- prediction ------------------------------------------------------------------

    def _outputs(self, X) -> np.ndarray:
        """Module outputs for unchecked X, in X's precision (float64 unless float32)."""
        check_is_fitted(self)
        return self._run(self._validate_inputs(X, reset=False))

    def _run(self, X) -> np.ndarray:
        inputs = self._module_inputs(X, self._preparation)
        positions = len(inputs["x"]) * steps_per_sample(inputs["x"])
        return module_outputs(
            self.module_,
            inputs,
            dtype=torch.float64 if inputs["x"].dtype == np.float64 else torch.float32,
            device=inference_device(self.device, self.module_, positions),
            batch_size=self._prediction_batch_size(inputs),
        )

    def _prediction_batch_size(self, inputs: dict[str, np.ndarray]) -> int:
        """Samples at a time, by what a layer holds of each."""
        values = steps_per_sample(inputs["x"]) * int(self.hidden_size) * 16
        return max(1, BATCH_VALUES // max(1, values))

    # -- keeping ---------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a file without pickle, for ``sklearn_physrnn.load``.

        Parameters
        ----------
        path : str or path-like
            The file. One that is there already is replaced, once the new one is complete.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it holds objects that are not data, such as callbacks, a vector field of your
            own or a RandomState; or if parameters that the fitted module was built from
            were changed after fitting. Nothing is written then.

        Notes
        -----
        `checkpoint` is not kept: where to write is the matter of a machine.
        """
        from ..persistence import save

        save(self, path)

    def __getstate__(self) -> dict[str, Any]:
        from ..persistence._pickling import without_torch

        return without_torch(self, dict(super().__getstate__()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        from ..persistence._pickling import with_torch

        super().__setstate__(state)
        with_torch(self)


_N_EXAMINED = 32
