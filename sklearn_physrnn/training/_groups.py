"""Which parameters decay."""

from typing import Any

from torch import nn


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay matrices only: biases and physical constants have no reason to be zero.

    A module may name further parameters of its own in an attribute ``undecayed``.
    """
    # By place, not by value: an optimizer's state counts the parameters, whatever the decay.
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for part in module.modules():
        undecayed = getattr(part, "undecayed", ())
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.requires_grad:
                decays = parameter.ndim > 1 and name not in undecayed
                (decayed if decays else others).append(parameter)
    groups = (decayed, weight_decay), (others, 0.0)
    return [{"params": p, "weight_decay": decay} for p, decay in groups if p]
