"""Which zeros are always there, which depend on the state, and whether those that are always there are symmetries.

The zeros of all entries of [J_s J_a] at all steps, at the study's threshold, are shared out among three kinds of entries.
Shares are of all zeros; `low` and `high` are an interval from resampling episodes within study seeds. Which entry is of
which kind is taken from all episodes.

- `depends_on_state`: whether `all`, `some`, `below 1 %` or `none` of the zeros are of entries that are not always zero.
- `always`: the share of zeros of entries that are zero at every step.
- `broken`: of entries that are zero at every step without an active constraint, but not at every step. `broken_by` names
  the constraints that bear a force most often when one of these entries is not zero, with the share of those steps.
- `otherwise`: of all other entries. They are zero at single steps, for example where the robot is at rest or a value
  passes through zero. Without any step that is free of constraints, this kind holds the zeros that are not `always`.

The next columns count entries that are zero at every step, `always_zero`. They are the sum of the four after them.

- `impossible`: entries that no Jacobian of this model can have. No joint, contact, tendon, equality or actuator leads
  from the input to the output, and neither does the constraint solver's step length.
- `symmetries`: entries of a position coordinate whose output stays the same when the coordinate is shifted, at each of
  the `sampled_steps` recorded steps, by each of the study's shifts (`structure` in config.yaml). "The same" means that
  it changes by at most 1e-9 of 1 + |value|. `largest_change` is the largest change among these entries.
- `not_symmetries`: those that a shift changes by more. Their zero is local: it holds where the robot has been.
- `not_tested`: those in columns of velocities, activations and controls, which are not shifted, and all entries of
  policies without a store of the stage `structure` (`comparison.full` in config.yaml).
- `change_elsewhere`: a check that shifts would show a dependence. Of the position coordinates without an entry that is
  always zero, the one that matters least changes some output by this much, relative to 1 + |value|.
- `by_column` says for each column with entries that are always zero how many there are, and what shifts do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

UNCHANGED = 1e-9
"""Largest change of an output, relative to 1 + |value|, that counts as none."""
_FEW = 0.01
_MOST = 4


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task and policy, from the summary and structure stores."""
    del paper
    kinds = {(data.attrs["kind"], data.attrs["task"], data.attrs["policy"]): data for data in stores}
    summaries = [data for data in stores if data.attrs["kind"] == "summary"]
    return pd.DataFrame(
        [_row(data, kinds.get(("structure", data.attrs["task"], data.attrs["policy"]))) for data in summaries]
    )


def _row(summary: xr.Dataset, structure: xr.Dataset | None) -> dict[str, object]:
    main = summary.sel(threshold=summary.attrs["threshold"])
    always = main.always_zero.transpose("out_dim", "in_dim")
    row: dict[str, object] = {"task": summary.attrs["task"], "policy": summary.attrs["policy"]}
    row["depends_on_state"] = _amount(1 - main.zero_kind_share.sel(zero_kind="always").item())
    for kind in main.zero_kind.values:
        share = main.sel(zero_kind=kind)
        row |= {
            str(kind): share.zero_kind_share.item(),
            f"{kind}_low": share.zero_kind_share_low.item(),
            f"{kind}_high": share.zero_kind_share_high.item(),
        }
    row |= {"broken_entries": int(main.broken_entry.sum()), "broken_by": _broken_by(main)}
    return {**row, "always_zero": int(always.sum()), **(_certified(always, structure) if structure else _untested(always))}


def _amount(share: float) -> str:
    if np.isnan(share):
        return "no zeros"
    return "all" if share == 1 else "some" if share >= _FEW else f"below {100 * _FEW:g} %" if share > 0 else "none"


def _broken_by(main: xr.Dataset) -> str:
    """The constraints that bear a force when a broken entry is not zero, most frequent first."""
    loaded = main.broken_loaded[np.argsort(-main.broken_loaded.values, kind="stable")]
    pairs = zip(loaded.constraint.values, loaded.values / max(1, int(main.broken_steps)), strict=True)
    return _listed([f"{name} ({100 * share:.3g} %)" for name, share in pairs if share > 0])


def _untested(always: xr.DataArray) -> dict[str, object]:
    """The columns of a policy whose structure was not computed."""
    return {
        **dict.fromkeys(["impossible", "symmetries", "not_symmetries"]),
        "not_tested": int(always.sum()),
        **dict.fromkeys(["sampled_steps", "largest_change", "change_elsewhere"]),
        "by_column": _listed([f"{count} in column {name}" for name, count in _per_column(always)]),
    }


def _certified(always: xr.DataArray, structure: xr.Dataset) -> dict[str, object]:
    """What the structural bound and the shifts say about the entries that are always zero."""
    possible = structure.possible.transpose(*always.dims)
    change = structure.largest_change.max("shift").rename(coordinate="in_dim").transpose(*always.dims)
    change = change.reindex(in_dim=always.in_dim)  # NaN for inputs that are not shifted
    kinds = {
        "impossible": always & ~possible,
        "symmetries": always & possible & (change <= UNCHANGED),
        "not_symmetries": always & possible & (change > UNCHANGED),
        "not_tested": always & possible & change.isnull(),
    }
    certified = change.where(kinds["symmetries"])
    elsewhere = change.where(~always.any("out_dim")).max("out_dim")
    return {
        **{kind: int(entries.sum()) for kind, entries in kinds.items()},
        "sampled_steps": structure.sizes["sample"],
        "largest_change": certified.max().item(),
        "change_elsewhere": elsewhere.min().item(),
        "by_column": " ".join(_columns(kinds, structure, change)),
    }


