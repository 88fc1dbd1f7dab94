"""Section `world_models` of config.yaml: world models, their training and their scores."""

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
    trained: bool = Field(True, description="false: keep the weights as they are drawn at the start, for comparison.")
    width: int = Field(
        512,
        ge=1,
        le=100_000,
        description="Number of units in a hidden layer; gated, attention and graph use an eighth of it for each variable.",
    )
    depth: int = Field(
        2, ge=1, le=100, description="Number of hidden layers, residual blocks, attention layers or rounds of messages."
    )
    experts: int = Field(4, ge=2, le=1000, description="Number of networks or maps in a mixture.")
    jacobian_loss: Literal["mse", "mae", "l1", "sae"] | None = Field(
        None,
        description="Loss on the Jacobian, added to the loss on the next state. mse: squared error; mae: absolute error; l1:"
        " L1 norm of the model's Jacobian; sae: absolute error at entries whose true value is zero; null: no such loss.",
    )
    jacobian_weight: float = Field(1.0, ge=0, description="Weight of the loss on the Jacobian.")
    jacobian_errors: Literal["relative", "plain"] = Field(
        "relative",
        description="relative: the errors of mse, mae and sae are divided by the largest scaled entry of the step's true"
        " Jacobian if that exceeds 1, so that contacts do not dominate the loss; plain: not divided, as in the paper.",
    )
    jacobian_columns: int | None = Field(
        1, ge=1, description="Number of columns of the Jacobian that are drawn at random for each sample; null: all."
    )
    mask_weight: float = Field(0.01, ge=0, description="Weight of the penalty on open masks, for networks with masks.")
    mask_budget: float = Field(0.0, ge=0, le=1, description="Share of open masks up to which there is no penalty.")

    @property
    def plain(self) -> bool:
        """Whether this is a trained MLP without a loss on the Jacobian."""
        return self.network == "mlp" and self.trained and self.jacobian_loss is None


class WorldModelTraining(Section):
    """How world models are trained."""

    epochs: Count = Field(30, description="Largest number of epochs.")
    batch: Count = Field(64, description="Number of samples in a step of the optimiser.")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's learning rate at the start; it falls to 0 along a cosine.")
    patience: Count | None = Field(
        None,
        description="Number of epochs without a lower validation loss after which training stops; null: never. The weights"
        " of the best epoch are kept in any case. Stopping early ends the cosine while the learning rate is still high.",
    )
    seconds: float = Field(600.0, gt=0, description="Time budget of one training, in seconds.")


ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
"""A model's name: it becomes part of file names."""


def _default_models() -> dict[str, WorldModelSettings]:
    """The paper's plain MLP, the MLP with the paper's loss on zeros, and a network with masks."""
    return {
        "mlp": WorldModelSettings(),
        "mlp_sae_j": WorldModelSettings(jacobian_loss="sae"),
        "gated": WorldModelSettings(network="gated"),
    }


CONTROLS = ("persistence", "linear", "neighbours", "static_oracle", "truth")
"""Controls that are scored next to the world models (`world_models.controls.Controls`)."""

EPISODES_TO_SPLIT = 3
"""Smallest number of episodes to learn from: one each for training, validation and test."""


class WorldModelsSettings(Section):
    """Which world models are trained, on which data, and how they are scored."""

    tasks: TaskNames | None = Field(
        default=["CheetahRun", "FingerSpin", "ReacherHard"],
        description="Tasks on which world models are trained; tasks that the study does not list are skipped, and so are"
        " tasks with fewer than three episodes to split. null: all tasks without free or ball joints; []: none.",
    )
    policies: list[PolicyName] | None = Field(
        default=None,
        min_length=1,
        description="Policies whose episodes are pooled for training and testing; policies that do not act are skipped."
        " null: the first policy that acts in a task.",
    )
    models: dict[ModelName, WorldModelSettings] = Field(
        default_factory=_default_models,
        min_length=1,
        description="World models by a name of your choice; `name: false` drops a model that config.yaml lists.",
    )
    seeds: list[Seed] = Field(
        default=[0, 1],
        min_length=1,
        description="Training seeds: every model is trained once for each, with its own split, initial weights and batches.",
    )
    target: Literal["next_state", "change"] = Field(
        "next_state",
        description="What a model predicts. next_state: the next state, as in the paper; change: next minus current state.",
    )
    validation: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of the episodes on which the best epoch and thresholds are chosen; at least one episode.",
    )
    test: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="Share of the episodes on which models are scored; at least one episode, and intervals need two.",
    )
    training: WorldModelTraining = Field(default_factory=WorldModelTraining, description="How world models are trained.")
    zero_threshold: Threshold = Field(
        1e-6, description="An entry of a model's Jacobian counts as zero below this threshold (the paper's value)."
    )
    thresholds: list[Threshold] = Field(
        default=[1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0],
        min_length=1,
        description="Further thresholds, on scaled Jacobians, at which a model's zeros are compared with the true zeros.",
    )
    horizons: list[Count] = Field(
        default=[1, 10, 50, 100],
        min_length=1,
        description="Numbers of steps after which a model's rollout is compared with the recorded one.",
    )
    margins: list[Annotated[int, Field(ge=0)]] = Field(
        default=[0, 1, 2, 5], min_length=1, description="Tolerances for detected switches, in control steps."
    )

    @property
    def sizes_differ(self) -> bool:
        """Whether there are plain MLPs of at least three depths or three widths to compare."""
        plain = [model for model in self.models.values() if model.plain]
        return max(len({model.depth for model in plain}), len({model.width for model in plain})) >= 3

    @field_validator("seeds", "policies", "thresholds", "horizons", "margins")
    @classmethod
    def _distinct(cls, values: list[Any] | None) -> list[Any] | None:
        return without_repeats(values) if values else values

    @field_validator("models", mode="before")
    @classmethod
    def _without_dropped_models(cls, models: Any) -> Any:
        """`name: false` drops a model that another file lists."""
        if not isinstance(models, dict):
            return models
        return {name: model for name, model in models.items() if model is not False}

    @field_validator("models")
    @classmethod
    def _not_a_control(cls, models: dict[str, WorldModelSettings]) -> dict[str, WorldModelSettings]:
        if taken := sorted(set(models) & set(CONTROLS)):
            raise ValueError(f"{taken[0]!r} is the name of a control that is scored next to the models: use another name")
        return models

    @model_validator(mode="after")
    def _episodes_left_to_train_on(self) -> WorldModelsSettings:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation + test = {self.validation + self.test:g} leaves no episode to train on: lower one of them"
            )
        return self


class WorldModelStage(SparsityStage):
    """Settings of the stages that train one world model, and that score all models of a task."""

    world_models: WorldModelsSettings
    resampling: ResamplingSettings


def of_one_model(stage: WorldModelStage, model: str) -> WorldModelStage:
    """The settings of one world model: without the other models, and without those that only affect scores.

    Raises UserError for a model that the stage does not have.
    """
    models = stage.world_models.models
    if model not in models:
        raise UserError(f"world_models.models has no {model!r}, only {', '.join(models)}")
    scoring = {name: getattr(WorldModelsSettings(), name) for name in ("margins", "thresholds")}
    one_model = stage.world_models.model_copy(update={"models": {model: models[model]}, "seeds": [0], **scoring})
    return stage.model_copy(update={"world_models": one_model, "resampling": ResamplingSettings()})
