"""One module per Snakemake rule: parse, read, call, write."""

import gc

# Imports make hundreds of thousands of objects that live as long as the job. Looking for garbage among them after every 700
# new ones, as Python does, takes a tenth of a short job's time (measured).
gc.set_threshold(200_000)
