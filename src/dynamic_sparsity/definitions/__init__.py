"""What all analyses mean by the same words: a zero, a block of a Jacobian, a model that has learnt."""
