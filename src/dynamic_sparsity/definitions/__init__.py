"""What all analyses mean by the same words: a zero, a model that has learnt."""
