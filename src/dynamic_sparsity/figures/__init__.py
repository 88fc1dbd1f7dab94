"""Figures, one module each, with a function `draw` that makes the matplotlib figure."""
