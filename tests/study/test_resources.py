"""Resources that jobs request from a scheduler."""

import re
from pathlib import Path

import pytest

from dynamic_sparsity.study import resources as job_resources
from dynamic_sparsity.study import study as studies
from dynamic_sparsity.tasks import sizes as task_sizes

RULES = Path(__file__).resolve().parents[2] / "workflow/rules"
BLOCKS = {
    name: block
    for path in RULES.glob("*.smk")
    for name, block in re.findall(
        r"^(?:use )?rule (?:figure as )?((?!no_such_)\w+)(?: with)?:\n((?:    .*\n|\n)+)", path.read_text(), re.M
    )
}


def study(**changes):
    config = {"tasks": ["CartpoleBalance", "CheetahRun", "HumanoidWalk"], "policies": {"noise": {}}, "seeds": [0, 1]}
    return studies.load_study({**config, **changes})


@pytest.mark.parametrize("rule", BLOCKS)
def test_every_rule_states_what_it_needs(rule):
    block = BLOCKS[rule]
    assert f'mem_mb=memory("{rule}")' in block and f'runtime=minutes("{rule}")' in block
    assert "threads: 1" in block or rule.endswith("_figure"), "these inherit it from rule figure"
    assert (f'gpu=accelerators("{rule}")' in block) == (rule in job_resources.ON_ACCELERATORS)
    request = job_resources.request(study(), rule, "CheetahRun", "noise")
    assert 500 <= request.memory_mb < 8000 and 5 <= request.minutes <= 24 * 60


def test_every_rule_has_needs_and_no_others():
    assert set(BLOCKS) == set(job_resources._NEEDS) and len(BLOCKS) == 22


def test_larger_problems_ask_for_more():
    def ask(stage, task, **changes):
        return job_resources.request(study(**changes), stage, task, "noise")

    for stage in ("rollouts", "jacobians", "sparsity", "recovery"):
        small, large = ask(stage, "CartpoleBalance"), ask(stage, "HumanoidWalk")
        assert small.memory_mb < large.memory_mb and small.minutes <= large.minutes
    few, many = (ask("jacobians", "CheetahRun", rollouts={"episodes": n, "steps": 1000}) for n in (1, 10_000))
    assert few.memory_mb == many.memory_mb, "memory holds one episode at a time"
    assert many.minutes >= 10 * few.minutes
    few, many = (ask("world_models", "CheetahRun", rollouts={"episodes": n, "steps": 1000}) for n in (3, 100))
    assert many.memory_mb > 2 * few.memory_mb, "memory holds all episodes"
    slow, fast = (
        job_resources.request(study(rollouts={"episodes": 100, "steps": 1000}), "jacobians", "HumanoidWalk", "noise", method)
        for method in ("unrolled", "implicit-converged")
    )
    assert fast.minutes < slow.minutes / 3


def test_seeds_count_for_jobs_that_read_all_of_them():
    few, many = (study(seeds=list(range(count)), rollouts={"episodes": 100, "steps": 1000}) for count in (1, 10))
    for stage in job_resources._NEEDS:
        requests = [job_resources.request(seeds, stage, "HumanoidWalk", "noise") for seeds in (few, many)]
        if stage in (
            "policies",
            "rollouts",
            "jacobians",
            "structure",
            "sparsity",
            "durations",
            "frames",
            "ablation",
            "ablation_jacobians",
        ):
            assert requests[0] == requests[1], stage
        else:
            assert requests[0].minutes < requests[1].minutes or requests[0].memory_mb < requests[1].memory_mb, stage


def test_an_accelerator_is_requested_if_one_is_named_and_helps(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert job_resources.accelerators("jacobians") == 0
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert job_resources.accelerators("jacobians") == 1
    assert job_resources.accelerators("rollouts") == 0


def test_sizes_of_every_task_are_known():
    assert len(task_sizes.ALL) == 54
