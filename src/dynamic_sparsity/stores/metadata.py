"""Metadata of stores and experts: JSON that anybody may have written, parsed within bounds and checked against its types.

Values are checked, not converted: `True` and `"5"` are not numbers, and a number is never NaN, infinite or absurdly large.
Keys that no model names may have any value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dynamic_sparsity.errors import quoted
from dynamic_sparsity.stores.attributes import AS_JSON, DIGESTS

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
"""The name of a task, policy or network; it is printed, and may become part of a path."""
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]


def parsed(text: str | bytes, deepest: int = 32) -> Any:
    """Parse JSON. Raises ValueError if `text` is not JSON or is nested more than `deepest` levels.

    This package writes six levels. A deeper value would exceed Python's recursion limit where it is next copied or printed.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"its JSON is nested deeper than {deepest} levels") from None
    level = _containers([value])
    for _ in range(deepest):
        level = [inner for outer in level for inner in _containers(outer.values() if isinstance(outer, dict) else outer)]
    if level:
        raise ValueError(f"its JSON is nested deeper than {deepest} levels")
    return value


def problem(model: type[BaseModel], value: Any) -> str | None:
    """The first reason why `value` is not a valid `model`, as a sentence without its subject; None if it is valid."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    else:
        return None
    if missing := sorted(".".join(map(str, each["loc"])) for each in mistakes if each["type"] == "missing"):
        return f"does not say {', '.join(missing[:10])}"
    first = mistakes[0]
    where = quoted(".".join(map(str, first["loc"])))[1:-1]
    return f"has the {where or 'content'} {quoted(first['input'])} ({first['msg'].removeprefix('Value error, ')})"


def decoded(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `encoded`. Raises ValueError, which names the attribute, if one should be a mapping and is not."""
    names = (*AS_JSON, "ended") if attributes.get("kind") == "recovery" else AS_JSON
    mappings = {}
    for name in (name for name in names if name in attributes):
        text = attributes[name]
        try:
            mappings[name] = parsed(text) if isinstance(text, str) else None
        except json.JSONDecodeError:
            mappings[name] = None
        if not isinstance(mappings[name], dict):
            raise ValueError(f"its {name} is {quoted(text)}, expected a mapping as JSON text")
    return {**attributes, **mappings}


def listed_files(attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """The list of a store's files, from attributes that are not decoded; None if there is no valid list."""
    try:
        return decoded({name: attributes[name] for name in attributes if name == DIGESTS}).get(DIGESTS)
    except ValueError:
        return None


class _Metadata(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class ExpertProvenance(_Metadata):
    """Provenance in every expert's file: enough to run the expert."""

    task: Name
    seed: Count
    network: Name
    action_size: int = Field(gt=0, le=2**16)
    observation_clip: float = Field(ge=0, le=1e15, allow_inf_nan=False)
    """0 means that observations are not clipped."""


class _Evaluation(_Metadata):
    mean: Number
    std: Number
    each: list[Number]


class _Returns(_Metadata):
    """An evaluation: returns of every policy (`each`) over the same `episodes` episodes of `steps` steps."""

    episodes: int = Field(ge=2, le=2**31)
    steps: int = Field(gt=0, le=2**53)
    stochastic: _Evaluation
    deterministic: _Evaluation
    coloured: _Evaluation
    noise: _Evaluation
    zero: _Evaluation

    @model_validator(mode="after")
    def _paired(self) -> _Returns:
        for name in ("stochastic", "deterministic", "coloured", "noise", "zero"):
            if (returns := len(getattr(self, name).each)) != self.episodes:
                raise ValueError(f"{name} has {returns} returns, episodes says {self.episodes}")
        return self


class FinishedProvenance(ExpertProvenance):
    """Provenance in the file of an expert that has been evaluated."""

    returns: _Returns
    steps: Count
    hardware: str
    settings: dict[str, Any]
    trained_steps: Count | None = None
    minutes: Number | None = None


class StoreAttributes(_Metadata):
    """Attributes of every store, as `provenance.provenance` and `runs.identity_of` write them."""

    kind: Name
    schema_version: int
    settings: str
    versions: dict[str, str]
    simulator_versions: dict[str, dict[str, str]]
    task: Name
    policy: Name
    seed: Count = 0
    seeds: list[Count] = []
    method: Name = ""
    variant: Name = ""
    control_timestep: Number = 0.0
    substeps: Count = 0
    threshold: Number = 0.0
    training_seed: Count = 0
    expert: FinishedProvenance | None = None

    @field_validator("settings")
    @classmethod
    def _is_a_mapping(cls, settings: str) -> str:
        if not isinstance(parsed(settings), dict):
            raise ValueError("should be a mapping as JSON")
        return settings


class _OfOneRun(StoreAttributes):
    seed: Count


class _Rollouts(_OfOneRun):
    replay_proof: Name = ""
    """Missing if the rollout was not replayed (`simulation.proof`)."""


class _Jacobians(_OfOneRun):
    method: Name
    variant: Name


class _Sparsity(_OfOneRun):
    threshold: Number


class _WorldModel(StoreAttributes):
    method: Name
    threshold: Number
    model: str
    training_seed: Count
    ended: str
    zero_threshold: Number


ATTRIBUTES: dict[str, type[StoreAttributes]] = {
    "rollouts": _Rollouts,
    "jacobians": _Jacobians,
    "ablation_jacobians": _OfOneRun,
    "sparsity": _Sparsity,
    "durations": _OfOneRun,
    "world_models": _WorldModel,
}
"""Attributes of the kinds of stores whose readers need more than `StoreAttributes`."""


_Sizes = Annotated[list[Annotated[int, Field(gt=0, le=2**62)]], Field(max_length=16)]


class _Chunks(_Metadata):
    chunk_shape: _Sizes


class ShardConfiguration(_Chunks):
    """Configuration of the codec `sharding_indexed`: shape and codecs of the chunks, and codecs of their index."""

    codecs: list[dict[str, Any]]
    index_codecs: list[dict[str, Any]]


class _Grid(_Metadata):
    name: str = Field(pattern="^regular$")
    configuration: _Chunks


class _ChunkKeys(_Metadata):
    name: str = Field(pattern="^default$")


class ArrayMetadata(_Metadata):
    """The `zarr.json` of an array (https://zarr-specs.readthedocs.io/en/latest/v3/core/).

    Fields without which zarr would silently ignore the array are required.
    """

    zarr_format: int = Field(ge=3, le=3)
    node_type: str = Field(pattern="^array$")
    shape: list[Annotated[int, Field(ge=0, le=2**62)]]
    data_type: str
    chunk_grid: _Grid
    chunk_key_encoding: _ChunkKeys
    fill_value: Any
    codecs: list[dict[str, Any]]
    dimension_names: list[str] = []


def _containers(values: Iterable[Any]) -> list[dict[str, Any] | list[Any]]:
    return [value for value in values if isinstance(value, dict | list)]
