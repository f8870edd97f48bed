"""Objects of SciPy: frozen distributions, the new distribution classes, and their densities."""

from kl_plugins.plugins.scipy import (  # noqa: F401
    densities,
    frozen,
    infrastructure,
    labelled,
    mixtures,
    multivariate,
)
