"""One module per figure, each with a function draw (matplotlib)."""
