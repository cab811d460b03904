"""Rows to episodes: whose each row is, when it happened, what is constant within an episode."""
