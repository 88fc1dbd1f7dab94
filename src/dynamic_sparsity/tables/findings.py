"""The findings of this study, question by question.

Each answer is computed from the stores of this study by a rule, which the column `compared_with` states. Numbers are
those of the first policy that acts in each task, unless they compare policies.

- `answer`: `yes` if it holds in every task, `no` if in none, `partly` if in some; `not shown` where the data cannot
  tell; `not tested` where the study lacks what the question needs. It is a number if the question asks for one.
- `finding`: the answer in one sentence.
- `evidence`: the numbers behind it, task by task. Brackets hold intervals.
- `compared_with`: the rule of the answer, and the null model or the reference.
- `paper`: what the paper says, and whether this study agrees with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from dynamic_sparsity.tables import _finding_models, _finding_steps, _finding_time, _finding_zeros


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per question, from all stores of the study that hold results."""
    findings = [
        _finding_zeros.globally(stores, paper),
        _finding_steps.symmetries(stores),
        _finding_zeros.on_state(stores),
        _finding_steps.moves(stores),
        _finding_steps.persistence(stores),
        _finding_steps.together(stores),
        _finding_time.at_events(stores),
        _finding_time.durations(stores),
        _finding_steps.products(stores),
        _finding_zeros.on_threshold(stores),
        _finding_zeros.on_method(stores),
        _finding_zeros.on_agent(stores),
        _finding_models.recovered(stores),
        _finding_models.with_losses(stores),
        _finding_models.with_prediction(stores),
    ]
    return pd.DataFrame([dataclasses.asdict(finding) for finding in findings])


def sentences(frame: pd.DataFrame) -> list[str]:
    """Every question with its answer and the sentence that goes with it."""
    return [f"{row['question']} {row['answer'].capitalize()}. {row['finding']}" for row in frame.to_dict("records")]
