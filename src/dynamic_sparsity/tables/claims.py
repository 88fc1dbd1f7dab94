"""The paper's claims, one by one, compared with what this study measures under each of its policies.

The paper's data come from trained experts. Rows of the policy `expert` therefore reproduce the paper if `agent` says
that the policy is an expert; rows of the other policies show how much a claim depends on who acts. `why` states what in
this study's data makes the difference. Where it mentions the paper's agents, it is our interpretation, because the
paper's experts and code were not available. The figures of the study show the same data. Two topics are not in this
table: how long entries stay zero or non-zero (Figure 7's durations are in table `durations`), and learnt models.

- Figure 3 agrees if every entry is within five percentage points of the paper's.
- Figure 4 agrees if the sparsities are within 0.05 of the paper's.
- Figure 5 has no verdict: few bins hold most steps even if nothing ever switches, so no data could contradict the
  claim.
- Figure 6 agrees if at least half of the switches coincide with the named events, and partly agrees if fewer do. In
  both cases the share must exceed that of the null model of shifted events (two-sided p < 0.05, not corrected for the
  number of rows).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.definitions.blocks import ACTION, ALL, STATE, in_block
from dynamic_sparsity.stores.runs import joined_runs
from dynamic_sparsity.tables import global_zeros, zero_fractions
from dynamic_sparsity.tables.returns import verdicts

_COLUMNS = ["place", "claim", "task", "policy", "verdict", "measured", "why", "agent"]
_FINGERS = ("FingerSpin", "FingerTurnEasy")
_FOLLOWS = {"BallInCup": ("tendon_limit", "the tautness of the string"), "CheetahRun": ("contact", "the gait's contacts")}
_POINTS, _MASS, _P, _NEAR, _HALF = 5.0, 0.9, 0.05, 0.05, 0.5


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per claim, task and policy, from the summary, pattern and rollout stores."""
    agents = verdicts(stores, paper["playground_returns"])
    rows = [
        {**row, "task": task, "policy": policy, "agent": agents.get((task, policy), "")}
        for (task, policy), pair in joined_runs(stores, "summary", "patterns").items()
        for row in _rows(*pair, paper)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS).sort_values(["place", "task"], kind="stable", ignore_index=True)


def _rows(summary: xr.Dataset, patterns: xr.Dataset, paper: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, object]]:
    main_summary = summary.sel(threshold=summary.attrs["threshold"])
    yield from _table_1(main_summary, paper["table1"])
    yield from _figure_3(summary, main_summary, paper["figure3"])
    yield from _figure_4(main_summary)
    if summary.attrs["task"] in set(paper["table1"].task):
        yield from _figure_5(patterns)
        yield from _figure_6(patterns)
        yield from _figure_7(patterns)


def _table_1(main_summary: xr.Dataset, paper: pd.DataFrame) -> Iterator[dict[str, object]]:
    for _, reported in paper[paper.task == main_summary.attrs["task"]].iterrows():
        zeros, action_zeros = (int(main_summary.global_zeros.sel(block=block)) for block in (STATE, ACTION))
        yield {
            "place": "Table 1",
            "claim": f"{reported.zeros_J_s} entries of J_s and {reported.zeros_J_a} of J_a are zero in every sample",
            "measured": f"{zeros} and {action_zeros}",
            "verdict": global_zeros.verdict(zeros, action_zeros, reported),
            "why": global_zeros.explanation(main_summary, reported),
        }


def _figure_3(summary: xr.Dataset, main_summary: xr.Dataset, paper: pd.DataFrame) -> Iterator[dict[str, object]]:
    entries = zero_fractions.build([summary], {"figure3": paper})
    if entries.empty:
        return
    entries = entries.dropna(subset="difference")
    if entries.empty:
        yield {
            "place": "Figure 3",
            "claim": "each entry of J_s is zero at the printed share of steps",
            "measured": "no entry is finite in any step",
            "verdict": "not tested: the data have no finite Jacobian",
            "why": "",
        }
        return
    distance = entries.difference.abs()
    worst, far = entries.loc[distance.idxmax()], int((distance > _POINTS).sum())
    shares = main_summary.active_share_mean.sel(kind="contact"), main_summary.free_steps / main_summary.steps
    touching, free = (100 * float(share) for share in shares)
    yield {
        "place": "Figure 3",
        "claim": "each entry of J_s is zero at the printed share of steps",
        "measured": f"mean absolute difference {distance.mean():.1f} points over {len(distance)} entries,"
        f" largest {worst.difference:+.1f} at ({worst.next_variable}, {worst.variable})",
        "verdict": f"differs: {far} of {len(distance)} entries by more than {_POINTS:g} points" if far else "agrees",
        "why": f"In these data a contact is active in {touching:.1f} % of the steps and no constraint in {free:.1f} %;"
        f" the paper prints {_largest_partial(entries)}." if far else "",
    }  # fmt: skip


