"""One distribution of every name of SciPy and PyMC that is understood, for the tables of the reference.

The members of one tuple are the same distribution, by its different names. Supports start at 0 and intervals
are (0, 1), so that pairs with something in common have finite divergences; most moments are finite that
another's log density may ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from kl_plugins import (
    Autoregressive,
    Banded,
    BlockDiagonal,
    Cholesky,
    ConditionalAutoregressive,
    Dense,
    Diagonal,
    Isotropic,
    Kronecker,
    LowRank,
    Precision,
    ZeroSum,
)
from kl_plugins.extend import Covariance, Eigendecomposition, Singular  # type: ignore[attr-defined]

CONTINUOUS: dict[str, list[tuple[str, ...]]] = {
    "on the real line": [
        ("stats.norm(0.2, 1.1)", "pm.Normal.dist(0.2, 1.1)"),
        ("stats.gumbel_r(0.1, 0.4)", "pm.Gumbel.dist(0.1, 0.4)"),
        ("stats.gumbel_l(0.1, 0.4)",),
        ("stats.loggamma(4.0, 0.1, 0.4)",),
        ("stats.moyal(0.1, 0.1)", "pm.Moyal.dist(0.1, 0.1)"),
        ("stats.laplace(0.1, 0.3)", "pm.Laplace.dist(0.1, 0.3)"),
        ("stats.laplace_asymmetric(1.5, 0.1, 0.2)", "pm.AsymmetricLaplace.dist(kappa=1.5, mu=0.1, b=5.0)"),
        ("stats.logistic(0.1, 0.2)", "pm.Logistic.dist(0.1, 0.2)"),
        ("stats.genlogistic(1.3, 0.1, 0.2)",),
        ("stats.hypsecant(0.1, 0.2)",),
        ("stats.cauchy(0.1, 0.5)", "pm.Cauchy.dist(0.1, 0.5)"),
        ("stats.t(9.0, 0.1, 0.5)", "pm.StudentT.dist(9.0, mu=0.1, sigma=0.5)"),
        ("stats.jf_skew_t(4.0, 5.0, 0.1, 0.5)", "pm.SkewStudentT.dist(4.0, 5.0, mu=0.1, sigma=0.5)"),
        ("stats.johnsonsu(0.3, 1.5, 0.1, 0.5)",),
        ("stats.gennorm(1.5, 0.1, 0.5)",),
        ("stats.dgamma(1.5, 0.1, 0.2)",),
        ("stats.dweibull(1.5, 0.1, 0.3)",),
        ("stats.skewcauchy(0.3, 0.1, 0.5)",),
        ("stats.powernorm(2.0, 0.2, 1.1)",),
    ],
    "positive": [
        ("stats.gamma(5.0, scale=0.4)", "pm.Gamma.dist(5.0, 2.5)"),
        ("stats.expon(scale=0.8)", "pm.Exponential.dist(1.25)"),
        ("stats.chi2(11)", "pm.ChiSquared.dist(11)"),
        ("stats.erlang(5, scale=0.3)",),
        ("stats.chi(7)",),
        ("stats.rayleigh(scale=0.8)",),
        ("stats.maxwell(scale=0.8)",),
        ("stats.halfnorm(scale=1.2)", "pm.HalfNormal.dist(1.2)"),
        ("stats.foldnorm(0.0, scale=0.9)",),
        ("stats.nakagami(3.2)",),
        ("stats.gengamma(5.0, 1.2)",),
        ("stats.halfgennorm(1.4)",),
        ("stats.weibull_min(2.2, scale=1.3)", "pm.Weibull.dist(2.2, 1.3)"),
        ("stats.invgamma(6.5, scale=2.0)", "pm.InverseGamma.dist(6.5, 2.0)"),
        ("stats.invweibull(5.5)",),
        ("stats.levy()",),
        ("stats.gompertz(0.7)",),
        ("stats.lognorm(0.5)", "pm.LogNormal.dist(0.0, 0.5)"),
        ("stats.gibrat()",),
        ("stats.fisk(9.0)",),
        ("stats.loglaplace(9.0)",),
        ("stats.burr(9.0, 0.8)",),
        ("stats.burr12(9.0, 1.2)",),
        ("stats.mielke(8.0, 9.0)",),
        ("stats.powerlognorm(2.0, 0.5)",),
        ("stats.exponweib(1.5, 1.2)",),
        ("stats.fatiguelife(0.5)",),
        ("stats.alpha(2.0)",),
        ("stats.invgauss(1.2)", "pm.Wald.dist(1.2, 1.0)"),
        ("stats.wald()",),
        ("stats.recipinvgauss(1.2)",),
        ("stats.betaprime(5.0, 9.0)",),
        ("stats.f(8.0, 10.0, scale=0.8)",),
        ("stats.lomax(7.0)",),
        ("stats.genpareto(0.15)",),
        ("stats.halfcauchy(scale=0.8)", "pm.HalfCauchy.dist(0.8)"),
        ("pm.HalfStudentT.dist(9.0, 0.8)",),
    ],
    "from or up to a bound": [
        ("stats.pareto(7.0)", "pm.Pareto.dist(7.0, 1.0)"),
        ("stats.pearson3(0.8)",),
        ("stats.genextreme(-0.1)",),
        ("stats.weibull_max(2.2)",),
        ("stats.levy_l()",),
    ],
    "on an interval": [
        ("stats.uniform()", "pm.Uniform.dist(0.0, 1.0)"),
        ("stats.beta(3.2, 4.1)", "pm.Beta.dist(3.2, 4.1)"),
        ("stats.powerlaw(3.3)",),
        ("stats.arcsine()",),
        ("stats.rdist(3.2, 0.5, 0.5)",),
        ("stats.semicircular(0.5, 0.5)",),
        ("pm.Kumaraswamy.dist(2.2, 3.1)",),
        ("stats.triang(0.3)", "pm.Triangular.dist(lower=0.0, upper=1.0, c=0.3)"),
        ("stats.trapezoid(0.25, 0.75)",),
        ("stats.truncnorm(0.0, 1.0)", "pm.TruncatedNormal.dist(0.0, 1.0, lower=0.0, upper=1.0)"),
        ("stats.johnsonsb(-0.125, 1.25)", "pm.LogitNormal.dist(0.1, 0.8)"),
        ("stats.loguniform(0.1, 1.0)", "stats.reciprocal(0.1, 1.0)"),
        ("stats.bradford(2.0)",),
        ("stats.argus(2.5)",),
        ("stats.truncexpon(2.0, 0.0, 0.5)",),
        ("stats.truncpareto(1.5, 2.0, -1.0)",),
        ("stats.truncweibull_min(1.5, 0.0, 1.0)",),
    ],
    "on the circle": [
        ("stats.vonmises(2.0, 0.3)", "pm.VonMises.dist(0.3, 2.0)"),
        ("stats.vonmises_line(2.0, 0.3)",),
        ("stats.wrapcauchy(0.5)",),
    ],
}

DISCRETE: dict[str, list[tuple[str, ...]]] = {
    "finitely many outcomes": [
        ("stats.bernoulli(0.3)", "pm.Bernoulli.dist(0.3)"),
        ("stats.binom(5, 0.4)", "pm.Binomial.dist(5, 0.4)"),
        ("pm.ZeroInflatedBinomial.dist(0.7, 5, 0.4)",),
        ("stats.betabinom(5, 1.5, 2.5)", "pm.BetaBinomial.dist(1.5, 2.5, 5)"),
        ("stats.hypergeom(12, 5, 5)", "pm.HyperGeometric.dist(12, 5, 5)"),
        ("stats.nhypergeom(12, 5, 4)",),
        ("stats.nchypergeom_fisher(12, 5, 5, 1.5)",),
        ("stats.nchypergeom_wallenius(12, 5, 5, 1.5)",),
        ("stats.poisson_binom([0.2, 0.3, 0.5])",),
        ("stats.zipfian(1.2, 6)",),
        ("stats.randint(0, 6)", "pm.DiscreteUniform.dist(0, 5)"),
        ("stats.boltzmann(0.4, 6)",),
        ("pm.Categorical.dist([0.1, 0.2, 0.3, 0.4])",),
        ("pm.DiracDelta.dist(1.0)",),
        ("stats.rv_discrete(values=([0, 1, 2], [0.2, 0.3, 0.5]))",),
    ],
    "endlessly many outcomes": [
        ("stats.poisson(2.5)", "pm.Poisson.dist(2.5)"),
        ("stats.geom(0.3)", "pm.Geometric.dist(0.3)"),
        ("stats.nbinom(3, 0.4)", "pm.NegativeBinomial.dist(n=3, p=0.4)"),
        ("stats.planck(0.6)",),
        ("stats.logser(0.6)",),
        ("stats.dlaplace(0.8)",),
        ("stats.skellam(2.5, 1.5)",),
        ("stats.zipf(2.5)",),
        ("stats.betanbinom(3, 2.5, 1.5)",),
        ("stats.yulesimon(2.5)",),
        ("pm.DiscreteWeibull.dist(0.5, 1.2)",),
        ("pm.ZeroInflatedPoisson.dist(0.7, 2.5)",),
        ("pm.ZeroInflatedNegativeBinomial.dist(0.7, 4.5, 3.0)",),
        ("pm.HurdlePoisson.dist(0.7, 2.5)",),
        ("pm.HurdleNegativeBinomial.dist(0.7, 4.5, 3.0)",),
    ],
}

SEVERAL: dict[str, list[tuple[str, ...]]] = {
    "vectors": [
        (
            "stats.multivariate_normal([0.0, 1.0], [[1.0, 0.5], [0.5, 2.0]])",
            "pm.MvNormal.dist([0.0, 1.0], cov=[[1.0, 0.5], [0.5, 2.0]])",
        ),
        (
            "stats.multivariate_t([0.0, 1.0], [[1.0, 0.5], [0.5, 2.0]], 4.0)",
            "pm.MvStudentT.dist(nu=4.0, mu=[0.0, 1.0], scale=[[1.0, 0.5], [0.5, 2.0]])",
        ),
        (
            "pm.GaussianRandomWalk.dist(0.2, 0.8, init_dist=pm.Normal.dist(0.0, 1.0), steps=1)",
            "pm.AR.dist([0.2, 1.0], 0.8, init_dist=pm.Normal.dist(0.0, 1.0), steps=1, constant=True)",
        ),
        ("pm.ZeroSumNormal.dist(0.8, shape=2)",),
        ("pm.ICAR.dist(np.array([[0, 1], [1, 0]]), sigma=0.8, zero_sum_stdev=0.5)",),
        ("pm.CAR.dist([0.0, 1.0], W=[[0, 1], [1, 0]], alpha=0.5, tau=2.0)",),
        ("pm.KroneckerNormal.dist([0.0, 0.0], covs=[[[2.0]], [[1.0, 0.5], [0.5, 2.0]]])",),
        ("stats.multinomial(5, [0.2, 0.8])", "pm.Multinomial.dist(5, [0.2, 0.8])"),
        ("stats.dirichlet_multinomial([1.5, 2.5], 5)", "pm.DirichletMultinomial.dist(5, [1.5, 2.5])"),
        ("stats.multivariate_hypergeom([4, 6], 5)",),
        ("stats.dirichlet([1.5, 2.5])", "pm.Dirichlet.dist([1.5, 2.5])"),
        ("pm.StickBreakingWeights.dist(1.5, K=1)",),
        ("stats.normal_inverse_gamma(0.5, 2.0, 3.0, 1.5)",),
        ("stats.vonmises_fisher([0.6, 0.8], 2.0)",),
        ("stats.uniform_direction(2)",),
    ],
    "matrices": [
        (
            "stats.matrix_normal(np.zeros((2, 2)), np.diag([1.0, 2.0]), np.eye(2))",
            "pm.MatrixNormal.dist(np.zeros((2, 2)), rowcov=np.diag([1.0, 2.0]), colcov=np.eye(2))",
        ),
        ("stats.matrix_t(np.zeros((2, 2)), np.diag([1.0, 2.0]), np.eye(2), 4.0)",),
        (
            "stats.wishart(5, [[1.0, 0.5], [0.5, 2.0]])",
            "pm.Wishart.dist(nu=5, V=[[1.0, 0.5], [0.5, 2.0]])",
        ),
        ("stats.invwishart(5, [[1.0, 0.5], [0.5, 2.0]])",),
        ("pm.LKJCorr.dist(n=2, eta=2.0)",),
        ("pm.LKJCholeskyCov.dist(n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(1.2), compute_corr=False)",),
    ],
}

ALIASES = (
    "stats.Normal(mu=0.2, sigma=1.1)",
    "stats.Uniform(a=0.0, b=1.0)",
    "pm.OrderedLogistic.dist(0.0, cutpoints=[-1.0, 1.0])",
    "pm.OrderedMultinomial.dist(0.0, cutpoints=[-1.0, 1.0], n=5)",
    "pm.OrderedProbit.dist(0.0, cutpoints=[-1.0, 1.0])",
    "pm.Truncated.dist(pm.Normal.dist(), lower=0.0, upper=1.0)",
    "pm.Truncated.dist(pm.Poisson.dist(2.5), lower=1, upper=6)",
    "pm.HurdleGamma.dist(0.7, 5.0, 2.5)",
    "pm.HurdleLogNormal.dist(0.7, 0.0, 0.5)",
)
"""Other ways to the same families."""

UNIVARIATE = {**CONTINUOUS, **DISCRETE}


def name_of(expression: str) -> str:
    """What the library calls the distribution: ``gamma`` in SciPy, ``pm.Gamma`` in PyMC."""
    module, name, *_ = expression.partition("(")[0].split(".")
    return name if module == "stats" else f"{module}.{name}"


def made(expression: str) -> Any:
    """The distribution object that an expression makes."""
    if expression.startswith("stats."):
        return eval(expression, {"stats": stats, "np": np})
    import pymc as pm

    return eval(expression, {"pm": pm, "np": np})


def scipy_families() -> dict[str, Any]:
    """SciPy's univariate distributions that have a name there and parameters that are numbers, by that."""
    expressions = [one for rows in UNIVARIATE.values() for row in rows for one in row]
    named = {name_of(one): one for one in expressions if one.startswith("stats.") and "[" not in one}
    return {name: made(expression) for name, expression in named.items()}


