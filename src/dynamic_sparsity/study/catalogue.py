"""Every table and every figure, one row each: the question it answers, the stores it reads, and its settings.

The module of the same name in `dynamic_sparsity.tables` or `dynamic_sparsity.figures` makes it. The docstring of that
module is the text of the table's page or the caption of the figure; the first line of a caption is also the comment in
config.yaml. This module imports none of them, so planning needs neither pandas nor matplotlib. docs/extending.md shows
how to add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

if TYPE_CHECKING:
    from dynamic_sparsity.study.study import Study

FINDINGS = "What was found"
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
    """The stages whose stores it reads. The table is made if each of them has a store."""
    also_reads: tuple[str, ...] = ()
    """Stages whose stores it reads, too, if the study has any."""
    reported: tuple[str, ...] = ()
    """Files in resources/paper whose reported numbers it compares with the study's."""


Setting = tuple[Any, Any]
"""Type and pydantic `Field` of a setting, as `pydantic.create_model` takes them."""


@dataclass(frozen=True)
class Figure:
    """A figure of one task, policy and method, or of all tasks and policies."""

    question: str
    """Its category in the report."""
    reads: tuple[str, ...]
    """The stages whose stores it reads."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Its section of config.yaml: the keyword arguments of its `draw`."""
    of: Literal["task", "embedded task", "study"] = "task"
    """Scope: one figure for each task, each embedded task, or the study (made if each stage in `reads` has a store)."""
    lacks: Callable[[Study], str | None] = lambda _: None
    """What the study lacks for this figure, apart from stores, with the remedy; None if nothing is missing."""


def _three_sizes(study: Study) -> str | None:
    if study.world_models.sizes_differ:
        return None
    return "it compares plain MLPs of three depths or of three widths: list them in world_models.models"


def _divides_one(width: float) -> float:
    if abs(round(1 / width) * width - 1) > 1e-6:
        nearest = 1 / round(1 / width)
        raise ValueError(f"{width} does not divide the range from 0 to 1 into equal bins: use {nearest:.6g} or another 1/n")
    return width


def _episode(steps: int) -> dict[str, Setting]:
    """Settings of a figure of one episode that draws `steps` steps by default."""
    return {
        "episode": (int, Field(0, ge=0, description="Episode of the first study seed that is drawn.")),
        "first_step": (int, Field(0, ge=0, description="First control step drawn.")),
        "steps": (int, Field(steps, ge=2, description="Number of control steps drawn.")),
    }


def _flag(name: str, description: str, *, default: bool) -> dict[str, Setting]:
    """Setting that is true or false."""
    return {name: (bool, Field(default, description=description))}


def _smallest(name: str, value: float, quantity: str) -> dict[str, Setting]:
    """Setting of a figure with a logarithmic axis: values below it are drawn at it."""
    return {name: (float, Field(value, gt=0, lt=1, description=f"Smaller {quantity} are drawn at this value."))}


_PATTERNS = Field(12, ge=1, le=60, description="Number of the most frequent patterns that get a row of their own.")
_DIGITS = Field(16, ge=0, le=200, description="Print each percentage if rows and columns are at most this many.")
_BIN_WIDTH = Field(0.1, ge=0.001, le=1, description="Width of the bins (0.1 in the paper); must divide 1.")
_BINS = Field(8, ge=1, le=100, description="Number of logarithmic bins per factor of ten.")

