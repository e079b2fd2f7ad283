"""``train``: a module and samples in, trained weights and their history out."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from ..kernels._ways import Ways, checked
from ..nn._dropout import Dropout
from ..storage.checkpoint import Checkpoint
from ..storage.stages import Stage
from ..storage.state import Json, State
from ._callbacks import (
    ClipGradients,
    DecayWeights,
    KeepWeights,
    Schedule,
)
from ._capture import Repeated
from ._carried import Carried, check_carries
from ._data import Batches
from ._device import has_room, with_index, worth_training_there
from ._graphs import recorder_for
from ._groups import decayed_and_others
from ._guests import invited, prints, silent, wants_batches
from ._launched import ALONE
from ._net import Net
from ._observed import Observed, Observer, StopIfAsked
from ._pieces import piece_size
from ._processes import compare, joined, whole_on_each
from ._progress import Progress
from ._random import preserved_global_state
from ._saving import SaveTraining
from ._schedules import SCHEDULES
from ._threads import sensible_threads, work_per_batch
from ._time_limit import TimeLimit

# Torch's first optimizer imports sympy, which adds a warnings filter: the caller's stay.
with warnings.catch_warnings():
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)

# The fused forms take one call for all parameters instead of one for each.
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": partial(torch.optim.AdamW, fused=True),
    "adam": partial(torch.optim.Adam, fused=True),
    "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True, fused=True),
}


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; the meaning of each field is in the estimators' docstrings."""

    max_epochs: int
    batch_size: int
    learning_rate: float
    device: torch.device
    seed: int
    optimizer: str = "adamw"
    schedule: str = "constant"
    weight_decay: float = 0.0  # an epoch, in units of the learning rate
    noise_decay: float = 0.0  # added to it, times the share of the first loss that is left
    earlier_losses: Sequence[float] = ()  # of the epochs that this training goes on from
    max_grad_norm: float | None = None
    patience: int | None = None
    tol: float = 0.0
    amp_dtype: torch.dtype | None = None
    callbacks: Sequence[Any] = ()
    verbose: int = 0
    chunk_size: int | str | None = None
    undo: bool = False  # time, to find the states before pieces, instead of keeping them
    cpu_if_small: bool = False  # whatever the device, where a GPU has nothing to gain
    deadline: float | None = None  # by time.monotonic, when all shall be trained
    refits: bool = False  # a last training has no validation data, whatever this one has
    carries: bool = False  # keep what a step leaves, and begin in it; all samples in one batch


_CURVES = ("loss_curve", "validation_loss_curve", "validation_scores", "learning_rate_curve")


@dataclass(frozen=True)
class TrainingRecord:
    """What training did, one entry an epoch where it is a list."""

    loss_curve: list[float]
    validation_loss_curve: list[float] | None
    validation_scores: list[float] | None
    learning_rate_curve: list[float]
    best_loss: float
    diverged_at: int | None
    interrupted: bool
    optimizer_state: dict[str, Any]
    return_error: float | None = None  # the largest, where time was undone
    kernels: dict[str, list[Any]] | None = None  # ways that they were run in
    carried: Carried | None = None  # what the last step left, where it is kept

    def to_state(self) -> dict[str, Any]:
        """Give what it is kept as, but for the optimizer's state."""
        curves = {name: getattr(self, name) for name in _CURVES}
        return {
            **{name: None if c is None else np.array(c, float) for name, c in curves.items()},
            "best_loss": float(self.best_loss),
            "diverged_at": None if self.diverged_at is None else int(self.diverged_at),
            "interrupted": bool(self.interrupted),
            "kernels": Json(checked(self.kernels or {})),
        }

    @classmethod
    def from_state(cls, state: State, optimizer_state: dict[str, Any]) -> "TrainingRecord":
        """Make a record of its state."""
        curves: dict[str, Any] = {name: state.curve(name) for name in _CURVES}
        if curves["loss_curve"] is None or curves["learning_rate_curve"] is None:
            raise ValueError("its record of the training lacks a curve.")
        return cls(
            **curves,
            best_loss=state.plain("best_loss", float),
            diverged_at=state.take("diverged_at", int, type(None)),
            interrupted=state.take("interrupted", bool),
            optimizer_state=optimizer_state,
            # Which is younger than the first files.
            kernels=checked(state.take("kernels", dict)) if "kernels" in state else {},
        )


