"""Statistics of zero and non-zero entries: labelled arrays in, labelled arrays out (xarray)."""
