"""All that a family, a covariance structure, a rule or a plugin of one's own needs to import.

The library's own families and structures are here too, by the names of their classes: they are imported when
the first of them is asked for; ``dir(kl_plugins.extend)`` lists them.

The domains of parameters are intervals:

* ``REAL``: (−∞, ∞)
* ``EXTENDED_REAL``: [−∞, ∞]
* ``POSITIVE``: (0, ∞)
* ``NON_NEGATIVE``: [0, ∞)
* ``PROBABILITY``: [0, 1]
* ``COUNT``: the whole numbers of [0, ∞)
* any other: ``Domain(low, high)``, closed and of whole numbers where it says so
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from kl_plugins.covariance.base import Covariance, log_det_divergences
from kl_plugins.errors import NoClosedFormError
from kl_plugins.estimate.density import Density, density_of
from kl_plugins.extend.check import check_family
from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.multivariate import Multivariate
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expectation, expects
from kl_plugins.families.core.statistics import (
    Absolute,
    Exp,
    Identity,
    Log,
    Log1m,
    Log1p,
    Log1pSquare,
    LogSquare,
    Power,
    Softplus,
    Square,
    Statistic,
)
from kl_plugins.formulas.shared import scale_divergence
from kl_plugins.matching import register_kl
from kl_plugins.ops.protocol import ArrayOperations, Operations
from kl_plugins.parameters.declarations import (
    COUNT,
    EXTENDED_REAL,
    NON_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    REAL,
    Domain,
    constant,
    parameter,
    part,
)
from kl_plugins.parameters.parametrised import Parametrised
from kl_plugins.parameters.shapes import broadcast_shapes
from kl_plugins.recognition import recognise
from kl_plugins.rules import load_all

if TYPE_CHECKING:
    from kl_plugins.covariance.axis_aligned import AxisAligned as AxisAligned
    from kl_plugins.covariance.axis_aligned import Diagonal as Diagonal
    from kl_plugins.covariance.axis_aligned import DiagonalScales as DiagonalScales
    from kl_plugins.covariance.axis_aligned import Isotropic as Isotropic
    from kl_plugins.covariance.banded import Banded as Banded
    from kl_plugins.covariance.block_diagonal import BlockDiagonal as BlockDiagonal
    from kl_plugins.covariance.composite import Composite as Composite
    from kl_plugins.covariance.conditional_autoregressive import (
        ConditionalAutoregressive as ConditionalAutoregressive,
    )
    from kl_plugins.covariance.eigendecomposition import Eigendecomposition as Eigendecomposition
    from kl_plugins.covariance.full import Cholesky as Cholesky
    from kl_plugins.covariance.full import Dense as Dense
    from kl_plugins.covariance.full import Full as Full
    from kl_plugins.covariance.kronecker import Kronecker as Kronecker
    from kl_plugins.covariance.low_rank import LowRank as LowRank
    from kl_plugins.covariance.markov import Autoregressive as Autoregressive
    from kl_plugins.covariance.markov import Markov as Markov
    from kl_plugins.covariance.precision import Precision as Precision
    from kl_plugins.covariance.singular import Singular as Singular
    from kl_plugins.covariance.zero_sum import ZeroSum as ZeroSum
    from kl_plugins.families.argus import Argus as Argus
    from kl_plugins.families.beta import Beta as Beta
    from kl_plugins.families.beta_negative_binomial import BetaNegativeBinomial as BetaNegativeBinomial
    from kl_plugins.families.beta_prime import BetaPrime as BetaPrime
    from kl_plugins.families.binomial import Binomial as Binomial
    from kl_plugins.families.birnbaum_saunders import BirnbaumSaunders as BirnbaumSaunders
    from kl_plugins.families.bradford import Bradford as Bradford
    from kl_plugins.families.categorical import Categorical as Categorical
    from kl_plugins.families.categorical import Multinomial as Multinomial
    from kl_plugins.families.censored import Censored as Censored
    from kl_plugins.families.core.images import Image as Image
    from kl_plugins.families.core.images import OfBase as OfBase
    from kl_plugins.families.core.univariate import Univariate as Univariate
    from kl_plugins.families.dirichlet import Dirichlet as Dirichlet
    from kl_plugins.families.discrete_exponential import Boltzmann as Boltzmann
    from kl_plugins.families.discrete_exponential import DiscreteLaplace as DiscreteLaplace
    from kl_plugins.families.discrete_exponential import LogSeries as LogSeries
    from kl_plugins.families.discrete_weibull import DiscreteWeibull as DiscreteWeibull
    from kl_plugins.families.exponentiated_weibull import ExponentiatedWeibull as ExponentiatedWeibull
    from kl_plugins.families.gamma import GeneralizedGamma as GeneralizedGamma
    from kl_plugins.families.gamma import Weibull as Weibull
    from kl_plugins.families.generalized_logistic import GeneralizedBetaPrime as GeneralizedBetaPrime
    from kl_plugins.families.generalized_logistic import GeneralizedLogistic as GeneralizedLogistic
    from kl_plugins.families.gompertz import Gompertz as Gompertz
    from kl_plugins.families.half_student_t import HalfCauchy as HalfCauchy
    from kl_plugins.families.half_student_t import HalfStudentT as HalfStudentT
    from kl_plugins.families.half_student_t import Halved as Halved
    from kl_plugins.families.hurdle import Hurdle as Hurdle
    from kl_plugins.families.hypergeometric import BetaBinomial as BetaBinomial
    from kl_plugins.families.hypergeometric import Hypergeometric as Hypergeometric
    from kl_plugins.families.independent import Independent as Independent
    from kl_plugins.families.inverse_gaussian import InverseGaussian as InverseGaussian
    from kl_plugins.families.laplace import AsymmetricLaplace as AsymmetricLaplace
    from kl_plugins.families.laplace import DoubleExponential as DoubleExponential
    from kl_plugins.families.laplace import Laplace as Laplace
    from kl_plugins.families.lkj import LKJ as LKJ
    from kl_plugins.families.lkj_covariance import LKJCovariance as LKJCovariance
    from kl_plugins.families.log_gamma import LogGamma as LogGamma
    from kl_plugins.families.log_transformed import LogLaplace as LogLaplace
    from kl_plugins.families.log_transformed import LogLogistic as LogLogistic
    from kl_plugins.families.log_transformed import LogNormal as LogNormal
    from kl_plugins.families.log_transformed import LogTransformed as LogTransformed
    from kl_plugins.families.log_uniform import LogUniform as LogUniform
    from kl_plugins.families.logistic import HyperbolicSecant as HyperbolicSecant
    from kl_plugins.families.logistic import Logistic as Logistic
    from kl_plugins.families.logit_normal import LogitNormal as LogitNormal
    from kl_plugins.families.matrix_normal import MatrixNormal as MatrixNormal
    from kl_plugins.families.matrix_t import MatrixT as MatrixT
    from kl_plugins.families.mixture import Mixture as Mixture
    from kl_plugins.families.multivariate_normal import MultivariateNormal as MultivariateNormal
    from kl_plugins.families.multivariate_t import MultivariateT as MultivariateT
    from kl_plugins.families.named import NamedMultivariateNormal as NamedMultivariateNormal
    from kl_plugins.families.negative_binomial import NegativeBinomial as NegativeBinomial
    from kl_plugins.families.noncentral_hypergeometric import FisherHypergeometric as FisherHypergeometric
    from kl_plugins.families.noncentral_hypergeometric import (
        WalleniusHypergeometric as WalleniusHypergeometric,
    )
    from kl_plugins.families.normal import Normal as Normal
    from kl_plugins.families.normal_inverse_gamma import NormalInverseGamma as NormalInverseGamma
    from kl_plugins.families.pareto import Pareto as Pareto
    from kl_plugins.families.point_masses import PointMasses as PointMasses
    from kl_plugins.families.poisson import Poisson as Poisson
    from kl_plugins.families.poisson_binomial import PoissonBinomial as PoissonBinomial
    from kl_plugins.families.power_normal import PowerLogNormal as PowerLogNormal
    from kl_plugins.families.power_normal import PowerNormal as PowerNormal
    from kl_plugins.families.reciprocals import Reciprocal as Reciprocal
    from kl_plugins.families.sinh_transformed import SinhTransformed as SinhTransformed
    from kl_plugins.families.skellam import Skellam as Skellam
    from kl_plugins.families.skew_cauchy import SkewCauchy as SkewCauchy
    from kl_plugins.families.stick_breaking import StickBreaking as StickBreaking
    from kl_plugins.families.student_t import Cauchy as Cauchy
    from kl_plugins.families.student_t import HeavyTailed as HeavyTailed
    from kl_plugins.families.student_t import StudentT as StudentT
    from kl_plugins.families.symmetrised import Symmetrised as Symmetrised
    from kl_plugins.families.trapezoid import Trapezoid as Trapezoid
    from kl_plugins.families.triangular import Triangular as Triangular
    from kl_plugins.families.truncated import TruncatedLogNormal as TruncatedLogNormal
    from kl_plugins.families.truncated_counts import TruncatedCounts as TruncatedCounts
    from kl_plugins.families.truncated_exponential import TruncatedExponential as TruncatedExponential
    from kl_plugins.families.truncated_exponential import TruncatedPareto as TruncatedPareto
    from kl_plugins.families.truncated_exponential import TruncatedWeibull as TruncatedWeibull
    from kl_plugins.families.truncated_normal import TruncatedNormal as TruncatedNormal
    from kl_plugins.families.uniform import Uniform as Uniform
    from kl_plugins.families.uniform_integers import Dirac as Dirac
    from kl_plugins.families.uniform_integers import DiscreteUniform as DiscreteUniform
    from kl_plugins.families.urn_counts import DirichletMultinomial as DirichletMultinomial
    from kl_plugins.families.urn_counts import MultivariateHypergeometric as MultivariateHypergeometric
    from kl_plugins.families.urn_counts import UrnCounts as UrnCounts
    from kl_plugins.families.vector_series import VectorSeries as VectorSeries
    from kl_plugins.families.von_mises import VonMises as VonMises
    from kl_plugins.families.von_mises import VonMisesLine as VonMisesLine
    from kl_plugins.families.von_mises_fisher import VonMisesFisher as VonMisesFisher
    from kl_plugins.families.wishart import InverseWishart as InverseWishart
    from kl_plugins.families.wishart import Wishart as Wishart
    from kl_plugins.families.wishart import WishartLike as WishartLike
    from kl_plugins.families.wrapped_cauchy import WrappedCauchy as WrappedCauchy
    from kl_plugins.families.zero_inflated import ZeroInflated as ZeroInflated
    from kl_plugins.families.zero_sum_normal import ZeroSumNormal as ZeroSumNormal
    from kl_plugins.families.zipf import Zipf as Zipf
    from kl_plugins.families.zipf import Zipfian as Zipfian

__all__ = [
    "COUNT",
    "EXTENDED_REAL",
    "NON_NEGATIVE",
    "POSITIVE",
    "PROBABILITY",
    "REAL",
    "Absolute",
    "AffineMap",
    "ArrayOperations",
    "Continuous",
    "Covariance",
    "Density",
    "Discrete",
    "Distribution",
    "Domain",
    "Exp",
    "Identity",
    "Log",
    "Log1m",
    "Log1p",
    "Log1pSquare",
    "LogDensity",
    "LogSquare",
    "Multivariate",
    "NoClosedFormError",
    "Operations",
    "Power",
    "Softplus",
    "Square",
    "Statistic",
    "broadcast_shapes",
    "by_statistics",
    "check_family",
    "closed_form",
    "constant",
    "density_of",
    "expectation",
    "expects",
    "from_pymc",
    "from_scipy",
    "log_det_divergences",
    "parameter",
    "part",
    "recognise",
    "register_kl",
    "scale_divergence",
]


@cache
def _by_name() -> dict[str, type]:
    """The library's families and structures by the names of their classes."""
    folders = ("kl_plugins.families", "kl_plugins.covariance")
    for folder in folders:
        load_all(folder)
    found, new = set[type](), {Parametrised}
    while new:
        found |= new
        new = {kind for base in new for kind in base.__subclasses__()}
    ours = [kind for kind in found if kind.__module__.startswith(folders)]
    return {kind.__name__: kind for kind in ours if not kind.__name__.startswith("_")}


if not TYPE_CHECKING:  # to a checker every name would be here

    def __getattr__(name: str) -> Any:
        if not name[:1].isupper() or name not in _by_name():
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return _by_name()[name]


def __dir__() -> list[str]:
    return sorted({*__all__, *_by_name()})
