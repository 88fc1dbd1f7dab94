"""One module per Snakemake rule: each parses its arguments, reads stores, calls the code that computes, and writes."""

import gc

# Imports create hundreds of thousands of objects that live as long as the job. By default Python searches them for
# garbage after every 700 new objects, which was measured to take a tenth of a short job's time.
gc.set_threshold(200_000)
