"""All of fitting and predicting, for every estimator of the package.

What follows from a model family stands in its :class:`Family`, what is learned about the
data in the values of ``preparation``. A regressor or classifier adds what its targets are.
"""

import copy
import os
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Options, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..preparation.arrays import check_finite
from ..preparation.prepared import Prepared, Rows, check_groups, check_weights
from ..preparation.recordings import Recordings
from ..preparation.scaling import SCALINGS
from ..preparation.targets import Targets
from ..storage.atomic import write_atomically
from ..storage.format import pack
from ..training._data import Samples
from ..training._device import training_device
from ..training._processes import opened, together
from ..training._random import MAX_SEED, later_seed, seeded
from ..training._recorded import RecordedSamples
from ..training.parameters import DTYPES, TrainingParameters
from . import _carrying as carrying
from ._checkpointing import open_checkpoint, training_of
from ._examining import examine
from ._observed import CallbackSupportMixin, FitTask, fit_task, with_callbacks
from ._pickling import with_torch, without_torch
from ._running import outputs_of_arrays, outputs_of_recordings
from ._splitting import read_held_out, split_rows
from ._tags import Tagged
from ._writing import to_contents


class _Seeds(NamedTuple):
    """Of the split and of the training."""

    split: int
    training: int


class _BaseEstimator(TrainingParameters, CallbackSupportMixin, Tagged, ABC):
    """Validation, splitting, scaling, training and prediction."""

    # Parameters and attributes that the code here relies on; each estimator's __init__
    # lists its own.
    hidden_size: int
    early_stopping: bool
    validation_fraction: float
    scale_inputs: str | bool
    warm_start: bool
    checkpoint: str | os.PathLike | None
    n_features_in_: int
    _prepared: Prepared
    _built_with: dict[str, Any]  # the parameters that the module was built from

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TrainingParameters._parameter_constraints,
        "warm_start": ["boolean"],
        "scale_inputs": [
            StrOptions({kind for kind in SCALINGS if isinstance(kind, str)}),
            Options(bool, {False}),
        ],
        "checkpoint": [str, os.PathLike, None],
    }

    # -- what is learned about the data ----------------------------------------------

    @abstractmethod
    def _new_targets(self) -> Targets:
        """Say what y is, before it is seen."""

    def _new_prepared(self, targets: Targets | None = None) -> Prepared:
        """Say what X and y are, before they are seen."""
        return Prepared(self._family.inputs(self), targets or self._new_targets())

    def _module_parameters(self) -> dict[str, Any]:
        """Give the parameters that the module, and what it is given, follow from."""
        names = (*self._family.estimator_constraints, "scale_inputs")
        found = {name: getattr(self, name) for name in names if hasattr(self, name)}
        arrays = (np.generic, np.ndarray)
        return {k: v.tolist() if isinstance(v, arrays) else v for k, v in found.items()}

    def _make_module(self) -> nn.Module:
        """Build the untrained module; drawn under a seed."""
        known = self._prepared
        return self._family.module(self, known.inputs, known.targets.n_outputs)

    def _criterion(self) -> nn.Module:
        return self._family.criterion(self, self._prepared.targets.criterion())

    # -- fitting -------------------------------------------------------------------

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        groups=None,
    ):
        """Fit the model to training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or sequences
            Training inputs, as the class describes them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets: real numbers, of one or several targets, for a regressor; labels of
            any kind, one a sample, for a classifier, or a matrix of 0 and 1 that says which
            labels, one a column, each sample has. With readout "sequence" they are of
            every step, as the class describes it.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A sample of weight zero takes no part at all.
        X_val, y_val, sample_weight_val : like X, y and sample_weight, default=None
            Validation data, looked at after every epoch. With early stopping they take
            the place of a part of the training data; without it they are only
            recorded. Their loss estimates the training loss, so a classifier's class
            weights, as the training data have them, multiply `sample_weight_val`; in
            ``validation_scores_``, as in ``score``, only `sample_weight_val` counts.
        groups : array-like of shape (n_samples,), default=None
            Which samples belong together, such as those of one patient: early stopping holds
            out whole groups, about `validation_fraction` of them. Of no account where nothing
            is held out.

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
        task = fit_task(self, self.max_iter, X, y, sample_weight)
        with self._unchanged_on_error():
            resume = self.warm_start and hasattr(self, "module_")
            return self._fit(
                X, y, sample_weight, validation, groups=groups, resume=resume, task=task
            )

    def _fit(
        self,
        X,
        y,
        sample_weight=None,
        validation: tuple[Any, Any, Any] | None = None,
        *,
        groups: Any = None,
        resume: bool = False,
        max_iter: int | None = None,
        targets: Targets | None = None,
        task: FitTask | None = None,
    ):
        """Fit from scratch, or go on from the fitted weights where `resume` says so.

        With `max_iter` for so many epochs, as ``partial_fit`` does. `targets` are those that
        a first call knows of before it sees y. `task` is told of what happens.
        """
        deadline = self._deadline() if max_iter is None else None
        if max_iter is not None and (why := self._family.no_stream(self)) is not None:
            raise ValueError(why)
        # Where a fit begins, not where the package is imported: skorch takes its time.
        from ..training._engine import train

        device = training_device(self.device)
        seeds = _Seeds(*together(partial(training_of, self, device), self._seeds(resume)))
        carries = max_iter is not None and getattr(self, "carry_state", False)
        given, rows = self._read(X, y, sample_weight, targets, groups, resume=resume)
        carried = carrying.carried_by(self, rows, given) if carries else None
        held_out = None if validation is None else read_held_out(self, *validation)
        # The checkpoint is of all data, so before the split; scales are of what is trained on.
        checkpoint = None
        if self.checkpoint is not None and max_iter is None:
            checkpoint = opened(
                lambda: open_checkpoint(self, rows, held_out, seeds, device, resume=resume)
            )
            seeds = _Seeds(*checkpoint.seeds)
        early_stopping = self.early_stopping and max_iter is None
        if held_out is None and early_stopping:
            rows, held_out = self._hold_out(rows, seeds.split)
        self._learn(rows, resume=resume)
        samples = carrying.continued(self._samples(rows, known=True), self, rows, carried)
        module = self._module_to_train(seeds.training, resume=resume)
        if task is not None:
            task.begin()
        record = train(
            module,
            self._criterion(),
            samples,
            self._training_options(
                len(samples),
                device=device,
                seed=seeds.training,
                early_stopping=early_stopping,
                max_epochs=max_iter,
                earlier_losses=self.loss_curve_ if resume else (),
                deadline=deadline,
            ),
            validation=None if held_out is None else self._samples(held_out, known=False),
            scorer=None if held_out is None else self._scorer(held_out),
            optimizer_state=self._optimizer_state if resume else None,
            kernels=self.kernels_ if resume else None,
            carried=None if carried is None else carried.walk,
            checkpoint=checkpoint,
            observer=task,
        )
        self._split_seed, self._prepared = seeds.split, self._prepared.settled()
        self._keep(module, record, resume=resume)
        carrying.carry_on(self, rows, record, carries=carries)
        diverged = record.diverged_at is not None
        examine(self, samples, diverged=diverged, in_stream=max_iter is not None)
        if checkpoint is not None and not record.interrupted:
            checkpoint.remove()
        if task is not None:
            task.end()
        return self

    def _seeds(self, resume: bool) -> _Seeds:
        rng = check_random_state(self.random_state)
        split_seed, seed = (int(s) for s in rng.randint(MAX_SEED, size=2))
        if resume:
            # The rows that were held out stay so: training has seen all others. (Models of
            # earlier versions do not know which.)
            split_seed = getattr(self, "_split_seed", split_seed)
            seed = later_seed(seed, self.n_iter_)
        return _Seeds(split_seed, seed)

    def _read(self, X, y, sample_weight, targets: Targets | None, groups=None, *, resume: bool):
        """Check training data, and learn what later data must be like; tell how many there are."""
        if resume:
            prepared = self._still_prepared()
            rows = prepared.read(X, y, self)
        else:
            prepared, rows = self._new_prepared(targets).first(X, y, self)
            self._set_prepared(prepared)
        given, weights = len(rows), self._check_weights(sample_weight, rows)
        folds = prepared.inputs.folds(rows, prepared.targets)
        groups = check_groups(groups, rows)
        rows = Rows(rows.X, rows.y, weights, folds, groups).with_weight(weights)
        self._prepared = prepared.balanced(rows)
        return given, rows.with_weight(self._prepared.weigh(rows))

    def _set_prepared(self, prepared: Prepared) -> None:
        """Take over what is known of the data, and the attributes that say so."""
        self._prepared = prepared
        self._built_with = self._module_parameters()
        self.n_features_in_ = prepared.inputs.n_features
        if not prepared.inputs.named and hasattr(self, "feature_names_in_"):
            del self.feature_names_in_  # of an earlier fit, to a DataFrame

    def _still_prepared(self) -> Prepared:
        """Give what is known with the parameters of today, where training goes on.

        Raises
        ------
        ValueError
            If they ask for another module than the fitted one.
        """
        today = self._module_parameters()
        built = {name: self._built_with.get(name, now) for name, now in today.items()}
        changed = [n for n, now in today.items() if built[n] is not now and built[n] != now]
        if changed:
            now, back = (", ".join(f"{n}={of[n]!r}" for n in changed) for of in (today, built))
            raise ValueError(
                f"{now}: not what the fitted model, which warm_start or partial_fit continues, "
                f"was built with. Call set_params({back}), or fit anew with warm_start=False."
            )
        return self._prepared.with_options_of(self._new_targets())

    _check_weights = staticmethod(check_weights)

    def _hold_out(self, rows: Rows, seed: int) -> tuple[Rows, Rows]:
        """Set rows aside, and learn anew what classes weigh among the others."""
        training, held_out = split_rows(
            rows, self._prepared.targets, self.validation_fraction, seed
        )
        self._prepared = self._prepared.balanced(training)
        return training, held_out

    def _learn(self, rows: Rows, *, resume: bool) -> None:
        """Learn the scales of the rows that are trained on."""
        self._prepared = self._prepared.revised(rows) if resume else self._prepared.fit(rows)

    def _samples(self, rows: Rows, *, known: bool) -> Samples | RecordedSamples:
        return self._prepared.samples(rows, DTYPES[self.dtype], known=known)

    def _module_to_train(self, seed: int, *, resume: bool) -> nn.Module:
        if resume:
            # Trained on a copy: an error leaves the fitted weights as they were.
            return copy.deepcopy(self.module_).to(DTYPES[self.dtype])
        with seeded(seed):
            module = self._make_module()
        return module.to(DTYPES[self.dtype])

    def _scorer(self, rows: Rows):
        targets = self._prepared.targets

        def score(outputs: torch.Tensor) -> float:
            return targets.score_outputs(outputs.double().cpu().numpy(), rows.y, rows.weights)

        return score

    @available_if(lambda self: hasattr(self, "carry_state"))
    def reset_state(self):
        """Forget the state that `carry_state` keeps: the next call begins with other records.

        Returns
        -------
        self : object
        """
        self.__dict__.pop("carried_state_", None)
        return self

    # -- prediction ------------------------------------------------------------------

    def _outputs(self, X, module: nn.Module | None = None) -> np.ndarray:
        """Outputs of the module, or another, for checked X, in X's precision (or float64)."""
        if isinstance(X, Recordings):
            outputs = outputs_of_recordings(self, X, module=module)
        else:
            inputs = self._prepared.inputs
            blocks = inputs.blocks(X)
            pieces = [outputs_of_arrays(self, inputs.arrays(block), module) for block in blocks]
            outputs = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return check_finite(outputs, self._family.remedies)

    def _read_inputs(self, X):
        """Check X against what was fitted."""
        check_is_fitted(self)
        return self._prepared.inputs.read(X, self)

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
        write_atomically(path, pack(*to_contents(self)))

    def __getstate__(self) -> dict[str, Any]:
        return without_torch(self, dict(super().__getstate__()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        with_torch(self)
