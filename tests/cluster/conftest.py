"""One private Slurm for all tests here; skipped, with the reason, where there can be none."""

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
"""What the smoke study may take on a Slurm of one machine: reported, not asserted, for machines differ."""
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
    directory, started = tmp_path_factory.mktemp("slurm"), time.time()
    with _ending_on_sigterm():
        try:
            with PrivateSlurm(directory) as running:
                yield running
        except UnavailableError as reason:
            pytest.skip(f"no Slurm here: {reason}")
    left = [*processes_of(directory), *_daemons_since(started)]
    assert not left and not (CONFIGURATION / "slurm.conf").exists() and not (CONFIGURATION / "gres.conf").exists()


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The smoke study, computed without Slurm. Not to be changed: ask for `project`."""
    project = Project.create(tmp_path_factory.mktemp("reference") / "project")
    shutil.copy2(ROOT / "config.yaml", project.path / "config.yaml")
    project.snakemake("--cores", "all", *SMOKE)
    return project


@pytest.fixture
def project(reference, tmp_path):
    """The same project with nothing computed."""
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
    """Times that tests have measured, each with its bound."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, (seconds, bound) in report.user_properties:
            verdict = "within" if seconds <= bound else "over"
            terminalreporter.write_line(f"{name}: {seconds:.0f} s, {verdict} its {bound} s")


@contextlib.contextmanager
def _ending_on_sigterm():
    """SIGTERM ends the session as Ctrl-C does, with all that is to be undone; by default nothing would be."""

    def end(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the end is not to be disturbed
        pytest.exit("SIGTERM", returncode=128 + signal.SIGTERM)  # pytest takes a SystemExit for one test's failure

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _daemons_since(started):
    """Daemons of a Slurm, whoever's; none but ours can have started while the configuration was ours."""
    processes = [each for each in psutil.process_iter(["name", "create_time", "status"]) if each.info["name"] in DAEMONS]
    alive = [each for each in processes if each.info["status"] != psutil.STATUS_ZOMBIE]
    return [each for each in alive if each.info["create_time"] >= started]
