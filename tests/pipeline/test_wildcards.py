"""Every wildcard of an output path reaches the job, or the rule refuses the target with one message."""

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
    "task": ["CartpoleBalance", "FingerSpin", "Nope"],  # the study lists only the first
    "policy": ["expert", "noise", "zero"],  # the study has no policy `zero`
    "method": ["exact", "implicit-converged-float32", "magic"],
    "seed": ["0", "7", "07"],
    "model": ["mlp", "gated", "nosuch"],
    "table": ["claims", "patterns", "nosuch"],
    "figure/study_figure": ["agents", "method_ablation", "nosuch"],
}
"""Two valid values of each wildcard and an invalid one. The key RULE/WILDCARD holds for one rule only."""
VALUES |= {"/".join(reversed(name.split("/"))): value for name, value in VALUES.items() if "/" in name}
NOT_PASSED_ON = {("world_models", "seed"): "a training seed; the model learns from the rollouts of all study seeds"}
"""Wildcards whose name has another meaning in the rule's inputs, with the reason."""


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """By rule: the job of the first values, jobs with another value of a wildcard, messages about invalid values."""
    return probe(Project.create(tmp_path_factory.mktemp("probe") / "project"), {})


def probe(project, changes):
    """The output of probe.smk for a study with all stages and these changes of config.yaml."""
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
    """(rule, job) of all probed jobs."""
    for rule, probe in probed.items():
        for job in (probe["first"], *probe["other"].values()):
            yield rule, job


def test_all_rules_are_probed(probed):
    text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    named = set(re.findall(r"^(?:use rule \w+ as|rule) (\w+)", text, flags=re.MULTILINE))
    assert len(named) > 10 and probed.keys() - {"all"} == named - {"no_such_figure"}
    assert all(probe["other"] for rule, probe in probed.items() if rule != "all")


def test_another_value_of_a_wildcard_is_another_job(probed):
    ignored = [
        (rule, name)
        for rule, probe in probed.items()
        for name, job in probe["other"].items()
        if all(probe["first"][part] == job[part] for part in ("input", "params", "command"))
    ]
    assert not ignored, "outputs for different values of this wildcard would be equal"


def test_inputs_have_the_wildcards_of_the_output(probed):
    violations = [
        (rule, name, value, source["path"])
        for rule, job in jobs_of(probed)
        for name, value in job["wildcards"].items()
        for source in job["input"]
        if source["wildcards"].get(name, value) != value and (rule, name) not in NOT_PASSED_ON
    ]
    assert not violations
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
    """The code of a stage includes the module that wildcards name, if any."""
    products = {"figure": "figures.agents", "table": "tables.claims", "rollouts": "simulation.policies.expert"}
    products |= {"study_figure": "figures.agents", "world_models": "world_models.networks.mlp"}
    of_task = [f"dynamic_sparsity.figures.{name}" for name in figures_of("task")]
    for rule, probe in probed.items():
        if not (stage := probe["first"]["stage"]):
            continue
        modules = {"figure": of_task, "embedding_figure": ["dynamic_sparsity.figures.embedding"]}.get(
            rule, [f"dynamic_sparsity.{products[rule]}"] if rule in products else []
        )
        expected = sources.digest(f"dynamic_sparsity.stages.{stage}", *modules)
        assert probe["first"]["code"] == expected, rule


def sections(settings):
    """(key, value) of all mappings in settings, at any depth."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield name, value
            yield from sections(value)


def test_an_invalid_value_is_refused_with_one_message(probed):
    for rule, probe in probed.items():
        for name, message in probe["refused"].items():
            invalid = (VALUES.get(f"{rule}/{name}") or VALUES[name])[2]
            assert message, f"{rule} accepts {name} = {invalid}"
            assert invalid in message and len(message.splitlines()) == 1, (rule, name, message)


def test_the_order_of_inputs_is_compared_if_the_result_depends_on_it(tmp_path):
    project = Project.create(tmp_path / "project")
    models = {"mlp": {}, "gated": {"network": "gated"}}
    ordered = probe(project, {"tasks": ["CartpoleBalance", "FingerSpin"], "world_models": {"models": models}})
    reversed_models = dict(reversed(models.items()))
    reordered = probe(project, {"tasks": ["FingerSpin", "CartpoleBalance"], "world_models": {"models": reversed_models}})
    for rule in ordered.keys() - {"all"}:
        first, second = ordered[rule]["first"], reordered[rule]["first"]
        paths = [[source["path"] for source in job["input"]] for job in (first, second)]
        assert sorted(paths[0]) == sorted(paths[1])
        assert (first["params"] != second["params"]) == (paths[0] != paths[1]), rule
    assert ordered["recovery"]["first"]["params"] != reordered["recovery"]["first"]["params"]


def test_stores_of_another_method_have_its_name_in_their_attributes(project):
    stores = [
        f"results/{stage}/CartpoleBalance/noise/implicit{seed}.zarr" for stage, seed in (("sparsity", "/0"), ("summary", ""))
    ]
    project.snakemake("--cores", "2", "--", *stores)
    for path in stores:
        attrs = xr.open_zarr(project.path / path, consolidated=False).attrs
        assert attrs["method"] == json.loads(attrs["settings"])["jacobians"]["method"] == "implicit", path


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("results/rollouts/HopperHop/expert/0.zarr", "no expert is shipped for HopperHop"),
        ("results/figures/surviva-CartpoleBalance-noise-exact.svg", "'surviva'; did you mean survival?"),
        ("results/tables/recovery.csv", "table 'recovery' has nothing to show: world_models.tasks is empty"),
    ],
)
def test_a_target_that_cannot_be_made_gives_one_message(finished, target, message):
    output = finished.snakemake("--dry-run", "--", target, ok=False)
    assert message in output and "Traceback" not in output and "rror" not in output
    printed = output.partition("Building DAG of jobs...\n")[2].strip()
    assert len(printed.splitlines()) == 1


def test_targets_that_the_study_does_not_list_can_be_made(finished):
    targets = (
        "results/summary/FingerSpin/expert/implicit.zarr",
        "results/rollouts/CartpoleBalance/expert/7.zarr",
        "results/recovery/CartpoleBalance/noise/exact.zarr",
    )
    planned = jobs(finished.snakemake("--dry-run", "--", *targets))
    assert {"summary", "rollouts", "recovery"} <= rules(planned)
