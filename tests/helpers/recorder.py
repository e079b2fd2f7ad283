"""A recorder of steps for the CPU, as strict as a CUDA graph is.

It replays torch's operations, on the tensors that they had, and nothing of what Python did
around them: a number that was read while recording stays what it was.
"""

import torch
from skorch.callbacks import Callback
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

# What a graph cannot have: the host would wait for a value.
_WAITING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"}


def _tensors(values):
    return [x for x in pytree.tree_leaves(values) if isinstance(x, torch.Tensor)]


class _Recording(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []
        self.before = []  # tensors that were written to, and what was in them

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.name().split(".")[0] in _WAITING:
            raise RuntimeError(f"{func.name()} waits for the device")
        for position, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                given = args[position : position + 1], kwargs.get(argument.name)
                self.before += [(x, x.clone()) for x in _tensors(given)]
        outputs = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, _tensors(outputs)))
        return outputs


class DryRecorder:
    """Records on the CPU what a CUDA graph would, and counts."""

    device = torch.device("cpu")

    def __init__(self, generators=()):
        self.generators = generators
        self.n_recorded = self.n_replayed = 0

    def record(self, work):
        states = [generator.get_state() for generator in self.generators]
        recording = _Recording()
        try:
            with recording:
                work()
        finally:
            # Recording does nothing, and this did.
            for tensor, value in reversed(recording.before):
                tensor.detach().copy_(value)
            for generator, state in zip(self.generators, states, strict=True):
                generator.set_state(state)
        self.n_recorded += 1

        def replay():
            self.n_replayed += 1
            with torch.no_grad():
                for func, args, kwargs, outputs in recording.calls:
                    for old, new in zip(outputs, _tensors(func(*args, **kwargs)), strict=True):
                        if new.data_ptr() != old.data_ptr():
                            old.copy_(new)

        return replay


class LooksAtBatches(Callback):
    """Has a hook of batches, so that steps are launched one by one."""

    def on_batch_end(self, net, **kwargs):
        pass