def _columns(kinds: Mapping[str, xr.DataArray], structure: xr.Dataset, change: xr.DataArray) -> Iterator[str]:
    """What holds for the entries of each column that are always zero, in words."""
    for name, count in _per_column(kinds["impossible"]):
        yield f"{name}: {count} impossible by structure."
    for name, count in _per_column(kinds["symmetries"]):
        own = "and moves by the shift" if change.sel(out_dim=name, in_dim=name) <= UNCHANGED else "but does not move by it"
        yield f"{name}: {count} symmetries ({own})."
    for name, count in _per_column(kinds["not_symmetries"]):
        rows = kinds["not_symmetries"].sel(in_dim=name).values
        yield f"{name}: {count} no symmetries: {_breaking(structure.sel(coordinate=name), rows)}."
    for name, count in _per_column(kinds["not_tested"]):
        yield f"{name}: {count} not tested."


def _breaking(of_coordinate: xr.Dataset, rows: np.ndarray) -> str:
    """The smallest shift that changes an output of `rows` by more than `UNCHANGED`, by how much, and what it activates."""
    change = of_coordinate.largest_change.transpose("shift", "out_dim").values[:, rows].max(axis=1)
    size = np.where(change > UNCHANGED, of_coordinate.shift_size.values, np.nan)
    first = int(np.nanargmin(np.abs(size)))
    unit = "rad" if of_coordinate.rotates else "m"
    gained = of_coordinate.gained.isel(shift=first)
    names = [str(name) for name, steps in zip(gained.constraint.values, gained.values, strict=True) if steps]
    why = f", which makes {_listed(names)} active" if names else ""
    return f"changed by up to {change[first]:.2g} when shifted by {size[first]:g} {unit}{why}"


def _per_column(entries: xr.DataArray) -> list[tuple[str, int]]:
    """How many entries of each column are True; columns without any are left out."""
    count = entries.sum("out_dim")
    return [(str(name), int(number)) for name, number in zip(count.in_dim.values, count.values, strict=True) if number]


def sentences(frame: pd.DataFrame) -> list[str]:
    """The answers: whether zeros depend on the state, whether global zeros are symmetries, and whether any is structural."""
    found = [_state_sentence(str(policy), rows) for policy, rows in frame.groupby("policy", sort=False)]
    tested = frame[frame.symmetries.notna()]
    if not len(tested):
        return [*found, "Is every global zero a symmetry? Not tested."]
    return [*found, _symmetry_sentence(tested), _structure_sentence(tested)]


def _state_sentence(policy: str, rows: pd.DataFrame) -> str:
    """In how many tasks zeros depend on the state, and how many of them do in each."""
    known = rows[rows.depends_on_state != "no zeros"]
    changing = known[known.depends_on_state.isin(["all", "some"])]
    answer = "No" if not len(changing) else "Yes" if len(changing) == len(known) else "Partly"
    shares = [
        f"{row['task']} {_percent(1 - row['always'])}{_interval(1 - row['always_high'], 1 - row['always_low'])}"
        for row in changing.sort_values("always", kind="stable").to_dict("records")
    ]
    rest = known[~known.index.isin(changing.index)].to_dict("records")
    others = [f"{row['task']} {_percent(1 - row['always'])}" for row in rest]
    return (
        f"Do zeros depend on the state? {answer}, under policy {policy} in {len(changing)} of {len(known)} tasks."
        + (f" Share of all zeros that are of entries not always zero: {', '.join(shares)}." if shares else "")
        + (f" In the other tasks it is below {100 * _FEW:g} %: {', '.join(others)}." if others else "")
    )


def _symmetry_sentence(tested: pd.DataFrame) -> str:
    """Whether every entry that is always zero is a symmetry, and which ones are not."""
    total, symmetric = int(tested.always_zero.sum()), int(tested.symmetries.sum())
    if not total:
        return "Is every global zero a symmetry? No entry is always zero."
    others = tested[tested.always_zero > tested.symmetries].to_dict("records")
    exceptions = [f"{row['task']}, {row['policy']}: {row['by_column']}" for row in others]
    holding = tested[tested.symmetries > 0]
    size = ""
    if len(holding):
        steps = f"{holding.sampled_steps.min():.0f}"
        size = f"; shifts at {steps} steps or more change these outputs by at most {holding.largest_change.max():.1g}"
    contrast = tested.change_elsewhere.min()
    control = f", and every other position coordinate changes some output by {contrast:.1g} or more" if contrast > 0 else ""
    answer = "Yes" if symmetric == total else "Partly" if symmetric else "No"
    return (
        f"Is every global zero a symmetry? {answer}: {symmetric} of"
        f" {total} entries that are always zero, in {int((tested.always_zero > 0).sum())} of {len(tested)} pairs of task and"
        f" policy{size}{control}." + (f" The others: {' '.join(exceptions)}" if others else "")
    )


def _structure_sentence(tested: pd.DataFrame) -> str:
    """How many of the entries that are always zero are impossible by structure."""
    some = tested[tested.impossible > 0]
    if not len(some):
        return "Is a global zero one of structure? No: every entry that is always zero could be non-zero by structure."
    rows = some.to_dict("records")
    counts = ", ".join(f"{row['task']}, {row['policy']}: {row['impossible']:.0f} of {row['always_zero']}" for row in rows)
    return f"Is a global zero one of structure? In {len(some)} of {len(tested)} pairs of task and policy: {counts}."


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _interval(low: float, high: float) -> str:
    return "" if np.isnan(low) else f" [{100 * low:.3g}, {100 * high:.3g}]"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} others" if len(names) > _MOST else "")
