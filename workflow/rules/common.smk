"""The validated study, and functions for rules: settings, code digests, resources and priorities of jobs."""

import functools
import os
import shlex
import sys
from pathlib import Path

from dynamic_sparsity.experts import shipped as shipped_experts
from dynamic_sparsity.files.whole import check_writable
from dynamic_sparsity.runtime import sources
from dynamic_sparsity.study import dependencies, priorities
from dynamic_sparsity.study import study as studies
from dynamic_sparsity.study.catalogue import FIGURES, TABLES, figures_of
from dynamic_sparsity.study.paths import (
    FIGURE,
    REQUESTED,
    PER_POLICY,
    PER_SEED,
    STUDY_FIGURE,
    TABLE,
    TRAINED_EXPERT,
    WORLD_MODEL,
    Paths,
)
from dynamic_sparsity.study.resources import accelerators, request

STUDY = or_exit(
    studies.load_study,
    dict(config),
    "the configuration (config.yaml and overrides)",
)
CHECKOUT = Path(os.path.relpath(workflow.basedir))
EXPERTS = CHECKOUT / "resources/policies"
SHIPS = STUDY.policies.expert and STUDY.policies.expert.source == "shipped"
STUDY, WITHOUT_EXPERTS = or_exit(
    studies.with_experts,
    STUDY,
    or_exit(shipped_experts.tasks_with_files, EXPERTS) if SHIPS else [],
)
if workflow.is_main_process:
    for notice in filter(None, [STUDY.who_acts, WITHOUT_EXPERTS, STUDY.notice]):
        print(notice, file=sys.stderr)
PATHS = Paths(STUDY)
FIRST_SHOWN = priorities.first_shown(STUDY)
# The conda environment of every rule. None without `--software-deployment-method`: checking it job by job is slow.
ENVIRONMENT = (
    "../../envs/environment.yaml"
    if workflow.deployment_settings.deployment_method
    else None
)
# One job draws all figures of a task, policy and method. Figures of embedded tasks have a job of their own.
OF_EVERY_TASK = figures_of("task")
EMBEDDED = figures_of("embedded task")


report: "../report/workflow.rst"


# For --sdm apptainer; envs/dynamic-sparsity.def says how to build it. None otherwise: a path with spaces would fail.
container: lambda wildcards: ENVIRONMENT and str(CHECKOUT / "envs/dynamic-sparsity.sif")


# The form of names only. Input functions check each name with `targets`, whose message says what to ask for instead.
wildcard_constraints:
    task=r"\w+",
    policy=r"\w+",
    method=r"[\w-]+",
    seed=r"[\w-]+",
    model=r"\w+",
    table=r"\w+",
    figure=r"\w+",


def figure_file(figure, kind):
    """The path of a figure with the wildcards task, policy and method."""
    return expand(FIGURE, figure=figure, kind=kind, allow_missing=True)[0]


def reported_figure(figure):
    """The path of a figure as PNG, with its caption and category in the report."""
    return report(
        figure_file(figure, "png"),
        caption=f"../report/figures/{figure}.rst",
        category=FIGURES[figure].question,
        subcategory="{task}",
        labels={
            "what": "figure",
            "name": figure,
            "task": "{task}",
            "policy": "{policy}",
        },
    )


# A study of thousands of jobs has few different settings, so cache them.
stage_settings = functools.cache(functools.partial(dependencies.stage_settings, STUDY))
world_model_settings = functools.cache(
    functools.partial(dependencies.world_model_settings, STUDY)
)


@functools.cache
def figure_settings(figures, policy, method):
    """Settings of the figures that one job draws for a task, policy and method."""
    reads = {figure: FIGURES[figure].reads for figure in figures}
    return dependencies.figure_settings(STUDY, reads, policy, method)


def settings(stage):
    """A function for `params`: the stage's settings for the job's policy and method, as one JSON string."""
    return lambda wildcards: stage_settings(
        stage, wildcards.policy, wildcards.get("method")
    )


@functools.cache
def figure_code(*figures):
    """Digest of the code that draws these figures."""
    return code("figure", *(f"dynamic_sparsity.figures.{name}" for name in figures))


@functools.cache
def code(stage, *modules):
    """Digest of the code that a stage and `modules` run, directly or indirectly. An edit reruns the stage."""
    return sources.digest(
        f"dynamic_sparsity.stages.{stage}", *modules, root=SOURCE_ROOT
    )


def network_code(wildcards):
    """Digest of the code that trains a world model, with its own network but no other network."""
    network = STUDY.world_models.models[wildcards.model].network
    return code("world_models", f"dynamic_sparsity.world_models.networks.{network}")


def memory(stage):
    """A function for `resources`: megabytes, doubled with every attempt."""
    return lambda wildcards, attempt: (
        needs(stage, *sized_by(wildcards)).memory_mb * 2 ** (attempt - 1)
    )


def minutes(stage):
    """A function for `resources`: minutes, doubled with every attempt."""
    return lambda wildcards, attempt: (
        needs(stage, *sized_by(wildcards)).minutes * 2 ** (attempt - 1)
    )


@functools.cache
def needs(stage, *sizing):
    """The request of a job of a stage, for its task, policy and method (None if the job has none)."""
    return request(STUDY, stage, *sizing)


def sized_by(wildcards):
    """Task, policy and method of a job; None for those that it does not have."""
    return [wildcards.get(name) for name in ("task", "policy", "method")]


def by_seed(seeds):
    """A function for `priority`: the place of the job's seed in `seeds`."""
    return lambda wildcards: priorities.by_seed(seeds, wildcards.seed)


def by_task(*wildcard_names):
    """A function for `priority` of jobs that have these wildcards: task, policy and perhaps seed."""
    return lambda wildcards: priorities.by_task(
        STUDY, FIRST_SHOWN, *map(wildcards.get, wildcard_names)
    )


def shell_prefix():
    """Prefix of shell commands: run this checkout's package, by Snakemake's Python if no environment brings another."""
    prefix = (
        f"export PYTHONPATH={literally(SOURCE_ROOT)}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
    )
    if not workflow.deployment_settings.deployment_method:
        prefix += f'export PATH={literally(Path(sys.executable).parent)}:"$PATH"; '
    return f"set -euo pipefail; {prefix}"


def literally(path):
    """A path, quoted for a shell command that Snakemake formats."""
    return shlex.quote(str(path)).replace("{", "{{").replace("}", "}}")


shell.prefix(shell_prefix())


# Check this before Snakemake does, which would print a traceback.
onstart:
    gc.freeze()
    gc.enable()
    or_exit(check_writable, Path("results"))
