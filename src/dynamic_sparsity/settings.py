"""Typed settings: one section of config.yaml each, and what each stage depends on. Validated before any job starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
    model_validator,
)

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.task_names import DM_CONTROL_SUITE

Method = Literal["exact", "unrolled", "implicit", "differences", "finite"]
Solver = Literal["playground", "converged"]
VARIANT_PATTERN = r"(exact|unrolled|implicit)(-converged)?(-float32)?|(differences|finite)(-converged)?"
"""Of a variant's name (`JacobianSettings.variant`), in config.yaml and in paths."""
Variant = Annotated[str, Field(pattern=rf"^({VARIANT_PATTERN})$")]
Precision = Literal["float32", "float64"]


Threshold = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1)]
PolicyName = Literal["expert", "noise", "zero"]
TaskName = Annotated[str, Field(json_schema_extra={"enum": list(DM_CONTROL_SUITE)})]


def _distinct_tasks(tasks: list[str]) -> list[str]:
    if wrong := unknown_task(tasks):
        raise ValueError(wrong)
    return without_repeats(tasks)


TaskNames = Annotated[list[TaskName], AfterValidator(_distinct_tasks)]


class Section(BaseModel):
    """Unknown keys are refused, numbers are numbers, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _without_what_is_absent(self, handler: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        """None is written where it is not the default and so says something (`jacobian_columns: null`: all of them)."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if value is not None or (name in fields and fields[name].default is not None)
        }


class NoisePolicy(Section):
    """Actions are clipped coloured Gaussian noise, whatever the observation."""

    beta: float = Field(0.5, ge=0, le=4, description="Exponent of the power spectrum 1/f^beta; 0 is white noise.")
    scale: float = Field(0.5, gt=0, le=100, description="Standard deviation, in units of half the control range.")


class ZeroPolicy(Section):
    """Actions are zero: the passive system."""


class PpoOverrides(Section):
    """Hyper-parameters by brax's names (`brax.training.agents.ppo.train`); what is unset is the recipe's."""

    num_timesteps: Count | None = None
    num_evals: Count | None = None
    num_eval_envs: Count | None = None
    num_envs: Count | None = None
    episode_length: Count | None = None
    unroll_length: Count | None = None
    batch_size: Count | None = None
    num_minibatches: Count | None = None
    num_updates_per_batch: Count | None = None
    num_resets_per_eval: Count | None = None
    discounting: float | None = Field(None, gt=0, le=1)
    gae_lambda: float | None = Field(None, ge=0, le=1)
    reward_scaling: float | None = Field(None, gt=0)
    learning_rate: float | None = Field(None, gt=0)
    learning_rate_schedule: Literal["NONE", "ADAPTIVE_KL"] | None = None
    learning_rate_schedule_max_lr: float | None = Field(None, gt=0)
    desired_kl: float | None = Field(None, gt=0)
    max_grad_norm: float | None = Field(None, gt=0)
    entropy_cost: float | None = Field(None, ge=0)
    clipping_epsilon: float | None = Field(None, gt=0)
    observation_clip: float | None = Field(None, ge=0, description="In standard deviations; 0: no clipping.")


class TrainingSettings(Section):
    """How an expert is trained: brax's PPO."""

    recipe: Literal["small", "playground"] = Field(
        "small",
        description="small: what two cores can afford; playground: Playground's own hyper-parameters, for an accelerator.",
    )
    overrides: PpoOverrides = Field(
        default_factory=lambda: PpoOverrides(), description="Hyper-parameters over the recipe's, for every task."
    )
    evaluation_episodes: int = Field(
        32, ge=2, le=10_000, description="Episodes of the final evaluation, for each of expert, its mode, noise and zero."
    )


class ExpertPolicy(Section):
    """Actions are those of a trained stochastic policy, with coloured noise."""

    source: Literal["shipped", "train"] = Field(
        "shipped", description="shipped: the experts in resources/policies; train: train one per task and seed."
    )
    beta: float = Field(0.5, ge=0, le=4, description="Exponent of the noise's power spectrum; 0 samples the policy itself.")
    deterministic: bool = Field(False, description="Act with the policy's mode instead: no noise.")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="How experts are trained.")

    @model_validator(mode="before")
    @classmethod
    def _bare_source(cls, value: Any) -> Any:
        """`expert: train` is short for `expert: {source: train}`."""
        return {"source": value} if isinstance(value, str) else value


