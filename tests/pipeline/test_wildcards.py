"""A path is a promise: each rule passes on every wildcard of its output, or refuses the target with one message."""

import json
import re
import shutil
from pathlib import Path

import pytest
import xarray as xr
import yaml

from dynamic_sparsity.runtime import sources
from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.study.catalogue import figures_of
from tests.pipeline.project import ROOT, Project, jobs, rules

VALUES = {
    "task": ["CartpoleBalance", "FingerSpin", "Nope"],  # the study lists the first one alone
    "policy": ["expert", "noise", "zero"],  # and has no zero actions
    "method": ["exact", "implicit-converged-float32", "magic"],
    "seed": ["0", "7", "07"],
    "model": ["mlp", "gated", "nosuch"],
    "table": ["claims", "patterns", "nosuch"],
    "figure/study_figure": ["agents", "method_ablation", "nosuch"],
}
"""Two values of each wildcard that can be computed and one that cannot; of a rule's own: RULE/WILDCARD."""
VALUES |= {"/".join(reversed(name.split("/"))): value for name, value in VALUES.items() if "/" in name}
NOT_PASSED_ON = {("world_models", "seed"): "that of a training, which learns from the rollouts of all seeds"}
"""Wildcards whose name means something else in a rule's inputs."""


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """By rule: its job for the first values, those in which one wildcard has another, and what is said to wrong values."""
    return probe(Project.create(tmp_path_factory.mktemp("probe") / "project"), {})


