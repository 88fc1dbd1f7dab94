"""How often patterns switch, how long they persist, and whether constraint events explain the switches.

A switch is a step whose pattern (the zero mask of the whole step) differs from the one before. Steps with a non-finite
entry have no pattern. An event is a step at which a constraint becomes active or inactive. An event of the kind
`loaded` is a step at which a constraint starts or stops carrying a force.

- `switch_rate`: share of steps that are switches, with `low` and `high` ends of an interval from resampling episodes
  within study seeds.
- `lag_of_half_autocorrelation`: first lag, in steps, at which the autocorrelation of the pattern is at most 1/2.
- `observed_...`: share of the switches at a step with an event of this kind.
- `expected_...`: the same share if the events of each episode are shifted circularly in time by a random number of
  steps.
- `p_...`: two-sided p-value of the observed share under such shifts.
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
        events = data.sel(event_kind=kind)
        row[f"observed_{kind}"] = events.coincidence_observed.item()
        row[f"expected_{kind}"] = events.coincidence_expected.item()
        row[f"p_{kind}"] = events.coincidence_p_value.item()
    return row


def _half_lag(correlation: xr.DataArray) -> int | None:
    """The first lag at which the autocorrelation is at most 1/2; None if that is beyond the computed lags."""
    below = np.flatnonzero(correlation.values <= 0.5)
    return int(correlation.lag[below[0]]) if len(below) else None
