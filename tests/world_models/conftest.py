"""Fixtures that several tests of world models share."""

import pytest

from tests.helpers.systems import colliding_masses


@pytest.fixture(scope="session")
def seeds():
    """Stores of the colliding masses for two study seeds, by kind; tests must not change them."""
    return dict(zip(("rollouts", "jacobians", "sparsity"), zip(*map(colliding_masses, (0, 1)), strict=True), strict=True))
