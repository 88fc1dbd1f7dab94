"""Jobs that a change of config.yaml or of code reruns: those whose settings or code digest differ.

tests/pipeline/test_reruns.py shows that Snakemake reruns these jobs and no others.
"""

import copy
import re
import shutil

import pytest

from dynamic_sparsity.runtime import sources
from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.study import dependencies
from dynamic_sparsity.study import study as studies
from dynamic_sparsity.study.catalogue import FIGURES, TABLES, figures_of
from dynamic_sparsity.study.paths import Paths
from tests.helpers.config import CONFIG
from tests.helpers.source import PACKAGE

ROOT = PACKAGE.parents[1]
POOLED = {"summary", "survival", "patterns", "horizons", "clustering", "interventions"}
MODELS = {"world_models", "recovery"}
SIMULATING = {"jacobians", "ablation_jacobians", "interventions", "world_models"}
SPARSITY = {"sparsity", "durations", "embedding", "frames"} | POOLED | MODELS
JACOBIANS = {"jacobians", "structure"} | SPARSITY
EVERYTHING = {"rollouts", "ablation_jacobians", "ablation"} | JACOBIANS
OF_MODELS, OF_ABLATION, OF_PATTERNS = (
    {name for name, table in TABLES.items() if stages & {*table.reads, *table.also_reads}}
    for stages in ({"recovery"}, {"ablation"}, {"patterns", "clustering"})
)


def study(changes):
    config = copy.deepcopy(CONFIG)
    for path, value in changes.items():
        *parents, last = path.split(".")
        section = config
        for key in parents:
            section = section[key]
        section[last] = value
    return studies.load_study(config)


def settings_of_jobs(study):
    """The settings of all jobs, by (kind of job, name, policy). A job reruns if its settings change."""
    jobs, paths = {}, Paths(study)
    for policy in study.policies.names:
        for stage in STAGES.keys() - {"world_models"}:
            jobs[stage, stage, policy] = dependencies.stage_settings(study, stage, policy)
        for model in study.world_models.models:
            jobs["world_models", model, policy] = dependencies.world_model_settings(study, policy, model)
        for figure in figures_of("task", "embedded task"):
            jobs["figure", figure, policy] = dependencies.figure_settings(study, {figure: FIGURES[figure].reads}, policy)
    for figure in figures_of("study"):
        jobs["figure", figure, None] = dependencies.study_figure_settings(study, figure, FIGURES[figure].reads)
    for table in TABLES:
        jobs["table", table, None] = dependencies.table_settings(study, paths.table_stages(table))
    return jobs


BEFORE = settings_of_jobs(study({}))


def rerun(changes):
    """The jobs whose settings differ once values of the default study are changed."""
    before, after = BEFORE, settings_of_jobs(study(changes))
    return {job for job in before.keys() & after.keys() if before[job] != after[job]}


def kinds(jobs):
    return {kind for kind, *_ in jobs}


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({}, set()),
        ({"rollouts.steps": 50}, EVERYTHING),
        ({"jacobians.method": "implicit"}, JACOBIANS),
        ({"sparsity.threshold": 1e-3}, SPARSITY),
        ({"structure.steps": 8}, {"structure"}),
        ({"temporal.max_lag": 20}, {"patterns", "clustering"}),
        ({"temporal.max_lag": 20, "temporal.max_patterns": 100}, {"patterns", "clustering"}),
        ({"horizons.starts": 3}, {"horizons"}),
        ({"resampling.confidence": 0.9}, POOLED | {"ablation", "recovery"}),
        ({"interventions.moves": [2.0]}, {"interventions"}),
        ({"embedding.perplexity": 5.0}, {"embedding", "frames"}),
        ({"embedding.tasks": ["FingerSpin"]}, set()),
        ({"frames.count": 3}, {"frames"}),
        ({"ablation.thresholds": [1e-3]}, {"ablation"}),
        ({"ablation.steps": 7}, {"ablation_jacobians", "ablation"}),
        ({"ablation.tasks": ["FingerSpin"]}, set()),
        ({"world_models.target": "change"}, MODELS),
        ({"world_models.margins": [3]}, {"recovery"}),
        ({"world_models.tasks": ["FingerSpin"]}, set()),
        ({"world_models.training.epochs": 3}, MODELS),
        ({"tasks": ["FingerSpin"], "seeds": [0, 1, 2]}, set()),
        ({"comparison.full": True}, set()),
        ({"policies.expert.training.recipe": "playground"}, set()),
        ({"figures.survival.log_time": False, "figures.style.dpi": 60}, set()),
    ],
)
def test_a_setting_reruns_what_depends_on_it(changes, stages):
    assert kinds(rerun(changes)) - {"figure", "table"} == stages


def test_a_policys_setting_reruns_that_policy_only():
    jobs = rerun({"policies.noise.beta": 1.0})
    assert {policy for _, _, policy in jobs} == {"noise", None}, "tables and figures of the study show all policies"
    assert kinds(jobs) >= EVERYTHING


def test_a_models_setting_trains_that_model_only():
    jobs = rerun({"world_models.models.mlp.width": 17})
    assert {name for kind, name, _ in jobs if kind == "world_models"} == {"mlp"}
    assert kinds(jobs) == {"world_models", "recovery", "table", "figure"}
    assert {name for kind, name, _ in jobs if kind == "table"} == OF_MODELS


def test_a_figures_setting_redraws_that_figure_only():
    jobs = rerun({"figures.sparsity_histogram.bin_width": 0.05})
    assert {(kind, name) for kind, name, _ in jobs} == {("figure", "sparsity_histogram")}
    jobs = rerun({"figures.method_ablation.smallest_error": 1e-12})
    assert jobs == {("figure", "method_ablation", None)}


