"""What jobs read: input functions, which stop Snakemake for what there cannot be, and the files that are shipped."""

import hashlib

from dynamic_sparsity.experts import shipped as shipped_experts
from dynamic_sparsity.settings.policies import policies_in
from dynamic_sparsity.study import targets
from dynamic_sparsity.tables import reported


@functools.cache
def check(asked, *names):
    """Stop Snakemake with one message unless a path asks for what there can be; `asked` is a check of `targets`."""
    or_exit(asked, STUDY, *names)


def all_seeds(stage):
    """An input function: a stage's stores of the job's task, policy and method, in all seeds of that policy."""
    return lambda wildcards: PATHS.stores(
        stage,
        task=wildcards.task,
        policy=wildcards.policy,
        method=wildcards.method,
    )


def all_policies(stage):
    """The same for world models, which may learn from several policies together (`expert_noise`)."""
    return lambda wildcards: [
        path
        for policy in policies_in(wildcards.policy)
        for path in PATHS.stores(
            stage, task=wildcards.task, policy=policy, method=wildcards.method
        )
    ]


def product_stores(product, stages):
    """Stores of all tasks and policies that a table or figure reads; stops Snakemake where there are none."""
    for stage in stages:
        if not PATHS.stores(stage):
            check(targets.refuse_empty, product, stage)
    return [store for stage in stages for store in PATHS.stores(stage)]


def in_order(paths):
    """A parameter for jobs whose result depends on the order of their inputs, which Snakemake sorts to compare them."""
    return hashlib.sha256("\n".join(paths).encode()).hexdigest()


# What this repository ships is no input but a parameter, the digest of its content: where a checkout or a study lies
# is no part of a result. Commands get the paths from functions of `input`, whose values Snakemake does not compare.
@functools.cache
def shipped(*tasks):
    """The experts that are shipped, by task; stops Snakemake for a task without any."""
    return or_exit(shipped_experts.of_tasks, EXPERTS, list(tasks))


SHIPPED = (
    shipped(*(task for task in STUDY.tasks if "expert" in STUDY.policies_of(task)))
    if SHIPS
    else {}
)


def shipped_expert(wildcards):
    """The shipped expert that acts in a rollout, if one does: that of its seed, modulo their number."""
    if wildcards.policy != "expert" or STUDY.policies.expert.source != "shipped":
        return None
    task = wildcards.task
    experts = SHIPPED.get(task) or shipped(task)[task]
    return experts[int(wildcards.seed) % len(experts)]


def trained_expert(wildcards):
    """The expert that a rollout waits for: the one trained for its seed, unless a shipped one acts, or none."""
    check(targets.check_task, wildcards.task)
    check(targets.check_policy, wildcards.policy)
    check(targets.check_seed, wildcards.seed)
    if wildcards.policy != "expert" or shipped_expert(wildcards):
        return []
    return expand(TRAINED_EXPERT, task=wildcards.task, seed=wildcards.seed)


def expert_file(wildcards, input):
    """The file of the expert that acts, trained or shipped, if one does."""
    expert = shipped_expert(wildcards)
    return str(expert.path) if expert else input.expert


def expert_checksum(wildcards):
    """What identifies a shipped expert."""
    expert = shipped_expert(wildcards)
    return expert and expert.checksum


@functools.cache
def reported_files(table):
    """The paths of the reported numbers that a table puts beside ours."""
    return [
        str(CHECKOUT / "resources/paper" / f"{name}.csv")
        for name in TABLES[table].reported
    ]


@functools.cache
def reported_digest(table):
    """What identifies the reported numbers of a table, wherever they lie."""
    return or_exit(reported.digest, [Path(file) for file in reported_files(table)])


def nothing_to_wait_for(wildcards):
    """No input; stops Snakemake for a task or seed that there is not."""
    check(targets.check_task, wildcards.task)
    check(targets.check_seed, wildcards.seed)
    return []


def rollout_store(wildcards):
    """The rollouts to differentiate; stops Snakemake for a method that there is not."""
    check(targets.check_variant, wildcards.method)
    return PER_SEED["rollouts"].format(**wildcards)


def learnt_rollouts(wildcards):
    """The rollouts of all seeds to learn from; stops Snakemake for a model or a training seed that there is not."""
    check(targets.check_world_model, wildcards.task, wildcards.policy, wildcards.model)
    check(targets.check_seed, wildcards.seed)
    return all_policies("rollouts")(wildcards)


def trained_models(wildcards):
    """The world models of a task, policy and method, in the order of config.yaml: others are compared with the first."""
    return PATHS.world_models(wildcards.task, wildcards.policy, wildcards.method)


def table_stores(wildcards):
    """What a table reads; stops Snakemake for one that there is not, or that would be empty."""
    check(targets.check_table, wildcards.table)
    return product_stores(f"table {wildcards.table!r}", TABLES[wildcards.table].reads)


def figure_stores(figures):
    """An input function: what the figures of one task that one job draws read, each store once."""
    stages = dict.fromkeys(
        stage for figure in figures for stage in FIGURES[figure].reads
    )
    return lambda wildcards: [
        store for stage in stages for store in all_seeds(stage)(wildcards)
    ]


def no_such_figure(wildcards):
    """No input; stops Snakemake for a figure of one task that there is not."""
    check(targets.check_figure, wildcards.figure)
    return []


def study_figure_stores(wildcards):
    """What a figure of all tasks reads; stops Snakemake for one that there is not, or that would be empty."""
    check(targets.check_study_figure, wildcards.figure)
    return product_stores(
        f"figure {wildcards.figure!r}", FIGURES[wildcards.figure].reads
    )
