"""One private Slurm for all tests of this folder; they are skipped, with the reason, where it cannot run."""

import contextlib
import shutil
import signal
import time

import psutil
import pytest

from tests.cluster.install import UnavailableError
from tests.cluster.private_slurm import CONFIGURATION, DAEMONS, PrivateSlurm, processes_of
from tests.pipeline.project import ROOT, Project

SMOKE = ["--configfile", "workflow/studies/smoke.yaml"]
SMOKE_BOUND_S = 240
"""Time limit of the smoke study on a Slurm of one machine; reported and not asserted, because machines differ."""
SUBMIT = [
    *("--profile", "profiles/slurm"),
    *("--default-resources", "slurm_partition=cpu", "slurm_account=none"),
    *("--slurm-status-command", "squeue"),  # this Slurm has no accounting
    *("--slurm-init-seconds-before-status-checks", "1"),
    *("--latency-wait", "5"),
]


class ClusterProject(Project):
    """A project whose jobs go to Slurm."""

    def submit(self, *arguments: str, ok: bool = True) -> str:
        """Runs snakemake with the project's Slurm profile."""
        return self.snakemake(*SUBMIT, *arguments, ok=ok)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    directory, started = tmp_path_factory.mktemp("slurm"), time.time()
    with _ending_on_sigterm():
        try:
            with PrivateSlurm(directory) as running:
                yield running
        except UnavailableError as reason:
            pytest.skip(f"Slurm cannot run here: {reason}")
    leftovers = [*processes_of(directory), *_daemons_since(started)]
    assert not leftovers and not (CONFIGURATION / "slurm.conf").exists() and not (CONFIGURATION / "gres.conf").exists()


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The smoke study, computed without Slurm. Tests must not change it; `project` is a copy to change."""
    project = Project.create(tmp_path_factory.mktemp("reference") / "project")
    shutil.copy2(ROOT / "config.yaml", project.path / "config.yaml")
    project.snakemake("--cores", "all", *SMOKE)
    return project


@pytest.fixture
def project(reference, tmp_path):
    """A copy of the reference project without results."""
    shutil.copytree(reference.path, tmp_path / "project", ignore=shutil.ignore_patterns("results", ".snakemake"))
    return ClusterProject(tmp_path / "project")


@pytest.fixture(autouse=True)
def _nothing_outlives_its_test(request):
    cluster = request.getfixturevalue("slurm") if "slurm" in request.fixturenames else None
    yield
    Project.end_all()
    if cluster:
        cluster.recover()


def pytest_terminal_summary(terminalreporter):
    """Prints the times that tests measured, each with its bound."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, (seconds, bound) in report.user_properties:
            verdict = "within" if seconds <= bound else "over"
            terminalreporter.write_line(f"{name}: {seconds:.0f} s, {verdict} its {bound} s")


@contextlib.contextmanager
def _ending_on_sigterm():
    """Makes SIGTERM end the session as Ctrl-C does, with all clean-up; by default there would be none."""

    def end(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not disturb the clean-up
        # pytest would count a SystemExit as the failure of one test.
        pytest.exit("SIGTERM", returncode=128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _daemons_since(started):
    """Slurm's daemons that started since; only those of this Slurm can, while its configuration is in place."""
    processes = [
        process for process in psutil.process_iter(["name", "create_time", "status"]) if process.info["name"] in DAEMONS
    ]
    alive = [process for process in processes if process.info["status"] != psutil.STATUS_ZOMBIE]
    return [process for process in alive if process.info["create_time"] >= started]
