"""What a process sets up before it imports jax: cores, jax and its caches, rendering, progress, digests of code."""
