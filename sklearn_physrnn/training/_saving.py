"""Saving an unfinished training between epochs, and going on from what was saved."""

import time
from typing import Any

import torch
from skorch.callbacks import Callback

from .._warnings import warn
from ..kernels._ways import Ways, checked
from ..storage.checkpoint import Checkpoint
from ..storage.stages import Stage
from ._callbacks import KeepWeights, Schedule, fill

# Seconds between two savings; saving also never takes more than a twentieth of the time.
INTERVAL = 5.0
_SHARE = 1 / 20


class SaveTraining(Callback):
    """Save all that training goes on from, after an epoch; restore it at the beginning.

    Comes last of all callbacks: their states are part of what is restored.

    Parameters
    ----------
    checkpoint : Checkpoint or Stage
        Where to save, and what was saved before.
    schedule, keeper : callbacks
        Whose states belong to it.
    generators : dict of str to torch.Generator
        All that training draws from.
    ways : Ways
        That its kernels are run in.
    verbose : int
        Whether to print from where training goes on.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | Stage,
        *,
        schedule: Schedule,
        keeper: KeepWeights,
        generators: dict[str, torch.Generator],
        ways: Ways,
        verbose: int = 0,
    ) -> None:
        self.checkpoint = checkpoint
        self.schedule = schedule
        self.keeper = keeper
        self.generators = generators
        self.ways = ways
        self.verbose = verbose

    def on_train_begin(self, net, **kwargs):
        self._saved_at = time.monotonic()
        self._cost = 0.0
        self._warned = False
        if self.checkpoint.state is not None:
            try:
                self._restore(net, self.checkpoint.state)
            except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
                raise self.checkpoint.misfit(error) from error
            if self.verbose:
                print(f"Going on after epoch {len(net.history)} of {self.checkpoint.path}")
        self.checkpoint.begin()

    def on_epoch_end(self, net, **kwargs):
        start = time.monotonic()
        if start - self._saved_at < max(INTERVAL, self._cost / _SHARE):
            return
        try:
            self.checkpoint.save(self._state(net))
        except OSError as error:  # a full disk is no reason to lose the training
            if not self._warned:
                warn(
                    f"checkpoint: {self.checkpoint.path} cannot be written: {error}. Training "
                    "goes on."
                )
            self._warned = True
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - start

    def _state(self, net) -> dict[str, Any]:
        return {
            "weights": [x.detach().cpu() for x in _tensors(net.module_)],
            "optimizer": net.optimizer_.state_dict()["state"],
            "schedule": self.schedule.state_dict(),
            "keeper": self.keeper.state_dict(),
            "generators": {name: g.get_state() for name, g in self.generators.items()},
            "kernels": self.ways.to_dict(),
            "history": [
                {k: _plain(v) for k, v in epoch.items() if isinstance(v, int | float | str)}
                for epoch in net.history
            ],
        }

    def _restore(self, net, state: dict[str, Any]) -> None:
        fill(_tensors(net.module_), state["weights"])
        _restore_optimizer(net.optimizer_, state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.keeper.load_state_dict(state["keeper"])
        for name, generator in self.generators.items():
            generator.set_state(state["generators"][name])
        # Those of earlier versions do not know.
        self.ways.take_up(checked(state.get("kernels", {})))
        for epoch in state["history"]:
            net.history.new_epoch()
            for key, value in epoch.items():
                net.history.record(key, value)


def _plain(value: Any) -> Any:
    # numpy's float64 is a float, too, but not one that is read back.
    return value.item() if hasattr(value, "item") else value


def _tensors(module: torch.nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[int, Any]) -> None:
    """Load states whose tensors are checked: the fused kernels trust their shapes."""
    current = optimizer.state_dict()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for index, entry in saved.items():
        parameter = parameters[index]
        for name, value in entry.items():
            shape = () if name == "step" else parameter.shape
            if value is not None and (value.shape != shape or not value.is_floating_point()):
                raise ValueError(f"an optimizer state of shape {tuple(value.shape)}")
    optimizer.load_state_dict({"state": saved, "param_groups": current["param_groups"]})
