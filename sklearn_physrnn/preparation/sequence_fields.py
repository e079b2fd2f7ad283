"""What files say of sequences."""

from typing import Any

import numpy as np

from ..storage.plain import Fields


def sequence_fields(fields: Fields) -> dict[str, Any]:
    """Take what a file says of sequences, whatever their steps are."""
    n_dims, time_unit = fields.integer("n_dims", 2), fields.take("time_unit", float)
    if n_dims > 3:
        raise ValueError("its inputs must have 2 or 3 dimensions.")
    if not 0 < time_unit < np.inf:
        raise ValueError("its unit of time must be positive.")
    # Files of version 0.1 lack it.
    mean_dt = fields.take("mean_dt", float) if fields.has("mean_dt") else 1.0
    if not 0 < mean_dt <= 1:
        raise ValueError("its mean step of time must be positive, and at most 1.")
    longest = fields.integer("longest")
    return {"n_dims": n_dims, "longest": longest, "time_unit": time_unit, "mean_dt": mean_dt}
