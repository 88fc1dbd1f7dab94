"""How often patterns switch, how long they are remembered, and whether constraint events explain the switches.

A switch is a step whose pattern (the zero mask as a whole) differs from the one before; steps with a non-finite
entry have no pattern. An event is a constraint's becoming active or inactive; "loaded" is its taking up or losing its
force. Observed: the share of switches at a step with such an event. Expected: the same share had the events been shifted
circularly in time by a random number of steps, episode by episode; the p-value is two-sided. Intervals of the switch
rate come from resampling episodes within seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr


def build(patterns: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task and policy, from the pattern stores."""
    del paper
    return pd.DataFrame([_row(data) for data in patterns])


def _row(data: xr.Dataset) -> dict[str, object]:
    total = data.pattern_count.sum().item()
    row: dict[str, object] = {
        "task": data.attrs["task"],
        "policy": data.attrs["policy"],
        "distinct_patterns": data.sizes["pattern"],
        "steps_without_pattern": data.steps_without_pattern.item(),
        "share_of_most_frequent": data.pattern_count.values[0] / total if total else None,
        "switch_rate": data.switch_rate_mean.item(),
        "low": data.switch_rate_low.item(),
        "high": data.switch_rate_high.item(),
        "lag_of_half_autocorrelation": _half_lag(data.autocorrelation_mean),
        "switches": int(data.switch.sum()),
    }
    for kind in data.event_kind.values:
        here = data.sel(event_kind=kind)
        row[f"observed_{kind}"] = here.coincidence_observed.item()
        row[f"expected_{kind}"] = here.coincidence_expected.item()
        row[f"p_{kind}"] = here.coincidence_p_value.item()
    return row


def _half_lag(correlation: xr.DataArray) -> int | None:
    """The first lag at which the autocorrelation is at most 1/2; none within the lags that were computed."""
    below = np.flatnonzero(correlation.values <= 0.5)
    return int(correlation.lag[below[0]]) if len(below) else None
