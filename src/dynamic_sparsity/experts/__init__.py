"""Experts, the trained policies: their file format, and the files that this repository ships."""
