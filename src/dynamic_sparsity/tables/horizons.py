"""How far zeros carry: what is left of them when the Jacobians of consecutive steps are multiplied.

The product of the Jacobians of k consecutive steps says how the state k steps later depends on the state and the control
now. Products start at evenly spaced steps of every episode. A step with a non-finite entry ends a product.

- `products`: number of start steps. `zeros`: share of zeros in the Jacobians at these steps.
- `left_k`: zeros of the products of k steps over zeros of their first factors. Zeros are counted by structure: an entry
  of a product is zero if each path through the factors contains a zero.
- `half`: the first number of steps after which at most half of the zeros are left, with `low` and `high` ends of an
  interval from resampling episodes within study seeds. It is `inf` if that is beyond the longest product.
- `half_value`: the same for zeros by value, the entries of the product whose magnitude is below the threshold. Values can
  fade or cancel although a path is open, and factors below the threshold can multiply to a larger value.
- `half_shuffled`: the same by structure if the steps of each episode are multiplied in random order. This is the null
  model: it keeps each step's zeros, and breaks their order in time.
- `lifetime`: mean number of steps that a zero lasts by structure, of at most the longest product. `lifetime_value` and
  `lifetime_shuffled`: the same by value and in random order.
- `longer`: `lifetime` minus `lifetime_shuffled`, with its interval. `p_value`: that it is 0, two-sided, from the same
  resamples, corrected by Holm's method over all rows. `answer`: whether order in time makes zeros last longer.
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
    interval = "" if np.isnan(row["low"]) or row["low"] == row["high"] else f" [{_steps(row['low'])}, {_steps(row['high'])}]"
    half = f"not within {row['longest']} steps" if np.isinf(row["half"]) else f"after {_steps(row['half'])} steps{interval}"
    return (
        f"{run}: half of the zeros are gone {half}. A zero lasts {row['lifetime']:.3g} of at most {row['longest']} steps, in"
        f" random order {row['lifetime_shuffled']:.3g}: {_IN_WORDS[row['answer']]}{_difference(row)}."
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
    return f" (by {row['longer']:.3g} {interval} steps, corrected p = {row['p_value']:.2g})"


def _steps(value: float) -> str:
    return "never" if np.isinf(value) else f"{value:g}"
