"""Objects of SciPy: frozen distributions, the new distribution classes, and their densities."""

from kl_plugins.rules import load_all

load_all("kl_plugins.families")  # and with them their names

from kl_plugins.plugins.scipy import densities, frozen, infrastructure, multivariate  # noqa: E402, F401
