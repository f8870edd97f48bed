"""Posteriors as they come out of samplers: the Gaussian with the moments of draws."""

from kl_plugins.posteriors.summary import GaussianSummary, MonteCarloErrors, gaussian

__all__ = ["GaussianSummary", "MonteCarloErrors", "gaussian"]
