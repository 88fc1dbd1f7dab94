"""Files that appear whole or not at all, and locks on directories."""