def test_the_common_style_redraws_all_figures_and_nothing_else():
    jobs = rerun({"figures.style.dpi": 60})
    assert kinds(jobs) == {"figure"} and {name for _, name, _ in jobs} == FIGURES.keys()


@pytest.mark.parametrize(
    ("changes", "tables"),
    [
        ({"sparsity.threshold": 1e-3}, TABLES.keys() - {"method_ablation", "roughness", "returns"}),
        ({"temporal.max_lag": 20}, OF_PATTERNS),
        ({"structure.steps": 8}, {"zero_kinds", "findings"}),
        ({"ablation.thresholds": [1e-3]}, OF_ABLATION),
        ({"world_models.margins": [3]}, OF_MODELS),
    ],
)
def test_tables_follow_the_stores_that_they_read(changes, tables):
    assert {name for kind, name, _ in rerun(changes) if kind == "table"} == tables


def test_a_full_comparison_adds_survival_curves_and_figures_of_the_other_policies():
    some, full = (Paths(study({"comparison.full": value})) for value in (False, True))
    assert set(some.stores("survival")) < set(full.stores("survival")) and some.stores("summary") == full.stores("summary")
    more = set(full.figures()) - set(some.figures())
    assert more and all("-noise-" in path for path in more)


def test_a_new_seed_adds_stores_of_that_seed_only():
    before, after = (Paths(study({"seeds": seeds})) for seeds in ([0, 1], [0, 1, 7]))
    for stage in ("rollouts", "jacobians", "sparsity"):
        new = set(after.stores(stage)) - set(before.stores(stage))
        assert len(new) == 8 and all(path.endswith("/7.zarr") and "/expert/" in path for path in new)


def test_a_new_task_adds_files_of_that_task_only():
    before, after = (Paths(study({"tasks": tasks})) for tasks in (["CartpoleBalance"], ["CartpoleBalance", "FingerSpin"]))
    of_tasks = {"rollouts", "jacobians", "structure", "sparsity", "ablation", "recovery"}
    for stage in of_tasks | POOLED:
        new = set(after.stores(stage)) - set(before.stores(stage))
        assert new and all("/FingerSpin/" in path for path in new) and set(before.stores(stage)) <= set(after.stores(stage))
    assert all("-FingerSpin-" in path or "-" not in path for path in set(after.figures()) - set(before.figures()))
    assert set(after.tables()) - set(before.tables()) == {
        f"results/tables/{name}.{kind}"
        for name in OF_ABLATION | OF_MODELS
        if not TABLES[name].also_reads
        for kind in ("csv", "html")
    }, "only FingerSpin is differentiated in other ways and learnt"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package. Tests may edit it, and must restore it."""
    root = tmp_path_factory.mktemp("package")
    shutil.copytree(PACKAGE, root / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return root / PACKAGE.name


MODULES = {"rollouts": "simulation.policies.noise", "world_models": "world_models.networks.gated"}
"""Modules that rules add to the code of a stage, here for policy `noise` and network `gated`."""


def digests(package):
    stages = [path.stem for path in (package / "stages").glob("[!_]*.py")]
    modules = {stage: [f"dynamic_sparsity.{MODULES[stage]}"] if stage in MODULES else [] for stage in stages}
    root = package.parent
    return {stage: sources.digest(f"dynamic_sparsity.stages.{stage}", *modules[stage], root=root) for stage in stages}


def code_rerun(package, edits):
    """The stages whose code digest changes when files get other content; the files are restored."""
    before, contents = digests(package), {path: path.read_text() for path in edits}
    for path, content in edits.items():
        path.write_text(content)
    after = digests(package)
    for path, content in contents.items():
        path.write_text(content)
    return {stage for stage, digest in before.items() if after[stage] != digest}


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("simulation/coordinates.py", SIMULATING | {"structure", "frames", "policies", "rollouts"}),
        ("simulation/jacobian.py", {"jacobians", "structure", "ablation_jacobians"}),
        ("simulation/objects.py", {"jacobians"}),
        ("simulation/symmetry.py", {"structure"}),
        ("simulation/noise.py", {"policies", "rollouts"}),
        ("simulation/interventions.py", {"interventions"}),
        ("sparsity/zeros.py", {"sparsity", "summary", "ablation", "interventions"}),
        ("sparsity/products.py", {"horizons"}),
        ("sparsity/zero_kinds.py", {"summary"}),
        ("sparsity/events.py", {"patterns"}),
        ("figures/style.py", {"figure"}),
        ("tables/page.py", {"table"}),
        ("settings/figures.py", {"figure"}),
        ("settings/world_models.py", {"world_models", "recovery"}),
        ("settings/networks.py", set()),
        ("settings/policy_kinds.py", set()),
        ("world_models/networks/gated.py", {"world_models"}),
        ("world_models/networks/attention.py", set()),
        ("simulation/policies/expert.py", {"policies"}),
        ("study/config_errors.py", set()),
        ("study/catalogue.py", set()),
        ("stores/opening.py", set()),
        ("tasks/names.py", set()),
        ("tasks/sizes.py", set()),
        ("errors.py", set()),
        ("cli.py", set()),
    ],
)
def test_an_edit_reruns_the_stages_that_can_give_another_result(package, module, stages):
    path = package / module
    assert code_rerun(package, {path: f"{path.read_text()}\nEDITED = True\n"}) == stages


def test_comments_and_formatting_rerun_nothing(package):
    edits = {}
    for path in package.rglob("*.py"):
        text = re.sub(r"^( +)return ", r"\1# A comment.\n\n\1return ", path.read_text(), flags=re.MULTILINE)
        edits[path] = f"{text}\n# The end.\n"
    assert code_rerun(package, edits) == set()
