"""The only door between arrays in memory and Zarr on disk."""
