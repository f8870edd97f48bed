"""PreliZ's distributions: as families, and their densities."""

from kl_plugins.plugins.preliz import densities, families  # noqa: F401
