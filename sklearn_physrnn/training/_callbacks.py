"""What happens between batches and epochs, one idea a class."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from ._schedules import SCHEDULES, cosine


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training in good order.

    A KeyboardInterrupt, because that is what skorch's own callbacks stop with.
    """


def fill(tensors: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
    """Copy saved `values` into `tensors`.

    Raises
    ------
    ValueError
        If they are not of the same number, shapes and dtypes.
    """
    for tensor, value in zip(tensors, values, strict=True):
        if value.shape != tensor.shape or value.dtype != tensor.dtype:
            raise ValueError(
                f"a tensor of shape {tuple(value.shape)} and {value.dtype}, not "
                f"{tuple(tensor.shape)} and {tensor.dtype}"
            )
        with torch.no_grad():
            tensor.copy_(value)


class KeepWeights(Callback):
    """Remember the best or the last good weights; stop when no better ones come.

    A person who interrupts training gets the best weights too, where there are validation
    data to tell.

    Parameters
    ----------
    patience : int or None
        Epochs without an improvement by more than `tol` before training stops, and
        the best weights are restored at its end. None: no early stopping; training
        keeps its last weights.
    tol : float
        Smallest decrease of the validation loss that counts as an improvement.
    schedule : Schedule or None
        Of the learning rate. One that ends at zero is brought there before training stops,
        in as many epochs as were trained, at least `patience`: at a high rate the loss
        stands still because the steps are large, and most is learned as they shrink.

    Attributes
    ----------
    best_loss_ : float
        Lowest validation loss, or training loss where nothing is validated.
    diverged_at_ : int or None
        Epoch after which the loss or a weight was no longer finite.
    """

    def __init__(
        self, patience: int | None = None, tol: float = 0.0, schedule: "Schedule | None" = None
    ) -> None:
        self.patience = patience
        self.tol = tol
        self.schedule = schedule

    def on_train_begin(self, net, **kwargs):
        # Buffers (running statistics) belong to a state as much as parameters do.
        self._state = [*net.module_.parameters(), *net.module_.buffers()]
        self._floats = [x for x in self._state if x.is_floating_point()]
        self._kept = [x.detach().clone() for x in self._state]
        # Without early stopping the last good weights are kept, and these beside them.
        self._best = None
        if self.patience is None and net.validation is not None:
            self._best = [x.clone() for x in self._kept]
        self._reference = float("inf")
        self._waited = 0
        self.best_loss_ = float("inf")
        self.diverged_at_ = None

    def _finite(self) -> bool:
        norms = torch.stack(torch._foreach_norm(self._floats))
        return bool(torch.isfinite(norms).all())

    @torch.no_grad()
    def on_epoch_end(self, net, **kwargs):
        epoch = net.history[-1]
        loss = epoch.get("valid_loss", epoch["train_loss"])
        losses = torch.tensor([loss, epoch["train_loss"]])
        if not (torch.isfinite(losses).all() and self._finite()):
            self.diverged_at_ = epoch["epoch"]
            raise StopTraining
        improved = loss < self.best_loss_
        # Each copy is one call, so that an interrupt cannot leave weights of two epochs.
        if improved or self.patience is None:
            torch._foreach_copy_(self._kept, self._state)
        if improved and self._best is not None:
            torch._foreach_copy_(self._best, self._state)
        if improved:
            self.best_loss_ = loss
        if self.patience is None:
            return
        if self.schedule is not None and self.schedule.shortened:
            if self.schedule.ended:
                raise StopTraining
            return
        if loss < self._reference - self.tol:
            self._reference, self._waited = loss, 0
            return
        self._waited += 1
        if self._waited < self.patience:
            return
        if self.schedule is None or not self.schedule.ends_at_zero:
            raise StopTraining
        self.schedule.shorten(max(self.patience, epoch["epoch"]))

    def _to_restore(self, interrupted: bool) -> list[torch.Tensor] | None:
        if self.diverged_at_ is not None:
            return self._kept
        if interrupted:
            if not self._finite():
                return self._kept
            if self.best_loss_ == float("inf"):  # in the first epoch
                return None
            return self._best if self.patience is None else self._kept
        return None if self.patience is None else self._kept

    @torch.no_grad()
    def on_train_end(self, net, **kwargs):
        restored = self._to_restore(net.interrupted_)
        if restored is not None:
            torch._foreach_copy_(self._state, restored)
        del self._kept, self._best, self._state, self._floats

    def state_dict(self) -> dict[str, Any]:
        return {
            "kept": self._kept,
            "best": self._best,
            "reference": self._reference,
            "waited": self._waited,
            "best_loss": self.best_loss_,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for mine, saved in ((self._kept, state["kept"]), (self._best, state["best"])):
            if mine is not None:
                fill(mine, saved)
        self._reference = float(state["reference"])
        self._waited = int(state["waited"])
        self.best_loss_ = float(state["best_loss"])


class ClipGradients(Callback):
    """Scale a step's gradient down to a norm of `max_norm`; leave out one that overflowed.

    Back through hundreds of steps a gradient can grow beyond float32 although loss and
    weights are sound. Dividing by its infinite norm would turn every weight into NaN.
    """

    repeats = True  # the same work in every batch

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    @torch.no_grad()
    def on_grad_computed(self, net, named_parameters, **kwargs):
        grads = [p.grad for _, p in named_parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        # On the device throughout: a branch on the norm would wait for it.
        overflowed = ~torch.isfinite(norm)
        scale = (self.max_norm / (norm + 1e-6)).clamp(max=1.0).masked_fill(overflowed, 0.0)
        torch._foreach_mul_(grads, scale)
        for grad in grads:
            grad.masked_fill_(overflowed, 0.0)


class DecayWeights(Callback):
    r"""Shrink parameters by a rate times the learning rate before every step.

    Decoupled from the gradient whatever the optimizer, which torch's own is in AdamW
    alone; and the optimizer has one group of parameters, and so one call, in place of two.

    Parameters
    ----------
    parameters : sequence of Tensor
    rate : float
    noise_rate : float
        What is added to `rate`, times the share of the first epoch's loss that the latest
        epoch had left. For Gaussian errors of unknown variance the most probable weights
        minimise :math:`n/2 \log L + \lambda/2\, |w|^2`, where L is the mean squared
        error: relative to the gradient of L, the prior counts as much as there is noise.
    earlier_losses : sequence of float
        Mean losses of epochs before this training, which goes on from them.

    Attributes
    ----------
    factor : Tensor of shape () or None
        What parameters are multiplied with, where it lies on the device.
    """

    repeats = True

    def __init__(
        self,
        parameters: Sequence[torch.Tensor],
        rate: float,
        noise_rate: float = 0.0,
        earlier_losses: Sequence[float] = (),
    ) -> None:
        self.parameters = list(parameters)
        self.rate = rate
        self.noise_rate = noise_rate
        self.earlier_losses = earlier_losses
        self.factor: torch.Tensor | None = None

    def on_epoch_begin(self, net, **kwargs):
        # Of earlier ones, a stream's may be many, the first and the last.
        earlier = [*self.earlier_losses[:1], *self.earlier_losses[-1:]]
        losses = [*earlier, *(epoch["train_loss"] for epoch in net.history[:-1])]
        left = min(1.0, losses[-1] / losses[0]) if losses and losses[0] > 0 else 1.0
        self._rate = self.rate + self.noise_rate * left

    def kept(self, learning_rate: float) -> float:
        """Share of the parameters that a step leaves."""
        # A rate at which one step would take all of them, or turn their signs, is none.
        return max(1 - learning_rate * self._rate, 0.0)

    @torch.no_grad()
    def on_grad_computed(self, net, **kwargs):
        learning = [x for x in self.parameters if x.requires_grad]  # others are frozen
        if self.factor is not None:
            torch._foreach_mul_(learning, self.factor)
        else:
            kept = self.kept(net.optimizer_.param_groups[0]["lr"])
            torch._foreach_mul_(learning, [kept] * len(learning))


class Schedule(Callback):
    """Set the learning rate before every batch from the progress of training.

    A constant one is left alone: another callback may set it.

    Parameters
    ----------
    factor : callable
        Progress in [0, 1] to a factor of the rate.
    epochs : int
    steps_per_epoch : int
    single : bool
        Give rates as they are in float32: what a GPU's optimizer reads from memory is.

    Attributes
    ----------
    shortened : bool
        Whether it was told to come to its end earlier.
    """

    repeats = True

    def __init__(
        self,
        factor: Callable[[float], float],
        epochs: int,
        steps_per_epoch: int,
        *,
        single: bool = False,
    ) -> None:
        self.factor = factor
        self.steps_per_epoch = steps_per_epoch
        self.single = single
        self.total_steps = epochs * steps_per_epoch
        self._step = 0
        self._descent: int | None = None  # step from which it comes down, if shortened
        self._end = self.total_steps
        # From here on progress is even, to 1 at that end: step, progress there, end.
        self._plan = 0, 0.0, self.total_steps

    @property
    def shortened(self) -> bool:
        return self._descent is not None

    @property
    def ends_at_zero(self) -> bool:
        """Tell whether nothing is left to learn at its end."""
        return self.factor(1.0) == 0

    @property
    def ended(self) -> bool:
        """Tell whether all steps were made."""
        return self._step >= min(self._end, self._plan[2])

    @property
    def n_steps(self) -> int:
        """Count the steps that were made."""
        return self._step

    @property
    def steps_left(self) -> int:
        """Count the steps to its end."""
        return min(self._end, self._plan[2]) - self._step

    def shorten(self, epochs: int) -> None:
        """Come down to zero within `epochs` from here, unless the end is as near already."""
        self._descent = self._step
        self._end = min(self.total_steps, self._step + epochs * self.steps_per_epoch)

    def fit_into(self, n_steps: int) -> None:
        """Come to the end within so many steps from here, or as many as are left if fewer."""
        n_steps = min(max(n_steps, 0), self.total_steps - self._step)
        self._plan = self._step, self._progress(self._step), self._step + n_steps

    def _progress(self, step: int) -> float:
        start, done, end = self._plan
        return done + (1 - done) * (step - start) / max(end - start, 1)

    def _factor(self) -> float:
        # Reaches zero one step after the last, so that no batch is spent at rate zero.
        planned = self.factor(min(self._progress(self._step), 1.0))
        if self._descent is None or self._end == self.total_steps:
            return planned
        start = self.factor(self._descent / self.total_steps)
        return start * cosine((self._step - self._descent) / (self._end - self._descent))

    def on_train_begin(self, net, **kwargs):
        self._base = [group["lr"] for group in net.optimizer_.param_groups]
        self._exact = self._given = self._base

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if not training:
            return
        groups = net.optimizer_.param_groups
        for group, rate in zip(groups, self.next_rates(groups), strict=True):
            group["lr"] = rate

    def next_rates(self, groups: Sequence[dict[str, Any]]) -> list[float]:
        """Give the next step's learning rates of `groups` of parameters."""
        if self.factor is not SCHEDULES["constant"]:
            factor = self._factor()
            self._exact = [base * factor for base in self._base]
        elif self._given != (given := [group["lr"] for group in groups]):
            self._exact = given
        self._step += 1
        exact = self._exact
        self._given = [float(np.float32(rate)) for rate in exact] if self.single else exact
        return self._given

    def on_epoch_end(self, net, **kwargs):
        rate = net.optimizer_.param_groups[0]["lr"]
        net.history.record("learning_rate", self._exact[0] if rate == self._given[0] else rate)

    def on_train_end(self, net, **kwargs):
        for group, base in zip(net.optimizer_.param_groups, self._base, strict=True):
            group["lr"] = base

    def state_dict(self) -> dict[str, Any]:
        plan = list(self._plan)
        return {"step": self._step, "descent": self._descent, "end": self._end, "plan": plan}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        descent = state["descent"]
        self._step, self._end = int(state["step"]), int(state["end"])
        self._descent = None if descent is None else int(descent)
        start, done, end = state.get("plan", (0, 0.0, self.total_steps))
        self._plan = int(start), float(done), int(end)
