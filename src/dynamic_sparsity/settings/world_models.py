"""World models, their training and their scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.base import Count, Section, Seed, Threshold, without_repeats
from dynamic_sparsity.settings.networks import NETWORKS
from dynamic_sparsity.settings.policies import PolicyName
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.sparsity import SparsityStage
from dynamic_sparsity.settings.tasks import TaskNames

if TYPE_CHECKING:
    NetworkName = str
else:
    NetworkName = Literal[tuple(NETWORKS)]


class WorldModelSettings(Section):
    """One world model: a network and what it is trained on."""

    network: NetworkName = Field("mlp", description="; ".join(f"{name}: {about}" for name, about in NETWORKS.items()) + ".")
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


class WorldModelStage(SparsityStage):
    """What one world model, or all of a task, depend on."""

    world_models: WorldModelsSettings
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
