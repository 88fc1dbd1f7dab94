"""One finished study for all pipeline tests; each works on a copy."""

import fcntl
import os

import pytest

from tests.pipeline.project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A study that has been computed once, with two cores. Not to be changed: ask for `project`."""
    directory = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # one for all workers: their directories are side by side
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
    """What a test has started ends with it."""
    yield
    Project.end_all()
