"""Planning, which a cluster's head node does: it imports nothing heavy, and hostile names and files do no harm."""

import os
import subprocess
import sys

import pytest

from tests.pipeline.project import Project

HEAVY = ["jax", "jaxlib", "mujoco", "mujoco_playground", "brax", "xarray", "zarr", "matplotlib", "sklearn", "scipy"]
ROLLOUT = "results/rollouts/CartpoleBalance/noise/0.zarr"


def dry_run(project, **variables):
    """Output of a dry run of the study, with these environment variables."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall"]
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    process = subprocess.run(command, cwd=project.path, env={**environment, **variables}, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout + process.stderr


@pytest.fixture
def project(tmp_path):
    return Project.create(tmp_path / "project")


def test_planning_imports_nothing_heavy(project, tmp_path):
    for name in HEAVY:
        (tmp_path / "poison" / name).mkdir(parents=True)
        (tmp_path / "poison" / name / "__init__.py").write_text(f"raise ImportError('{name} on the head node')\n")
    poisoned = str(tmp_path / "poison")
    check = [sys.executable, "-c", "import xarray"]
    assert subprocess.run(check, env={**os.environ, "PYTHONPATH": poisoned}, capture_output=True).returncode, (
        "the poison must work"
    )
    assert "rule jacobians" in dry_run(project, PYTHONPATH=poisoned)


def test_jobs_request_a_gpu_if_one_is_named(project):
    def gpu_rules(output):
        rules = [block.split(":")[0] for block in output.split("\nrule ")[1:] if "gpu=1" in block.split("\n[")[0]]
        return set(rules)

    assert gpu_rules(dry_run(project)) == set()
    assert gpu_rules(dry_run(project, JAX_PLATFORMS="cuda")) == {"jacobians"}


def test_a_directory_with_a_hostile_name_is_a_directory(tmp_path):
    project = Project.create(tmp_path / "a b;touch pwned;$(touch pwned)'`touch pwned`&#{x}")
    project.change("rollouts", {"episodes": 1, "steps": 5})
    project.snakemake("--cores", "1", "--", ROLLOUT)
    assert (project.path / ROLLOUT / "zarr.json").exists()
    assert not [path for path in tmp_path.rglob("*") if path.name == "pwned"]
    assert {path.name for path in tmp_path.iterdir()} == {project.path.name}


def test_a_target_outside_results_is_refused(project):
    output = project.snakemake("--dry-run", "--", "results/rollouts/CartpoleBalance/../../../x/0.zarr", ok=False)
    assert "MissingRuleException" in output and "Traceback" not in output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tasks: !!python/object/apply:os.system ['touch pwned']\n", "tag"),
        ('__use_yte__: true\n__definitions__: [\'open("pwned", "w")\']\n', "as Python"),
    ],
)
def test_a_hostile_config_is_one_message(project, content, message):
    (project.path / "config.yaml").write_text(content)
    output = project.snakemake("--dry-run", ok=False)
    assert message in output and "Traceback" not in output and not (project.path / "results").exists()
    assert not (project.path / "pwned").exists()
