"""What can be studied: names, sizes and kinematic trees of tasks. Nothing here imports jax."""
