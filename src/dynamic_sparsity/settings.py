"""Typed settings of a study: one model per stage, validated before any job starts."""

from __future__ import annotations

import difflib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.task_names import DM_CONTROL_SUITE

Method = Literal["unrolled"]
Precision = Literal["float32", "float64"]
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d+")


Threshold = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
TaskName = Annotated[str, Field(json_schema_extra={"enum": list(DM_CONTROL_SUITE)})]


class _Settings(BaseModel):
    """Unknown keys are refused, numbers are numbers, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NoisePolicy(_Settings):
    """Actions are clipped coloured Gaussian noise, whatever the observation."""

    beta: float = Field(0.5, ge=0, le=4, description="Exponent of the power spectrum 1/f^beta; 0 is white noise.")
    scale: float = Field(0.5, gt=0, le=100, description="Standard deviation, in units of half the control range.")


class ZeroPolicy(_Settings):
    """Actions are zero: the passive system."""


class PolicySettings(_Settings):
    """The policies to roll out, each with its own settings; one that is left out, or false, is skipped."""

    noise: NoisePolicy | Literal[False] | None = Field(None, description="Coloured Gaussian noise in action space.")
    zero: ZeroPolicy | Literal[False] | None = Field(None, description="Zero actions: the passive system.")

    @field_validator("*", mode="before")
    @classmethod
    def _bare_key(cls, value: Any) -> Any:
        """A key without a value (`zero:`) asks for that policy with its defaults."""
        return {} if value is None else value

    @model_validator(mode="after")
    def _at_least_one(self) -> PolicySettings:
        if not self.names:
            raise ValueError(f"needs at least one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the policies asked for."""
        return [name for name in type(self).model_fields if getattr(self, name) not in (None, False)]


class RolloutSettings(_Settings):
    """How much is simulated for each (task, policy, seed)."""

    episodes: int = Field(3, ge=1, le=100_000, description="Episodes per seed.")
    steps: int = Field(1000, ge=2, le=1_000_000, description="Control steps per episode.")


class JacobianSettings(_Settings):
    """How the transition is differentiated."""

    method: Method = Field("unrolled", description="unrolled: automatic differentiation of the step as implemented.")
    precision: Precision = Field("float64", description="Floating-point precision of the differentiated step.")


class SparsitySettings(_Settings):
    """When an entry counts as zero."""

    threshold: Threshold = Field(1e-12, description="An entry is zero when its magnitude is below this (absolute).")
    sweep: list[Threshold] = Field(
        default=[1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-6, 1e-4, 1e-2],
        description="Thresholds at which sparsity is reported as well.",
        min_length=1,
        max_length=100,
    )

    @field_validator("sweep")
    @classmethod
    def _distinct(cls, sweep: list[float]) -> list[float]:
        return _without_repeats(sweep)

    @property
    def thresholds(self) -> list[float]:
        """The sweep with the main threshold in it, in ascending order."""
        return sorted({*self.sweep, self.threshold})


class TemporalSettings(_Settings):
    """How the temporal structure of patterns is summarised."""

    max_lag: int = Field(100, ge=1, le=100_000, description="Largest lag of the autocorrelation, in control steps.")
    max_patterns: int = Field(
        20, ge=1, le=100_000, description="How many of the most frequent patterns the tables list, each with its followers."
    )
    shifts: int = Field(1000, ge=10, le=1_000_000, description="Random circular shifts of the events (null model).")


class ResamplingSettings(_Settings):
    """Intervals come from resampling episodes within seeds."""

    resamples: int = Field(1000, ge=10, le=1_000_000, description="Bootstrap resamples.")
    confidence: float = Field(0.95, gt=0, lt=1, description="Coverage of the reported intervals.")
    seed: Seed = Field(0, description="Seed of every resampling and of the null model.")


class FigureStyle(_Settings):
    """What all figures share."""

    dpi: int = Field(150, ge=30, le=1200, description="Resolution of the PNG files, dots per inch.")
    font_size: float = Field(9.0, ge=4, le=30, description="Base font size, points.")


class ZeroFractionFigure(_Settings):
    """Figure 3 of the paper: share of steps at which each entry is zero."""

    annotate_up_to: int = Field(
        16, ge=0, le=200, description="Print the digits where rows and columns are at most this many."
    )


class SparsityHistogramFigure(_Settings):
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


class SparsityOverTimeFigure(_Settings):
    """Figure 6 of the paper: sparsity along one episode."""

    episode: int = Field(0, ge=0, description="Which episode of the first seed is drawn.")
    first_step: int = Field(0, ge=0, description="First control step drawn.")
    steps: int = Field(1000, ge=2, description="How many control steps are drawn.")


