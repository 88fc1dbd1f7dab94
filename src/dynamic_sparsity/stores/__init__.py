"""Stores of arrays: writing, opening, comparing and verifying them. No other package reads or writes Zarr."""

import warnings

# Snakemake leaves a time stamp in a store, and other programs leave hidden files; zarr would warn of each.
warnings.filterwarnings("ignore", message=r"Object at \.\S* is not recognized")
