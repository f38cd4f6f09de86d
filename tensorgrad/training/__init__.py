"""Training: the loop, what it aims at (objective, metrics), what watches it (callbacks), what it leaves (history)."""
