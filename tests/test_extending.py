"""The diffs of docs/extending.md do what the page says, and touch few lines of existing files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dynamic_sparsity.runtime import sources
from tests.helpers.source import PACKAGE
from tests.pipeline.project import jobs

ROOT = PACKAGE.parents[1]
PAGE = ROOT / "docs/extending.md"
MOST_LINES = {"A table": 3, "A figure": 3, "A network of a world model": 3, "A policy": 3, "A task of the same suite": 1}
OF_ALL_ROWS = [
    f"tests/{name}"
    for name in (
        *("settings", "study/test_catalogue.py", "study/test_paths.py", "study/test_targets.py", "test_architecture.py"),
        *("figures/test_figures.py", "tables/test_tables.py", "simulation/test_policies.py"),
    )
]
"""Tests that hold for every row of the catalogues."""
KEPT = ("policies", "rollouts", "jacobians", "ablation_jacobians", "sparsity", "summary", "world_models", "recovery")


def diffs():
    """The diff of each section, by its heading."""
    sections = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {title: re.findall(r"```diff\n(.*?)```", text, flags=re.DOTALL)[0] for title, text in sections}


def touched_lines(diff):
    """Number of lines that a diff adds to or removes from existing files."""
    lines, new = 0, False
    for line in diff.splitlines():
        if line.startswith("--- "):
            new = line == "--- /dev/null"
        elif line[:1] in "+-" and not line.startswith("+++ "):
            lines += not new
    return lines


def apply(diff, directory, *, reverse=False):
    """Apply a diff by the lines around each change, since the page has no line numbers."""
    for part in re.split(r"^(?=--- )", diff, flags=re.MULTILINE)[1:]:
        _, target, _, *lines = part.splitlines(keepends=True)
        path = directory / target.removeprefix("+++ b/").strip()
        old, new = ("".join(line[1:] for line in lines if line[0] in marks) for marks in (" -", " +"))
        old, new = (new, old) if reverse else (old, new)
        if not old:
            path.parent.mkdir(exist_ok=True)
            path.write_text(new)
            continue
        content = path.read_text()
        assert content.count(old) == 1, f"{path}: the lines around the row have changed"
        path.write_text(content.replace(old, new))


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the project with all diffs applied and `make generate` run."""
    directory = tmp_path_factory.mktemp("extended")
    caches = (".cache", ".snakemake", ".pytest_cache", ".ruff_cache", ".hypothesis", "__pycache__", "*.egg-info")
    ignored = shutil.ignore_patterns("results", ".git", ".venv", *caches)
    shutil.copytree(ROOT, directory, ignore=ignored, dirs_exist_ok=True)
    (directory / "results").mkdir()
    shutil.copy(ROOT / "results/README.md", directory / "results")
    task = diffs()["A task of the same suite"]
    apply(task, directory, reverse=True)  # the row exists: remove it, so that the diff can add it
    assert "PointMass" not in (directory / "src/dynamic_sparsity/tasks/sizes.py").read_text()
    for diff in diffs().values():
        apply(diff, directory)
    run(directory, "-m", "dynamic_sparsity.study.generated")
    return directory


def run(directory, *arguments):
    environment = {**os.environ, "PYTHONPATH": f"{directory / 'src'}:{directory}"}
    command = [sys.executable, *arguments]
    process = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return process.stdout


@pytest.mark.parametrize("title", MOST_LINES)
def test_few_lines_are_touched(title):
    assert diffs().keys() == MOST_LINES.keys()
    assert 0 < touched_lines(diffs()[title]) <= MOST_LINES[title]


def test_only_lines_of_existing_files_count():
    new = "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+1\n+2\n"
    assert touched_lines(new) == 0
    assert touched_lines(new + "--- a/old.py\n+++ b/old.py\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n") == 2


@pytest.mark.parametrize("policy", ["expert", "noise"])
def test_no_settings_of_a_job_change(extended, policy):
    """Of the default study, in which none of the additions acts or is trained."""
    code = (
        "import yaml; from dynamic_sparsity.study import dependencies, study as studies\n"
        "study = studies.load_study(yaml.safe_load(open('config.yaml')))\n"
        f"for stage in {KEPT[1:]!r}: print(dependencies.stage_settings(study, stage, {policy!r}))"
    )
    assert run(extended, "-c", code) == run(ROOT, "-c", code)


def test_no_costly_stage_reruns(extended):
    for stage in KEPT:
        module = f"dynamic_sparsity.stages.{stage}"
        assert sources.digest(module, root=extended / "src") == sources.digest(module), stage
    before, after = (sources.digest("dynamic_sparsity.figures.survival", root=root / "src") for root in (ROOT, extended))
    assert before == after


@pytest.mark.slow
def test_everything_that_is_added_works(extended):
    """The examples' tests and the tests of all rows pass, and Snakemake plans the new files."""
    examples = re.findall(r"^\+\+\+ b/(tests/.*)$", PAGE.read_text(), flags=re.MULTILINE)
    assert len(examples) == 4
    for command in ("check", "format --check"):
        run(extended, "-m", "ruff", *command.split(), "src", "tests")
    run(extended, "-m", "ty", "check", "--python", sys.prefix, "src", "tests")
    run(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *examples, *OF_ALL_ROWS)
    schema = json.loads((extended / "workflow/schemas/config.schema.json").read_text())["$defs"]
    assert "tanh" in schema["WorldModelSettings"]["properties"]["network"]["enum"] and "SinePolicy" in schema
    assert yaml.safe_load((extended / "config.yaml").read_text())["figures"]["row_zeros"] == {"ascending": False}
    config = {"tasks": ["PointMass"], "policies": {"sine": {}}, "seeds": [0], "rollouts": {"episodes": 3, "steps": 9}}
    models = {"tasks": ["PointMass"], "models": {"smooth": {"network": "tanh"}}}
    (extended / "config.yaml").write_text(yaml.safe_dump({**config, "world_models": models}))
    planned = jobs(run(extended, "-m", "snakemake", "--dry-run"))
    assert ("table", "table=row_zeros") in planned and ("rollouts", "task=PointMass, policy=sine, seed=0") in planned
    assert any(rule == "world_models" and "model=smooth" in wildcards for rule, wildcards in planned)
    target = Path("results/figures/row_zeros-PointMass-sine-exact.png")
    assert "figure" in {rule for rule, _ in jobs(run(extended, "-m", "snakemake", "--dry-run", "--", str(target)))}
