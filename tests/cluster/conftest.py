"""One private Slurm for all tests here; skipped, with the reason, where there can be none."""

import shutil

import pytest

from tests.cluster.private_slurm import PrivateSlurm, UnavailableError
from tests.pipeline.project import ROOT, Project

SUBMIT = [
    *("--profile", "profiles/slurm"),
    *("--default-resources", "slurm_partition=cpu", "slurm_account=none"),
    *("--slurm-status-command", "squeue"),  # there is no accounting to ask
    *("--slurm-init-seconds-before-status-checks", "1"),
    *("--latency-wait", "5"),
]


class ClusterProject(Project):
    """A project whose jobs go to Slurm."""

    def submit(self, *arguments: str, ok: bool = True) -> str:
        """Run snakemake with the project's Slurm profile."""
        return self.snakemake(*SUBMIT, *arguments, ok=ok)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    try:
        with PrivateSlurm(tmp_path_factory.mktemp("slurm")) as running:
            yield running
    except UnavailableError as reason:
        pytest.skip(f"no Slurm here: {reason}")


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The smoke study, computed without Slurm. Not to be changed: ask for `project`."""
    project = Project.create(tmp_path_factory.mktemp("reference") / "project")
    shutil.copy2(ROOT / "config.yaml", project.path / "config.yaml")
    project.snakemake("--cores", "all", *SMOKE)
    return project


SMOKE = ["--configfile", "workflow/studies/smoke.yaml"]


@pytest.fixture
def project(reference, tmp_path):
    """The same project with nothing computed."""
    shutil.copytree(reference.path, tmp_path / "project", ignore=shutil.ignore_patterns("results", ".snakemake"))
    return ClusterProject(tmp_path / "project")
