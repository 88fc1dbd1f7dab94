"""Every table and every figure: what it reads, which question it answers, when there is something to show.

A table is the module of its name in `dynamic_sparsity.tables`, a figure that in `dynamic_sparsity.figures`; a figure's
settings are the field of its name in `settings.figures.FigureSettings`. Nothing here imports them: planning needs neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dynamic_sparsity.study.study import Study

PAPER = "The paper's findings, one by one"
AGENTS = "Q0 Who acts, and does it matter?"
GLOBAL = "Q1 Is the causal graph globally sparse?"
STATE = "Q2 Is sparsity state-dependent?"
TIME = "Q3 Is sparsity temporally sparse?"
MODELS = "Q4 Do world models recover it?"
METHOD = "Does it depend on how a step is differentiated?"


@dataclass(frozen=True)
class Table:
    """A table over all tasks and policies."""

    question: str
    """Its category in the report."""
    reads: tuple[str, ...]
    """The stages whose stores it reads. It is made where each of them has a store."""
    reported: tuple[str, ...] = ()
    """Reported numbers (files in resources/paper) that it puts beside ours."""


@dataclass(frozen=True)
class Figure:
    """A figure of one task, policy and method, or of all tasks and policies."""

    question: str
    """Its category in the report."""
    reads: tuple[str, ...]
    """The stages whose stores it reads."""
    of: Literal["task", "embedded task", "study"] = "task"
    """One of every task; one of every task that is embedded; one of the whole study, where each of `reads` has a store."""
    lacks: Callable[[Study], str | None] = lambda _: None
    """What the figure needs beside stores, if a study does not have it, and how to give it that; None where it has all."""


def _three_sizes(study: Study) -> str | None:
    if study.world_models.sizes_differ:
        return None
    return "it compares plain MLPs of three depths or of three widths: list them in world_models.models"


TABLES = {
    "claims": Table(PAPER, ("summary", "patterns", "rollouts"), ("table1", "figure3", "playground_returns")),
    "returns": Table(AGENTS, ("rollouts",), ("playground_returns",)),
    "agents": Table(AGENTS, ("summary", "patterns", "rollouts"), ("playground_returns",)),
    "global_zeros": Table(GLOBAL, ("summary",), ("table1",)),
    "zero_fractions": Table(GLOBAL, ("summary",), ("figure3",)),
    "mean_sparsity": Table(STATE, ("summary",)),
    "durations": Table(TIME, ("survival",)),
    "temporal": Table(TIME, ("patterns",)),
    "patterns": Table(TIME, ("patterns",)),
    "method_ablation": Table(METHOD, ("ablation",)),
    "roughness": Table(METHOD, ("ablation",)),
    "recovery": Table(MODELS, ("recovery",)),
    "leaderboard": Table(MODELS, ("recovery",)),
    "model_comparisons": Table(MODELS, ("recovery",)),
    "world_model_answers": Table(MODELS, ("recovery",)),
}

FIGURES = {
    "zero_fraction": Figure(GLOBAL, ("summary",)),
    "sparsity_histogram": Figure(STATE, ("sparsity",)),
    "sparsity_over_time": Figure(TIME, ("sparsity",)),
    "threshold_sweep": Figure(GLOBAL, ("summary",)),
    "duration_histogram": Figure(TIME, ("survival",)),
    "survival": Figure(TIME, ("survival",)),
    "pattern_timeline": Figure(TIME, ("patterns",)),
    "embedding": Figure(STATE, ("embedding", "frames"), "embedded task"),
    "agents": Figure(AGENTS, ("summary", "patterns"), "study"),
    "method_ablation": Figure(METHOD, ("ablation",), "study"),
    "roughness": Figure(METHOD, ("ablation",), "study"),
    "recovery": Figure(MODELS, ("recovery",), "study"),
    "recovery_conditions": Figure(MODELS, ("recovery",), "study"),
    "recovery_thresholds": Figure(MODELS, ("recovery",), "study"),
    "recovery_size": Figure(MODELS, ("recovery",), "study", _three_sizes),
    "loss_curves": Figure(MODELS, ("recovery",), "study"),
}


def figures_of(*scopes: str) -> tuple[str, ...]:
    """Names of the figures of these scopes (`Figure.of`), in the catalogue's order."""
    return tuple(name for name, figure in FIGURES.items() if figure.of in scopes)
