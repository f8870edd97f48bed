"""What estimate_kl takes: distributions of every library as they come, each judged by somebody else."""

import itertools

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor
import pytest
from scipy import integrate, stats
from scipy.sparse import csr_matrix

from kl_plugins import EstimateWarning, NoClosedFormError, estimate_kl, kl

RNG = np.random.default_rng(0)


def agrees(p, q, value):
    """Whether the estimate holds what it says."""
    found = estimate_kl(p, q, random_state=0, time_limit=300.0)  # compilers are slow on busy machines
    assert found.converged
    assert abs(found.value - value) <= 4.0 * found.error + 1e-13 * abs(value)
    return found


def test_shared_parameters_may_change():
    """What is compiled stays; supports are looked at again."""
    high = pytensor.shared(1.0)
    p, q = pm.Uniform.dist(0.0, high), stats.uniform(0.0, 4.0)
    with pytest.warns(EstimateWarning, match=r"^p: .* shared .* present values, without gradients"):
        assert estimate_kl(p, q).value == pytest.approx(np.log(4.0))
    high.set_value(2.0)
    with pytest.warns(EstimateWarning, match="^p: .* pm.logp"):
        assert estimate_kl(p, q).value == pytest.approx(np.log(2.0))
    with pytest.warns(EstimateWarning, match="^q: "):
        assert estimate_kl(q, p).value == np.inf


def test_graphs_are_told_what_they_can_take():
    p, q = pm.Laplace.dist(pytensor.shared(np.zeros(2)), 1.0), pm.StudentT.dist(nu=3, mu=0, sigma=1)
    with pytest.raises(NoClosedFormError, match=r"In a graph pm\.logp\(p, w\)") as caught:
        kl(p, q)
    assert "estimate_kl" not in str(caught.value)


NEIGHBOURS = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])


def walk(**parameters):
    start = pm.Normal.dist(0, 1)
    return pm.GaussianRandomWalk.dist(init_dist=start, steps=3, **parameters)


def autoregression(rho, scale):
    return pm.AR.dist(rho=[rho], sigma=1.0, init_dist=pm.Normal.dist(0, scale), steps=2)


@pytest.mark.slow
def test_random_walks():
    """Innovations and starting values are random variables, but no parameters."""
    agrees(walk(mu=0.0, sigma=1.0), walk(mu=0.5, sigma=1.5), 3.0 * kl(stats.norm(0, 1), stats.norm(0.5, 1.5)))


@pytest.mark.slow
def test_autoregressions():
    """KL of the start, and ½ (Δρ)² E[x²] of each step."""
    value = kl(stats.norm(0, 1), stats.norm(0, 2)) + 0.5 * 0.3**2 * (1.0 + 0.25 + 1.0)
    agrees(autoregression(0.5, 1.0), autoregression(0.2, 2.0), value)


def test_conditional_autoregressions():
    """PyMC leaves a constant out of the density, and draws with other covariances."""

    def gaussian(mu, neighbours, alpha, tau):
        precision = tau * (np.diag(neighbours.sum(axis=0)) - alpha * neighbours)
        return stats.multivariate_normal(mu, np.linalg.inv(precision))

    everybody = np.ones((3, 3)) - np.eye(3)
    p, q = (np.zeros(3), NEIGHBOURS, 0.5, 1.0), (np.ones(3), everybody, 0.3, 2.0)
    value = kl(gaussian(*p), gaussian(*q))
    agrees(pm.CAR.dist(*p), pm.CAR.dist(*q), value)
    agrees(pm.CAR.dist(*p), gaussian(*q), value)
    sparse = csr_matrix(NEIGHBOURS)
    found = [kl(pm.CAR.dist(*p), pm.CAR.dist(*q)), kl(pm.CAR.dist(p[0], sparse, *p[2:]), pm.CAR.dist(*q))]
    np.testing.assert_allclose(pytensor.function([], found)(), value, rtol=1e-6)  # PyTensor rounds 0.3


def test_parameters_that_are_random_are_seen_wherever_they_are():
    parts = [pm.Normal.dist(0, 1), pm.Normal.dist(3, 1)]
    for p in (
        pm.Mixture.dist(w=pm.Dirichlet.dist([1, 1]), comp_dists=parts),
        pm.Truncated.dist(pm.Normal.dist(0, 1), -1, pm.HalfNormal.dist()),
        pm.AR.dist(rho=pm.Normal.dist(shape=1), sigma=1.0, init_dist=parts[0], steps=2),
    ):
        with pytest.raises(ValueError, match=r"p: .* has a parameter that is random itself"):
            estimate_kl(p, stats.norm())


