"""Typed settings of figures: one section each."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from dynamic_sparsity.settings.base import Section


class FigureStyle(Section):
    """What all figures share."""

    dpi: int = Field(150, ge=30, le=1200, description="Resolution of the PNG files, dots per inch.")
    font_size: float = Field(9.0, ge=4, le=30, description="Base font size, points.")


class ZeroFractionFigure(Section):
    """Figure 3 of the paper: share of steps at which each entry is zero."""

    annotate_up_to: int = Field(
        16, ge=0, le=200, description="Print the digits where rows and columns are at most this many."
    )


class SparsityHistogramFigure(Section):
    """Figure 5 of the paper: histogram of per-step sparsity."""

    bin_width: float = Field(0.1, ge=0.001, le=1, description="Width of the bins (the paper: 0.1); must divide 1.")

    @field_validator("bin_width")
    @classmethod
    def _divides_one(cls, width: float) -> float:
        if abs(round(1 / width) * width - 1) > 1e-6:
            near = 1 / round(1 / width)
            raise ValueError(
                f"{width} does not divide the range from 0 to 1 into equal bins: use {near:.6g}, or another 1/n"
            )
        return width


class SparsityOverTimeFigure(Section):
    """Figure 6 of the paper: sparsity along one episode."""

    episode: int = Field(0, ge=0, description="Which episode of the first seed is drawn.")
    first_step: int = Field(0, ge=0, description="First control step drawn.")
    steps: int = Field(1000, ge=2, description="How many control steps are drawn.")


class DurationHistogramFigure(Section):
    """Figure 7 of the paper: log-log histogram of durations."""

    bins_per_decade: int = Field(8, ge=1, le=100, description="Logarithmic bins per factor of ten.")


class SurvivalFigure(Section):
    """Survival curves of durations, with bands."""

    log_time: bool = Field(True, description="Logarithmic time axis.")


class PatternTimelineFigure(Section):
    """Which pattern holds when, with constraint events under it."""

    episode: int = Field(0, ge=0, description="Which episode of the first seed is drawn.")
    first_step: int = Field(0, ge=0, description="First control step drawn.")
    steps: int = Field(300, ge=2, description="How many control steps are drawn.")
    patterns: int = Field(12, ge=1, le=60, description="How many of the most frequent patterns get a row of their own.")


class EmbeddingFigure(Section):
    """Figure 4 of the paper: the embedded transitions, coloured by combined sparsity."""

    point_size: float = Field(4.0, gt=0, le=200, description="Size of the points, square points.")


class ThresholdSweepFigure(Section):
    """Mean sparsity against the threshold."""

    logit: bool = Field(False, description="Logit instead of linear sparsity axis.")


class AgentsFigure(Section):
    """Sparsity, switch rate and contacts of every task under every policy."""

    contacts_only: bool = Field(False, description="Leave out the panel of joint and tendon limits.")


class MethodAblationFigure(Section):
    """Ways to differentiate, compared."""

    smallest_error: float = Field(1e-16, gt=0, lt=1, description="Errors below this are drawn at it.")


class RoughnessFigure(Section):
    """How many steps have no derivative to speak of."""

    smallest: float = Field(1e-12, gt=0, lt=1, description="Roughness below this is drawn at it.")


class RecoveryFigure(Section):
    """World models: errors, zeros, and recovery."""

    smallest_sparsity: float = Field(1e-4, gt=0, lt=1, description="Relative sparsity below this is drawn at it.")


class RecoveryConditionsFigure(Section):
    """World models by condition of the step."""

    tasks: bool = Field(True, description="A dot for each task beside the mean.")


class RecoveryThresholdsFigure(Section):
    """World models against the threshold of zero."""

    smallest_sparsity: float = Field(1e-4, gt=0, lt=1, description="Relative sparsity below this is drawn at it.")


class LossCurvesFigure(Section):
    """Losses of world models by epoch."""

    training: bool = Field(True, description="The training loss beside that of validation.")


class RecoverySizeFigure(Section):
    """Plain MLPs by depth and width."""

    tasks: bool = Field(True, description="A thin line for each task beside the mean.")


class FigureSettings(Section):
    """One section per figure: changing a value changes that figure only."""

    style: FigureStyle = Field(default_factory=FigureStyle, description="What all figures share.")
    agents: AgentsFigure = Field(default_factory=AgentsFigure)
    zero_fraction: ZeroFractionFigure = Field(default_factory=ZeroFractionFigure)
    sparsity_histogram: SparsityHistogramFigure = Field(default_factory=SparsityHistogramFigure)
    embedding: EmbeddingFigure = Field(default_factory=EmbeddingFigure)
    sparsity_over_time: SparsityOverTimeFigure = Field(default_factory=SparsityOverTimeFigure)
    duration_histogram: DurationHistogramFigure = Field(default_factory=DurationHistogramFigure)
    survival: SurvivalFigure = Field(default_factory=SurvivalFigure)
    pattern_timeline: PatternTimelineFigure = Field(default_factory=PatternTimelineFigure)
    threshold_sweep: ThresholdSweepFigure = Field(default_factory=ThresholdSweepFigure)
    method_ablation: MethodAblationFigure = Field(default_factory=MethodAblationFigure)
    roughness: RoughnessFigure = Field(default_factory=RoughnessFigure)
    recovery: RecoveryFigure = Field(default_factory=RecoveryFigure)
    recovery_conditions: RecoveryConditionsFigure = Field(default_factory=RecoveryConditionsFigure)
    recovery_thresholds: RecoveryThresholdsFigure = Field(default_factory=RecoveryThresholdsFigure)
    loss_curves: LossCurvesFigure = Field(default_factory=LossCurvesFigure)
    recovery_size: RecoverySizeFigure = Field(default_factory=RecoverySizeFigure)

    @classmethod
    def names(cls) -> list[str]:
        """Names of the figures, each also the name of a module in `dynamic_sparsity.figures`."""
        return [name for name in cls.model_fields if name != "style"]


class DrawnFigure(Section):
    """One figure of a job: the kinds of stores that it reads, and its own section."""

    reads: list[str]
    settings: dict[str, Any]


class FigureStage(Section):
    """What the figures of a job depend on: the settings of the stores that they read, the common style, their sections."""

    upstream: dict[str, Any]
    style: FigureStyle
    figures: dict[str, DrawnFigure]
