"""The study that most of these tests share."""

import pytest

from tests.helpers.studies import usual_seeds


@pytest.fixture(scope="package")
def usual():
    """Sparsity stores of two study seeds, of which the second has a short episode."""
    return usual_seeds()
