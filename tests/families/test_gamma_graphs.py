"""Gamma variables as PyMC's random variables: values and gradients of the graphs."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from kl_plugins import entropy, kl

# Random variables of the parameters (a, b, c), and the same in SciPy.
PAIRS = {
    "Gamma, Gamma": (
        lambda a, b, c: (pm.Gamma.dist(a, b), pm.Gamma.dist(c, 2.0)),
        lambda a, b, c: (stats.gamma(a, scale=1 / b), stats.gamma(c, scale=0.5)),
    ),
    "Weibull, Weibull": (
        lambda a, b, c: (pm.Weibull.dist(a, b), pm.Weibull.dist(c, 2.0)),
        lambda a, b, c: (stats.weibull_min(a, scale=b), stats.weibull_min(c, scale=2.0)),
    ),
    "Gamma, Weibull": (
        lambda a, b, c: (pm.Gamma.dist(a, b), pm.Weibull.dist(c, 2.0)),
        lambda a, b, c: (stats.gamma(a, scale=1 / b), stats.weibull_min(c, scale=2.0)),
    ),
    "InverseGamma, HalfNormal": (
        lambda a, b, c: (pm.InverseGamma.dist(a, b), pm.HalfNormal.dist(c)),
        lambda a, b, c: (stats.invgamma(a, scale=b), stats.halfnorm(scale=c)),
    ),
    "Gumbel, Gumbel": (
        lambda a, b, c: (pm.Gumbel.dist(a, b), pm.Gumbel.dist(c, 2.0)),
        lambda a, b, c: (stats.gumbel_r(a, b), stats.gumbel_r(c, 2.0)),
    ),
    "Normal, Gumbel": (
        lambda a, b, c: (pm.Normal.dist(a, b), pm.Gumbel.dist(c, 2.0)),
        lambda a, b, c: (stats.norm(a, b), stats.gumbel_r(c, 2.0)),
    ),
    "Exponential, ChiSquared": (
        lambda a, b, c: (pm.Exponential.dist(a * b), pm.ChiSquared.dist(c)),
        lambda a, b, c: (stats.expon(scale=1 / (a * b)), stats.chi2(c)),
    ),
    "Moyal, Normal": (
        lambda a, b, c: (pm.Moyal.dist(a, b), pm.Normal.dist(c, 2.0)),
        lambda a, b, c: (stats.moyal(a, b), stats.norm(c, 2.0)),
    ),
}
POINT = (4.1, 3.0, 2.7)
STEP = 1e-5


@pytest.fixture(scope="module")
def graphs():
    """Value and gradient of every pair, compiled at once."""
    inputs = pt.dscalars("a", "b", "c")
    outputs = []
    for make, _ in PAIRS.values():
        p, q = make(*inputs)
        value = kl(p, q)
        assert value.type.dtype == "float64"
        outputs += [value, *pytensor.grad(value, inputs)]
    found = pytensor.function(inputs, outputs, mode="FAST_COMPILE")(*POINT)
    return dict(zip(PAIRS, np.reshape(found, (len(PAIRS), 4)), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients(graphs, name):
    frozen = PAIRS[name][1]

    def at(*point):
        return kl(*frozen(*point))

    differences = []
    for i, x in enumerate(POINT):
        up, down = ([*POINT[:i], x + sign * STEP, *POINT[i + 1 :]] for sign in (1, -1))
        differences.append((at(*up) - at(*down)) / (2 * STEP))
    assert graphs[name][0] == pytest.approx(at(*POINT), rel=1e-12)
    np.testing.assert_allclose(graphs[name][1:], differences, rtol=1e-6, atol=1e-7)


def test_sizes_and_entropies_of_random_variables():
    p, q = pm.Gamma.dist(2.0, 3.0, shape=(2, 3)), pm.Exponential.dist([1.0, 2.0, 3.0])
    value = kl(p, q)
    assert value.type.shape == (2, 3)
    exact = kl(stats.gamma(2.0, scale=1 / 3), stats.expon(scale=1 / np.array([1.0, 2.0, 3.0])))
    both = pytensor.function([], [value, entropy(p)], mode="FAST_COMPILE")()
    np.testing.assert_allclose(both[0], np.broadcast_to(exact, (2, 3)), rtol=1e-12)
    np.testing.assert_allclose(both[1], np.full((2, 3), stats.gamma(2.0, scale=1 / 3).entropy()), rtol=1e-12)


def test_parameters_out_of_their_domain_are_named():
    a = pt.dscalar("a")
    value = kl(stats.gamma(2.0), pm.Gamma.dist(a, 1.0))
    with pytest.raises(pm.logprob.utils.ParameterValueError, match=r"q: alpha \(the concentration\) must be"):
        value.eval({a: -1.0}, mode="FAST_COMPILE")
