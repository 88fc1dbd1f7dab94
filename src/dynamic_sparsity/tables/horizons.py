"""How far zeros carry: what is left of them when the Jacobians of consecutive steps are multiplied.

The product of the Jacobians of k consecutive steps says how the state k steps later depends on the state and the control
now. Products start at evenly spaced steps of every episode. A step with a non-finite entry ends a product.

- `products`: number of start steps. `zeros`: share of zeros in the Jacobians at these steps. `longest`: number of steps of
  the longest product.
- `left_k`: zeros of the products of k steps over zeros of their first factors. Zeros are counted by structure: an entry
  of a product is zero if each path through the factors contains a zero.
- `half`: the first number of steps after which at most half of the zeros are left, with `low` and `high` ends of an
  interval from resampling episodes within study seeds. It is `inf` if that is beyond the longest product.
  `half_seconds`: the same in seconds.
- `half_value`: the same for zeros by value, the entries of the product whose magnitude is below the threshold. Values can
  fade or cancel although a path is open, and factors below the threshold can multiply to a larger value.
- `half_shuffled`: the same by structure if each start step is followed by other steps of its episode in random order.
  This is the null model: it keeps each step's zeros, and breaks their order in time.
- `lifetime`: mean number of steps that a zero lasts by structure, of at most the longest product. `lifetime_value` and
  `lifetime_shuffled`: the same by value and in random order.
- `longer`: `lifetime` minus `lifetime_shuffled`, with its interval. `p_value`: of the hypothesis that it is 0, two-sided,
  by Student's t with the standard error of the resamples, corrected by Holm's method over all rows; unknown if all
  episodes are alike. `answer`: whether
  order in time makes zeros last longer, at 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.tables.model_comparisons import holm

_SIGNIFICANT = 0.05


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task and policy, from the horizon stores."""
    del paper
    rows = [_row(data) for data in stores]
    corrected = zip(rows, holm(np.array([row["p_value"] for row in rows])).tolist(), strict=True)
    return pd.DataFrame([{**row, "p_value": p_value, "answer": _answer(row, p_value)} for row, p_value in corrected])


def sentences(frame: pd.DataFrame) -> list[str]:
    """One sentence per task and policy."""
    return [_sentence(row) for row in frame.to_dict("records")]


def _row(data: xr.Dataset) -> dict[str, Any]:
    by = {name: data.sel(zeros_by=name) for name in map(str, data.zeros_by.values)}
    structure = by["structure"]
    row: dict[str, Any] = {
        "task": data.attrs["task"],
        "policy": data.attrs["policy"],
        "products": int(structure.products.sel(step=1)),
        "zeros": float(data.first_share),
    }
    row |= {f"left_{step}": float(structure.left.sel(step=step)) for step in data.horizon.values.tolist() if step > 1}
    row |= {"half": float(structure.half), "low": float(structure.half_low), "high": float(structure.half_high)}
    row["half_seconds"] = row["half"] * data.attrs["control_timestep"]
    row |= {f"half_{name}": float(by[name].half) for name in ("value", "shuffled")}
    row |= {f"lifetime{end}": float(structure[f"lifetime{end}"]) for end in ("", "_low", "_high")}
    row |= {f"lifetime_{name}": float(by[name].lifetime) for name in ("value", "shuffled")}
    row |= {f"longer{end}": float(data[f"longer{end}"]) for end in ("", "_low", "_high")}
    return {**row, "p_value": float(data.longer_p_value), "longest": data.sizes["step"]}


def _answer(row: Mapping[str, Any], p_value: float) -> str:
    if not row["zeros"] > 0:
        return "no zeros"
    if not p_value < _SIGNIFICANT:
        return "not shown"
    return "longer" if row["longer"] > 0 else "shorter"


def _sentence(row: Mapping[str, Any]) -> str:
    run = f"{row['task']}, {row['policy']}"
    if row["answer"] == "no zeros":
        return f"{run}: no zeros, so none are carried."
    known = not np.isnan(row["low"]) and row["low"] != row["high"]
    interval = f" [{_steps(row['low'], row)}, {_steps(row['high'], row)}]" if known else ""
    half = (
        f"more than half of the zeros are left after {row['longest']} steps"
        if np.isinf(row["half"])
        else f"half of the zeros are gone after {row['half']:g} steps{interval}, {row['half_seconds']:.3g} s"
    )
    return (
        f"{run}: {half}. A zero lasts {row['lifetime']:.3g} of at most {row['longest']} steps, in random order"
        f" {row['lifetime_shuffled']:.3g}: {_IN_WORDS[row['answer']]}{_difference(row)}."
    )


_IN_WORDS = {
    "longer": "clustering in time makes zeros last longer",
    "shorter": "order in time makes zeros last shorter",
    "not shown": "not shown that order in time matters",
}


def _difference(row: Mapping[str, Any]) -> str:
    if np.isnan(row["longer_low"]):
        return ""
    interval = f"[{row['longer_low']:.3g}, {row['longer_high']:.3g}]"
    p_value = "no p-value" if np.isnan(row["p_value"]) else f"corrected p = {row['p_value']:.2g}"
    return f" (by {row['longer']:.3g} {interval} steps, {p_value})"


def _steps(value: float, row: Mapping[str, Any]) -> str:
    return f"more than {row['longest']}" if np.isinf(value) else f"{value:g}"
