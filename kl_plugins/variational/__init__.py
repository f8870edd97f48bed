"""Diagnostics of fitted variational approximations by closed-form divergences."""

try:
    import pymc as _  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'kl_plugins.variational needs PyMC ({error}); install it with: pip install "kl-plugins[variational]"'
    ) from error

from kl_plugins.variational.correcting import linear_response
from kl_plugins.variational.diagnosing import diagnose
from kl_plugins.variational.fitting import fit
from kl_plugins.variational.monitor import KLConvergence
from kl_plugins.variational.optimum.distance import OptimumDistance, distance_to_optimum
from kl_plugins.variational.plots import plot_convergence
from kl_plugins.variational.report.certificate import Certificate
from kl_plugins.variational.report.diagnosis import Diagnosis
from kl_plugins.variational.report.linear_response import LinearResponse
from kl_plugins.variational.report.pictures.divergences import plot_kl
from kl_plugins.variational.report.pictures.pairs import plot_pair
from kl_plugins.variational.report.pictures.ratios import plot_importance
from kl_plugins.variational.report.stopping import NotConvergedWarning
from kl_plugins.variational.target.approximations import snapshot
from kl_plugins.variational.terms import ClosedFormKL, kl_terms

__all__ = [
    "Certificate",
    "ClosedFormKL",
    "Diagnosis",
    "KLConvergence",
    "LinearResponse",
    "NotConvergedWarning",
    "OptimumDistance",
    "diagnose",
    "distance_to_optimum",
    "fit",
    "kl_terms",
    "linear_response",
    "plot_convergence",
    "plot_importance",
    "plot_kl",
    "plot_pair",
    "snapshot",
]
