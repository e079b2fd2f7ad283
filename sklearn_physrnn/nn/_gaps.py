"""Windows with missing values: what stands in their place, and what a network is told of them."""

import torch

N_TOLD = 2  # numbers that `told` gives of each value

_RIDGE = 0.01  # of the mean square of channels' deviations


def _seen(observed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give of every step the last one observed up to it, -1 before the first, and the step."""
    steps = torch.arange(observed.shape[1], device=observed.device).view(1, -1, 1)
    return torch.where(observed, steps, -1).cummax(1).values, steps


def _bridge(x: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Put straight lines under windows, at each step between the values before and after it.

    The step's own value has no effect. Before the first value, and behind the last, that one
    stands; zero, where there is no other in a channel of a window.
    """
    n_steps = x.shape[1]
    x = torch.where(observed, x, 0)
    seen, steps = _seen(observed)
    none = torch.full_like(seen[:, :1], -1)
    before = torch.cat((none, seen[:, :-1]), 1)
    still = _seen(observed.flip(1))[0].flip(1)
    after = n_steps - 1 - torch.cat((still[:, 1:], none), 1)  # n_steps, where none comes
    has_before, has_after = before >= 0, after < n_steps
    left = torch.where(has_before, before, after).clamp(0, n_steps - 1)
    right = torch.where(has_after, after, before).clamp(0, n_steps - 1)
    share = (steps - left).to(x.dtype) / (right - left).clamp_min(1)
    line = torch.lerp(x.gather(1, left), x.gather(1, right), share.clamp(0, 1))
    return torch.where(has_before | has_after, line, 0)


def bridged(
    x: torch.Tensor, observed: torch.Tensor, between: torch.Tensor | None = None
) -> torch.Tensor:
    """Put straight lines over the gaps of windows, from value to value.

    Before the first value, and behind the last, that value stands; zero, where a channel of a
    window has none. What x holds where nothing was observed has no effect.

    Parameters
    ----------
    x : Tensor of shape (batch, time, channels)
    observed : Tensor of bool, of the shape of x
    between : Tensor of shape (channels, channels), optional
        What channels say of each other, as `learn_between` gives it: where others are there,
        their deviations from such lines bend that of a missing one.
    """
    line = _bridge(x, observed)
    if between is not None:
        line = line + _deviations(x, observed, line) @ between.T
    return torch.where(observed, x, line)


def _deviations(x: torch.Tensor, observed: torch.Tensor, line: torch.Tensor) -> torch.Tensor:
    """Give how far values lie from the line between their neighbours; zero, where none is."""
    known = observed & (observed.sum(1, keepdim=True) > 1)
    return torch.where(known, x - line, 0)


def learn_between(x: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Learn what channels say of each other, (channels, channels).

    Least squares of each channel's deviations, where it is there, on those of the others, zero
    where they are missing, with a ridge as of one value in a hundred. Row after row what a
    channel takes of the others, and nothing of itself.
    """
    deviations = _deviations(x, observed, _bridge(x, observed)).flatten(0, 1).double()
    there = observed.flatten(0, 1)
    n_channels = x.shape[2]
    between = torch.zeros(n_channels, n_channels, dtype=torch.float64, device=x.device)
    for channel in range(n_channels):
        rows = deviations[there[:, channel]]
        own, others = rows[:, channel].clone(), rows.clone()
        others[:, channel] = 0
        gram = others.T @ others
        ridge = gram.diagonal().mean() * _RIDGE + torch.finfo(torch.float64).tiny
        eye = torch.eye(n_channels, dtype=torch.float64, device=x.device)
        between[channel] = torch.linalg.solve(gram + ridge * eye, others.T @ own)
    return between.to(x.dtype)


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
