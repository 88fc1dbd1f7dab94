"""Names in a path: those that can be computed pass, also if the study does not list them; others give one message."""

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
def test_names_that_can_be_computed_pass(check, names):
    check(study(), *names)


@pytest.mark.parametrize(
    ("check", "names", "message"),
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
        (
            targets.check_table,
            ["x"],
            r"there is no table 'x'; ask for one of findings, overview, claims, .*world_model_answers$",
        ),
        (targets.check_table, ["claim"], r"there is no table 'claim'; did you mean claims\? ask for one of findings, "),
        (targets.check_figure, ["agents"], r"there is no figure of one task 'agents'; .*ask for one of zero_fraction, "),
        (targets.check_study_figure, ["agent"], r"there is no figure of all tasks 'agent'; did you mean agents\?"),
        (
            targets.check_study_figure,
            ["survival"],
            r"'survival' shows one task: .*results/figures/survival-TASK-POLICY-METHOD.png",
        ),
        (
            targets.check_study_figure,
            ["recovery_size"],
            r"'recovery_size' has nothing to show: .* three depths or of three widths: list them",
        ),
    ],
)
def test_other_names_are_refused_with_the_allowed_ones(check, names, message):
    with pytest.raises(UserError, match=message) as caught:
        check(study(), *names)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "stage", "message"),
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
            r"rollouts.episodes = 1, study seeds: 2.* set rollouts.episodes to at least 2$",
        ),
        (
            {"tasks": ["FishSwim"], "world_models": {"tasks": None}},
            "recovery",
            r"every task of the study has free or ball joints \(FishSwim\), .*: add another",
        ),
        ({"ablation": {"tasks": []}}, "ablation", "ablation.tasks is empty: list one of CartpoleBalance"),
        ({}, "ablation", r"none of ablation.tasks = \['FingerSpin', 'WalkerRun', 'BallInCup'\] is in tasks"),
    ],
)
def test_the_reason_for_an_empty_table_is_given(changes, stage, message):
    with pytest.raises(UserError, match=f"table 'x' has nothing to show: .*{message}"):
        targets.refuse_empty(study(**changes), "table 'x'", stage)


def test_reported_numbers_are_known_by_name_and_content(tmp_path):
    files = [tmp_path / "first.csv", tmp_path / "second.csv"]
    for number, file in enumerate(files, start=1):
        file.write_text(f"{number}\n")
    before = reported.digest(files)
    (tmp_path / "elsewhere").mkdir()
    moved = [path.rename(tmp_path / "elsewhere" / path.name) for path in files]
    assert reported.digest(moved) == before
    moved[0].write_text("2\n")
    moved[1].write_text("1\n")
    assert reported.digest(moved) != before, "contents under swapped names give another digest"
    with pytest.raises(UserError, match=r"cannot read .*gone.csv .*: restore it"):
        reported.digest([tmp_path / "gone.csv"])
