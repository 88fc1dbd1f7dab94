"""The validated study, what jobs ask a scheduler for, and the code that each stage uses."""

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
    MADE,
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
    "the configuration (config.yaml with what overrides it)",
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
# Of every rule; asking for it job by job takes a while, so only where `--software-deployment-method` does.
ENVIRONMENT = (
    "../../envs/environment.yaml"
    if workflow.deployment_settings.deployment_method
    else None
)
# One job draws all figures of a task, policy and method, but for those whose stores few tasks have.
OF_EVERY_TASK = figures_of("task")
EMBEDDED = figures_of("embedded task")


report: "../report/workflow.rst"


# With --sdm apptainer; envs/dynamic-sparsity.def says how to build it. Not otherwise: its path may have no spaces.
container: lambda wildcards: ENVIRONMENT and str(CHECKOUT / "envs/dynamic-sparsity.sif")


# What names look like. Which ones there are, input functions ask `targets`, which says what to do about others.
wildcard_constraints:
    task=r"\w+",
    policy=r"\w+",
    method=r"[\w-]+",
    seed=r"[\w-]+",
    model=r"\w+",
    table=r"\w+",
    figure=r"\w+",


def figure_file(figure, kind):
    """The path of a figure of one task, policy and method, which stay wildcards."""
    return expand(FIGURE, figure=figure, kind=kind, allow_missing=True)[0]


def reported_figure(figure):
    """The same as PNG, with what the report says of it."""
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


# A study of thousands of jobs has few different settings.
stage_settings = functools.cache(functools.partial(dependencies.stage_settings, STUDY))
world_model_settings = functools.cache(
    functools.partial(dependencies.world_model_settings, STUDY)
)


@functools.cache
def figure_settings(figures, policy, method):
    """Settings of the figures of one task, policy and method that one job draws."""
    reads = {figure: FIGURES[figure].reads for figure in figures}
    return dependencies.figure_settings(STUDY, reads, policy, method)


def settings(stage):
    """A params function: the stage's settings for the job's policy and method, as one JSON string."""
    return lambda wildcards: stage_settings(
        stage, wildcards.policy, wildcards.get("method")
    )


@functools.cache
def figure_code(*figures):
    """Digest of the package files that draw some figures."""
    return code("figure", *(f"dynamic_sparsity.figures.{name}" for name in figures))


@functools.cache
def code(stage, *modules):
    """Digest of the package files that a stage (and `modules`) import, directly or not: editing one reruns the stage."""
    return sources.digest(
        f"dynamic_sparsity.stages.{stage}", *modules, root=SOURCE_ROOT
    )


def network_code(wildcards):
    """Digest of the package files that train a world model: its network's, and none of the other networks'."""
    network = STUDY.world_models.models[wildcards.model].network
    return code("world_models", f"dynamic_sparsity.world_models.networks.{network}")


def memory(stage):
    """A resources function: megabytes, twice as many with every attempt."""
    return lambda wildcards, attempt: (
        needs(stage, *sized_by(wildcards)).memory_mb * 2 ** (attempt - 1)
    )


def minutes(stage):
    """A resources function: minutes, twice as many with every attempt."""
    return lambda wildcards, attempt: (
        needs(stage, *sized_by(wildcards)).minutes * 2 ** (attempt - 1)
    )


@functools.cache
def needs(stage, *sizing):
    """What a job of a stage asks for, by its task, policy and method as far as it has them."""
    return request(STUDY, stage, *sizing)


def sized_by(wildcards):
    """Task, policy and method of a job, as far as it has them."""
    return [wildcards.get(name) for name in ("task", "policy", "method")]


def by_seed(seeds):
    """A priority function for jobs of one seed, of these."""
    return lambda wildcards: priorities.by_seed(seeds, wildcards.seed)


def by_task(*wildcard_names):
    """A priority function for jobs of one task and policy, by these wildcards as far as a job has them."""
    return lambda wildcards: priorities.by_task(
        STUDY, *map(wildcards.get, wildcard_names)
    )


def shell_prefix():
    """Jobs run this checkout's package, with the Python that runs Snakemake unless conda or a container brings one."""
    prefix = (
        f"export PYTHONPATH={literally(SOURCE_ROOT)}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
    )
    if not workflow.deployment_settings.deployment_method:
        prefix += f'export PATH={literally(Path(sys.executable).parent)}:"$PATH"; '
    return f"set -euo pipefail; {prefix}"


def literally(path):
    """A path for a shell command that Snakemake formats: neither of them finds anything special in it."""
    return shlex.quote(str(path)).replace("{", "{{").replace("}", "}}")


shell.prefix(shell_prefix())
