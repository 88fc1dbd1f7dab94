"""What the paper reports, claim by claim, beside what this study measures, under each of its policies.

The paper's data come from trained experts, so the rows with the policy `expert` are its reproduction, where `agent` says
that the expert is one; the others say how much of a claim depends on who acts. "Why" states what in our data makes the
difference; where it names the paper's agents, that is our reading: its experts and code could not be had. Figures of the
study show the same data. Not in here: how long entries stay as they are (Figure 7's durations: table `durations`), and
learnt models.

Figure 3 agrees when each entry is within five points of the paper's. Figure 4 agrees within 0.05. Figure 5 has no verdict:
few bins hold most steps also where nothing ever switches, so no data could contradict it. Figure 6 agrees when at least half
of the switches come with the named events, and partly when fewer do; in both cases more than in the null model of shifted
events (two-sided p < 0.05, not corrected for the number of rows).
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

_COLUMNS = ["place", "claim", "task", "policy", "agent", "measured", "verdict", "why"]
_FINGERS = ("FingerSpin", "FingerTurnEasy")
_FOLLOWS = {"BallInCup": ("tendon_limit", "the tautness of the string"), "CheetahRun": ("contact", "the gait's contacts")}
_POINTS, _MASS, _P, _NEAR, _HALF = 5.0, 0.9, 0.05, 0.05, 0.5


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per claim, task and policy, from the summary and pattern stores; the rollouts say who acted."""
    agents = verdicts(stores, paper["playground_returns"])
    rows = [
        {**row, "task": task, "policy": policy, "agent": agents.get((task, policy), "")}
        for (task, policy), pair in joined_runs(stores, "summary", "patterns").items()
        for row in _rows(*pair, paper)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS).sort_values(["place", "task"], kind="stable", ignore_index=True)


def _rows(summary: xr.Dataset, patterns: xr.Dataset, paper: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, object]]:
    here = summary.sel(threshold=summary.attrs["threshold"])
    yield from _table_1(here, paper["table1"])
    yield from _figure_3(summary, here, paper["figure3"])
    yield from _figure_4(here)
    if summary.attrs["task"] in set(paper["table1"].task):
        yield from _figure_5(patterns)
        yield from _figure_6(here, patterns)
        yield from _figure_7(patterns)


def _table_1(here: xr.Dataset, paper: pd.DataFrame) -> Iterator[dict[str, object]]:
    for known in paper[paper.task == here.attrs["task"]].itertuples():
        zeros, action_zeros = (int(here.global_zeros.sel(block=block)) for block in (STATE, ACTION))
        yield {
            "place": "Table 1",
            "claim": f"{known.zeros_J_s} entries of J_s and {known.zeros_J_a} of J_a are zero in every sample",
            "measured": f"{zeros} and {action_zeros}",
            "verdict": global_zeros.verdict(zeros, action_zeros, pd.Series(known._asdict())),
            "why": global_zeros.explanation(here, pd.Series(known._asdict())),
        }


def _figure_3(summary: xr.Dataset, here: xr.Dataset, paper: pd.DataFrame) -> Iterator[dict[str, object]]:
    entries = zero_fractions.build([summary], {"figure3": paper})
    if entries.empty:
        return
    size = entries.difference.abs()
    worst, off = entries.loc[size.idxmax()], int((size > _POINTS).sum())
    touching, free = (100 * float(value) for value in (here.active_share_mean.sel(kind="contact"), _free_share(here)))
    yield {
        "place": "Figure 3",
        "claim": "the printed share of steps at which each entry of J_s is zero",
        "measured": f"mean absolute difference {size.mean():.1f} points over {len(size)} entries,"
        f" largest {worst.difference:+.1f} at ({worst.next_variable}, {worst.variable})",
        "verdict": f"differs: {off} of {len(size)} entries by more than {_POINTS:g} points" if off else "agrees",
        "why": f"Ours touch in {touching:.1f} % of the steps and are free of every constraint in {free:.1f} %;"
        f" the paper prints {_largest_partial(entries)}." if off else "",
    }  # fmt: skip


def _free_share(here: xr.Dataset) -> xr.DataArray:
    return here.free_steps / here.steps


def _largest_partial(entries: pd.DataFrame) -> str:
    partial = entries.paper_percent_zero[(entries.paper_percent_zero > 0) & (entries.paper_percent_zero < 100)]
    return f"shares up to {partial.max():g} % below 100 %" if len(partial) else "no share between 0 and 100 %"


def _figure_4(here: xr.Dataset) -> Iterator[dict[str, object]]:
    if here.attrs["task"] not in _FINGERS:
        return
    kinds = ("free", "contact", "loaded_contact")
    free, touching, loaded = (float(here[f"sparsity_when_{kind}"].sel(block=ALL)) for kind in kinds)
    seen = np.isfinite([free, loaded]).all()
    as_said = abs(free - 0.5) < _NEAR, loaded < _NEAR
    always = float(here.global_zeros.sel(block=ALL)) / (here.sizes["out_dim"] * here.sizes["in_dim"])
    reasons = (
        f"Where nothing is active {free:.0%} of the entries are zero, {always:.0%} of all in every sample.",
        f"Where a contact bears a force {loaded:.1%} of the entries are zero.",
    )
    why = " ".join(reason for reason, good in zip(reasons, as_said, strict=True) if not good)
    yield {
        "place": "Figure 4",
        "claim": "combined sparsity of [J_s J_a] is 0.50 when free and 0.00 in contact",
        "measured": f"{_mean(free)} without an active constraint, {_mean(loaded)} with a contact that bears a force"
        f" ({_mean(touching)} with any contact)",
        "verdict": ("differs" if why else "agrees") if seen else "not tested: the data have no such steps of both kinds",
        "why": why if seen else "",
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
            "verdict": "no verdict: nothing that data could contradict",
            "why": f"{patterns.sizes['pattern']} distinct patterns.",
        }


def _figure_6(here: xr.Dataset, patterns: xr.Dataset) -> Iterator[dict[str, object]]:
    if here.attrs["task"] not in _FOLLOWS:
        return
    kind, what = _FOLLOWS[here.attrs["task"]]
    of = patterns.sel(event_kind=kind)
    observed, expected, p = (
        float(of[f"coincidence_{name}"]) for name in ("observed", "expected", "p_value")
    )  # fmt: skip
    tested = bool(np.isfinite([observed, expected, p]).all())
    more = tested and p < _P and observed > expected
    yield {
        "place": "Figure 6",
        "claim": f"sparsity over time follows {what}",
        "measured": f"{observed:.0%} of the switches at such an event, {expected:.0%} expected by chance, p = {p:.3g}"
        if tested
        else f"{int(patterns.switch.sum())} switches",
        "verdict": _verdict_6(observed, more) if tested else "not tested: no switch, or no such event",
        "why": _about_switches(patterns) if tested and not (more and observed >= _HALF) else "",
    }


def _verdict_6(observed: float, more: bool) -> str:
    if not more:
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
        return f"{share:.0%} of the switches come with some constraint that takes up or loses its force."
    if events := int(loaded.event.sum()):
        return f"In {events} steps a constraint takes up or loses its force, but no pattern changes."
    return "No constraint ever takes up or loses its force."
