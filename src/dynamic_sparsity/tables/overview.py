"""What was found in each task, one row a task and policy.

- `globally_zero`: entries of J_s that are zero in every step, in per cent of its entries.
- `state_dependent`: of all zeros of [J_s J_a] in all steps, the share in entries that are not always zero, in per cent.
- `sparsity`: mean sparsity of [J_s J_a], with `low` and `high` ends of an interval from resampling episodes within study
  seeds.
- `patterns`: number of distinct patterns; `zeros`: how many zeros the most frequent ones have.
- `duration`: median duration of a run of zeros, in seconds (Kaplan-Meier; unknown if the curve does not reach it).
- `at_contacts`: share of the switches at a step with a contact event, in per cent; `expected_at_contacts`: the same for
  contact events that are shifted in time.
- `model`: the trained world model that recovers the zeros best; `error_over_linear`: its error of the next state, divided
  by that of a linear fit; `auroc`: how well it tells zero from non-zero entries (0.5: chance, 1: the truth); `static`:
  the AUROC of a predictor that knows only how often each entry is zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.definitions.blocks import ALL, STATE
from dynamic_sparsity.stores.runs import joined_runs
from dynamic_sparsity.tables._finding_models import best_model
from dynamic_sparsity.tables._finding_zeros import state_dependent

_LISTED = 3


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task and policy, from the summary, pattern, survival and recovery stores."""
    del paper
    others = {
        (data.attrs["kind"], data.attrs["task"], data.attrs["policy"]): data
        for data in stores
        if data.attrs["kind"] in ("survival", "recovery")
    }
    rows = [
        {
            "task": task,
            "policy": policy,
            **_zeros(summary.sel(threshold=summary.attrs["threshold"])),
            **_time(patterns, others.get(("survival", task, policy))),
            **_model(others.get(("recovery", task, policy))),
        }
        for (task, policy), (summary, patterns) in joined_runs(stores, "summary", "patterns").items()
    ]
    return pd.DataFrame(rows)


def _zeros(main_summary: xr.Dataset) -> dict[str, object]:
    in_states, everything = main_summary.sel(block=STATE), main_summary.sel(block=ALL)
    return {
        "globally_zero": 100 * float(in_states.global_zeros) / float(in_states.entries),
        "state_dependent": 100 * state_dependent(main_summary),
        "sparsity": float(everything.mean_sparsity),
        "low": float(everything.mean_sparsity_low),
        "high": float(everything.mean_sparsity_high),
    }


def _time(patterns: xr.Dataset, survival: xr.Dataset | None) -> dict[str, object]:
    zeros = [str(count) for count in patterns.pattern_zero.sum(("out_dim", "in_dim")).values]
    contacts = patterns.sel(event_kind="contact")
    median = np.nan if survival is None else float(survival["median"].sel(value="zero"))
    return {
        "patterns": len(zeros),
        "zeros": ", ".join(zeros[:_LISTED]) + (" …" if len(zeros) > _LISTED else ""),
        "duration": median * patterns.attrs["control_timestep"],
        "at_contacts": 100 * float(contacts.coincidence_observed),
        "expected_at_contacts": 100 * float(contacts.coincidence_expected),
    }


def _model(recovery: xr.Dataset | None) -> dict[str, object]:
    name = None if recovery is None else best_model(recovery)
    if recovery is None or name is None:
        return {"model": "", "error_over_linear": np.nan, "auroc": np.nan, "static": np.nan}
    aurocs = recovery.auroc.sel(basis="scaled", condition="all")
    return {
        "model": name,
        "error_over_linear": float(recovery.error_over_linear.sel(model=name).median()),
        "auroc": float(aurocs.sel(model=name)),
        "static": float(aurocs.sel(model="static_oracle")),
    }
