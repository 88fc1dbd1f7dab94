"""How long entries stay zero or non-zero, in control steps, in two conventions.

Paper mean: runs that span their whole episode are left out, runs cut by an end of it count at the length that was seen.
Median and restricted mean: Kaplan-Meier, over runs whose start was seen; runs cut at their end are censored. The restricted
mean is the area under the survival curve up to the last duration at which it is known. ended_runs: how many runs ended, on
which all of these rest. A median is printed with its interval (from resampling episodes) or not at all: it was not reached,
or not in so many resamples that its upper end is unknown. A share beyond a duration that no run was followed to is unknown.
Where no run ended, nothing is known but that; its shares are 1. Spanning share: share of all (entry, step) pairs that belong
to runs spanning their episode, about which neither mean says anything.
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
    here = data.sel(value=value)
    total = here.all_steps.item()
    at = {t: here.sel(duration=t) for t in _SURVIVES if t in here.duration}
    return {
        "task": data.attrs["task"],
        "policy": data.attrs["policy"],
        "value": str(value),
        "paper_mean": here.paper_mean.item(),
        "ended_runs": here.ended_runs.item(),
        **_median(here),
        "restricted_mean": here.restricted_mean.item(),
        **{
            f"{part}_beyond_{t}": s[name].item()
            for t, s in at.items()
            for part, name in (("share", "survival"), ("low", "survival_low"), ("high", "survival_high"))
        },
        "cut_at_end": here.cut_runs.item(),
        "start_not_seen": here.unseen_start_runs.item(),
        "spanning_runs": here.spanning_runs.item(),
        "spanning_share": here.spanning_steps.item() / total if total else None,
    }


def _median(here: xr.Dataset) -> dict[str, float]:
    """With both ends of its interval, or with nothing."""
    values = {name: here[name].item() for name in ("median", "median_low", "median_high")}
    return values if np.isfinite(list(values.values())).all() else dict.fromkeys(values, np.nan)