class PolicySettings(Section):
    """The policies to roll out, each with its own settings; one that is left out, or false, is skipped."""

    expert: ExpertPolicy | Literal[False] | None = Field(None, description="Trained policies with coloured noise.")
    noise: NoisePolicy | Literal[False] | None = Field(None, description="Coloured Gaussian noise in action space.")
    zero: ZeroPolicy | Literal[False] | None = Field(None, description="Zero actions: the passive system.")

    @field_validator("*", mode="before")
    @classmethod
    def _bare_key(cls, value: Any) -> Any:
        """A key without a value (`zero:`) asks for that policy with its defaults."""
        return {} if value is None else value

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        """`policies: expert` is short for `policies: {expert: }`."""
        return {value: None} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _at_least_one(self) -> PolicySettings:
        if not self.names:
            raise ValueError(f"needs at least one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the policies asked for."""
        return [name for name in type(self).model_fields if getattr(self, name) not in (None, False)]


class ComparisonSettings(Section):
    """How much is done for policies beside the first one (expert, else noise, else zero)."""

    seeds: int | None = Field(1, ge=1, description="In how many of the seeds they act, the first ones; null: in all.")
    full: bool = Field(
        False, description="Whether they have survival curves and figures of their own, beside what compares the policies."
    )


class RolloutSettings(Section):
    """How much is simulated for each (task, policy, seed)."""

    episodes: int = Field(4, ge=1, le=100_000, description="Episodes per seed.")
    steps: int = Field(1000, ge=2, le=1_000_000, description="Control steps per episode.")


_DEFAULTS = ("playground", "float64")


class JacobianSettings(Section):
    """How the transition is differentiated."""

    method: Method = Field(
        "exact",
        description="exact: the step as implemented, the constraint solver's solution differentiated where it converged, its"
        " iterations elsewhere; unrolled: automatic differentiation of all iterations; implicit: the solution everywhere;"
        " differences: central differences of the step; finite: central differences of MuJoCo's C engine.",
    )
    solver: Solver = Field(
        "playground",
        description="playground: the constraint solver stops after the task's own number of iterations; converged: it goes"
        " on until it has converged, which is another step than the recorded one (step_difference says by how much).",
    )
    precision: Precision = Field("float64", description="Floating-point precision of the differentiated step.")

    @model_validator(mode="after")
    def _differences_are_double(self) -> JacobianSettings:
        if self.method in ("finite", "differences") and self.precision == "float32":
            raise ValueError(
                f"precision = 'float32' does not go with method = {self.method!r}, whose differences need the digits of"
                " float64: use that"
            )
        return self

    @property
    def variant(self) -> str:
        """`exact`, `unrolled-converged-float32`: the method and what is not the default; its stores' folder."""
        return "-".join([self.method, *(part for part in (self.solver, self.precision) if part not in _DEFAULTS)])

    @classmethod
    def of_variant(cls, variant: str) -> JacobianSettings:
        """The settings that a variant's name stands for."""
        method, *others = variant.split("-")
        solver = "converged" if "converged" in others else "playground"
        return cls(method=method, solver=solver, precision="float32" if "float32" in others else "float64")  # ty: ignore[invalid-argument-type]


class SparsitySettings(Section):
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
        return without_repeats(sweep)

    @property
    def thresholds(self) -> list[float]:
        """The sweep with the main threshold in it, in ascending order."""
        return sorted({*self.sweep, self.threshold})


class TemporalSettings(Section):
    """How the temporal structure of patterns is summarised."""

    max_lag: int = Field(100, ge=1, le=100_000, description="Largest lag of the autocorrelation, in control steps.")
    max_patterns: int = Field(
        20, ge=1, le=100_000, description="How many of the most frequent patterns the tables list, each with its followers."
    )
    shifts: int = Field(1000, ge=10, le=1_000_000, description="Random circular shifts of the events (null model).")


class EmbeddingSettings(Section):
    """Figure 4 of the paper: t-SNE of transitions (s, a, s'), with frames along one consecutive sequence."""

    tasks: TaskNames = Field(
        default=["FingerSpin", "FingerTurnEasy"], description="Tasks of the study to embed; others here are skipped."
    )
    perplexity: float = Field(50.0, ge=1, le=10_000, description="t-SNE's perplexity, at most a third of the points.")
    max_points: int = Field(
        1000, ge=10, le=1_000_000, description="Steps are taken at even distances, so as not to exceed this."
    )
    sequence_steps: int = Field(24, ge=2, le=100_000, description="Length of the consecutive sequence, in control steps.")
    seed: Seed = Field(0, description="Seed of t-SNE.")

    @model_validator(mode="after")
    def _room_beside_the_sequence(self) -> EmbeddingSettings:
        if self.max_points <= self.sequence_steps:
            raise ValueError(
                f"max_points = {self.max_points} leaves no room beside the sequence: use more than"
                f" sequence_steps = {self.sequence_steps}"
            )
        return self


REFERENCE, CONVERGED_REFERENCE = "differences", "differences-converged"
"""What ways to differentiate are held against: the truth of the step, and of that with the converged solver."""
ROUGH = 1e-3
"""A step is rough where central differences of two widths are further apart than this share of the largest entry."""


class AblationSettings(Section):
    """How much the result depends on how a step is differentiated."""

    tasks: TaskNames = Field(
        default=["FingerSpin", "WalkerRun", "BallInCup"],
        description="Tasks of the study to differentiate in other ways as well; others here are skipped.",
    )
    policies: list[PolicyName] = Field(
        default=["expert", "noise"], description="Policies of the study whose steps these are; others here are skipped."
    )
    variants: list[Variant] = Field(
        default=["exact", "unrolled", "implicit", "finite"],
        description="Ways to differentiate that are compared with `differences`: a method (exact, unrolled, implicit,"
        " finite), -converged for the converged solver, -float32 for single precision.",
        min_length=1,
    )
    seeds: int | None = Field(1, ge=1, description="In how many of the seeds, the first ones; null: in all.")
    steps: int | None = Field(
        30, ge=1, description="Steps of each episode, at even distances: each costs four steps of the simulator per input."
    )
    thresholds: list[Threshold] = Field(
        default=[1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2],
        description="Thresholds at which zeros are compared.",
        min_length=1,
        max_length=100,
    )

    @field_validator("policies", "variants", "thresholds")
    @classmethod
    def _distinct(cls, values: list[Any]) -> list[Any]:
        return without_repeats(values)

    @model_validator(mode="after")
    def _something_to_compare(self) -> AblationSettings:
        if not set(self.variants) - {REFERENCE, CONVERGED_REFERENCE}:
            raise ValueError(
                f"variants = {self.variants} leaves nothing to hold against {REFERENCE!r}: add 'exact', or list no tasks"
            )
        return self

    @property
    def of_jacobians(self) -> AblationSettings:
        """What the Jacobians depend on: not the thresholds at which they are compared."""
        return self.model_copy(update={"thresholds": AblationSettings().thresholds})

    @property
    def ways(self) -> list[str]:
        """All ways to differentiate, what they are held against first."""
        converged = [CONVERGED_REFERENCE] if any("-converged" in way for way in self.variants) else []
        return list(dict.fromkeys([REFERENCE, *converged, *self.variants]))


class WorldModelSettings(Section):
    """One world model: a network and what it is trained on."""

    network: Literal["mlp", "relu", "residual", "experts", "linear_experts", "gated", "attention", "graph"] = Field(
        "mlp",
        description="mlp (ELU), relu, residual, experts, linear_experts, gated (masks of the inputs of each output that"
        " depend on the state), attention (over variables, behind masks), or graph (on the kinematic tree).",
    )
    trained: bool = Field(True, description="false: the network as it is drawn, for comparison.")
    width: int = Field(
        512,
        ge=1,
        le=100_000,
        description="Units of a hidden layer; gated, attention and graph use an eighth of it per variable.",
    )
    depth: int = Field(
        2, ge=1, le=100, description="Hidden layers, residual blocks, layers of attention, or rounds of messages."
    )
    experts: int = Field(4, ge=2, le=1000, description="How many experts a mixture has.")
    jacobian_loss: Literal["mse", "mae", "l1", "sae"] | None = Field(
        None,
        description="Loss on the Jacobian beside that on the next state: squared or absolute error, the L1 norm of the"
        " model's own, or the absolute error where the truth is zero.",
    )
    jacobian_weight: float = Field(1.0, ge=0, description="Weight of the loss on the Jacobian.")
    jacobian_errors: Literal["relative", "plain"] = Field(
        "relative",
        description="relative: errors of mse, mae and sae over the largest scaled entry of the true Jacobian of the step"
        " where that is above 1, so that no contact owns the loss; plain: as they are, the paper's form.",
    )
    jacobian_columns: int | None = Field(
        1, ge=1, description="Columns of the Jacobian that are drawn at random for each sample; null: all."
    )
    mask_weight: float = Field(0.01, ge=0, description="Weight of the penalty on open masks, for networks that have them.")
    mask_budget: float = Field(0.0, ge=0, le=1, description="Share of open masks up to which there is no penalty.")

    @property
    def plain(self) -> bool:
        """Whether this is a trained MLP without a loss on the Jacobian."""
        return self.network == "mlp" and self.trained and self.jacobian_loss is None


class WorldModelTraining(Section):
    """How world models are trained."""

    epochs: Count = Field(30, description="At most.")
    batch: Count = Field(64, description="Samples per step of the optimiser.")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's at the start; it falls to 0 along a cosine.")
    patience: Count | None = Field(
        None,
        description="Epochs without a lower validation loss after which training stops; null: never, and the weights are"
        " those of the best epoch all the same. Stopping early cuts the cosine while the rate is still high.",
    )
    seconds: float = Field(600.0, gt=0, description="Time budget of one training.")


ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
"""Part of a file's name."""


def _default_models() -> dict[str, WorldModelSettings]:
    """The paper's plain MLP, the one with its loss on zeros, and one with masks."""
    return {
        "mlp": WorldModelSettings(),
        "mlp_sae_j": WorldModelSettings(jacobian_loss="sae"),
        "gated": WorldModelSettings(network="gated"),
    }


CONTROLS = ("persistence", "linear", "neighbours", "static_oracle", "truth")
"""What world models are scored beside (`world_models.controls.Controls`)."""
EPISODES_TO_SPLIT = 3
"""World models need an episode each for training, validation and test."""


class WorldModelsSettings(Section):
    """Which world models are trained, on what, and how they are scored."""

    tasks: TaskNames | None = Field(
        default=["CheetahRun", "FingerSpin", "ReacherHard"],
        description="Tasks of the study to train world models on; others here are skipped, and so are those with fewer than"
        " three episodes to split. null: all without free or ball joints. Empty: none.",
    )
    policies: list[PolicyName] | None = Field(
        default=None,
        min_length=1,
        description="Policies of the study whose episodes are learnt from, and tested on, together; others here are skipped."
        " null: the first that acts in a task.",
    )
    models: dict[ModelName, WorldModelSettings] = Field(
        default_factory=_default_models,
        min_length=1,
        description="By a name of your choice; `name: false` drops one that config.yaml has.",
    )
    seeds: list[Seed] = Field(
        default=[0, 1], min_length=1, description="Of the split, the weights and the batches; one training each."
    )
    target: Literal["next_state", "change"] = Field(
        "next_state", description="What is predicted: the next state (the paper), or how it differs from the current one."
    )
    validation: float = Field(
        0.2, gt=0, lt=1, description="Share of the episodes for choosing the best epoch and thresholds; at least one."
    )
    test: float = Field(
        0.3, gt=0, lt=1, description="Share of the episodes for scores; at least one, and intervals need two."
    )
    training: WorldModelTraining = Field(default_factory=WorldModelTraining, description="How they are trained.")
    zero_threshold: Threshold = Field(
        1e-6, description="An entry of a model's Jacobian is zero below this (the paper's value)."
    )
    thresholds: list[Threshold] = Field(
        default=[1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0],
        min_length=1,
        description="Thresholds of scaled Jacobians at which a model's zeros are compared with the true ones as well.",
    )
    horizons: list[Count] = Field(
        default=[1, 10, 50, 100], min_length=1, description="Steps after which rollouts of the model are compared."
    )
    margins: list[Annotated[int, Field(ge=0)]] = Field(
        default=[0, 1, 2, 5], min_length=1, description="Steps by which a detected switch may be off."
    )

    @property
    def sizes_differ(self) -> bool:
        """Whether there are plain MLPs of three depths or of three widths to compare."""
        plain = [model for model in self.models.values() if model.plain]
        return max(len({model.depth for model in plain}), len({model.width for model in plain})) >= 3

    @field_validator("seeds", "policies", "thresholds", "horizons", "margins")
    @classmethod
    def _distinct(cls, values: list | None) -> list | None:
        return without_repeats(values) if values else values

    @field_validator("models", mode="before")
    @classmethod
    def _without_dropped_ones(cls, models: Any) -> Any:
        """`name: false` drops one that another file asks for."""
        return {name: given for name, given in models.items() if given is not False} if isinstance(models, dict) else models

    @field_validator("models")
    @classmethod
    def _not_a_control(cls, models: dict[str, WorldModelSettings]) -> dict[str, WorldModelSettings]:
        if taken := sorted(set(models) & set(CONTROLS)):
            raise ValueError(f"{taken[0]!r} is the name of a control that is scored beside the models: use another one")
        return models

    @model_validator(mode="after")
    def _something_to_train_on(self) -> WorldModelsSettings:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation + test = {self.validation + self.test:g} leaves no episode to train on: lower one")
        return self


class FrameSettings(Section):
    """Rendered frames along the sequence of an embedding."""

    count: int = Field(6, ge=2, le=50, description="How many, at even distances along the sequence.")
    size: int = Field(200, ge=32, le=2000, description="Width and height, in pixels.")


class ResamplingSettings(Section):
    """Intervals come from resampling episodes within seeds."""

    resamples: int = Field(1000, ge=10, le=1_000_000, description="Bootstrap resamples.")
    confidence: float = Field(0.95, gt=0, lt=1, description="Coverage of the reported intervals.")
    seed: Seed = Field(0, description="Seed of every resampling and of the null model.")


class PolicyStage(Section):
    """What the training of an expert depends on."""

    training: TrainingSettings


class RolloutStage(Section):
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


class EmbeddingStage(SparsityStage):
    """What the embedding of transitions depends on."""

    embedding: EmbeddingSettings


class WorldModelStage(SparsityStage):
    """What one world model, or all of a task, depend on."""

    world_models: WorldModelsSettings
    resampling: ResamplingSettings


class FrameStage(EmbeddingStage):
    """What frames depend on: how they look, as well."""

    frames: FrameSettings


class TableStage(Section):
    """What a table depends on: the settings of the stores that it reads."""

    upstream: dict[str, Any]


class AblationJacobianStage(RolloutStage):
    """What the Jacobians of a sample of steps by all ways to differentiate depend on."""

    ablation: AblationSettings


class AblationStage(AblationJacobianStage):
    """What the comparison of ways to differentiate depends on."""

    resampling: ResamplingSettings


def of_one_model(stage: WorldModelStage, model: str) -> WorldModelStage:
    """What one of a stage's world models depends on: not the others, nor what only scores do.

    Raises UserError for a model that is not among them.
    """
    models = stage.world_models.models
    if model not in models:
        raise UserError(f"world_models.models has no {model!r}, only {', '.join(models)}")
    scoring = {name: getattr(WorldModelsSettings(), name) for name in ("margins", "thresholds")}
    one = {"models": {model: models[model]}, "seeds": [0], **scoring}
    only = {"world_models": stage.world_models.model_copy(update=one), "resampling": ResamplingSettings()}
    return stage.model_copy(update=only)


def policies_in(path: str) -> list[str]:
    """The policies that a path names: one, or several whose episodes are learnt from together (`expert_noise`)."""
    return path.split("_")


STAGES: dict[str, type[RolloutStage]] = {
    "rollouts": RolloutStage,
    "jacobians": JacobianStage,
    "sparsity": SparsityStage,
    "durations": SparsityStage,
    "summary": PooledStage,
    "survival": PooledStage,
    "patterns": TemporalStage,
    "embedding": EmbeddingStage,
    "frames": FrameStage,
    "ablation_jacobians": AblationJacobianStage,
    "ablation": AblationStage,
    "world_models": WorldModelStage,
    "recovery": WorldModelStage,
}
"""Settings of each stage, by its name."""


def without_repeats(values: list[Any]) -> list[Any]:
    """The values as they are; raises ValueError naming one that is listed twice."""
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{repeated[0]!r} is listed more than once: remove the repeats")
    return values


def known_tasks(names: list[str]) -> list[str]:
    """The names as they are; raises UserError naming the first that is no task, and the nearest that are."""
    if wrong := unknown_task(names):
        raise UserError(wrong)
    return names


def unknown_task(names: list[str]) -> str | None:
    """What is wrong with the first of the names that is no task, if one is not: it, and the nearest that are."""
    for name in names:
        if name not in DM_CONTROL_SUITE:
            near = difflib.get_close_matches(name, DM_CONTROL_SUITE, n=3, cutoff=0.4)
            nearest = (
                f"nearest names: {', '.join(near)} (`dynamic-sparsity tasks` lists all)"
                if near
                else "`dynamic-sparsity tasks` lists all"
            )
            return f"unknown task {name!r}; {nearest}"
    return None
