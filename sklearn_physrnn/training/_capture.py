"""Training steps that are recorded once and replayed: one launch a step, not hundreds.

A CUDA graph replays the same kernels on the same memory. What changes from step to step is
therefore memory, too: the order of the samples, the learning rates and the factors of weight
decay lie on the device for an epoch, and a step finds its own by a counter that it moves on.
What Python does in a step is done once, while it is recorded; where that would make a
difference, steps are launched one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from ..kernels._check import collected, looking_later
from ._callbacks import DecayWeights, Schedule
from ._data import Batches, BatchIterator, Index
from ._graphs import Recorder, Work
from ._guests import idle_in_batches

_WARM_UP = 2  # steps of a shape: kernels are compiled then, and nothing waits any more
_WORTH_RECORDING = 16  # steps to come; to record one takes as long as a few
_MOST_CHANGES = 3  # by callbacks between epochs, after each of which steps are recorded anew
_MOST_VALIDATION = 256  # batches that become one graph
_MOST_PIECES = 64  # of sequences; a step of more would be a graph of a hundred thousand kernels

_OF_BATCHES = ("on_batch_begin", "on_batch_end", "on_grad_computed")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class _Memory:
    """What the steps of an epoch read and write, at the same place in every epoch."""

    def __init__(self, n_batches: int, size: int, dtype: torch.dtype, device: torch.device):
        zeros = partial(torch.zeros, dtype=dtype, device=device)
        self.at = zeros(1, dtype=torch.int64)  # the step's number
        self.order = zeros(n_batches, size, dtype=torch.int64)
        self.rates = zeros(n_batches, dtype=torch.float32)  # as fused optimizers read them
        self.kept = zeros(n_batches)
        self.rate, self.keep = zeros(1, dtype=torch.float32), zeros(1)
        self.total = zeros(())  # of the losses
        self.sound = torch.ones((), dtype=torch.bool, device=device)

    def begin(self, indices: Sequence[Index], rates: list[float], kept: list[float]) -> None:
        """Write what the steps of an epoch read."""
        order = torch.zeros(self.order.shape, dtype=torch.int64)
        for row, index in zip(order, indices, strict=True):
            if isinstance(index, torch.Tensor):
                row[: len(index)] = index
        for values, there in (
            (order, self.order),
            (torch.tensor(rates, dtype=self.rates.dtype), self.rates),
            (torch.tensor(kept, dtype=self.kept.dtype), self.kept),
        ):
            there.copy_(values.pin_memory() if there.is_cuda else values, non_blocking=True)
        self.at.zero_()
        self.total.zero_()
        self.sound.fill_(True)

    def fetch(self) -> None:
        """Copy the step's rates to where the optimizer reads them."""
        torch.index_select(self.rates, 0, self.at, out=self.rate)
        torch.index_select(self.kept, 0, self.at, out=self.keep)

    def rows(self, size: int) -> torch.Tensor:
        """Give the step's samples."""
        return self.order.index_select(0, self.at)[0, :size]

    def note(self, loss: torch.Tensor, size: int, found: list[Any]) -> None:
        """Add a step's loss, and what was found on the way; move on to the next."""
        self.total.add_(loss * size)
        self.at.add_(1)
        for holds, _ in found:
            self.sound.logical_and_(holds)


