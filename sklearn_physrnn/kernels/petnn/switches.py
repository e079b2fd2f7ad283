"""Which variant of the recurrence is run."""

from dataclasses import dataclass

RELEASES = ("hard", "surrogate", "soft")  # how a release is differentiated
INCREMENTS = ("linear", "tanh")


@dataclass(frozen=True)
class Switches:
    """Which variant of the recurrence is run; see :func:`petnn`."""

    release: str = "surrogate"
    width: float = 1.0
    increment: str = "linear"
    time_decay: bool = True
    ground_state: bool = True

    @property
    def n_blocks(self) -> int:
        """Number of blocks of the input weights, each as wide as the hidden state."""
        return 4 + self.time_decay + self.ground_state
