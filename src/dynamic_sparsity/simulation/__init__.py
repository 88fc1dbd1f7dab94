"""Rollouts of MuJoCo Playground tasks and the Jacobians of their transitions (jax)."""
