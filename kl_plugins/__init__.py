"""Kullback-Leibler divergence of the distribution objects people already hold."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kl_plugins.dispatch import cross_entropy, entropy, jeffreys, kl
from kl_plugins.errors import EstimateWarning, NoClosedFormError, NoClosedFormWarning
from kl_plugins.explaining import Explanation, explain
from kl_plugins.independence import independent
from kl_plugins.matching import register_kl

if TYPE_CHECKING:
    from kl_plugins import extend as extend
    from kl_plugins import families as families
    from kl_plugins import priors as priors
    from kl_plugins import variational as variational
    from kl_plugins.covariance.axis_aligned import Diagonal, Isotropic
    from kl_plugins.covariance.banded import Banded
    from kl_plugins.covariance.block_diagonal import BlockDiagonal
    from kl_plugins.covariance.conditional_autoregressive import ConditionalAutoregressive
    from kl_plugins.covariance.full import Cholesky, Dense
    from kl_plugins.covariance.kronecker import Kronecker
    from kl_plugins.covariance.low_rank import LowRank
    from kl_plugins.covariance.markov import Autoregressive
    from kl_plugins.covariance.precision import Precision
    from kl_plugins.covariance.zero_sum import ZeroSum
    from kl_plugins.estimate.draws.sample import draws
    from kl_plugins.estimate.estimation import estimate_kl
    from kl_plugins.estimate.result import KLEstimate
    from kl_plugins.families.multivariate_normal import MultivariateNormal
    from kl_plugins.information.gain import information_gain
    from kl_plugins.information.report import InformationGain
    from kl_plugins.mixtures.bounds import KLBounds, kl_bounds
    from kl_plugins.mixtures.mixing import mixture
    from kl_plugins.pairwise import pairwise_kl
    from kl_plugins.posteriors.summary import GaussianSummary, gaussian

__version__ = "0.2.0"

__all__ = [
    "Autoregressive",
    "Banded",
    "BlockDiagonal",
    "Cholesky",
    "ConditionalAutoregressive",
    "Dense",
    "Diagonal",
    "EstimateWarning",
    "Explanation",
    "GaussianSummary",
    "InformationGain",
    "Isotropic",
    "KLBounds",
    "KLEstimate",
    "Kronecker",
    "LowRank",
    "MultivariateNormal",
    "NoClosedFormError",
    "NoClosedFormWarning",
    "Precision",
    "ZeroSum",
    "cross_entropy",
    "draws",
    "entropy",
    "estimate_kl",
    "explain",
    "gaussian",
    "independent",
    "information_gain",
    "jeffreys",
    "kl",
    "kl_bounds",
    "mixture",
    "pairwise_kl",
    "register_kl",
]

_HOMES = {
    "Autoregressive": "covariance.markov",
    "Banded": "covariance.banded",
    "BlockDiagonal": "covariance.block_diagonal",
    "Cholesky": "covariance.full",
    "ConditionalAutoregressive": "covariance.conditional_autoregressive",
    "Dense": "covariance.full",
    "Diagonal": "covariance.axis_aligned",
    "Isotropic": "covariance.axis_aligned",
    "GaussianSummary": "posteriors.summary",
    "InformationGain": "information.report",
    "KLBounds": "mixtures.bounds",
    "KLEstimate": "estimate.result",
    "Kronecker": "covariance.kronecker",
    "LowRank": "covariance.low_rank",
    "MultivariateNormal": "families.multivariate_normal",
    "Precision": "covariance.precision",
    "ZeroSum": "covariance.zero_sum",
    "draws": "estimate.draws.sample",
    "estimate_kl": "estimate.estimation",
    "gaussian": "posteriors.summary",
    "information_gain": "information.gain",
    "kl_bounds": "mixtures.bounds",
    "mixture": "mixtures.mixing",
    "pairwise_kl": "pairwise",
}
"""The modules of the names that are imported when first asked for, which keeps `import kl_plugins` light."""

_ROOMS = ("extend", "families", "priors", "variational")
"""Packages that are here without being imported by name."""


if not TYPE_CHECKING:  # to a checker every name would be here

    def __getattr__(name: str) -> Any:
        if name in _ROOMS:
            return import_module(f"{__name__}.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS, "__version__"])
