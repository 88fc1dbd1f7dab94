"""Stores of the colliding masses, which several tests of world models read."""

import pytest

from tests.helpers.systems import colliding_masses


@pytest.fixture(scope="session")
def seeds():
    return dict(zip(("rollouts", "jacobians", "sparsity"), zip(*map(colliding_masses, (0, 1)), strict=True), strict=True))
