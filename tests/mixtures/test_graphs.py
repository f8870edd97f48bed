"""Bounds of mixtures in graphs: the same values, gradients, and what is not valid."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.logprob.utils import ParameterValueError
from pytensor.compile.mode import Mode
from scipy import stats

from kl_plugins import NoClosedFormError, kl, kl_bounds, mixture

QUICK = Mode(linker="py", optimizer=None)
Q = mixture(stats.norm([-1.0, 2.0], [1.0, 1.5]), [0.5, 0.5])
VALUES = np.array([0.3, 0.7]), np.array([-2.0, 3.0]), np.array([1.0, 0.5])


def of_vectors(swapped=False):
    """Weights, means and standard deviations, and bounds: of the mixture from Q, or the reverse."""
    vectors = [pt.dvector(name) for name in ("w", "mu", "sd")]
    p = pm.NormalMixture.dist(vectors[0], vectors[1], vectors[2])
    return vectors, kl_bounds(Q, p) if swapped else kl_bounds(p, Q)


def number(w, mu, sd, swapped=False):
    p = mixture(stats.norm(mu, sd), w)
    return kl_bounds(Q, p) if swapped else kl_bounds(p, Q)


def test_values_are_those_of_numbers():
    vectors, found = of_vectors()
    function = pytensor.function(vectors, list(found), mode=QUICK)
    for values in (VALUES, ([1.0, 0.0], *VALUES[1:]), (VALUES[0], [-2e3, 3e3], VALUES[2])):
        np.testing.assert_allclose(function(*values), number(*map(np.array, values)), rtol=1e-12)
    assert np.isnan(function(VALUES[0], [np.nan, 3.0], VALUES[2])).all()
    three = np.array([0.2, 0.3, 0.5]), np.arange(3.0), np.ones(3)
    np.testing.assert_allclose(function(*three), number(*three), rtol=1e-12)
    for wrong, message in (
        (([0.3, 0.3], *VALUES[1:]), "p: weights must sum to 1"),
        (([1.3, -0.3], *VALUES[1:]), "p: weights must not be negative"),
        ((*VALUES[:2], [1.0, -1.0]), "p: .*must be positive"),
    ):
        with pytest.raises(ParameterValueError, match=message):
            function(*wrong)


OTHERS = {
    "vectors": (
        lambda: pm.Mixture.dist([0.3, 0.7], [pm.MvNormal.dist(m, np.eye(2)) for m in ([0, 0], [3, 0])]),
        mixture([stats.multivariate_normal([0, 0]), stats.multivariate_normal([3, 0])], [0.3, 0.7]),
        stats.multivariate_normal([1, 0], 2.0),
    ),
    "counts": (
        lambda: pm.Mixture.dist([0.3, 0.7], [pm.Poisson.dist(3), pm.Poisson.dist(9)]),
        mixture(stats.poisson([3, 9]), [0.3, 0.7]),
        stats.poisson(5),
    ),
    "unlike": (
        lambda: pm.Mixture.dist([0.3, 0.7], [pm.Normal.dist(0, 1), pm.Laplace.dist(5, 1)]),
        mixture([stats.norm(0, 1), stats.laplace(5, 1)], [0.3, 0.7]),
        stats.norm(3, 2),
    ),
    "a batch": (
        lambda: pm.NormalMixture.dist([0.3, 0.7], [-2.0, 3.0], [1.0, 0.5], shape=3),
        mixture(stats.norm(np.tile(VALUES[1], (3, 1)), VALUES[2]), VALUES[0]),
        Q,
    ),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name != "counts" else ()) for name in OTHERS]
)
def test_others_have_those_of_numbers(name):
    graph, numbers, q = OTHERS[name]
    found = pytensor.function([], list(kl_bounds(graph(), q)), mode=QUICK)()
    np.testing.assert_allclose(found, kl_bounds(numbers, q), rtol=1e-10)


@pytest.mark.slow
def test_zero_inflated_counts():
    """Sums over their outcomes, which bounds are, too."""
    assert kl(pm.ZeroInflatedBinomial.dist(0.4, 5, 0.3), stats.binom(5, 0.3)).eval(mode=QUICK) > 0.0
    q = stats.poisson(2.0)
    found = pytensor.function([], list(kl_bounds(pm.ZeroInflatedPoisson.dist(0.4, 2.0), q)), mode=QUICK)()
    k = np.arange(100)
    p = 0.4 * q.pmf(k) + 0.6 * (k == 0)
    np.testing.assert_allclose(found, np.sum(p * (np.log(p) - q.logpmf(k))), rtol=1e-12)
    hurdle = pm.HurdlePoisson.dist(0.4, 2.0)
    found = pytensor.function([], [*kl_bounds(hurdle, q), kl(hurdle, q)], mode=QUICK)()
    assert found[0] == found[1] == found[2] > 0.0


def test_symbolic_mixtures_are_refused_by_kl():
    mean = pt.dscalar()
    with pytest.raises(NoClosedFormError, match="kl_bounds has bounds, with gradients"):
        kl(pm.NormalMixture.dist([0.3, 0.7], [mean, 3.0], 1.0), pm.Normal.dist())
    one = kl(pm.NormalMixture.dist([1.0], [mean], [1.0]), pm.Normal.dist())
    assert one.eval({mean: 1.0}, mode=QUICK) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("swapped", [False, True])
def test_gradients_are_those_of_differences(swapped):
    vectors, found = of_vectors(swapped)
    gradients = [pt.grad(bound, vectors) for bound in found]
    function = pytensor.function(vectors, [*gradients[0], *gradients[1]], mode=QUICK)
    slopes = np.reshape(function(*VALUES), (2, 3, 2))
    for which in (1, 2):
        for i in range(2):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [np.array(value) for value in VALUES]
                moved[which][i] += step
                ends.append(np.array(number(*moved, swapped)))
            np.testing.assert_allclose(slopes[:, which, i], (ends[0] - ends[1]) / 2e-6, rtol=1e-4, atol=1e-7)
    shift = np.array([1.0, -1.0])  # of weights, which stay such
    ends = [np.array(number(VALUES[0] + step * shift, *VALUES[1:], swapped)) for step in (1e-6, -1e-6)]
    np.testing.assert_allclose(slopes[:, 0] @ shift, (ends[0] - ends[1]) / 2e-6, rtol=1e-4, atol=1e-7)
    edge = np.reshape(function([1.0, 0.0], [-2e3, 3e3], [1.0, 0.5]), -1)
    assert np.isfinite(edge).all()


@pytest.mark.slow
def test_in_the_log_density_of_a_model():
    with pm.Model() as model:
        sd = pm.Normal("sd")
        p = pm.NormalMixture.dist([0.3, 0.7], [-2.0, 3.0], [sd, 0.5])
        pm.Potential("penalty", -kl_bounds(p, Q).upper)
    log_density = model.compile_logp(jacobian=False)
    expected = stats.norm.logpdf(1.0) - number(*VALUES).upper
    assert log_density({"sd": 1.0}) == pytest.approx(expected, rel=1e-10)
    assert log_density({"sd": -1.0}) == -np.inf
