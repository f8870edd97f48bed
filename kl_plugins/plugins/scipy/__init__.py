"""Objects of SciPy: frozen distributions, the new distribution classes, and their densities."""

from kl_plugins.plugins.scipy import densities, frozen, infrastructure, labelled, multivariate  # noqa: F401
