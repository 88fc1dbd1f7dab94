"""Checks of the names in a path that Snakemake is asked for: names that the study cannot have give one message.

Only the workflow imports this module, so an edit reruns nothing. Paths that the study itself asks for pass all checks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import get_args

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.settings.jacobians import VARIANT_PATTERN, Method
from dynamic_sparsity.settings.policies import PolicySettings, policies_in
from dynamic_sparsity.study.catalogue import FIGURES, TABLES, figures_of
from dynamic_sparsity.study.study import Study
from dynamic_sparsity.tasks.names import WITH_ORIENTATIONS, known_tasks

_LARGEST_SEED = 2**31 - 1


def check_task(study: Study, task: str) -> None:
    """Raise UserError for an unknown task; the study need not list it."""
    del study
    known_tasks([task])


def check_policy(study: Study, policy: str) -> None:
    """Raise UserError for a policy that the study does not have: its settings would be missing."""
    names = study.policies.names
    if policy in names:
        return
    if policy not in PolicySettings.model_fields:
        raise UserError(f"unknown policy {policy!r}: this study has {', '.join(names)}; ask for one of these")
    raise UserError(
        f"this study has no policy {policy!r}, only {', '.join(names)}: ask for one of these, or add it to config.yaml"
        f" (`policies: {{{policy}: {{}}}}`)"
    )


def check_seed(study: Study, seed: str) -> None:
    """Raise UserError unless the seed is a number without leading zeros; the study need not list it."""
    del study
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", seed) or int(seed) > _LARGEST_SEED:
        raise UserError(f"seed {quoted(seed)}: ask for a whole number from 0 to {_LARGEST_SEED}, without leading zeros")


def check_variant(study: Study, variant: str) -> None:
    """Raise UserError for an unknown way to differentiate; the study need not use it."""
    del study
    if not re.fullmatch(VARIANT_PATTERN, variant):
        raise UserError(
            f"unknown method {variant!r}: ask for one of {', '.join(get_args(Method))}, followed by -converged (solver)"
            " and -float32 (precision) in this order, if the method takes them, as in exact-converged-float32"
        )


def check_world_model(study: Study, task: str, policy: str, model: str) -> None:
    """Raise UserError unless the study has this model, and the model can learn this task from these policies."""
    if model not in study.world_models.models:
        raise UserError(
            f"unknown world model {model!r}: this study has {', '.join(study.world_models.models)}; ask for one of these, or"
            " describe it in config.yaml (`world_models: {models: …}`)"
        )
    if task in WITH_ORIENTATIONS:
        raise UserError(
            f"no world models of {task}: it has free or ball joints, whose orientations they cannot predict yet; ask for"
            " another task"
        )
    policies = policies_in(policy)
    for name in policies:
        check_policy(study, name)
    canonical = "_".join(name for name in study.policies.names if name in policies)
    if policy != canonical:
        raise UserError(f"no world models under {policy!r}: ask for {canonical!r}, each policy once and in this order")
    if reason := study.without_data(task, policies):
        raise UserError(f"no world models of {task} under policy {policy!r}: {reason}")


def check_table(study: Study, table: str) -> None:
    """Raise UserError for an unknown table."""
    del study
    _check_name("table", table, TABLES)


def check_figure(study: Study, figure: str) -> None:
    """Raise UserError for an unknown figure of one task, policy and method."""
    del study
    _check_name("figure of one task", figure, figures_of("task", "embedded task"))


def check_study_figure(study: Study, figure: str) -> None:
    """Raise UserError for an unknown figure of all tasks, or if the study lacks what the figure shows."""
    if figure in figures_of("task", "embedded task"):
        raise UserError(
            f"figure {figure!r} shows one task: ask for results/figures/{figure}-TASK-POLICY-METHOD.png, with names in place"
            " of the words in capitals"
        )
    _check_name("figure of all tasks", figure, figures_of("study"))
    if reason := FIGURES[figure].lacks(study):
        raise UserError(f"figure {figure!r} has nothing to show: {reason}")


def refuse_empty(study: Study, product: str, stage: str) -> None:
    """Raise UserError that says why a table or figure has nothing to show: the study has no stores of `stage`."""
    reasons = {"recovery": _without_models, "ablation": _without_ablation}
    reason = (
        reasons[stage](study) if stage in reasons else f"this study has no stores of stage {stage}: list more in config.yaml"
    )
    raise UserError(f"{product} has nothing to show: {reason}")


def _without_models(study: Study) -> str:
    requested = study.world_models.tasks
    if requested is not None and not requested:
        return "world_models.tasks is empty: list tasks of the study there"
    tasks = [task for task in study.tasks if requested is None or task in requested]
    if reason := next(filter(None, map(study.nothing_to_learn, tasks)), None):
        return reason
    if requested is None:
        return (
            f"every task of the study has free or ball joints ({', '.join(study.tasks)}), whose orientations world models"
            " cannot predict yet: add another task"
        )
    return f"none of world_models.tasks = {requested} is in tasks: list one of {', '.join(study.tasks)}"


def _without_ablation(study: Study) -> str:
    requested, tasks = study.ablation.tasks, ", ".join(study.tasks)
    if not requested:
        return f"ablation.tasks is empty: list one of {tasks}"
    if study.ablated_tasks and not any(map(study.ablated_policies, study.ablated_tasks)):
        return (
            f"none of ablation.policies = {study.ablation.policies} is in policies: list one of"
            f" {', '.join(study.policies.names)}"
        )
    return f"none of ablation.tasks = {requested} is in tasks: list one of {tasks}"


def _check_name(kind: str, name: str, names: Iterable[str]) -> None:
    names = list(names)
    if name not in names:
        nearest = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise UserError(f"there is no {kind} {name!r}; {hint}ask for one of {', '.join(names)}")
