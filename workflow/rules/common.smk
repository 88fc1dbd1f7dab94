"""Validated settings, paths of stores, and the code that each stage uses."""

import functools
import itertools
import os
import shlex
import sys
from pathlib import Path

from dynamic_sparsity.experts import shipped as shipped_experts
from dynamic_sparsity.runtime import sources
from dynamic_sparsity.study import study as studies
from dynamic_sparsity.tasks import sizes
from dynamic_sparsity.study.resources import accelerators, request
from dynamic_sparsity.files.whole import check_writable

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
METHOD = STUDY.jacobians.variant
PER_SEED = {
    "rollouts": "results/rollouts/{task}/{policy}/{seed}.zarr",
    "jacobians": "results/jacobians/{task}/{policy}/{method}/{seed}.zarr",
    "sparsity": "results/sparsity/{task}/{policy}/{method}/{seed}.zarr",
    "durations": "results/durations/{task}/{policy}/{method}/{seed}.zarr",
    "ablation_jacobians": "results/ablation/{task}/{policy}/{seed}.zarr",
}
PER_POLICY = {
    "summary": "results/summary/{task}/{policy}/{method}.zarr",
    "survival": "results/survival/{task}/{policy}/{method}.zarr",
    "patterns": "results/patterns/{task}/{policy}/{method}.zarr",
    "embedding": "results/embedding/{task}/{policy}/{method}.zarr",
    "frames": "results/frames/{task}/{policy}/{method}.zarr",
    "ablation": "results/ablation/{task}/{policy}.zarr",
    "recovery": "results/recovery/{task}/{policy}/{method}.zarr",
}
WORLD_MODEL = "results/world_models/{task}/{policy}/{method}/{model}/{seed}.zarr"
# Of every rule; asking for it job by job takes a while, so only where `--software-deployment-method` does.
ENVIRONMENT = (
    "../../envs/environment.yaml"
    if workflow.deployment_settings.deployment_method
    else None
)
TRAINED_EXPERT = "results/policies/{task}/{seed}.safetensors"
FIGURE = "results/figures/{figure}-{task}-{policy}-{method}.{kind}"

# The stages whose stores each table reads. A table is the module of its name in dynamic_sparsity.tables.
TABLES = {
    "claims": ["summary", "patterns", "rollouts"],
    "returns": ["rollouts"],
    "agents": ["summary", "patterns", "rollouts"],
    "global_zeros": ["summary"],
    "zero_fractions": ["summary"],
    "mean_sparsity": ["summary"],
    "durations": ["survival"],
    "temporal": ["patterns"],
    "patterns": ["patterns"],
    "method_ablation": ["ablation"],
    "roughness": ["ablation"],
    "recovery": ["recovery"],
    "leaderboard": ["recovery"],
    "model_comparisons": ["recovery"],
    "world_model_answers": ["recovery"],
}
# The reported numbers (resources/paper) that tables put beside ours.
REPORTED = {
    "claims": ["table1", "figure3", "playground_returns"],
    "returns": ["playground_returns"],
    "agents": ["playground_returns"],
    "global_zeros": ["table1"],
    "zero_fractions": ["figure3"],
}
TABLE_QUESTIONS = {
    "claims": "The paper's findings, one by one",
    "returns": "Q0 Who acts, and does it matter?",
    "agents": "Q0 Who acts, and does it matter?",
    "zero_fractions": "Q1 Is the causal graph globally sparse?",
    "global_zeros": "Q1 Is the causal graph globally sparse?",
    "mean_sparsity": "Q2 Is sparsity state-dependent?",
    "durations": "Q3 Is sparsity temporally sparse?",
    "temporal": "Q3 Is sparsity temporally sparse?",
    "patterns": "Q3 Is sparsity temporally sparse?",
    "method_ablation": "Does it depend on how a step is differentiated?",
    "roughness": "Does it depend on how a step is differentiated?",
    "recovery": "Q4 Do world models recover it?",
    "leaderboard": "Q4 Do world models recover it?",
    "model_comparisons": "Q4 Do world models recover it?",
    "world_model_answers": "Q4 Do world models recover it?",
}
# The stages whose stores each figure of one task, policy and method reads; one job draws all of them, but for those whose
# stores few tasks have. A figure is the module of its name in dynamic_sparsity.figures.
FIGURES = {
    "zero_fraction": ["summary"],
    "sparsity_histogram": ["sparsity"],
    "sparsity_over_time": ["sparsity"],
    "threshold_sweep": ["summary"],
    "duration_histogram": ["survival"],
    "survival": ["survival"],
    "pattern_timeline": ["patterns"],
    "embedding": ["embedding", "frames"],
}
EMBEDDED = ("embedding",)
OF_EVERY_TASK = tuple(figure for figure in FIGURES if figure not in EMBEDDED)
# The stages whose stores each figure over all tasks and policies reads.
STUDY_FIGURES = {
    "agents": ["summary", "patterns"],
    "method_ablation": ["ablation"],
    "roughness": ["ablation"],
    "recovery": ["recovery"],
    "recovery_conditions": ["recovery"],
    "recovery_thresholds": ["recovery"],
    "recovery_size": ["recovery"],
    "loss_curves": ["recovery"],
}
FIGURE_QUESTIONS = {
    "recovery": "Q4 Do world models recover it?",
    "recovery_conditions": "Q4 Do world models recover it?",
    "recovery_thresholds": "Q4 Do world models recover it?",
    "loss_curves": "Q4 Do world models recover it?",
    "recovery_size": "Q4 Do world models recover it?",
    "method_ablation": "Does it depend on how a step is differentiated?",
    "roughness": "Does it depend on how a step is differentiated?",
    "agents": "Q0 Who acts, and does it matter?",
    "zero_fraction": "Q1 Is the causal graph globally sparse?",
    "threshold_sweep": "Q1 Is the causal graph globally sparse?",
    "sparsity_histogram": "Q2 Is sparsity state-dependent?",
    "embedding": "Q2 Is sparsity state-dependent?",
    "sparsity_over_time": "Q3 Is sparsity temporally sparse?",
    "duration_histogram": "Q3 Is sparsity temporally sparse?",
    "survival": "Q3 Is sparsity temporally sparse?",
    "pattern_timeline": "Q3 Is sparsity temporally sparse?",
}


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


