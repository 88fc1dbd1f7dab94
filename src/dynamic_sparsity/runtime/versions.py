"""Packages of others whose versions matter."""

SIMULATOR = ("jax", "jaxlib", "mujoco", "mujoco-mjx", "playground")
"""Those that may change what a step computes (docs/decisions/0010-inputs-agree.md)."""
