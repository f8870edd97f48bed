"""Parameters that are arrays of xarray: computed with by the names of their dimensions."""

from kl_plugins.plugins.xarray import by_names  # noqa: F401
