"""Trained policies as files: what they hold, and those that are shipped."""
