"""The threshold below which a model's entries count as zero.

It has its own module so that the training stage need not import `scores`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def matched_threshold(
    magnitude: Float[np.ndarray, "step out_dim in_dim"], zero: Bool[np.ndarray, "step out_dim in_dim"]
) -> float:
    """The threshold below which as many entries lie as are truly zero.

    It is taken from validation episodes and applied to test episodes.
    """
    return float(np.quantile(magnitude, zero.mean()))
