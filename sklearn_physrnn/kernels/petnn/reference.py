"""The energy-transition recurrence in plain torch: the truth for the other backends."""

import torch


class _Surrogate(torch.autograd.Function):
    """1 where T' <= 0, with the derivative of ``sigmoid(-T' / width)``."""

    @staticmethod
    def forward(ctx, slack, width):
        ctx.save_for_backward(slack)
        ctx.width = width
        return _step(slack)

    @staticmethod
    def backward(ctx, grad):
        (slack,) = ctx.saved_tensors
        soft = torch.sigmoid(-slack / ctx.width)
        return grad * soft * (soft - 1) / ctx.width, None


def _step(slack):
    # Written so that a NaN stays one.
    return torch.where(slack <= 0, 1.0, torch.where(slack > 0, 0.0, slack.detach()))


def released(slack, switches):
    """Released fraction m of T', in operations that any graph of torch's can hold."""
    if switches.release == "soft":
        return torch.sigmoid(-slack / switches.width)
    return _step(slack)


def _release(slack, switches):
    if switches.release == "surrogate":
        return _Surrogate.apply(slack, switches.width)
    return released(slack, switches)


def advanced(now, recurrent_weight, s, c, t, elapsed, switches, release=released):
    """S, C, T and m (B, H) after one step, to which the input gives `now` (B, G H).

    `release` makes m of T' and the switches.
    """
    n_hidden = s.shape[1]
    gates, candidate = recurrent_weight.split([3 * n_hidden, n_hidden])
    from_input = now.split(n_hidden, dim=1)
    from_state = (s @ gates.T).split(n_hidden, dim=1)
    z_t, z_c, z_w = (a + b for a, b in zip(from_input[:3], from_state, strict=True))
    z_t = torch.tanh(z_t) if switches.increment == "tanh" else z_t
    z_c, z_w = torch.sigmoid(z_c), torch.sigmoid(z_w)
    decay = torch.sigmoid(from_input[4]) if switches.time_decay else 1.0
    ground = torch.sigmoid(from_input[-1]) if switches.ground_state else 0.0
    slack = decay * torch.relu(t + z_t) - elapsed
    m = release(slack, switches)
    energy = m * c
    new_c = (1 - m) * c + m * ground + z_c
    h = torch.tanh((s * energy) @ candidate.T + from_input[3])
    return torch.tanh((1 - z_w) * s + z_w * h), new_c, (1 - m) * slack, m


def petnn(x, input_weight, recurrent_weight, bias, s, c, t, dt, lengths, switches):
    """See :func:`sklearn_physrnn.kernels.petnn.petnn`; a trajectory, step by step.

    Returns S, C, T, m of all steps, (B, T, H) each, and the final S, C, T.
    """
    # Unbound, not indexed: a slice's gradient is an array as large as the whole.
    drive = torch.nn.functional.linear(x, input_weight, bias).unbind(1)
    history: list[tuple[torch.Tensor, ...]] = []
    for k, now in enumerate(drive):
        elapsed = 1.0 if dt is None else dt[:, k, None]
        new_s, new_c, new_t, m = advanced(
            now, recurrent_weight, s, c, t, elapsed, switches, _release
        )
        if lengths is None:
            s, c, t = new_s, new_c, new_t
            history.append((s, c, t, m))
        else:
            there = (k < lengths)[:, None]
            s, c, t = (torch.where(there, *x) for x in ((new_s, s), (new_c, c), (new_t, t)))
            history.append(tuple(torch.where(there, x, 0.0) for x in (s, c, t, m)))
    if not history:
        return *(s.new_empty(len(x), 0, s.shape[1]),) * 4, s, c, t
    return *(torch.stack(x, dim=1) for x in zip(*history, strict=True)), s, c, t