_MATRIX = np.diag(np.arange(1.0, 13.0)) + 0.5
COVARIANCES: dict[str, Callable[[], Covariance]] = {
    "Isotropic": lambda: Isotropic(2.0, dim=12),
    "Diagonal": lambda: Diagonal(np.diagonal(_MATRIX)),
    "Dense": lambda: Dense(_MATRIX),
    "Cholesky": lambda: Cholesky(np.linalg.cholesky(_MATRIX)),
    "Precision": lambda: Precision(_MATRIX),
    "Banded": lambda: Banded([np.zeros(12), np.full(12, 2.0)]),
    "Autoregressive": lambda: Autoregressive(np.ones((12, 1)), np.ones(12)),
    "ConditionalAutoregressive": lambda: ConditionalAutoregressive(np.ones((12, 12)) - np.eye(12), 0.5, 1.0),
    "Eigendecomposition": lambda: Eigendecomposition(*np.linalg.eigh(_MATRIX)),
    "LowRank": lambda: LowRank(np.ones(12), np.ones((12, 1))),
    "Kronecker": lambda: Kronecker((Dense(_MATRIX[:3, :3]), Dense(_MATRIX[:4, :4]))),
    "BlockDiagonal": lambda: BlockDiagonal((Dense(_MATRIX[:6, :6]), Dense(_MATRIX[6:, 6:]))),
    "ZeroSum": lambda: ZeroSum(2.0, 12),
    "Singular": lambda: Singular(np.eye(12)[:, :3], Dense(_MATRIX[:3, :3])),
}
"""One covariance of 12 variables of each structure, with one column, two factors or two blocks."""
