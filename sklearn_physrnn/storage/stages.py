"""Several trainings, one after the other, in one checkpoint."""

import copy
from pathlib import Path
from typing import Any

from .checkpoint import Checkpoint


class Stage:
    """One of the trainings in a checkpoint, with a state of its own there.

    Parameters
    ----------
    checkpoint : Checkpoint
        Whose state is a dict of the stages' states.
    name : str

    Attributes
    ----------
    state : dict or None
        What :meth:`save` was last given, in this process or an earlier one.

    Raises
    ------
    ValueError
        If the checkpoint holds something else.
    """

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        self._checkpoint = checkpoint
        self._name = name
        self.state: dict[str, Any] | None = (checkpoint.state or {}).get(name)
        if not (self.state is None or isinstance(self.state, dict)):
            raise self.misfit(f"a {type(self.state).__name__}")

    @property
    def path(self) -> Path:
        """The checkpoint's file."""
        return self._checkpoint.path

    def begin(self) -> None:
        """Take the path; see :meth:`Checkpoint.begin`."""
        self._checkpoint.begin()

    def save(self, state: dict[str, Any]) -> None:
        """Replace the stage's state in the file."""
        # A copy: the tensors change as training goes on, and later stages write this again.
        self.state = copy.deepcopy(state)
        self._checkpoint.save({**(self._checkpoint.state or {}), self._name: self.state})

    def misfit(self, reason: Any) -> ValueError:
        """Make the error of a file that is whole and yet not what was saved."""
        return self._checkpoint.misfit(reason)

    def remove_unless_saved(self) -> None:
        """Delete the file of a training that failed before any stage was saved."""
        self._checkpoint.remove_unless_saved()


class Stages:
    """The stages of a fit, or none of them where nothing is to be saved.

    Parameters
    ----------
    checkpoint : Checkpoint or None
    """

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint

    def __getitem__(self, name: str) -> Stage | None:
        return None if self._checkpoint is None else Stage(self._checkpoint, name)

    def remove(self) -> None:
        """Delete the file, of a fit that has ended."""
        if self._checkpoint is not None:
            self._checkpoint.remove()