TABLES = {
    "findings": Table(
        FINDINGS,
        ("summary", "patterns"),
        also_reads=("structure", "survival", "clustering", "horizons", "interventions", "ablation", "recovery"),
        reported=("table1",),
    ),
    "overview": Table(FINDINGS, ("summary", "patterns"), also_reads=("survival", "recovery")),
    "claims": Table(PAPER, ("summary", "patterns", "rollouts"), reported=("table1", "figure3", "playground_returns")),
    "returns": Table(AGENTS, ("rollouts",), reported=("playground_returns",)),
    "agents": Table(AGENTS, ("summary", "patterns", "rollouts"), reported=("playground_returns",)),
    "global_zeros": Table(GLOBAL, ("summary",), reported=("table1",)),
    "zero_kinds": Table(GLOBAL, ("summary", "structure")),
    "zero_fractions": Table(GLOBAL, ("summary",), reported=("figure3",)),
    "mean_sparsity": Table(STATE, ("summary",)),
    "interventions": Table(STATE, ("interventions",)),
    "durations": Table(TIME, ("survival",)),
    "temporal": Table(TIME, ("patterns",)),
    "patterns": Table(TIME, ("patterns",)),
    "objects": Table(STATE, ("horizons",)),
    "horizons": Table(TIME, ("horizons",)),
    "clustering": Table(TIME, ("clustering",)),
    "entry_groups": Table(TIME, ("clustering",)),
    "method_ablation": Table(METHOD, ("ablation",)),
    "roughness": Table(METHOD, ("ablation",)),
    "recovery": Table(MODELS, ("recovery",)),
    "leaderboard": Table(MODELS, ("recovery",)),
    "model_comparisons": Table(MODELS, ("recovery",)),
    "world_model_answers": Table(MODELS, ("recovery",)),
}

FIGURES = {
    "zero_fraction": Figure(GLOBAL, ("summary",), {"annotate_up_to": (int, _DIGITS)}),
    "sparsity_histogram": Figure(
        STATE, ("sparsity",), {"bin_width": (Annotated[float, AfterValidator(_divides_one)], _BIN_WIDTH)}
    ),
    "sparsity_over_time": Figure(TIME, ("sparsity",), _episode(steps=1000)),
    "threshold_sweep": Figure(
        GLOBAL,
        ("summary",),
        _flag("logit", "Use a logit axis for sparsity instead of a linear one.", default=False),
    ),
    "duration_histogram": Figure(TIME, ("survival",), {"bins_per_decade": (int, _BINS)}),
    "survival": Figure(TIME, ("survival",), _flag("log_time", "Use a logarithmic time axis.", default=True)),
    "pattern_timeline": Figure(TIME, ("patterns",), {**_episode(steps=300), "patterns": (int, _PATTERNS)}),
    "clustering": Figure(
        TIME,
        ("clustering",),
        _flag("null_intervals", "Draw the interval of each effect size under its null model.", default=True),
        "study",
    ),
    "embedding": Figure(
        STATE,
        ("embedding", "frames"),
        {"point_size": (float, Field(4.0, gt=0, le=200, description="Area of a dot, in square points."))},
        of="embedded task",
    ),
    "interventions": Figure(
        STATE,
        ("interventions",),
        _flag("limits", "Draw a line for steps at a joint or tendon limit.", default=True),
        of="study",
    ),
    "agents": Figure(
        AGENTS,
        ("summary", "patterns"),
        _flag("contacts_only", "Leave out the panel of joint and tendon limits.", default=False),
        of="study",
    ),
    "horizons": Figure(
        TIME, ("horizons",), _flag("log_steps", "Use a logarithmic axis for the horizon.", default=True), "study"
    ),
    "method_ablation": Figure(METHOD, ("ablation",), _smallest("smallest_error", 1e-16, "errors"), "study"),
    "roughness": Figure(METHOD, ("ablation",), _smallest("smallest", 1e-12, "values"), "study"),
    "recovery": Figure(MODELS, ("recovery",), _smallest("smallest_sparsity", 1e-4, "ratios"), "study"),
    "recovery_conditions": Figure(
        MODELS,
        ("recovery",),
        _flag("tasks", "Draw a dot for each task next to the mean.", default=True),
        "study",
    ),
    "recovery_thresholds": Figure(MODELS, ("recovery",), _smallest("smallest_sparsity", 1e-4, "ratios"), "study"),
    "recovery_size": Figure(
        MODELS,
        ("recovery",),
        _flag("tasks", "Draw a thin line for each task next to the mean.", default=True),
        "study",
        _three_sizes,
    ),
    "loss_curves": Figure(
        MODELS,
        ("recovery",),
        _flag("training", "Draw the training loss next to the validation loss.", default=True),
        "study",
    ),
}


def figures_of(*scopes: str) -> tuple[str, ...]:
    """Names of the figures of these scopes (`Figure.of`), in the catalogue's order."""
    return tuple(name for name, figure in FIGURES.items() if figure.of in scopes)
