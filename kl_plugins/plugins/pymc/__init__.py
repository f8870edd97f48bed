"""Objects of PyMC: its own random variables, their densities, and fitted approximations."""

from kl_plugins.plugins.pymc import (  # noqa: F401
    approximations,
    correlations,
    custom,
    densities,
    improper,
    mixtures,
    multivariate,
    powers,
    products,
    series,
    truncations,
    zero_sum,
)