class DurationHistogramFigure(_Settings):
    """Figure 7 of the paper: log-log histogram of durations."""

    bins_per_decade: int = Field(8, ge=1, le=100, description="Logarithmic bins per factor of ten.")


class SurvivalFigure(_Settings):
    """Survival curves of durations, with bands."""

    log_time: bool = Field(True, description="Logarithmic time axis.")


class PatternTimelineFigure(_Settings):
    """Which pattern holds when, with constraint events under it."""

    episode: int = Field(0, ge=0, description="Which episode of the first seed is drawn.")
    first_step: int = Field(0, ge=0, description="First control step drawn.")
    steps: int = Field(300, ge=2, description="How many control steps are drawn.")
    patterns: int = Field(12, ge=1, le=60, description="How many of the most frequent patterns get a row of their own.")


class ThresholdSweepFigure(_Settings):
    """Mean sparsity against the threshold."""

    logit: bool = Field(False, description="Logit instead of linear sparsity axis.")


class FigureSettings(_Settings):
    """One section per figure: changing a value redraws that figure only."""

    style: FigureStyle = Field(default_factory=FigureStyle, description="What all figures share.")
    zero_fraction: ZeroFractionFigure = Field(default_factory=ZeroFractionFigure)
    sparsity_histogram: SparsityHistogramFigure = Field(default_factory=SparsityHistogramFigure)
    sparsity_over_time: SparsityOverTimeFigure = Field(default_factory=SparsityOverTimeFigure)
    duration_histogram: DurationHistogramFigure = Field(default_factory=DurationHistogramFigure)
    survival: SurvivalFigure = Field(default_factory=SurvivalFigure)
    pattern_timeline: PatternTimelineFigure = Field(default_factory=PatternTimelineFigure)
    threshold_sweep: ThresholdSweepFigure = Field(default_factory=ThresholdSweepFigure)

    @classmethod
    def names(cls) -> list[str]:
        """Names of the figures, each also the name of a module in `dynamic_sparsity.figures`."""
        return [name for name in cls.model_fields if name != "style"]


class Study(_Settings):
    """Everything that config.yaml may say."""

    tasks: list[TaskName] = Field(min_length=1, description="Playground registry names.")
    policies: PolicySettings = Field(description="Who acts.")
    seeds: list[Seed] = Field(min_length=1, description="One rollout store per task, policy and seed.")
    rollouts: RolloutSettings = Field(default_factory=RolloutSettings, description="How much is simulated.")
    jacobians: JacobianSettings = Field(default_factory=JacobianSettings, description="How it is differentiated.")
    sparsity: SparsitySettings = Field(default_factory=SparsitySettings, description="When an entry counts as zero.")
    temporal: TemporalSettings = Field(default_factory=TemporalSettings, description="Patterns over time.")
    resampling: ResamplingSettings = Field(default_factory=ResamplingSettings, description="Intervals.")
    figures: FigureSettings = Field(default_factory=FigureSettings, description="How figures look.")

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, tasks: list[str]) -> list[str]:
        if wrong := _unknown_task(tasks):
            raise ValueError(wrong)
        return _without_repeats(tasks)

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: list[int]) -> list[int]:
        return _without_repeats(seeds)

    @model_validator(mode="after")
    def _drawn_episode_exists(self) -> Study:
        for name in ("sparsity_over_time", "pattern_timeline"):
            section = getattr(self.figures, name)
            for key, limit in (("episode", self.rollouts.episodes), ("first_step", self.rollouts.steps - 1)):
                if getattr(section, key) >= limit:
                    raise ValueError(
                        f"figures.{name}.{key} = {getattr(section, key)} is outside the rollouts:"
                        f" use 0 to {limit - 1}, or raise rollouts.{'episodes' if key == 'episode' else 'steps'}"
                    )
        return self


class RolloutStage(_Settings):
    """What the rollouts of one policy depend on."""

    policies: PolicySettings
    rollouts: RolloutSettings


class JacobianStage(RolloutStage):
    """What the Jacobians depend on: the rollouts' settings as well, so that stale ones are never accepted."""

    jacobians: JacobianSettings


class SparsityStage(JacobianStage):
    """What zeros depend on."""

    sparsity: SparsitySettings


class PooledStage(SparsityStage):
    """What statistics over all seeds depend on: how they resample, as well."""

    resampling: ResamplingSettings


class TemporalStage(PooledStage):
    """What patterns depend on."""

    temporal: TemporalSettings


class TableStage(_Settings):
    """What a table depends on: the settings of the stores that it reads."""

    upstream: dict[str, Any]


class FigureStage(_Settings):
    """What a figure depends on: the settings of the stores that it reads, the common style, and its own section."""

    upstream: dict[str, Any]
    style: FigureStyle
    figure: dict[str, Any]


