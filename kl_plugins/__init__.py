"""Kullback-Leibler divergence of the distribution objects people already hold."""

from kl_plugins.covariance.axis_aligned import Diagonal, Isotropic
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.covariance.full import Cholesky, Dense
from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.covariance.precision import Precision
from kl_plugins.dispatch import (
    Explanation,
    cross_entropy,
    entropy,
    explain,
    independent,
    jeffreys,
    kl,
    register_kl,
)
from kl_plugins.errors import EstimateWarning, NoClosedFormError
from kl_plugins.estimate.estimation import estimate_kl
from kl_plugins.estimate.result import KLEstimate
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.pairwise import pairwise_kl

__version__ = "0.1.0"

__all__ = [
    "BlockDiagonal",
    "Cholesky",
    "Dense",
    "Diagonal",
    "EstimateWarning",
    "Explanation",
    "Isotropic",
    "KLEstimate",
    "Kronecker",
    "LowRank",
    "MultivariateNormal",
    "NoClosedFormError",
    "Precision",
    "cross_entropy",
    "entropy",
    "estimate_kl",
    "explain",
    "independent",
    "jeffreys",
    "kl",
    "pairwise_kl",
    "register_kl",
]