def _largest_partial(entries: pd.DataFrame) -> str:
    partial = entries.paper_percent_zero[(entries.paper_percent_zero > 0) & (entries.paper_percent_zero < 100)]
    return f"shares up to {partial.max():g} % below 100 %" if len(partial) else "no share between 0 and 100 %"


def _figure_4(main_summary: xr.Dataset) -> Iterator[dict[str, object]]:
    if main_summary.attrs["task"] not in _FINGERS:
        return
    kinds = ("free", "contact", "loaded_contact")
    free, touching, loaded = (float(main_summary[f"sparsity_when_{kind}"].sel(block=ALL)) for kind in kinds)
    tested = np.isfinite([free, loaded]).all()
    agreements = abs(free - 0.5) < _NEAR, loaded < _NEAR
    always = float(main_summary.global_zeros.sel(block=ALL)) / (main_summary.sizes["out_dim"] * main_summary.sizes["in_dim"])
    reasons = (
        f"Without an active constraint {free:.0%} of the entries are zero; {always:.0%} are zero in every sample.",
        f"With a contact that bears a force {loaded:.1%} of the entries are zero.",
    )
    why = " ".join(reason for reason, agrees in zip(reasons, agreements, strict=True) if not agrees)
    yield {
        "place": "Figure 4",
        "claim": "combined sparsity of [J_s J_a] is 0.50 when free and 0.00 in contact",
        "measured": f"{_mean(free)} without an active constraint, {_mean(loaded)} with a contact that bears a force"
        f" ({_mean(touching)} with any contact)",
        "verdict": ("differs" if why else "agrees") if tested else "not tested: the data lack steps of one kind or both",
        "why": why if tested else "",
    }


def _mean(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "no step"


def _figure_5(patterns: xr.Dataset) -> Iterator[dict[str, object]]:
    for block in (STATE, ACTION):
        columns = patterns.pattern_zero[{"in_dim": np.flatnonzero(in_block(patterns.in_dim, block))}]
        if not (columns.size and int(patterns.pattern_count.sum())):
            continue
        sparsity = columns.mean(("out_dim", "in_dim")).values
        bins = np.minimum((sparsity * 10 + 1e-9).astype(int), 9)
        mass = np.sort(np.bincount(bins, patterns.pattern_count.values, minlength=10))[::-1]
        needed = int(np.searchsorted(np.cumsum(mass) / mass.sum(), _MASS) + 1)
        yield {
            "place": "Figure 5",
            "claim": f"the sparsity of single steps ({block}) takes values in few bins of width 0.1",
            "measured": f"{needed} of 10 bins hold {_MASS:.0%} of the steps",
            "verdict": "no verdict: no data could contradict this claim",
            "why": f"{patterns.sizes['pattern']} distinct patterns.",
        }


def _figure_6(patterns: xr.Dataset) -> Iterator[dict[str, object]]:
    if patterns.attrs["task"] not in _FOLLOWS:
        return
    kind, cause = _FOLLOWS[patterns.attrs["task"]]
    events = patterns.sel(event_kind=kind)
    observed, expected, p = (
        float(events[f"coincidence_{name}"]) for name in ("observed", "expected", "p_value")
    )  # fmt: skip
    tested = bool(np.isfinite([observed, expected, p]).all())
    significant = tested and p < _P and observed > expected
    yield {
        "place": "Figure 6",
        "claim": f"sparsity over time follows {cause}",
        "measured": f"{observed:.0%} of the switches at such an event, {expected:.0%} expected by chance, p = {p:.3g}"
        if tested
        else f"{int(patterns.switch.sum())} switches",
        "verdict": _verdict_6(observed, significant=significant) if tested else "not tested: no switch, or no such event",
        "why": _about_switches(patterns) if tested and not (significant and observed >= _HALF) else "",
    }


def _verdict_6(observed: float, *, significant: bool) -> str:
    if not significant:
        return "differs: no more than by chance"
    return "agrees" if observed >= _HALF else "partly: fewer than half of the switches"


def _figure_7(patterns: xr.Dataset) -> Iterator[dict[str, object]]:
    rate, never = float(patterns.switch_rate_mean), patterns.attrs["task"] == "ReacherHard"
    tested, agrees = np.isfinite(rate), (rate == 0) == never
    yield {
        "place": "Figure 7",
        "claim": "entries never switch" if never else "entries switch between zero and non-zero",
        "measured": f"{int(patterns.switch.sum())} switches, {rate:.3g} per step",
        "verdict": ("agrees" if agrees else "differs") if tested else "not tested: no two consecutive steps have patterns",
        "why": _about_switches(patterns) if tested and not agrees else "",
    }


def _about_switches(patterns: xr.Dataset) -> str:
    loaded = patterns.sel(event_kind="loaded")
    if patterns.switch.any():
        share = float(loaded.coincidence_observed)
        return f"{share:.0%} of the switches coincide with a constraint that starts or stops bearing a force."
    if events := int(loaded.event.sum()):
        return f"In {events} steps a constraint starts or stops bearing a force, but the pattern never changes."
    return "No constraint ever starts or stops bearing a force."
