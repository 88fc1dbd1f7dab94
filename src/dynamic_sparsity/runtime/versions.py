"""Third-party packages whose versions can change results."""

SIMULATOR = ("jax", "jaxlib", "mujoco", "mujoco-mjx", "playground")
"""Packages that can change what a physics step computes (docs/decisions/0010-inputs-agree.md)."""