@functools.cache
def stores(stage, **wildcards):
    """Paths of a stage's stores over the whole study, or over what `wildcards` leave open."""
    tasks = {
        **dict.fromkeys(["embedding", "frames"], STUDY.embedded_tasks),
        **dict.fromkeys(["ablation_jacobians", "ablation"], STUDY.ablated_tasks),
        "recovery": STUDY.modelled_tasks,
    }.get(stage, STUDY.tasks)
    policies = {
        **dict.fromkeys(["embedding", "frames", "survival"], STUDY.full_policies),
        **dict.fromkeys(["ablation_jacobians", "ablation"], STUDY.ablated_policies),
        "recovery": lambda task: ["_".join(STUDY.learnt_policies(task))],
    }.get(stage, STUDY.policies_of)
    seeds = STUDY.ablated_seeds if stage == "ablation_jacobians" else STUDY.seeds_of
    acting = {
        task: [wildcards["policy"]] if "policy" in wildcards else policies(task)
        for task in ([wildcards["task"]] if "task" in wildcards else tasks)
    }
    return [
        path
        for policy in dict.fromkeys(
            [*STUDY.policies.names, *itertools.chain(*acting.values())]
        )
        for task in acting
        if policy in acting[task]
        for path in expand(
            PER_SEED.get(stage) or PER_POLICY[stage],
            policy=policy,
            task=task,
            method=wildcards.get("method", METHOD),
            seed=wildcards["seed"] if "seed" in wildcards else seeds(task, policy),
        )
    ]


def tables():
    """Paths of all tables."""
    made = [table for table, read in TABLES.items() if all(map(stores, read))]
    return expand("results/tables/{table}.{kind}", table=made, kind=["csv", "html"])


def figures():
    """Paths of all figures."""
    return study_figures() + [
        path
        for figure in FIGURES
        for task in (STUDY.embedded_tasks if figure in EMBEDDED else STUDY.tasks)
        for path in expand(
            FIGURE,
            figure=figure,
            task=task,
            policy=STUDY.full_policies(task),
            method=METHOD,
            kind=["png", "svg"],
        )
    ]


def figure_file(figure, kind):
    """The path of a figure of one task, policy and method, which stay wildcards."""
    return expand(FIGURE, figure=figure, kind=kind, allow_missing=True)[0]


def reported_figure(figure):
    """The same as PNG, with what the report says of it."""
    return report(
        figure_file(figure, "png"),
        caption=f"../report/figures/{figure}.rst",
        category=FIGURE_QUESTIONS[figure],
        subcategory="{task}",
        labels={
            "what": "figure",
            "name": figure,
            "task": "{task}",
            "policy": "{policy}",
        },
    )


def study_figures():
    """Paths of the figures over all tasks and policies."""
    made = [
        figure
        for figure, read in STUDY_FIGURES.items()
        if all(map(stores, read))
        and (figure != "recovery_size" or STUDY.world_models.sizes_differ)
    ]
    return expand("results/figures/{figure}.{kind}", figure=made, kind=["png", "svg"])


# A study of thousands of jobs has few different settings.
stage_settings = functools.cache(functools.partial(studies.stage_settings, STUDY))
world_model_settings = functools.cache(
    functools.partial(studies.world_model_settings, STUDY)
)


@functools.cache
def figure_settings(figures, policy, method):
    """Settings of the figures of one task, policy and method that one job draws."""
    reads = {figure: FIGURES[figure] for figure in figures}
    return studies.figure_settings(STUDY, reads, policy, method)


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


def first_seeds_first(seeds):
    """Priority: all of the first seed, then the next ones, which find the programs traced and compiled."""
    return lambda wildcards: (
        -seeds.index(int(wildcards.seed)) if int(wildcards.seed) in seeds else 0
    )


def smallest_task_first(seeds=()):
    """Priority: what the smallest task's figures wait for, so that there is something to look at early; then by seed and policy.

    Jobs of one task that start together wait for the one that compiles; so other tasks go on meanwhile.
    """
    smallest = min(STUDY.tasks, key=lambda task: sizes.ALL[task].entries)
    in_its_figures = (smallest, STUDY.policies_of(smallest)[0])
    policies = STUDY.policies.names

    def priority(wildcards):
        task, policy = wildcards.get("task"), wildcards.get("policy")
        first = 1000 if (task, policy) == in_its_figures else 0
        if not seeds:
            return first
        turn = policies.index(policy) if policy in policies else 0
        return first + first_seeds_first(seeds)(wildcards) - turn

    return priority


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
