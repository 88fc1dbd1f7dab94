"""The process: cores, jax and its caches, rendering, progress, digests of code. Imported before jax."""
