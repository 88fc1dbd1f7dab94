"""Checks that the input stores of a stage belong together: made with its settings, of one run, by one simulator.

Each check raises one UserError, which names the stores, the attribute in which they differ, both values and the remedy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import xarray as xr

from dynamic_sparsity.errors import UserError, printable, quoted
from dynamic_sparsity.settings.ablation import AblationStage
from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.settings.world_models import WorldModelStage, of_one_model
from dynamic_sparsity.stores.opening import source_of
from dynamic_sparsity.stores.reading import DELETE, reading
from dynamic_sparsity.stores.runs import shared_identity
from dynamic_sparsity.stores.schema import EPISODE, RUN, SIMULATING, TIME

OF_ONE_SEED = ("rollouts", "jacobians", "sparsity", "durations")
"""Kinds of stores that hold all episodes of one study seed."""
_OF_STEPS = OF_ONE_SEED[:3]
_IDENTITY = ("kind", "task", "policy", "method", "variant", "seed", "seeds", "model", "training_seed")
_ABSENT = object()
Expected = Callable[[xr.Dataset], Mapping[str, Any]]
"""Maps a store to the settings that it should have been made with."""


def settings_in(stage: Section) -> Expected:
    """The settings of `stage` on which a store depends, by the store's kind."""
    values = stage.model_dump(mode="json")

    def expected(store: xr.Dataset) -> Mapping[str, Any]:
        kind = store.attrs["kind"]
        if isinstance(stage, WorldModelStage) and kind == "world_models":
            if store.attrs["model"] not in values[kind]["models"]:
                raise UserError(
                    f"{source_of(store)} holds model {quoted(store.attrs['model'])}, which this study does not train:"
                    " pass stores of this study only"
                )
            return _sections(kind, of_one_model(stage, store.attrs["model"]).model_dump(mode="json"))
        if isinstance(stage, AblationStage) and kind == "ablation_jacobians":
            return _sections(kind, {**values, "ablation": stage.ablation.of_jacobians.model_dump(mode="json")})
        if kind in OF_ONE_SEED:  # the store is of one policy, but the stage may read stores of several
            policies = {name: policy for name, policy in values["policies"].items() if name == store.attrs["policy"]}
            return _sections(kind, {**values, "policies": policies})
        return _sections(kind, values)

    return expected


def _sections(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in STAGES[kind].model_fields}


def settings_upstream(upstream: Mapping[str, Mapping[str, Any]]) -> Expected:
    """`settings_in` for tables and figures; `upstream` holds the settings of every kind of store, by policy."""

    def expected(store: xr.Dataset) -> Mapping[str, Any]:
        policy, kind = store.attrs["policy"], store.attrs["kind"]
        if kind not in upstream.get(policy, {}):
            raise UserError(
                f"{source_of(store)} holds {quoted(kind)} of policy {quoted(policy)}, which this job does not read:"
                " pass stores of this study only"
            )
        return upstream[policy][kind]

    return expected


def check(stores: Sequence[xr.Dataset], expected: Expected, *, run: Sequence[str] = RUN) -> None:
    """Run all checks on the stores that a stage reads. `run` names the attributes in which they must agree."""
    shared_identity(stores, run)
    check_settings(stores, expected)
    check_versions(stores)
    check_copies(stores)
    check_sizes(stores)
    check_lengths(stores)


def check_settings(stores: Sequence[xr.Dataset], expected: Expected) -> None:
    """Raise UserError unless every store was made with the expected settings, key by key."""
    differences: dict[str, str] = {}
    for store in stores:
        if difference := _first_difference(json.loads(store.attrs["settings"]), expected(store)):
            differences.setdefault(str(source_of(store)), difference)
    if differences:
        first, *others = differences
        stores_to_delete = f"it, and {', '.join(others[:10])}, which differ too," if others else "it"
        raise UserError(f"{first} was made with {differences[first]}: {DELETE.replace('it', stores_to_delete, 1)}")


