"""One finished study for all pipeline tests. Each test works on a copy."""

import fcntl
import os

import pytest

from tests.pipeline.project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A study, computed once with two cores. Tests must not change it; those that do ask for `project`."""
    directory = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # all workers share one study; their directories are siblings
        directory = directory.parent
    with (directory / "study.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "study").exists():
            Project.create(directory / "unfinished").run(cores=2)
            (directory / "unfinished").rename(directory / "study")
    return Project(directory / "study")


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished study."""
    return finished.copy(tmp_path / "project")


@pytest.fixture(autouse=True)
def _nothing_outlives_its_test():
    """Kill all processes that a test started when it ends."""
    yield
    Project.end_all()
