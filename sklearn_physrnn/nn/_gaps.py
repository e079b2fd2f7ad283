"""Windows with missing values: what stands in their place, and what a network is told of them."""

import torch

N_TOLD = 2  # numbers that `told` gives of each value


def _seen(observed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give of every step the last one observed up to it, -1 before the first, and the step."""
    steps = torch.arange(observed.shape[1], device=observed.device).view(1, -1, 1)
    return torch.where(observed, steps, -1).cummax(1).values, steps


def bridged(x: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Put straight lines over the gaps of windows, from value to value.

    Before the first value, and behind the last, that value stands; zero, where a channel of a
    window has none. What x holds where nothing was observed has no effect.

    Parameters
    ----------
    x : Tensor of shape (batch, time, channels)
    observed : Tensor of bool, of the shape of x
    """
    n_steps = x.shape[1]
    x = torch.where(observed, x, 0)
    before, steps = _seen(observed)
    after = n_steps - 1 - _seen(observed.flip(1))[0].flip(1)  # n_steps, where none comes
    has_before, has_after = before >= 0, after < n_steps
    left = torch.where(has_before, before, after).clamp(0, n_steps - 1)
    right = torch.where(has_after, after, before).clamp(0, n_steps - 1)
    share = (steps - left).to(x.dtype) / (right - left).clamp_min(1)
    start, end = x.gather(1, left), x.gather(1, right)
    return torch.where(observed, x, torch.lerp(start, end, share.clamp(0, 1)))


def held(x: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Let the last value stand in the gaps of windows, which no later one changes.

    Before the first value that one stands; zero, where a channel of a window has none.

    Parameters
    ----------
    x : Tensor of shape (batch, time, channels)
    observed : Tensor of bool, of the shape of x
    """
    before = _seen(observed)[0]
    first = observed.to(torch.uint8).argmax(1, keepdim=True)
    return torch.where(observed, x, 0).gather(1, torch.where(before < 0, first, before))


def told(observed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Give what a network is told of windows' gaps, (batch, time, channels, N_TOLD).

    Of each value whether it is missing, and how long ago one was last there, as a share of
    the window.

    Parameters
    ----------
    observed : Tensor of bool, of shape (batch, time, channels)
    """
    before, steps = _seen(observed)
    age = (steps - before).to(dtype) / observed.shape[1]
    return torch.stack(((~observed).to(dtype), age), -1)
