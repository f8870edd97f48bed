"""The univariate families that typical members can be made of."""

NAMES = [
    *["AsymmetricLaplace", "Beta", "BetaBinomial", "BetaPrime", "Binomial", "Boltzmann", "Cauchy", "Dirac"],
    *[
        "DiscreteLaplace",
        "DiscreteUniform",
        "GeneralizedGamma",
        "Gompertz",
        "HalfCauchy",
        "HalfStudentT",
        "Pareto",
    ],
    *["HyperbolicSecant", "Hypergeometric", "InverseGaussian", "Laplace", "LogGamma", "LogSeries", "Poisson"],
    *["LogUniform", "Logistic", "LogitNormal", "NegativeBinomial", "Normal", "StudentT", "Triangular"],
    *["TruncatedNormal", "Uniform", "VonMisesLine", "Weibull"],
    *[
        "Argus",
        "Bradford",
        "GeneralizedLogistic",
        "SkewCauchy",
        "Trapezoid",
        "TruncatedExponential",
        "WrappedCauchy",
    ],
]
