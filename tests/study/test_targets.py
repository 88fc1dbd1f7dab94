"""What may stand in a path: the study's own values and others that can be computed pass; the rest is one message."""

import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.study import study as studies
from dynamic_sparsity.study import targets
from dynamic_sparsity.tables import reported

CONFIG = {"tasks": ["CartpoleBalance"], "policies": {"expert": {}, "noise": {}}, "seeds": [0, 1]}


def study(**changes):
    return studies.load_study({**CONFIG, **changes})


@pytest.mark.parametrize(
    ("check", "names"),
    [
        (targets.check_task, ["WalkerRun"]),
        (targets.check_policy, ["noise"]),
        (targets.check_seed, ["2147483647"]),
        (targets.check_variant, ["unrolled-converged-float32"]),
        (targets.check_world_model, ["WalkerRun", "noise", "gated"]),
        (targets.check_table, ["claims"]),
        (targets.check_figure, ["embedding"]),
        (targets.check_study_figure, ["agents"]),
    ],
)
def test_what_can_be_computed_passes(check, names):
    check(study(), *names)


@pytest.mark.parametrize(
    ("check", "names", "said"),
    [
        (targets.check_task, ["WalkRun"], r"unknown task 'WalkRun'; nearest names: WalkerRun"),
        (targets.check_policy, ["nobody"], r"unknown policy 'nobody': this study has expert, noise"),
        (targets.check_policy, ["zero"], r"no policy 'zero', only expert, noise: .*`policies: \{zero: \{\}\}`"),
        (targets.check_seed, ["01"], r"seed '01': .* 0 to 2147483647, without leading zeros"),
        (targets.check_seed, ["2147483648"], r"seed '2147483648'"),
        (targets.check_seed, ["-1"], r"seed '-1'"),
        (targets.check_seed, ["٣"], r"seed '٣'"),
        (
            targets.check_variant,
            ["float32-unrolled"],
            r"unknown method 'float32-unrolled': .*unrolled, implicit.* -converged",
        ),
        (targets.check_variant, ["unrolled\n"], r"unknown method"),
        (targets.check_world_model, ["WalkerRun", "noise", "mpl"], r"unknown world model 'mpl': this study has mlp, "),
        (
            targets.check_world_model,
            ["FishSwim", "noise", "mlp"],
            r"no world models of FishSwim: it has free or ball joints",
        ),
        (targets.check_world_model, ["WalkerRun", "zero", "mlp"], r"this study has no policy 'zero', only expert, noise"),
        (targets.check_world_model, ["WalkerRun", "noise_expert", "mlp"], r"under 'noise_expert': ask for 'expert_noise'"),
        (targets.check_world_model, ["WalkerRun", "expert_expert", "mlp"], r"under 'expert_expert': ask for 'expert'"),
        (targets.check_table, ["x"], r"there is no table 'x'; there are claims, returns, .*world_model_answers$"),
        (targets.check_table, ["claim"], r"there is no table 'claim'; did you mean claims\? there are claims, "),
        (targets.check_figure, ["agents"], r"there is no figure of one task 'agents'; .*there are zero_fraction, "),
        (targets.check_study_figure, ["agent"], r"there is no figure of all tasks 'agent'; did you mean agents\?"),
        (
            targets.check_study_figure,
            ["survival"],
            r"'survival' is of one task: .*results/figures/survival-TASK-POLICY-METHOD.png",
        ),
        (
            targets.check_study_figure,
            ["recovery_size"],
            r"'recovery_size' has nothing to show: .* three depths or of three widths: list them",
        ),
    ],
)
def test_anything_else_is_named_with_what_there_is(check, names, said):
    with pytest.raises(UserError, match=said) as caught:
        check(study(), *names)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "stage", "said"),
    [
        ({"world_models": {"tasks": []}}, "recovery", "world_models.tasks is empty: list"),
        (
            {"world_models": {"tasks": ["WalkerRun"]}},
            "recovery",
            r"none of world_models.tasks = \['WalkerRun'\] is in tasks",
        ),
        (
            {"rollouts": {"episodes": 1}, "world_models": {"tasks": None}},
            "recovery",
            "rollouts.episodes = 1 in each of 2 seeds .*make it at least 2$",
        ),
        (
            {"tasks": ["FishSwim"], "world_models": {"tasks": None}},
            "recovery",
            "free or ball joints yet, which every task has .FishSwim.: add another",
        ),
        ({"ablation": {"tasks": []}}, "ablation", "ablation.tasks is empty: list one of CartpoleBalance"),
        ({}, "ablation", r"none of ablation.tasks = \['FingerSpin', 'WalkerRun', 'BallInCup'\] is in tasks"),
    ],
)
def test_why_there_is_nothing_to_show(changes, stage, said):
    with pytest.raises(UserError, match=f"table 'x' has nothing to show: .*{said}"):
        targets.refuse_empty(study(**changes), "table 'x'", stage)


def test_reported_numbers_are_known_by_name_and_content(tmp_path):
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("1\n")
    other.write_text("2\n")
    before = reported.digest([one, other])
    (tmp_path / "elsewhere").mkdir()
    moved = [path.rename(tmp_path / "elsewhere" / path.name) for path in (one, other)]
    assert reported.digest(moved) == before
    moved[0].write_text("2\n")
    moved[1].write_text("1\n")
    assert reported.digest(moved) != before, "the same contents under swapped names are others"
    with pytest.raises(UserError, match=r"cannot read .*gone.csv .*: restore it"):
        reported.digest([tmp_path / "gone.csv"])
