"""Objects of PyMC: its own random variables, their densities, and fitted approximations."""

from kl_plugins.plugins.pymc import approximations, densities, mixtures, multivariate, powers, products  # noqa: F401
