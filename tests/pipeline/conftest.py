"""One finished study for all pipeline tests; each works on a copy."""

import pytest

from tests.pipeline.project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A study that has been computed once, with two cores. Not to be changed: ask for `project`."""
    project = Project.create(tmp_path_factory.mktemp("study") / "project")
    project.run(cores=2)
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished study."""
    return finished.copy(tmp_path / "project")