class Repeated:
    """Epochs of steps that are recorded and replayed, where that gives the same.

    Parameters
    ----------
    recorder : Recorder
    schedule : Schedule
        Has a learning rate for each step.
    decay : DecayWeights or None
        Has a factor for each step.

    Attributes
    ----------
    why_not : str or None
        Why steps are launched one by one from now on, if they are.
    """

    def __init__(self, recorder: Recorder, schedule: Schedule, decay: DecayWeights | None) -> None:
        self.recorder = recorder
        self.schedule = schedule
        self.decay = decay
        self.why_not: str | None = None
        self._n_changes = 0
        self._n_validated = 0
        self.close()

    def close(self) -> None:
        """Let go of all that was recorded, and of its memory."""
        self._memory: _Memory | None = None
        self._forget()

    def _forget(self) -> None:
        self._replays: dict[Any, Work] = {}
        self._n_steps: dict[Any, int] = {}
        self._network: Any = None  # of which the steps are
        self._errors: list[Callable[[], Exception]] = []
        self._validation: _Validation | None = None

    def train(self, net: Any, batches: BatchIterator) -> torch.Tensor | None:
        """Make the steps of an epoch.

        Returns
        -------
        Tensor of shape () or None
            Sum of the losses; None where nothing was done, since steps are to be launched
            one by one.

        Raises
        ------
        Exception
            What a check of values says that may wait until the epoch's end.
        """
        self.why_not = self.why_not or self._hindrance(net, batches)
        if self.why_not is not None:
            self.close()
            return None
        indices = batches.indices()
        with self._rates_on_device(net, indices) as memory:
            for index in indices:
                self._step(net, batches.samples, index)
            if self._errors and not memory.sound:
                self._raise(net, batches.samples, indices)
        return memory.total

    def _hindrance(self, net: Any, batches: BatchIterator) -> str | None:
        if not self._replays and self.schedule.steps_left < _WORTH_RECORDING:
            return "few are left"
        if self._replays and self._network != _network(net):
            self._forget()
            self._n_changes += 1
            if self._n_changes > _MOST_CHANGES:
                return "callbacks change the network again and again"
        return _of_data(net, batches) or _of_net(net)

    @contextmanager
    def _rates_on_device(self, net: Any, indices: Sequence[Index]) -> Iterator[_Memory]:
        (group,) = net.optimizer_.param_groups
        rates = self._rates(group, len(indices))
        kept = [1.0 if self.decay is None else self.decay.kept(rate) for rate in rates]
        if self._memory is None:
            size = max(len(x) if isinstance(x, torch.Tensor) else 0 for x in indices)
            dtype = next(net.module_.parameters()).dtype
            self._memory = _Memory(len(indices), size, dtype, self.recorder.device)
        self._memory.begin(indices, rates, kept)
        group["lr"] = self._memory.rate[0]
        if self.decay is not None:
            self.decay.factor = self._memory.keep[0]
        try:
            yield self._memory
        finally:
            group["lr"] = rates[-1]
            if self.decay is not None:
                self.decay.factor = None

    def _rates(self, group: dict[str, Any], n_steps: int) -> list[float]:
        rates = []
        for _ in range(n_steps):
            (group["lr"],) = self.schedule.next_rates([group])
            rates.append(group["lr"])
        return rates

    def _step(self, net: Any, samples: Batches, index: Index) -> None:
        rows = index if isinstance(index, slice) else len(index)
        shape = None if isinstance(rows, slice) else rows
        work = self._replays.get(shape)
        if work is None:
            work = partial(self._work, net, samples, rows)
            n_steps = self._n_steps[shape] = self._n_steps.get(shape, 0) + 1
            if n_steps > _WARM_UP and self.why_not is None:
                recorded = self._record(net, work)
                if recorded is not None:
                    work = self._replays[shape] = recorded
        work()

    def _work(self, net: Any, samples: Batches, rows: slice | int) -> None:
        memory = self._memory
        assert memory is not None
        memory.fetch()
        batch = samples.take(rows if isinstance(rows, slice) else memory.rows(rows))
        with collected() as found:
            loss = net.train_step(batch)["loss"]
        memory.note(loss, len(batch[1][0]), found)
        self._errors = [error for _, error in found]

    def _record(self, net: Any, work: Work) -> Work | None:
        (group,) = net.optimizer_.param_groups
        settings = {"capturable": group["capturable"]} if "capturable" in group else {}
        group.update(dict.fromkeys(settings, True))
        try:
            replay = self.recorder.record(work)
        except Exception as error:  # of whatever makes the step: one by one it may work
            self.why_not = f"one could not be recorded: {error}"
            self._forget()
            return None
        finally:
            group.update(settings)
        self._network = _network(net)
        return replay

    def _raise(self, net: Any, samples: Batches, indices: Sequence[Index]) -> None:
        # What was wrong is overwritten by the last step's: look again, at one by one.
        there = self.recorder.device
        for index in indices:
            at = index if isinstance(index, slice) else index.to(there)
            with looking_later(), torch.no_grad():
                net.infer(samples.take(at)[0])
        raise self._errors[0]()

    def validate(
        self, net: Any, batches: BatchIterator
    ) -> tuple[torch.Tensor, list[torch.Tensor]] | None:
        """Validate, where training steps are replayed, too.

        Returns
        -------
        total : Tensor of shape ()
            Sum of the losses.
        outputs : list of Tensor
            Of the batches. They are overwritten in the next pass.
        """
        if not self._replays or len(batches) > _MOST_VALIDATION or _of_data(net, batches):
            return None
        self._n_validated += 1
        if self._n_validated < _WARM_UP:
            return None
        if self._validation is None:
            found = _Validation(net, batches)
            replay = self._record(net, found.run)
            if replay is None:
                return None
            found.replay = replay
            self._validation = found
        return self._validation.result()


