"""Gradients of pairs of families at and near the ends of domains: no NaN, and the differences of values."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from graphs import AS_WRITTEN, value
from kl_plugins import kl

pytestmark = pytest.mark.filterwarnings("error")

SHIFTED = [-30.0, -0.5, 0.0, 0.3, 0.5, 1.0, 1.5, 20.0]
# The pair made of its parameters; columns of numbers for these. Points at which a density has a kink where
# the other's mean, peak or end is, and locations inside and outside of supports, are among them.
PAIRS = {
    "Beta, Laplace": (
        lambda a, b, m, s: (pm.Beta.dist(a, b), pm.Laplace.dist(m, s)),
        [(2.0, 3.0, x, 1.0) for x in (-0.5, 0.4, 1.5)] + [(0.5, 0.3, -1.0, 0.1)],
    ),
    "Beta, AsymmetricLaplace": (
        lambda a, b, m, k: (pm.Beta.dist(a, b), pm.AsymmetricLaplace.dist(kappa=k, mu=m, b=0.7)),
        [(2.0, 0.4, x, 1.3) for x in (-0.5, 0.0, 0.3, 20.0)],
    ),
    "Exponential, Laplace": (
        lambda r, m, s: (pm.Exponential.dist(r), pm.Laplace.dist(m, s)),
        [(2.0, x, 0.7) for x in SHIFTED] + [(1.0, 1.0, 1.0), (50.0, 3.0, 0.1), (0.01, 3.0, 9.0)],
    ),
    "Gamma, AsymmetricLaplace": (
        lambda a, r, m, k: (pm.Gamma.dist(a, r), pm.AsymmetricLaplace.dist(kappa=k, mu=m, b=2.0)),
        [(1.5, 3.0, x, 0.6) for x in SHIFTED]
        + [(0.5, 0.5, 1.0, 1.3), (30.0, 2.0, 14.0, 1.2), (300.0, 2.0, 151.0, 1.2)],
    ),
    "AsymmetricLaplace, Laplace": (
        lambda k, m, n, s: (pm.AsymmetricLaplace.dist(kappa=k, mu=m, b=1.0), pm.Laplace.dist(n, s)),
        [(1.4, 0.3, x, 0.8) for x in SHIFTED],
    ),
    "Logistic, Laplace": (
        lambda m, s, n, t: (pm.Logistic.dist(m, s), pm.Laplace.dist(n, t)),
        [(0.3, 1.2, x, 0.8) for x in SHIFTED],
    ),
    "Uniform, Wald": (
        lambda low, high, m, shape: (pm.Uniform.dist(low, high), pm.Wald.dist(m, shape)),
        [(0.3, 1.5, 2.0, 1.0), (1.0, 1.0 + 1e-3, 0.4, 7.0), (0.8, 300.0, 30.0, 0.2)],
    ),
    "Triangular, Wald": (
        lambda low, mode, high, m: (pm.Triangular.dist(low, high, mode), pm.Wald.dist(m, 2.0)),
        [(0.3, 1.1, 1.5, 2.0), (1.0, 2.0, 90.0, 5.0), (2.0, 2.001, 2.005, 1.0)],
    ),
    "TruncatedNormal, TruncatedNormal": (
        lambda m, s, n, t: (
            pm.TruncatedNormal.dist(m, s, lower=-1.0),
            pm.TruncatedNormal.dist(n, t, lower=-1.0),
        ),
        [(0.3, 1.2, 0.3, 1.2), (0.3, 1.2, 0.4, 1.1), (-20.0, 2.0, 3.0, 5.0), (40.0, 1.0, 41.0, 2.0)],
    ),
    "Gumbel, Laplace": (
        lambda m, s, n, t: (pm.Gumbel.dist(m, s), pm.Laplace.dist(n, t)),
        [(0.3, 0.2, 0.5, 0.9), (10.0, 1e-4, 1.5, 1.3), (-2.0, 3.0, 1.0, 2.0)],
    ),
    "Logistic, Gumbel": (
        lambda m, s, n, t: (pm.Logistic.dist(m, s), pm.Gumbel.dist(n, t)),
        [(0.3, 0.2, 0.5, 0.9), (5.0, 0.1, -3.0, 2.0)],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.filterwarnings("ignore:(divide|invalid|overflow|underflow):RuntimeWarning")
def test_gradients_are_the_differences_of_values(name):
    """Where the two one-sided differences agree; nowhere is one NaN."""
    make, points = PAIRS[name]
    columns = np.array(points).T
    parameters = [pt.dvector() for _ in columns]
    graph = kl(*make(*parameters))
    gradients = pytensor.grad(graph.sum(), parameters)
    found = pytensor.function(parameters, [graph, *gradients], mode=AS_WRITTEN)
    only = pytensor.function(parameters, graph, mode=AS_WRITTEN)
    here, *slopes = found(*columns)
    assert np.isfinite(here).all()
    assert np.isfinite(slopes).all()
    for i, slope in enumerate(slopes):
        step = 1e-5 * np.maximum(np.abs(columns[i]), 1e-2)
        ends = []
        for sign in (1.0, -1.0):
            moved = columns.copy()
            moved[i] = moved[i] + sign * step
            ends.append(only(*moved))
        forward, backward = (ends[0] - here) / step, (here - ends[1]) / step
        with np.errstate(invalid="ignore"):
            smooth = np.isfinite(ends).all(0) & (np.abs(forward - backward) <= 1e-2 * np.abs(forward) + 1e-4)
        assert smooth.sum() >= len(points) / 2
        scale = np.abs(slope) + 1e-3 + 1e-8 * np.abs(here) / step
        assert (np.abs(slope - 0.5 * (forward + backward)) <= 1e-4 * scale)[smooth].all()


@pytest.mark.parametrize(
    ("make", "fisher"),
    [
        (pm.Normal.dist, lambda s: 1.0 / s**2),
        (pm.Laplace.dist, lambda s: 1.0 / s**2),
        (pm.Logistic.dist, lambda s: 1.0 / (3.0 * s**2)),
        (pm.Cauchy.dist, lambda s: 0.5 / s**2),
        (pm.Gumbel.dist, lambda s: 1.0 / s**2),
    ],
)
def test_second_derivative_by_equal_locations_is_fishers_information(make, fisher):
    """Of either side, though |Δ| bends there."""
    location, other, scale = pt.dscalars("location", "other", "scale")
    bends = []
    for pair in ((location, other), (other, location)):
        graph = kl(*[make(x, scale) for x in pair])
        bends.append(pytensor.grad(pytensor.grad(graph, location), location))
    point = {location: 0.3, other: 0.3, scale: 1.7}
    np.testing.assert_allclose(value(bends, point), [fisher(1.7)] * 2, rtol=1e-7)


def test_expectations_of_constants_may_be_infinite():
    """Where every parameter is a constant no graph computes, and E[1/X] diverges."""
    assert value(kl(pm.Exponential.dist(2), pm.Wald.dist(1, 1))) == np.inf
    assert value(kl(pm.Exponential.dist(2), pm.InverseGamma.dist(1, 1))) == np.inf


def test_moments_that_no_float_can_shift():
    """The trigamma function of −10¹² would be summed for hours."""
    shape = pt.dscalar("shape")
    divergence = kl(pm.Weibull.dist(shape, 1.0), pm.InverseGamma.dist(2.0, 1.0))
    assert value(divergence, {shape: 1e-12}) == np.inf
