"""The study as a whole: config.yaml, its targets, catalogues of tables and figures, and the resources of jobs."""
