"""What PyMC, and PreliZ after it, call parameters that families of ours call otherwise."""

from __future__ import annotations

from collections.abc import Mapping

Words = Mapping[str, str | tuple[str, str]]
"""Another library's names by ours, with the meaning where it takes more than a name."""

pymc_words: dict[str, Words] = {
    "AutoRegressiveRV": {"coefficients": "rho", "scales": "sigma", "mean": "rho"},
    "AsymmetricLaplaceRV": {"loc": "mu", "scale": ("scale", "1/b")},
    "BetaRV": {"a": "alpha", "b": "beta"},
    "CARRV": {"mean": "mu"},
    "CauchyRV": {"loc": "alpha", "scale": "beta"},
    "DiracDeltaRV": {"loc": "c"},
    "DirichletRV": {"concentration": "a"},
    "DiscreteUniformRV": {"n": ("upper − lower + 1", "the number of outcomes"), "loc": "lower"},
    "ExponentialRV": {"scale": ("scale", "1/lam")},
    "GammaRV": {"concentration": "alpha", "scale": ("scale", "1/beta")},
    "GumbelRV": {"loc": "mu", "scale": "beta"},
    "HalfCauchyRV": {"scale": "beta"},
    "HalfNormalRV": {"scale": "sigma"},
    "HalfStudentTRV": {"df": ("nu", "the degrees of freedom")},
    "HyperGeometricRV": {"good": "k", "bad": ("bad", "N − k"), "draws": "n"},
    "_HurdleRV": {"weight": "psi"},
    "InvGammaRV": {"concentration": "alpha", "scale": "beta"},
    "KumaraswamyRV": {"power": "a"},
    "LaplaceRV": {"loc": "mu", "scale": "b"},
    "LKJCorrRV": {"concentration": "eta", "dimension": "n"},
    "_LKJCholeskyCovRV": {"concentration": "eta", "dimension": "n", "scales": "sd_dist"},
    "LogNormalRV": {"mean": "mu", "scale": "sigma"},
    "LogisticRV": {"loc": "mu", "scale": "s"},
    "LogitNormal": {"mean": "mu", "std": "sigma"},
    "MoyalRV": {"loc": "mu", "scale": "sigma"},
    "MvNormalRV": {"mean": "mu", "covariance": "cov"},
    "MvStudentTRV": {"df": ("nu", "the degrees of freedom"), "mean": "mu", "covariance": "scale"},
    "NormalRV": {"mean": "mu", "scale": "sigma"},
    "ParetoRV": {"scale": "m"},
    "PoissonRV": {"mean": "mu"},
    "RandomWalkRV": {"scales": "sigma", "mean": "mu"},
    "SkewStudentTRV": {"loc": "mu", "scale": ("scale", "sigma·√(a + b)")},
    "StickBreakingWeightsRV": {"concentration": "alpha", "breaks": "K"},
    "StudentTRV": {"df": ("nu", "the degrees of freedom"), "loc": "mu"},
    "TriangularRV": {"mode": "c", "loc": "lower"},
    "TruncatedNormalRV": {"loc": "mu", "scale": "sigma"},
    "UniformRV": {"loc": "lower"},
    "VonMisesRV": {"concentration": "kappa", "loc": "mu"},
    "WaldRV": {"mean": "mu", "shape": "lam"},
    "WeibullBetaRV": {"power": "alpha", "scale": "beta"},
    "WishartRV": {"df": "nu", "scale": "V"},
    "ZeroSumNormalRV": {"scale": "sigma"},
}
"""By the class of the random variable's operation."""
