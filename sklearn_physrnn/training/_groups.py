"""Which parameters decay."""

from torch import nn


def decayed_and_others(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Matrices decay: biases and physical constants have no reason to be zero.

    A module may name further parameters of its own in an attribute ``undecayed``. An
    optimizer counts the parameters of both lists one after the other.
    """
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for part in module.modules():
        undecayed = getattr(part, "undecayed", ())
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.requires_grad:
                decays = parameter.ndim > 1 and name not in undecayed
                (decayed if decays else others).append(parameter)
    return decayed, others


def names_in_order(module: nn.Module) -> list[str]:
    """Name the parameters in the order in which the engine's optimizer counts them."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return [names[id(parameter)] for part in decayed_and_others(module) for parameter in part]
