"""What an object's next state does not depend on, how often, and for how long at a time.

An object is a body that moves on its own, with all bodies that it carries; its name is MuJoCo's of that body. A block of
the Jacobian has the rows of one object and the columns of the state, or of the controls, of one object. It is zero in a
step if all of its entries are. In a task with one object, blocks are those of joints, and blocks that are never zero are
left out. Blocks with the same columns and the same numbers share a row of this table.

- `level`: whether the blocks are of objects or of joints.
- `next_state_of`, `does_not_depend_on`: the rows and the columns of the block.
- `zero_share`: share of the steps in which the block is zero, with `low` and `high` ends of an interval from resampling
  episodes within study seeds. Steps with a non-finite entry in the block do not count.
- `independent_share`: the same share if the entries of the block were zero as often as they are, at times that do not
  depend on each other. This is the null model. `excess`: the difference, with its interval.
- `duration`: mean duration of the runs of steps in which the block is zero, in control steps, with its interval;
  `duration_seconds`: the same in seconds. Runs that an end of the episode cuts count as long as they were seen.
  `cut_share`: their share.
- `half`: the first number of multiplied steps after which at most half of the zeros of the block are left (table
  `horizons`); `inf` if that is beyond the longest product, unknown for blocks of joints without zeros.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

_CONTROLS = "ctrl:"
_DIGITS = 12
"""Blocks are the same if their numbers agree to this many decimals."""


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each distinct block of each task and policy, from the horizon stores."""
    del paper
    return pd.DataFrame([row for data in stores for row in _merged(_blocks(data))])


def sentences(frame: pd.DataFrame) -> list[str]:
    """Sentences about each task and policy: one for all blocks that are zero in the same share of the steps."""
    return [
        sentence
        for run, rows in itertools.groupby(frame.to_dict("records"), lambda row: f"{row['task']}, {row['policy']}")
        for sentence in _about(run, list(rows))
    ]


def _blocks(data: xr.Dataset) -> list[dict[str, Any]]:
    """Rows for the blocks of objects; for those of joints that are sometimes zero if there is only one object."""
    level = "object" if data.sizes["row_object"] > 1 else "joint"
    step = data.attrs["control_timestep"]
    blocks = []
    for column in map(str, data[f"column_{level}"].values):
        for row in map(str, data[f"row_{level}"].values):
            block = data.sel({f"row_{level}": row, f"column_{level}": column})
            numbers = {name: float(block[f"{level}_{variable}"]) for name, variable in _VARIABLES.items()}
            if not numbers["zero_share"] > 0 and (level == "joint" or row == column.removeprefix(_CONTROLS)):
                continue
            names = {"next_state_of": row, "does_not_depend_on": _in_words(column)}
            seconds = {"duration_seconds": numbers["duration"] * step, "half": float(block[f"{level}_half"].sel(_BY))}
            blocks.append({**_run(data), "level": level, **names, **numbers, **seconds})
    return blocks or [{**_run(data), "level": level, **_NONE, "zero_share": 0.0}]


_VARIABLES = {
    **{"zero_share": "zero_share", "low": "zero_share_low", "high": "zero_share_high"},
    **{name: name for name in ("independent_share", "excess", "excess_low", "excess_high")},
    **{"duration": "zero_duration", "duration_low": "zero_duration_low", "duration_high": "zero_duration_high"},
    "cut_share": "cut_share",
}
_NONE = {"next_state_of": "any joint", "does_not_depend_on": "the state or a control of any joint"}
_BY = {"zeros_by": "structure"}


def _run(data: xr.Dataset) -> dict[str, Any]:
    return {"task": data.attrs["task"], "policy": data.attrs["policy"]}


def _in_words(column: str) -> str:
    return f"controls of {column.removeprefix(_CONTROLS)}" if column.startswith(_CONTROLS) else f"state of {column}"


def _merged(blocks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The blocks, with those of the same columns and numbers as one."""
    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for block in blocks:
        numbers = (str(round(value, _DIGITS)) for value in block.values() if isinstance(value, float))
        alike.setdefault((block["does_not_depend_on"], *numbers), []).append(block)
    for same in alike.values():
        yield {**same[0], "next_state_of": ", ".join(block["next_state_of"] for block in same)}


def _about(run: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Sentences that lead with the answer; blocks that are zero in the same share of steps share a sentence."""
    one_object = rows[0]["level"] == "joint"
    if one_object and not rows[0]["zero_share"] > 0:
        yield f"{run}: never (one object). No block of two joints, or of a joint and controls, is zero in any step."
        return
    together: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        together.setdefault(f"{row['zero_share']:.4f}", []).append(row)
    for same in together.values():
        pairs = "; ".join(f"{row['next_state_of']} from the {row['does_not_depend_on']}" for row in same)
        yield f"{run}: {_answer(same, one_object=one_object)} the next state of {pairs}.{_null(same)}"


def _answer(rows: Sequence[Mapping[str, Any]], *, one_object: bool) -> str:
    row = rows[0]
    joints = " (one object; of its joints)" if one_object else ""
    if not row["zero_share"] > 0:
        return f"never independent{joints}:"
    word = "always" if row["zero_share"] == 1 else "sometimes"
    interval = "" if np.isnan(row["low"]) or row["low"] == row["high"] else f" [{row['low']:.1%}, {row['high']:.1%}]"
    at_least = "at least " if any(row["cut_share"] > 0 for row in rows) else ""
    return (
        f"{word} independent{joints}, in {row['zero_share']:.1%}{interval} of the steps, on average for"
        f" {at_least}{row['duration']:.3g} steps ({row['duration_seconds']:.3g} s) at a time:"
    )


def _null(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows[0]["zero_share"] > 0:
        return ""
    shares = [row["independent_share"] for row in rows]
    lowest, highest = (f"{end(shares):.1%}" for end in (min, max))
    expected = lowest if lowest == highest else f"{lowest} to {highest}"
    return f" Entries that are zero at independent times would give {expected}."
