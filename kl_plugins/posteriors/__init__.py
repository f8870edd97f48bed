"""Posteriors as they come out of samplers: the Gaussian with the moments of draws."""

from kl_plugins.posteriors.errors import MonteCarloErrors
from kl_plugins.posteriors.summary import GaussianSummary, gaussian

__all__ = ["GaussianSummary", "MonteCarloErrors", "gaussian"]
