"""What every estimator that trains a module has in common, whichever library's it is.

The parameters of training with their constraints, the engine's options that follow from
them, and the attributes and warnings that a finished training leaves.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from .._warnings import warn
from ._device import cpu_by_default
from ._hints import hinting
from ._losses import ROBUST_LOSSES
from ._schedules import SCHEDULES
from ._threads import one_thread_in_a_fork

# Samples that count as an epoch of weight decay where training is by pieces of a stream. More
# lets a small table that is passed over again and again be learned by heart (diabetes, 60
# calls: R2 0.43, with 2,048 0.23), fewer keep a stream of new samples from being learned.
_STREAM = 1024

_STEPS = 8  # an epoch, of most tables

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}


def samples_a_step(batch_size: int | str, n_samples: int) -> int:
    """Say what the parameter `batch_size` means for so many samples."""
    if batch_size == "auto":
        # Eight steps an epoch, or more of at most 256 samples, or fewer of at least 16.
        return min(256, max(16, -(-n_samples // _STEPS)))
    return int(batch_size)


@contextmanager
def ready_to_train() -> Iterator[None]:
    """Have gradients, and new tensors on the CPU, whatever the caller has set in torch.

    Raises
    ------
    RuntimeError
        Under ``python -OO``, where skorch cannot be imported.
    """
    _check_skorch()
    with cpu_by_default(), torch.inference_mode(False), torch.enable_grad():
        yield


def _check_skorch() -> None:
    if sys.flags.optimize < 2:
        return
    try:
        import skorch  # noqa: F401
    except AttributeError as error:
        raise RuntimeError(
            "Training does not work under python -OO: skorch, which it builds on, cannot be "
            "imported without docstrings. Fit under python -O, or without; what was saved then "
            "can be loaded, and predicts, under -OO."
        ) from error


class TrainingParameters:
    """Parameters that say how to train, and the attributes that tell how it went."""

    optimizer: str
    learning_rate_init: float
    learning_rate: str
    alpha: float | str
    batch_size: int | str
    max_iter: int
    max_time: float | None
    max_grad_norm: float | None
    n_iter_no_change: int
    tol: float
    dtype: str
    device: str
    callbacks: Sequence[Any] | None
    random_state: Any
    verbose: int | bool
    module_: nn.Module
    loss_curve_: list[float]
    learning_rate_curve_: list[float]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "optimizer": [StrOptions({"adamw", "adam", "sgd"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "dtype": [StrOptions(set(DTYPES))],
        "device": [str],
        "callbacks": [list, tuple, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        """Fit in here: with gradients, wherever it is called, and all or nothing."""
        before = dict(self.__dict__)
        try:
            with one_thread_in_a_fork(), ready_to_train():
                yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _validate_params(self) -> None:
        with hinting(vars(self)):
            super()._validate_params()  # type: ignore[misc]

    def _deadline(self, share: float = 1.0) -> float | None:
        """Give the time, by ``time.monotonic``, when `share` of `max_time` from now is over."""
        return None if self.max_time is None else time.monotonic() + share * float(self.max_time)

    def _decay(self, n_samples: int, *, stream: bool) -> tuple[float, float]:
        """Give the weight decay of an epoch, and what is added with all of the loss left."""
        epochs = n_samples / _STREAM if stream else 1.0
        if self.alpha != "auto":
            return float(self.alpha) * epochs, 0.0
        fixed, by_noise = self._auto_decay(0 if stream else n_samples)
        # Chosen with eight steps an epoch: fewer shall not each take so much the more.
        epochs = min(epochs, -(-n_samples // samples_a_step(self.batch_size, n_samples)) / _STEPS)
        return fixed * epochs, by_noise * epochs

    def _auto_decay(self, n_samples: int) -> tuple[float, float]:
        if getattr(self, "loss", None) in ROBUST_LOSSES:
            # What a few wild targets leave of the loss is no measure of noise.
            return 8.0, 0.0
        # By cross-validation on many tables (docs/defaults.md). What noise asks for fades as
        # samples outweigh the prior; and of more steps an epoch, each shrinks the weights.
        return min(max(2.0, n_samples / 1024), 8.0), 60.0 * min(1.0, 512 / max(n_samples, 1))

    def _training_options(
        self,
        n_samples: int,
        *,
        device: torch.device,
        seed: int,
        early_stopping: bool,
        max_epochs: int | None = None,
        earlier_losses: Sequence[float] = (),
        deadline: float | None = None,
    ):
        """Give the engine's options.

        With `max_epochs`, for that many epochs at a constant learning rate, whatever the
        estimator's own say; they are of a stream, in which weights decay by the sample.
        """
        # Where a fit begins, not where the package is imported: skorch takes its time.
        from ._engine import TrainingOptions

        fixed, by_noise = self._decay(n_samples, stream=max_epochs is not None)
        return TrainingOptions(
            max_epochs=max_epochs or self.max_iter,
            batch_size=samples_a_step(self.batch_size, n_samples),
            learning_rate=float(self.learning_rate_init),
            device=device,
            seed=seed,
            optimizer=self.optimizer,
            schedule="constant" if max_epochs is not None else self.learning_rate,
            weight_decay=fixed,
            noise_decay=by_noise,
            earlier_losses=earlier_losses,
            deadline=deadline,
            max_grad_norm=None if self.max_grad_norm is None else float(self.max_grad_norm),
            patience=self.n_iter_no_change if early_stopping else None,
            tol=float(self.tol),
            amp_dtype=torch.bfloat16 if self.dtype == "bfloat16" else None,
            callbacks=self.callbacks or (),
            verbose=int(self.verbose),
            chunk_size=getattr(self, "chunk_size", None),  # of estimators of sequences
            undo=getattr(self, "way_back", "kept") == "undone",
            carries=max_epochs is not None and getattr(self, "carry_state", False),
            cpu_if_small=self.device == "auto",
        )

    def _keep(self, module: nn.Module, record, *, resume: bool) -> None:
        """Take over a training's result, and warn where it did not end well."""
        if record.diverged_at is not None:
            warn(
                f"The loss was no longer finite after epoch {record.diverged_at}; training "
                "stopped and kept the last good weights. Try a smaller learning_rate_init "
                f"(now {self.learning_rate_init}) or max_grad_norm (now {self.max_grad_norm}), "
                "or inputs and targets without extreme values.",
                ConvergenceWarning,
            )
        if record.interrupted:
            best = "best weights so far" if record.validation_loss_curve else "weights it had"
            resumable = getattr(self, "checkpoint", None) is not None
            warn(
                f"Training was interrupted in epoch {len(record.loss_curve) + 1}; the model "
                f"keeps the {best}." + (" Fit it again to go on." if resumable else ""),
                ConvergenceWarning,
            )
        self.module_ = module
        self._optimizer_state = record.optimizer_state
        self.kernels_ = dict(record.kernels or {})
        earlier = self.loss_curve_ if resume else []
        self.loss_curve_ = earlier + record.loss_curve
        self.n_iter_ = len(self.loss_curve_)
        earlier = self.learning_rate_curve_ if resume else []
        self.learning_rate_curve_ = earlier + record.learning_rate_curve
        for name, curve in (
            ("validation_loss_curve_", record.validation_loss_curve),
            ("validation_scores_", record.validation_scores),
        ):
            earlier = (getattr(self, name) or []) if resume else []
            setattr(self, name, None if curve is None else earlier + curve)
        self.best_loss_ = record.best_loss
        if record.return_error is not None:
            self.return_error_ = np.array(record.return_error)
        elif hasattr(self, "return_error_"):
            del self.return_error_  # of an earlier fit
