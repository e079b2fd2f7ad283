"""What is said of an X whose shape does not fit."""

ONE_DIMENSION = (
    "Expected X of shape (n_samples, n_timesteps, n_channels), or (n_samples, n_timesteps) for "
    "one channel, got an array of shape {}. Reshape your data: one series of one channel is "
    "X[None, :, None]."
)


def check_table(shape: tuple[int, ...], n_channels: int, name: str) -> None:
    """Refuse a 2-D X of this shape where sequences had several channels."""
    if n_channels == 1:
        return
    raise ValueError(
        f"X has 2 dimensions, but {name} was fitted with 3 and {n_channels} channels. "
        + (
            "One series of shape (n_timesteps, n_channels) is X[None]."
            if shape[1] == n_channels
            else "Give X of shape (n_samples, n_timesteps, n_channels)."
        )
    )


def check_channels(
    n_channels: int, known: int | None, name: str, *, exchanged: bool = False
) -> None:
    """Refuse another number of channels than is known, None for one without an axis."""
    if n_channels == (1 if known is None else known):
        return
    if known is None:
        raise ValueError(
            f"X has 3 dimensions and {n_channels} channels, but {name} was fitted with 2: to "
            "one channel, of shape (n_samples, n_timesteps)."
        )
    raise ValueError(
        f"X has {n_channels} channels, but {name} is expecting {known} channels as input"
        + (
            ", as many as X has time steps: if the axes are exchanged, give X.transpose(0, 2, 1)."
            if exchanged
            else "."
        )
    )
