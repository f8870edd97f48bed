"""Mixtures: made of any distributions, and bounds on their divergences."""