class _Validation:
    """A pass over the validation data that is one graph."""

    replay: Work

    def __init__(self, net: Any, batches: BatchIterator) -> None:
        self.net = net
        self.batches = batches

    def run(self) -> None:
        total: Any = 0.0
        self.outputs = []
        with collected() as found:
            for batch in self.batches:
                step = self.net.validation_step(batch)
                total = total + step["loss"] * len(batch[1][0])
                self.outputs.append(step["y_pred"])
        self.total = total
        self.sound = [holds for holds, _ in found]

    def result(self) -> tuple[torch.Tensor, list[torch.Tensor]] | None:
        """Give the losses' sum and the outputs; None if a check found something."""
        self.replay()
        if self.sound and not torch.stack(self.sound).all():
            return None
        return self.total, self.outputs


def _of_data(net: Any, batches: BatchIterator) -> str | None:
    """Say why data keep steps from being replayed; None where they do not."""
    if batches.device is not None:
        return "data are copied to the device batch by batch"
    if not batches.samples.even:
        return "sequences differ in length"
    longest = getattr(batches.samples, "longest", 1)
    if net.piece_size is not None and longest > _MOST_PIECES * net.piece_size:
        return "sequences are walked in many pieces"
    return None


def _of_net(net: Any) -> str | None:
    """Say what of the net keeps steps from being replayed; None where nothing does."""
    if net.records_batches:
        return "callbacks read the losses of batches"
    if len(net.optimizer_.param_groups) != 1:
        return "parameters are of several groups"
    for method in _OF_BATCHES:
        for callback in net.listeners(method):
            idle = method == "on_batch_end" and idle_in_batches(callback)
            if not (idle or getattr(callback, "repeats", False)):
                return f"{type(callback).__name__} has {method}"
    if any(getattr(part, hooks, None) for part in _parts(net) for hooks in _HOOKS):
        return "the network has hooks"
    return None


def _parts(net: Any) -> list[torch.nn.Module]:
    return [*net.module_.modules(), *net.criterion_.modules()]


def _network(net: Any) -> Any:
    """Give what a recorded step takes for granted: addresses, switches and plain numbers."""
    parts = _parts(net)
    tensors = [x for part in parts for x in (*part._parameters.values(), *part._buffers.values())]
    learned = [x for state in net.optimizer_.state.values() for x in state.values()]
    (group,) = net.optimizer_.param_groups
    return (
        [(x.data_ptr(), x.requires_grad) for x in tensors if x is not None],
        [x.data_ptr() for x in learned if isinstance(x, torch.Tensor)],
        [_plain(vars(part), "training") for part in parts],
        _plain(group, "lr"),
    )


def _plain(values: dict[str, Any], without: str) -> dict[str, Any]:
    plain = bool, int, float, str, tuple, type(None)
    return {k: v for k, v in values.items() if k != without and isinstance(v, plain)}
