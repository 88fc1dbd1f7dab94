"""The threshold of a model's zeros, apart from scores: training needs it, and not what scores import."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def matched_threshold(
    magnitude: Float[np.ndarray, "step out_dim in_dim"], zero: Bool[np.ndarray, "step out_dim in_dim"]
) -> float:
    """The threshold below which as many entries fall as are zero; from validation data, for use on others."""
    return float(np.quantile(magnitude, zero.mean()))