def probe(project, changes):
    """What probe.smk writes, of a study with all stages in which some keys are others."""
    whole = {"seeds": [0, 1], "world_models": {"tasks": ["CartpoleBalance"]}, "ablation": {"tasks": ["CartpoleBalance"]}}
    config = {**yaml.safe_load((project.path / "config.yaml").read_text()), **whole, **changes}
    (project.path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (project.path / "probe.json").write_text(json.dumps(VALUES))
    shutil.copy(Path(__file__).with_name("probe.smk"), project.path)
    snakefile = (ROOT / "Snakefile").read_text()
    (project.path / "Snakefile").write_text(f'{snakefile}\n\ninclude: "probe.smk"\n')
    project.snakemake("--list-rules")
    return json.loads((project.path / "probed.json").read_text())


def jobs_of(probed):
    """(rule, job) of all that were asked for."""
    for rule, found in probed.items():
        for job in (found["first"], *found["other"].values()):
            yield rule, job


def test_all_rules_are_asked(probed):
    text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    named = set(re.findall(r"^(?:use rule \w+ as|rule) (\w+)", text, flags=re.MULTILINE))
    assert len(named) > 10 and probed.keys() - {"all"} == named - {"no_such_figure"}
    assert all(found["other"] for rule, found in probed.items() if rule != "all")


def test_another_value_of_a_wildcard_is_another_job(probed):
    same = [
        (rule, name)
        for rule, found in probed.items()
        for name, other in found["other"].items()
        if all(found["first"][what] == other[what] for what in ("input", "params", "command"))
    ]
    assert not same, "the file of another value would hold the same"


def test_inputs_have_the_wildcards_of_the_output(probed):
    wrong = [
        (rule, name, value, source["path"])
        for rule, job in jobs_of(probed)
        for name, value in job["wildcards"].items()
        for source in job["input"]
        if source["wildcards"].get(name, value) != value and (rule, name) not in NOT_PASSED_ON
    ]
    assert not wrong
    assert all(len({source["path"] for source in job["input"]}) == len(job["input"]) for _, job in jobs_of(probed))


def test_settings_are_those_of_the_wildcards(probed):
    seen = set()
    for rule, job in jobs_of(probed):
        settings = json.loads(job["settings"]) if job["settings"] else {}
        for name, section in sections(settings):
            if name == "jacobians" and "method" in job["wildcards"]:
                assert JacobianSettings.model_validate(section).variant == job["wildcards"]["method"], rule
            elif name == "policies" and "policy" in job["wildcards"]:
                assert list(section) == [job["wildcards"]["policy"]], rule
            elif name == "models" and "model" in job["wildcards"]:
                assert list(section) == [job["wildcards"]["model"]], rule
            else:
                continue
            seen.add(name)
    assert seen == {"jacobians", "policies", "models"}


def test_a_rule_compares_the_code_of_its_stage(probed):
    """With the module that it alone uses, where wildcards name one."""
    products = {"figure": "figures.agents", "table": "tables.claims", "rollouts": "simulation.policies.expert"}
    products |= {"study_figure": "figures.agents", "world_models": "world_models.networks.mlp"}
    of_task = [f"dynamic_sparsity.figures.{name}" for name in figures_of("task")]
    for rule, found in probed.items():
        if not (stage := found["first"]["stage"]):
            continue
        modules = {"figure": of_task, "embedding_figure": ["dynamic_sparsity.figures.embedding"]}.get(
            rule, [f"dynamic_sparsity.{products[rule]}"] if rule in products else []
        )
        expected = sources.digest(f"dynamic_sparsity.stages.{stage}", *modules)
        assert found["first"]["code"] == expected, rule


def sections(settings):
    """(key, value) of all mappings within settings."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield name, value
            yield from sections(value)


def test_a_value_that_cannot_be_is_refused_with_one_message(probed):
    for rule, found in probed.items():
        for name, message in found["refused"].items():
            wrong = (VALUES.get(f"{rule}/{name}") or VALUES[name])[2]
            assert message, f"{rule} takes {name} = {wrong}"
            assert wrong in message and len(message.splitlines()) == 1, (rule, name, message)


def test_an_order_that_the_result_has_is_compared(tmp_path):
    project = Project.create(tmp_path / "project")
    models = {"mlp": {}, "gated": {"network": "gated"}}
    one = probe(project, {"tasks": ["CartpoleBalance", "FingerSpin"], "world_models": {"models": models}})
    turned = dict(reversed(models.items()))
    other = probe(project, {"tasks": ["FingerSpin", "CartpoleBalance"], "world_models": {"models": turned}})
    for rule in one.keys() - {"all"}:
        first, second = one[rule]["first"], other[rule]["first"]
        paths = [[source["path"] for source in job["input"]] for job in (first, second)]
        assert sorted(paths[0]) == sorted(paths[1])
        assert (first["params"] != second["params"]) == (paths[0] != paths[1]), rule
    assert one["recovery"]["first"]["params"] != other["recovery"]["first"]["params"]


def test_stores_of_another_method_say_so(project):
    stores = [
        f"results/{stage}/CartpoleBalance/noise/implicit{seed}.zarr" for stage, seed in (("sparsity", "/0"), ("summary", ""))
    ]
    project.snakemake("--cores", "2", "--", *stores)
    for path in stores:
        attrs = xr.open_zarr(project.path / path, consolidated=False).attrs
        assert attrs["method"] == json.loads(attrs["settings"])["jacobians"]["method"] == "implicit", path


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("results/rollouts/HopperHop/expert/0.zarr", "no expert is shipped for HopperHop"),
        ("results/figures/surviva-CartpoleBalance-noise-exact.svg", "'surviva'; did you mean survival?"),
        ("results/tables/recovery.csv", "table 'recovery' has nothing to show: world_models.tasks is empty"),
    ],
)
def test_what_there_is_not_is_one_message(finished, target, said):
    output = finished.snakemake("--dry-run", "--", target, ok=False)
    assert said in output and "Traceback" not in output and "rror" not in output
    message = output.partition("Building DAG of jobs...\n")[2].strip()
    assert len(message.splitlines()) == 1


def test_what_the_study_does_not_list_can_be_asked_for(finished):
    targets = (
        "results/summary/FingerSpin/expert/implicit.zarr",
        "results/rollouts/CartpoleBalance/expert/7.zarr",
        "results/recovery/CartpoleBalance/noise/exact.zarr",
    )
    planned = jobs(finished.snakemake("--dry-run", "--", *targets))
    assert {"summary", "rollouts", "recovery"} <= rules(planned)
