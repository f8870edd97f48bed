"""Divergences from draws: nearest neighbours where they look normal, or counts."""
