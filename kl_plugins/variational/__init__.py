"""Diagnostics of fitted variational approximations by closed-form divergences."""

from kl_plugins.variational.convergence import KLConvergence
from kl_plugins.variational.snapshots import snapshot

__all__ = ["KLConvergence", "snapshot"]