SAMPLE = np.histogram(RNG.normal(size=1000), bins=30)
UNEVEN = stats.rv_histogram(([1, 2, 3], [0.0, 1.0, 3.0, 4.0]), density=True)
HISTOGRAMS = [
    (stats.rv_histogram(SAMPLE), stats.norm()),
    (stats.rv_histogram(SAMPLE), stats.t(3)),
    (stats.rv_histogram(np.histogram(RNG.beta(2, 3, size=99), bins=30, range=(0, 1))), stats.beta(0.5, 0.5)),
    (stats.beta(0.5, 0.7), stats.rv_histogram(([1, 2, 3], [0.0, 0.2, 0.5, 1.0]), density=True)),
    (UNEVEN, stats.rv_histogram(([3, 1], [0.0, 2.0, 4.0]))),
    (UNEVEN(loc=1, scale=2), stats.expon()),
]


@pytest.mark.parametrize(("p", "q"), HISTOGRAMS)
def test_histograms(p, q):
    """Bin by bin."""

    def integrand(x):
        return p.pdf(x) * (p.logpdf(x) - q.logpdf(x)) if p.pdf(x) > 0.0 else 0.0

    edges = np.unique(np.concatenate([breaks(side) for side in (p, q)]))
    value = sum(integrate.quad(integrand, *ends, epsabs=1e-13)[0] for ends in itertools.pairwise(edges))
    found = estimate_kl(p, q, time_limit=300.0)
    assert found.converged
    assert found.value == pytest.approx(value, rel=1e-9)
    assert found.error < 1e-8


def breaks(side):
    """The ends of the bins of a histogram, none of another distribution."""
    side = side if hasattr(side, "dist") else side()
    bins = getattr(side.dist, "_hbins", np.empty(0))
    return side.kwds.get("scale", 1.0) * bins + side.kwds.get("loc", 0.0)


def test_histograms_exactly():
    """Against each other they are sums; and infinite where q has an empty bin."""
    p, q = stats.rv_histogram(([1, 1], [0.0, 1.0, 2.0])), stats.rv_histogram(([3, 1], [0.0, 1.0, 2.0]))
    value = -(mp.log(3) / 2 - mp.log(2))
    assert estimate_kl(p, q).value == pytest.approx(float(value), rel=1e-15)
    assert estimate_kl(p, p).value == 0.0
    assert estimate_kl(p, stats.rv_histogram(([1, 0], [0.0, 1.0, 2.0]))).value == np.inf
    assert estimate_kl(stats.uniform(0, 2), stats.rv_histogram(([1, 0], [0.0, 1.0, 2.0]))).value == np.inf
    assert estimate_kl(stats.norm(), p).value == np.inf
    np.testing.assert_allclose(estimate_kl(p, stats.uniform(0, [2, 4])).value, [0.0, np.log(2)], atol=1e-14)


def test_kernel_densities_of_several_dimensions():
    points = RNG.normal(size=(2, 50))
    kde, plane = stats.gaussian_kde(points), stats.multivariate_normal([0, 0], np.eye(2))
    found = estimate_kl(kde, plane, random_state=0, draws=4000)
    assert (found.method, found.converged) == ("monte carlo", True)
    draws = kde.resample(40_000, seed=1)
    terms = kde.logpdf(draws) - plane.logpdf(draws.T)
    assert abs(found.value - terms.mean()) < 5.0 * np.hypot(found.error, terms.std() / 200.0)
    line = stats.gaussian_kde(points[0])
    x = np.linspace(-9.0, 9.0, 20_001)
    value = integrate.trapezoid(line.pdf(x) * (line.logpdf(x) - stats.norm.logpdf(x)), x)
    assert agrees(line, stats.norm(), value).method == "quadrature"


def test_dirichlet_multinomial():
    """SciPy draws none: all outcomes are few."""
    p, q = stats.dirichlet_multinomial([1.0, 2.0, 3.0], 4), stats.dirichlet_multinomial([2.0, 2.0, 1.0], 4)
    x = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)])
    agrees(p, q, np.sum(p.pmf(x) * (p.logpmf(x) - q.logpmf(x))))


@pytest.mark.slow
def test_numpyro():
    import numpyro.distributions as nd

    found = agrees(nd.Normal(0.0, 1.0), stats.norm(1, 2), kl(stats.norm(0, 1), stats.norm(1, 2)))
    assert found.error < 1e-9  # not the seven digits that JAX computes in
    agrees(stats.uniform(0, 1), nd.Uniform(0.0, 2.0), np.log(2.0))
    assert estimate_kl(stats.uniform(0, 3), nd.Uniform(0.0, 2.0)).value == np.inf
    agrees(nd.Bernoulli(0.25), stats.bernoulli(0.5), kl(stats.bernoulli(0.25), stats.bernoulli(0.5)))
    assert estimate_kl(nd.Delta(0.0), stats.norm()).value == np.inf
    p, q = nd.Normal(np.zeros(2), 1.0).to_event(1), stats.multivariate_normal([0, 1])
    assert agrees(p, q, 0.5).method == "monte carlo"
    with pytest.raises(NoClosedFormError, match=r"numpyro.distributions.*; kl_plugins.estimate_kl estimates"):
        kl(nd.Normal(0.0, 1.0), stats.norm())
