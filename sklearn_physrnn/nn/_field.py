"""The base of vector fields, and what of one a user has changed."""

import inspect
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn.modules import module as torch_modules

from ..kernels._check import check_tensors
from ._solvers import Integrator, Solver


class VectorField(nn.Module):
    """Base of the package's vector fields, with what a user's field may leave out.

    Attributes
    ----------
    n_states : int
        State variables a neuron.
    n_observed : int
        Features a neuron that ``observe`` gives.
    state_names : tuple of str
        What displays call the state variables, in TeX; they number those of a field
        without.
    constant_names : dict of str to str
        What displays write beside the histogram of a constant, by its name.
    """

    n_states: int
    n_observed: int
    hidden_size: int
    state_names: tuple[str, ...] = ()
    constant_names: ClassVar[dict[str, str]] = {}

    def _check(self, state: torch.Tensor, drive: torch.Tensor) -> None:
        """Raise TypeError or ValueError for a state or a drive of the wrong kind."""
        check_tensors(state=state, drive=drive)
        shape = (*drive.shape, self.n_states)
        if state.shape != shape or shape[-2:-1] != (self.hidden_size,):
            raise ValueError(
                f"state and drive must be of shapes (..., {self.hidden_size}, {self.n_states}) "
                f"and (..., {self.hidden_size}), got {tuple(state.shape)} and "
                f"{tuple(drive.shape)}."
            )

    def initial_state(self, raw: torch.Tensor) -> torch.Tensor:
        """Map unbounded `raw` (..., hidden, n_states) to a state: each in (-1, 1)."""
        return torch.tanh(raw)

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """Map a state to features (..., hidden, n_observed): the state itself."""
        return state

    def constants(self) -> dict[str, Any]:
        """Physical constants by name, each (hidden,) or a single number.

        Here the parameters as they are. A field that stores them in another form, its
        logarithm say, says here what it means by them.
        """
        return {name: p for name, p in self.named_parameters() if p.ndim < 2}

    def integrator(self, solver: Solver) -> Integrator | None:
        """Give a faster way to take all steps of `solver`, or None where there is none.

        It must do what ``solver.step`` does with this very field. A subclass inherits it:
        a field that has one gives None where ``forward`` is no longer its own.
        """
        return None


def constants_of(field: nn.Module) -> dict[str, Any]:
    """What ``constants`` gives, or would give of a field that does not have it."""
    own = getattr(field, "constants", None)
    return own() if inspect.ismethod(own) else VectorField.constants(field)  # type: ignore[arg-type]


def runs(field: nn.Module, name: str, function: Any) -> bool:
    """Tell whether the method `name` of `field` is `function`.

    It is not in a subclass that overrides it, and where the field was given its own.
    """
    method = getattr(field, name, None)
    return getattr(method, "__func__", None) is function and method.__self__ is field  # type: ignore[union-attr]


def calls_forward_alone(field: nn.Module) -> bool:
    """Tell whether calling `field` calls its ``forward`` and nothing else."""
    hooks = (
        field._forward_pre_hooks or field._forward_hooks or field._backward_pre_hooks
        or field._backward_hooks or _hooks_of_all_modules()
    )  # fmt: skip
    return not hooks and type(field).__call__ is nn.Module.__call__


def _hooks_of_all_modules() -> bool:
    """Tell whether torch calls something around every module (2.6 has no function for it)."""
    kinds = ("backward_pre", "backward", "forward_pre", "forward")
    return any(getattr(torch_modules, f"_global_{kind}_hooks") for kind in kinds)


# As they are when this module is read, whatever is put in their place later.
_MAPS = {"initial_state": VectorField.initial_state, "observe": VectorField.observe}


def maps_plainly(field: nn.Module) -> bool:
    """Tell whether `field` starts from the tanh of what it is given and shows its state."""
    for name, function in _MAPS.items():
        if hasattr(field, name) and not runs(field, name, function):
            return False
    return True
