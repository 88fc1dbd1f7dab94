"""How long entries stay zero or non-zero, in control steps, by two conventions.

A run is a sequence of consecutive steps in which an entry stays zero or stays non-zero. One mean follows the paper; the
other estimates come from survival curves.

- `paper_mean`: the paper's mean. It leaves out runs that span their whole episode, and counts runs cut by either end of
  their episode with the length that was seen.
- `median`, `restricted_mean`: Kaplan-Meier estimates from runs whose start was seen. Runs cut at their end are
  censored. The restricted mean is the area under the survival curve up to the last duration at which the curve is
  known.
- `ended_runs`: number of runs that ended; all estimates rest on these. If none ended, the shares below are 1 and
  everything else is unknown.
- `median_low`, `median_high`: interval of the median from resampling episodes. The median is printed with both ends or
  not at all. It is missing if the curve does not reach it, or if so many resamples do not reach it that the upper end
  is unknown.
- `share_beyond_10`, `share_beyond_100`: share of runs that last longer, with `low` and `high` ends of its interval. The
  share is unknown for a duration that no observed run reaches.
- `cut_at_end`: runs cut by the end of their episode; `start_not_seen`: runs under way at the start of their episode;
  `spanning_runs`: runs that span their whole episode.
- `spanning_share`: share of all (entry, step) pairs that belong to spanning runs. Neither mean says anything about
  them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

_SURVIVES = (10, 100)


def build(curves: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, policy and value (zero, non-zero), from the survival stores."""
    del paper
    return pd.DataFrame([_row(data, value) for data in curves for value in data.value.values])


def _row(data: xr.Dataset, value: str) -> dict[str, object]:
    curve = data.sel(value=value)
    total = curve.all_steps.item()
    survival_at = {duration: curve.sel(duration=duration) for duration in _SURVIVES if duration in curve.duration}
    return {
        "task": data.attrs["task"],
        "policy": data.attrs["policy"],
        "value": str(value),
        "paper_mean": curve.paper_mean.item(),
        "ended_runs": curve.ended_runs.item(),
        **_median(curve),
        "restricted_mean": curve.restricted_mean.item(),
        **{
            f"{prefix}_beyond_{duration}": survival[name].item()
            for duration, survival in survival_at.items()
            for prefix, name in (("share", "survival"), ("low", "survival_low"), ("high", "survival_high"))
        },
        "cut_at_end": curve.cut_runs.item(),
        "start_not_seen": curve.unseen_start_runs.item(),
        "spanning_runs": curve.spanning_runs.item(),
        "spanning_share": curve.spanning_steps.item() / total if total else None,
    }


def _median(curve: xr.Dataset) -> dict[str, float]:
    """The median and both ends of its interval; all NaN unless all are known."""
    values = {name: curve[name].item() for name in ("median", "median_low", "median_high")}
    return values if np.isfinite(list(values.values())).all() else dict.fromkeys(values, np.nan)
