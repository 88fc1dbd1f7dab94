"""Atomic writes, and locks on directories."""