def _first_difference(written: Any, expected: Mapping[str, Any]) -> str | None:
    """The first key that differs with both values, in words. A key that one side lacks differs."""
    for key, value, expected_value in _leaves(written, expected):
        if not _same(value, expected_value):
            name = printable(".".join(key))[:200]
            setting = "not set" if value is _ABSENT else f"= {quoted(value)}"
            study = "does not set it" if expected_value is _ABSENT else f"has {quoted(expected_value)}"
            return f"{name} {setting}, this study {study}"
    return None


def _leaves(value: Any, other: Any, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Key, value and other value of every leaf of two nested mappings; `_ABSENT` where one side lacks the key."""
    sides = [side for side in (value, other) if side is not _ABSENT]
    if not all(isinstance(side, Mapping) for side in sides) or not any(sides):
        yield key, value, other
        return
    for name in sorted({name for side in sides for name in side}):
        yield from _leaves(
            *((_ABSENT if side is _ABSENT else side.get(name, _ABSENT)) for side in (value, other)), (*key, name)
        )


def _same(value: Any, other: Any) -> bool:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (value, other))
    return value == other and (numbers or value is other or json.dumps(value) == json.dumps(other))


def check_versions(stores: Sequence[xr.Dataset]) -> None:
    """Raise UserError unless the rollouts behind all stores were made by one simulator, and likewise the Jacobians.

    Jacobians may come from another version than their rollouts: their stage proved that the recorded steps replay.
    """
    for kind in SIMULATING:
        simulated = [store for store in stores if kind in store.attrs["simulator_versions"]]
        for store in simulated[1:]:
            versions, first = (each.attrs["simulator_versions"][kind] for each in (store, simulated[0]))
            for package in sorted({*versions, *first}):
                if versions.get(package) != first.get(package):
                    name, version, other = printable(package)[:80], versions.get(package), first.get(package)
                    raise UserError(
                        f"{source_of(store)}: its {kind} were made with {name} {quoted(version)}, those of"
                        f" {source_of(simulated[0])} with {quoted(other)}. Make all of them with one version:"
                        f" snakemake --cores all -R {kind}"
                    )


def check_copies(stores: Sequence[xr.Dataset]) -> None:
    """Raise UserError if two stores hold the same kind, run, seed and model: one is a copy under another name."""
    known: dict[str, xr.Dataset] = {}
    for store in stores:
        same = known.setdefault(repr([store.attrs.get(name) for name in _IDENTITY]), store)
        if same is not store:
            raise UserError(
                f"{source_of(store)} and {source_of(same)} hold the same"
                f" ({', '.join(f'{name} {store.attrs[name]}' for name in _IDENTITY if name in store.attrs)}):"
                " delete the one that is in the wrong place and run snakemake again"
            )


def check_sizes(stores: Sequence[xr.Dataset]) -> None:
    """Raise UserError unless each store of one study seed has as many episodes and steps as its settings say."""
    for store in stores:
        if store.attrs["kind"] not in OF_ONE_SEED:
            continue
        rollouts = json.loads(store.attrs["settings"])["rollouts"]
        for dim, key in ((EPISODE, "episodes"), (TIME, "steps")):
            if dim in store.sizes and store.sizes[dim] != rollouts[key]:
                raise UserError(
                    f"{source_of(store)} has {store.sizes[dim]} {key}, its settings say rollouts.{key} = {rollouts[key]}:"
                    f" it is only a part of a store; {DELETE}"
                )


def check_lengths(stores: Sequence[xr.Dataset]) -> None:
    """Raise UserError unless the episodes of a study seed have the same lengths in all of its stores."""
    first_of_run: dict[tuple[str, str, int], tuple[xr.Dataset, list[int]]] = {}
    for store in (each for each in stores if each.attrs["kind"] in _OF_STEPS):
        with reading(source_of(store)):
            lengths = store["length"].values.tolist()
        run = store.attrs["task"], store.attrs["policy"], store.attrs["seed"]
        first, expected = first_of_run.setdefault(run, (store, lengths))
        if lengths != expected:
            raise UserError(
                f"{source_of(store)} has episodes of {quoted(lengths)} steps, {source_of(first)} of {quoted(expected)}: they"
                " come from different recordings; delete the older store and run snakemake again"
            )
