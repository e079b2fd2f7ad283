"""matplotlib, if it is there."""


def import_pyplot(caller: str):
    """Import and return ``matplotlib.pyplot``, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib: pip install sklearn-physrnn[plot]."
        ) from error
    return plt
