"""The study as a whole: what config.yaml asks for, its targets, and what jobs ask a scheduler for."""
