"""Input functions, which stop Snakemake for names that the study cannot have, and the files that are shipped."""

import hashlib

from dynamic_sparsity.experts import shipped as shipped_experts
from dynamic_sparsity.settings.policies import policies_in
from dynamic_sparsity.study import targets
from dynamic_sparsity.tables import reported


@functools.cache
def check(target_check, *names):
    """Stop Snakemake with one message unless `target_check`, a function of `targets`, accepts the names in a path."""
    or_exit(target_check, STUDY, *names)


def all_seeds(stage):
    """An input function: the stage's stores of the job's task, policy and method, for all study seeds of the policy."""
    return lambda wildcards: PATHS.stores(
        stage,
        task=wildcards.task,
        policy=wildcards.policy,
        method=wildcards.method,
    )


def all_policies(stage):
    """Like `all_seeds`, for world models, which may learn from several policies together (`expert_noise`)."""
    return lambda wildcards: [
        path
        for policy in policies_in(wildcards.policy)
        for path in PATHS.stores(
            stage, task=wildcards.task, policy=policy, method=wildcards.method
        )
    ]


def product_stores(product, stages):
    """Stores of all tasks and policies that a table or figure reads. Stops Snakemake if a stage has none."""
    for stage in stages:
        if not PATHS.stores(stage):
            check(targets.refuse_empty, product, stage)
    return [store for stage in stages for store in PATHS.stores(stage)]


def in_order(paths):
    """A digest of paths in their order, for jobs whose result depends on it: Snakemake sorts inputs to compare them."""
    return hashlib.sha256("\n".join(paths).encode()).hexdigest()


# Files that the repository ships are no inputs. The digest of their content is a parameter, so that moving a checkout
# or a study reruns nothing. Commands get the paths from functions of `input`, whose values Snakemake does not compare.
@functools.cache
def shipped(*tasks):
    """The shipped experts, by task. Stops Snakemake for a task that has none."""
    return or_exit(shipped_experts.of_tasks, EXPERTS, list(tasks))


SHIPPED = (
    shipped(*(task for task in STUDY.tasks if "expert" in STUDY.policies_of(task)))
    if SHIPS
    else {}
)


def shipped_expert(wildcards):
    """The shipped expert that acts in a rollout (study seed modulo their number); None if no such expert acts."""
    if wildcards.policy != "expert" or STUDY.policies.expert.source != "shipped":
        return None
    task = wildcards.task
    experts = SHIPPED.get(task) or shipped(task)[task]
    return experts[int(wildcards.seed) % len(experts)]


def trained_expert(wildcards):
    """The file that a rollout waits for: the expert trained for its study seed. Empty if no trained expert acts."""
    check(targets.check_task, wildcards.task)
    check(targets.check_policy, wildcards.policy)
    check(targets.check_seed, wildcards.seed)
    if wildcards.policy != "expert" or shipped_expert(wildcards):
        return []
    return expand(TRAINED_EXPERT, task=wildcards.task, seed=wildcards.seed)


def expert_file(wildcards, input):
    """The file of the expert that acts, trained or shipped; empty if no expert acts."""
    expert = shipped_expert(wildcards)
    return str(expert.path) if expert else input.expert


def expert_checksum(wildcards):
    """The checksum of the shipped expert that acts; None if no such expert acts."""
    expert = shipped_expert(wildcards)
    return expert and expert.checksum


@functools.cache
def reported_files(table):
    """The paths of the reported numbers that a table compares with the study's."""
    return [
        str(CHECKOUT / "resources/paper" / f"{name}.csv")
        for name in TABLES[table].reported
    ]


@functools.cache
def reported_digest(table):
    """Digest of the reported numbers of a table, which does not depend on where the files are."""
    return or_exit(reported.digest, [Path(file) for file in reported_files(table)])


def nothing_to_wait_for(wildcards):
    """No input. Stops Snakemake for an unknown task or an invalid seed."""
    check(targets.check_task, wildcards.task)
    check(targets.check_seed, wildcards.seed)
    return []


def rollout_store(wildcards):
    """The rollouts to differentiate. Stops Snakemake for an unknown method."""
    check(targets.check_variant, wildcards.method)
    return PER_SEED["rollouts"].format(**wildcards)


def structure_rollouts(wildcards):
    """The rollouts of all study seeds to sample steps from. Stops Snakemake for an unknown method."""
    check(targets.check_variant, wildcards.method)
    return all_seeds("rollouts")(wildcards)


def learnt_rollouts(wildcards):
    """The rollouts of all study seeds to learn from. Stops Snakemake for an unknown model or invalid training seed."""
    check(targets.check_world_model, wildcards.task, wildcards.policy, wildcards.model)
    check(targets.check_seed, wildcards.seed)
    return all_policies("rollouts")(wildcards)


def trained_models(wildcards):
    """The world models of a task, policy and method, in the order of config.yaml; the first is the reference."""
    return PATHS.world_models(wildcards.task, wildcards.policy, wildcards.method)


def table_stores(wildcards):
    """The stores that a table reads. Stops Snakemake for an unknown table or one that would be empty."""
    check(targets.check_table, wildcards.table)
    return product_stores(
        f"table {wildcards.table!r}", PATHS.table_stages(wildcards.table)
    )


def figure_stores(figures):
    """An input function: the stores that the figures drawn by one job read, each store once."""
    stages = dict.fromkeys(
        stage for figure in figures for stage in FIGURES[figure].reads
    )
    return lambda wildcards: [
        store for stage in stages for store in all_seeds(stage)(wildcards)
    ]


def no_such_figure(wildcards):
    """No input. Stops Snakemake for an unknown figure of one task."""
    check(targets.check_figure, wildcards.figure)
    return []


def study_figure_stores(wildcards):
    """The stores that a figure of all tasks reads. Stops Snakemake for an unknown figure or one that would be empty."""
    check(targets.check_study_figure, wildcards.figure)
    return product_stores(
        f"figure {wildcards.figure!r}", FIGURES[wildcards.figure].reads
    )
