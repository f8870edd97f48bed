"""Objects of SciPy: frozen distributions, the new distribution classes, and their densities."""

from kl_plugins.families.core.names import load_families

load_families()

from kl_plugins.plugins.scipy import densities, frozen, infrastructure, multivariate  # noqa: E402, F401
