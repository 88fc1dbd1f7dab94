"""Validated settings, paths of stores, and the code that each stage uses."""

import os
import shlex
import sys
from pathlib import Path

SOURCE_ROOT = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE_ROOT))

from dynamic_sparsity import settings as study_settings
from dynamic_sparsity import sources as code
from dynamic_sparsity.errors import UserError

try:
    STUDY = study_settings.load_study(
        dict(config), "the configuration (config.yaml with what overrides it)"
    )
except UserError as error:
    print(error, file=sys.stderr)
    raise SystemExit(1) from None

METHOD = STUDY.jacobians.method
PER_SEED = {
    "rollouts": "results/rollouts/{task}/{policy}/{seed}.zarr",
    "jacobians": "results/jacobians/{task}/{policy}/{method}/{seed}.zarr",
    "sparsity": "results/sparsity/{task}/{policy}/{method}/{seed}.zarr",
    "durations": "results/durations/{task}/{policy}/{method}/{seed}.zarr",
}
PER_POLICY = {
    "summary": "results/summary/{task}/{policy}/{method}.zarr",
    "survival": "results/survival/{task}/{policy}/{method}.zarr",
    "patterns": "results/patterns/{task}/{policy}/{method}.zarr",
}
ENVIRONMENT = "../../envs/environment.yaml"


# The stages whose stores each table reads. A table is the module of its name in dynamic_sparsity.sparsity.tables.
TABLES = {
    "global_zeros": ["summary"],
    "mean_sparsity": ["summary"],
    "durations": ["survival"],
    "temporal": ["patterns"],
    "patterns": ["patterns"],
}
TABLE_QUESTIONS = {
    "global_zeros": "Q1 Is the causal graph globally sparse?",
    "mean_sparsity": "Q2 Is sparsity state-dependent?",
    "durations": "Q3 Is sparsity temporally sparse?",
    "temporal": "Q3 Is sparsity temporally sparse?",
    "patterns": "Q3 Is sparsity temporally sparse?",
}
# The stages whose stores each figure reads. A figure is the module of its name in dynamic_sparsity.figures.
FIGURES = {
    "zero_fraction": ["summary"],
    "sparsity_histogram": ["sparsity"],
    "sparsity_over_time": ["sparsity"],
    "threshold_sweep": ["summary"],
    "duration_histogram": ["survival"],
    "survival": ["survival"],
    "pattern_timeline": ["patterns"],
}
FIGURE_QUESTIONS = {
    "zero_fraction": "Q1 Is the causal graph globally sparse?",
    "threshold_sweep": "Q1 Is the causal graph globally sparse?",
    "sparsity_histogram": "Q2 Is sparsity state-dependent?",
    "sparsity_over_time": "Q3 Is sparsity temporally sparse?",
    "duration_histogram": "Q3 Is sparsity temporally sparse?",
    "survival": "Q3 Is sparsity temporally sparse?",
    "pattern_timeline": "Q3 Is sparsity temporally sparse?",
}


report: "../report/workflow.rst"


wildcard_constraints:
    task="[A-Za-z0-9]+",
    policy="[a-z]+",
    method="[a-z]+",
    seed=r"\d+",
    figure="[a-z_]+",
    table="[a-z_]+",


def stores(stage, **wildcards):
    """Paths of a stage's stores over the whole study, or over what `wildcards` leave open."""
    values = {
        "task": STUDY.tasks,
        "policy": STUDY.policies.names,
        "method": METHOD,
        "seed": STUDY.seeds,
    }
    pattern = PER_SEED.get(stage) or PER_POLICY[stage]
    return expand(pattern, **{**values, **wildcards})


def tables():
    """Paths of all tables."""
    return expand("results/tables/{table}.{kind}", table=TABLES, kind=["csv", "html"])


def figures():
    """Paths of all figures."""
    return expand(
        "results/figures/{figure}-{task}-{policy}-{method}.{kind}",
        figure=FIGURES,
        task=STUDY.tasks,
        policy=STUDY.policies.names,
        method=METHOD,
        kind=["png", "svg"],
    )


def settings(stage):
    """A params function: the stage's settings for the job's policy, as one JSON string."""
    return lambda wildcards: study_settings.stage_settings(
        STUDY, stage, wildcards.policy
    )


def sources(stage, *modules):
    """The package files that a stage (and `modules`) import, directly or not: editing one reruns the stage."""
    return _relative(
        code.closure(f"dynamic_sparsity.stages.{stage}", *modules, root=SOURCE_ROOT)
    )


def _relative(paths):
    return [os.path.relpath(path) for path in paths]


def first_seeds_first(wildcards):
    """Priority: all tasks' first seeds, then the second ones, which find the programs traced and compiled."""
    return (
        -STUDY.seeds.index(int(wildcards.seed))
        if int(wildcards.seed) in STUDY.seeds
        else 0
    )


def shell_prefix():
    """Jobs run this checkout's package, with the Python that runs Snakemake unless conda or a container brings one."""
    prefix = f"export PYTHONPATH={shlex.quote(str(SOURCE_ROOT))}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
    if not workflow.deployment_settings.deployment_method:
        prefix += (
            f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; '
        )
    return f"set -euo pipefail; {prefix}"


shell.prefix(shell_prefix())