STAGES: dict[str, type[RolloutStage]] = {
    "rollouts": RolloutStage,
    "jacobians": JacobianStage,
    "sparsity": SparsityStage,
    "durations": SparsityStage,
    "summary": PooledStage,
    "survival": PooledStage,
    "patterns": TemporalStage,
}
"""Settings of each stage, by its name."""


def stage_settings(study: Study, stage: str, policy: str) -> str:
    """Settings of a stage for one policy, with those of all stages before it, as one sorted-key JSON string.

    What comes before is in it so that a store is made again even where its input failed to be (and so is gone).
    """
    return _to_json(_stage_values(study, stage, policy))


def table_settings(study: Study, stages: list[str]) -> str:
    """Settings of a table that reads the stores of `stages` for all policies, as one sorted-key JSON string."""
    upstream = {policy: {s: _stage_values(study, s, policy) for s in stages} for policy in study.policies.names}
    return _to_json({"upstream": upstream})


def figure_settings(study: Study, figure: str, stages: list[str], policy: str) -> str:
    """Settings of a figure that reads the stores of `stages`, as one sorted-key JSON string."""
    upstream = {stage: _stage_values(study, stage, policy) for stage in stages}
    return _to_json({"upstream": upstream, "style": study.figures.style, "figure": getattr(study.figures, figure)})


def _stage_values(study: Study, stage: str, policy: str) -> dict[str, Any]:
    only = PolicySettings.model_validate({policy: getattr(study.policies, policy)})
    fields = STAGES[stage].model_fields
    return {"policies": only, **{name: getattr(study, name) for name in fields if name != "policies"}}


def _without_repeats(values: list[Any]) -> list[Any]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{repeated[0]!r} is listed more than once: remove the repeats")
    return values


def known_tasks(names: list[str]) -> list[str]:
    """The names as they are; raises UserError naming the first that is no task, and the nearest that are."""
    if wrong := _unknown_task(names):
        raise UserError(wrong)
    return names


def _unknown_task(names: list[str]) -> str | None:
    for name in names:
        if name not in DM_CONTROL_SUITE:
            near = difflib.get_close_matches(name, DM_CONTROL_SUITE, n=3, cutoff=0.4) or DM_CONTROL_SUITE
            return f"unknown task {name!r}; nearest names: {', '.join(near)} (`dynamic-sparsity tasks` lists all)"
    return None


def load_study(config: dict[str, Any], source: str = "config.yaml") -> Study:
    """Validate a parsed configuration; `source` is the file that messages name.

    Raises UserError with one line per mistake, each naming key, value and what is allowed.
    """
    try:
        return Study.model_validate(_with_numbers(config))
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors(include_url=False) if not _is_policys_false(problem)]
        raise UserError("\n".join([f"{source} is not a valid study:", *lines])) from None


def _with_numbers(value: Any) -> Any:
    """YAML 1.1 reads 1e-12, without a point, as text: take it as the number that was meant."""
    if isinstance(value, dict):
        return {key: _with_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _explain(problem: Any) -> str:
    location = tuple(part for part in problem["loc"] if not _is_alternative(part))
    key = ".".join(str(part) for part in location)
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        allowed = _fields_at(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        where = f"allowed here: {', '.join(allowed)}" if allowed else "this section takes no keys"
        return f"  {key}: unknown key; {hint}{where}"
    if problem["type"] == "missing":
        return f"  {key}: missing; add it (config.yaml documents every key)"
    if problem["type"] == "value_error":
        return f"  {key}: {message}" if key else f"  {message}"
    if problem["type"] in ("model_type", "dict_type"):
        return (
            f"  {key}: {_shortened(problem['input'])}: must be a mapping; its keys may be {', '.join(_fields_at(location))}"
        )
    return f"  {key}: {_shortened(problem['input'])}: {message[0].lower()}{message[1:]}"


def _is_policys_false(problem: Any) -> bool:
    """Whether a problem is only that a policy's section is not the `false` that it might have been."""
    return problem["type"] == "literal_error" and any(_is_alternative(part) for part in problem["loc"])


def _is_alternative(part: Any) -> bool:
    """Pydantic puts the alternatives of a union among the keys: `policies.noise.NoisePolicy.beta`."""
    return isinstance(part, str) and (part.endswith("Policy") or part.startswith("literal["))


def _shortened(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _fields_at(location: tuple[Any, ...]) -> list[str]:
    model: Any = Study
    for part in location:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)


def _to_json(settings: dict[str, Any]) -> str:
    return json.dumps(
        settings, sort_keys=True, separators=(",", ":"), default=lambda model: model.model_dump(exclude_none=True)
    )


def json_schema() -> dict[str, Any]:
    """The JSON schema of config.yaml (workflow/schemas/config.schema.json; a test keeps it in sync)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
