"""Definitions that all analyses share: a zero entry, a block of a Jacobian, a world model that has learnt."""