def _on_cpu(optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Any]]:
    """State of every parameter, fit to be pickled: a GPU's tensors need one to load."""
    return {
        index: {k: v.cpu() if isinstance(v, torch.Tensor) else v for k, v in state.items()}
        for index, state in optimizer.state_dict()["state"].items()
    }


def train(
    module: nn.Module,
    criterion: nn.Module,
    samples: Batches,
    options: TrainingOptions,
    *,
    validation: Batches | None = None,
    scorer: Callable[[torch.Tensor], float] | None = None,
    optimizer_state: dict[str, Any] | None = None,
    kernels: Mapping[str, Sequence[Any]] | None = None,
    carried: Carried | None = None,
    checkpoint: Checkpoint | Stage | None = None,
    observer: Observer | None = None,
) -> TrainingRecord:
    """Train `module` in place and leave it on the CPU, in evaluation mode.

    Parameters
    ----------
    module : nn.Module
        Called with the samples' inputs as keyword arguments.
    criterion : nn.Module
        ``criterion(outputs, targets)`` gives one loss a sample.
    samples : Samples or Windows
        What to learn from; kept on the device for the whole training where it has room.
    options : TrainingOptions
    validation : Samples or Windows, or None
        Validated after every epoch; with ``options.patience``, what stops training.
    scorer : callable or None
        ``scorer(outputs) -> float``, given the validation outputs.
    optimizer_state : dict or None
        ``TrainingRecord.optimizer_state`` of an earlier training of this module, to
        continue from; unused where it is of another optimizer.
    kernels : dict or None
        ``TrainingRecord.kernels`` of an earlier training: kernels are run in the same ways.
    carried : Carried or None
        With ``options.carries``, what to begin in, if not at rest.
    checkpoint : Checkpoint, Stage or None
        Where to save the training from time to time, and what it goes on from. The
        caller removes it when all is done.
    observer : Observer or None
        Told of epochs, and asked after each whether to stop.
    """
    batch_size = len(samples) if options.carries else min(options.batch_size, len(samples))
    if options.carries:
        check_carries(module)
    longest = getattr(samples, "longest", 1)
    size = piece_size(options.chunk_size, module, longest=longest, n_rows=batch_size)
    work = work_per_batch(module, samples, batch_size)
    device = options.device
    n_batches = -(-len(samples) // batch_size)
    n_steps = options.max_epochs * n_batches
    if options.cpu_if_small and not worth_training_there(work, n_steps, even=samples.even):
        device = torch.device("cpu")
    device = with_index(device)
    group = joined()
    if group is not None:
        if options.carries:
            raise ValueError(
                "carry_state=True does not go with several processes, which share samples: set "
                f"{ALONE}=1 in the environment to train in each by itself."
            )
        compare(group, device, module, samples, validation)
        if options.deadline is not None:
            options = replace(options, deadline=group.agreed("the deadline", options.deadline))
        if group.rank:
            options = replace(options, verbose=0)

    def make_optimizer(_, lr: float) -> torch.optim.Optimizer:
        parameters = [*decayed, *others]
        optimizer = OPTIMIZERS[options.optimizer](parameters, lr=lr, weight_decay=0.0)
        if optimizer_state is not None and optimizer_state["optimizer"] == options.optimizer:
            # What it learned, under today's settings; a copy, for it is updated in place.
            learned = copy.deepcopy(optimizer_state["state"])
            settings = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": learned, "param_groups": settings})
        return optimizer

    decayed, others = decayed_and_others(module)
    schedule = Schedule(
        SCHEDULES[options.schedule], options.max_epochs, n_batches, single=device.type == "cuda"
    )
    patience = options.patience if validation is not None else None
    keeper = KeepWeights(patience, options.tol, schedule)
    guests = invited(
        options.callbacks,
        schedule=options.schedule,
        validated=validation is not None,
        refits=options.refits,
    )
    first = group is None or group.rank == 0
    if not first:
        guests = silent(guests)
    callbacks = [schedule, *guests, keeper]
    if observer is not None:
        # Told of the epoch before anybody ends training, and ends it when all have seen it.
        told = [Observed(observer)] if first else []
        callbacks = [schedule, *guests, *told, keeper, StopIfAsked(observer)]
    if options.max_grad_norm is not None:
        callbacks.append(ClipGradients(options.max_grad_norm))
    decay = None
    if decayed and (options.weight_decay or options.noise_decay):
        rates = options.weight_decay / n_batches, options.noise_decay / n_batches
        decay = DecayWeights(decayed, *rates, options.earlier_losses)
        callbacks.append(decay)
    if options.verbose:
        every = 1 if options.verbose > 1 else 10
        callbacks.insert(-1, Progress(every, options.deadline))
    limit = None
    if options.deadline is not None:
        clock = None if group is None else group.clock
        limit = TimeLimit(schedule, options.deadline, clock)
        callbacks.append(limit)  # when all others have seen the epoch
    batch_generator = torch.Generator().manual_seed(options.seed)
    dropout_generator = torch.Generator(device).manual_seed(options.seed)
    ways = Ways(kernels)
    if checkpoint is not None:
        saving = SaveTraining(
            checkpoint,
            schedule=schedule,
            keeper=keeper,
            generators={"batches": batch_generator, "dropout": dropout_generator},
            ways=ways,
            verbose=options.verbose,
        )
        callbacks.append(saving)
    data = [samples] if validation is None else [samples, validation]
    resident = has_room(device, sum(x.nbytes for x in data))
    if resident:
        samples, *rest = [x.to(device) for x in data]
        validation = rest[0] if rest else None
    dropouts = [m for m in module.modules() if isinstance(m, Dropout)]
    drops = any(dropout.p > 0 for dropout in dropouts)
    recorder = None
    if not options.carries and group is None:  # of which a call has one step
        recorder = recorder_for(device, [dropout_generator] if drops else [])
    repeated = None if recorder is None else Repeated(recorder, schedule, decay)
    net = Net(
        module,
        criterion,
        optimizer=make_optimizer,
        lr=options.learning_rate,
        max_epochs=options.max_epochs,
        batch_size=batch_size,
        callbacks=callbacks,
        device=str(device),
        verbose=int(bool(options.verbose) or prints(guests)),
        validation=validation,
        scorer=scorer,
        generator=batch_generator,
        amp_dtype=options.amp_dtype,
        records_batches=wants_batches(guests),
        stream_to=None if resident else device,
        piece_size=size,
        undo=options.undo,
        repeated=repeated,
        carries=options.carries,
        carried=carried,
        limit=limit,
        group=group,
        shares_training=group is not None and not whole_on_each(samples, batch_size, group),
    )
    parts = module.modules() if device.type == "cpu" else ()
    to_kernels = any(getattr(part, "kernel_takes_most", False) for part in parts)
    with preserved_global_state(), sensible_threads(work, to_kernels=to_kernels), ways:
        for dropout in dropouts:
            dropout.generator = dropout_generator
        try:
            net.fit(samples)
        except BaseException:
            if checkpoint is not None:
                checkpoint.remove_unless_saved()
            raise
        finally:
            if repeated is not None:
                repeated.close()
                if options.verbose > 1 and repeated.why_not:
                    print(f"Steps were launched one by one: {repeated.why_not}")
            for dropout in dropouts:
                dropout.generator = None
            module.zero_grad(set_to_none=True)
            module.requires_grad_()  # whatever a callback has frozen
            module.cpu().eval()
    run_in = ways.to_dict()
    if group is not None:
        group.align(module)
        if device.type == "cuda":
            run_in = group.agreed("kernels", run_in)
    history = net.history

    def curve(key: str) -> list[float]:
        return [epoch[key] for epoch in history if key in epoch]

    return TrainingRecord(
        loss_curve=curve("train_loss"),
        validation_loss_curve=curve("valid_loss") if validation is not None else None,
        validation_scores=curve("valid_score") if validation is not None else None,
        learning_rate_curve=curve("learning_rate"),
        best_loss=keeper.best_loss_,
        diverged_at=keeper.diverged_at_,
        interrupted=net.interrupted_,
        optimizer_state={"optimizer": options.optimizer, "state": _on_cpu(net.optimizer_)},
        return_error=max(curve("return_error"), default=0.0) if options.undo else None,
        kernels=run_in,
        carried=net.carried_,
    )
