"""Priors that are stated as a distance from a simpler model."""

try:
    import pymc as _  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'kl_plugins.priors needs PyMC ({error}); install it with: pip install "kl-plugins[pymc]"'
    ) from error

from kl_plugins.priors.penalised_complexity import pc_prior

__all__ = ["pc_prior"]
