"""The order in which jobs start."""

from dynamic_sparsity.study import priorities
from dynamic_sparsity.study.study import load_study

STUDY = load_study(
    {
        "tasks": ["CheetahRun", "CartpoleBalance"],
        "policies": {"expert": {}, "noise": {}},
        "seeds": [3, 0],
        "task_policies": {},
    }
)
FIRST = priorities.first_shown(STUDY)


def test_the_smallest_task_comes_first_then_the_first_seed_then_the_first_policy():
    jobs = [(task, policy, seed) for task in STUDY.tasks for policy in ("noise", "expert") for seed in ("0", "3")]
    ordered = sorted(jobs, key=lambda job: -priorities.by_task(STUDY, FIRST, *job))
    assert ordered[:2] == [("CartpoleBalance", "expert", "3"), ("CartpoleBalance", "expert", "0")]
    assert ordered[2] == ("CheetahRun", "expert", "3") and {job[1:] for job in ordered[-2:]} == {("noise", "0")}


def test_jobs_of_all_seeds_differ_by_task_alone():
    jobs = [(task, policy) for task in STUDY.tasks for policy in STUDY.policies.names]
    values = {job: priorities.by_task(STUDY, FIRST, *job) for job in jobs}
    assert max(values, key=values.__getitem__) == ("CartpoleBalance", "expert") and sorted(values.values())[:3] == [0, 0, 0]


def test_jobs_that_the_study_does_not_list_have_no_priority():
    assert priorities.by_seed([3, 0], "7") == 0 and priorities.by_seed([3, 0], "0") == -1
    assert priorities.by_task(STUDY, FIRST) == priorities.by_task(STUDY, FIRST, "WalkerRun", "expert_noise", "7") == 0
