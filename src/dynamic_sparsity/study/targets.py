"""What may stand in a path that Snakemake is asked for: what the study has or can have, or one message that says why not.

Only the workflow imports this: an edit here reruns nothing. Paths that the study itself asks for pass all of these checks.
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
    """Raise UserError unless there is such a task; the study need not list it."""
    del study
    known_tasks([task])


def check_policy(study: Study, policy: str) -> None:
    """Raise UserError for a policy that the study does not have: config.yaml says how it acts."""
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
    """Raise UserError unless a path's seed is written as its number is; the study need not list it."""
    del study
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", seed) or int(seed) > _LARGEST_SEED:
        raise UserError(f"seed {quoted(seed)}: ask for a whole number from 0 to {_LARGEST_SEED}, without leading zeros")


def check_variant(study: Study, variant: str) -> None:
    """Raise UserError unless this is the name of a way to differentiate; the study need not use it."""
    del study
    if not re.fullmatch(VARIANT_PATTERN, variant):
        raise UserError(
            f"unknown method {variant!r}: ask for one of {', '.join(get_args(Method))}, where these have them followed by"
            " -converged (solver) and -float32 (precision) in this order, as in exact-converged-float32"
        )


def check_world_model(study: Study, task: str, policy: str, model: str) -> None:
    """Raise UserError unless the study has such a model, and a task and policy that it can learn."""
    if model not in study.world_models.models:
        raise UserError(
            f"unknown world model {model!r}: this study has {', '.join(study.world_models.models)}; ask for one of these, or"
            " describe it in config.yaml (`world_models: {models: …}`)"
        )
    if task in WITH_ORIENTATIONS:
        raise UserError(
            f"no world models of {task}: it has free or ball joints, whose orientations they do not know yet; ask for"
            " another task"
        )
    given = policies_in(policy)
    for name in given:
        check_policy(study, name)
    canonical = "_".join(name for name in study.policies.names if name in given)
    if policy != canonical:
        raise UserError(f"no world models under {policy!r}: ask for {canonical!r}, each policy once and in this order")
    if reason := study.without_data(task, given):
        raise UserError(f"no world models of {task} under policy {policy!r}: {reason}")


def check_table(study: Study, table: str) -> None:
    """Raise UserError unless there is such a table."""
    del study
    _check_name("table", table, TABLES)


def check_figure(study: Study, figure: str) -> None:
    """Raise UserError unless there is such a figure of one task, policy and method."""
    del study
    _check_name("figure of one task", figure, figures_of("task", "embedded task"))


def check_study_figure(study: Study, figure: str) -> None:
    """Raise UserError unless there is such a figure of all tasks, and the study has what it shows."""
    if figure in figures_of("task", "embedded task"):
        raise UserError(
            f"figure {figure!r} is of one task: ask for results/figures/{figure}-TASK-POLICY-METHOD.png, with these three"
            " filled in"
        )
    _check_name("figure of all tasks", figure, figures_of("study"))
    if reason := FIGURES[figure].lacks(study):
        raise UserError(f"figure {figure!r} has nothing to show: {reason}")


def refuse_empty(study: Study, product: str, stage: str) -> None:
    """Raise UserError that says why a table or figure has nothing to show: a stage without any store in this study."""
    reasons = {"recovery": _without_models, "ablation": _without_ablation}
    reason = (
        reasons[stage](study) if stage in reasons else f"this study has no stores of stage {stage}: list more in config.yaml"
    )
    raise UserError(f"{product} has nothing to show: {reason}")


def _without_models(study: Study) -> str:
    asked = study.world_models.tasks
    if asked is not None and not asked:
        return "world_models.tasks is empty: list tasks of the study there"
    wanted = [task for task in study.tasks if asked is None or task in asked]
    if reason := next(filter(None, map(study.nothing_to_learn, wanted)), None):
        return reason
    if asked is None:
        return (
            f"world models do not know free or ball joints yet, which every task has ({', '.join(study.tasks)}): add another"
            " task"
        )
    return f"none of world_models.tasks = {asked} is in tasks: list one of {', '.join(study.tasks)}"


def _without_ablation(study: Study) -> str:
    asked, tasks = study.ablation.tasks, ", ".join(study.tasks)
    if not asked:
        return f"ablation.tasks is empty: list one of {tasks}"
    if study.ablated_tasks and not any(map(study.ablated_policies, study.ablated_tasks)):
        return (
            f"none of ablation.policies = {study.ablation.policies} is in policies: list one of"
            f" {', '.join(study.policies.names)}"
        )
    return f"none of ablation.tasks = {asked} is in tasks: list one of {tasks}"


def _check_name(kind: str, name: str, names: Iterable[str]) -> None:
    names = list(names)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"there is no {kind} {name!r}; {hint}there are {', '.join(names)}")
