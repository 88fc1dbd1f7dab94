"""The only door between arrays in memory and Zarr on disk."""

import warnings

# Snakemake leaves a time stamp inside a store, others hidden files; zarr would warn of them whenever it lists the group.
warnings.filterwarnings("ignore", message=r"Object at \.\S* is not recognized")
