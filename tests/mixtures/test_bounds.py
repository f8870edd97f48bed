"""Bounds on divergences of mixtures hold what quadrature, sums and mpmath say."""

from functools import partial

import mpmath as mp
import numpy as np
import pytest
from scipy import integrate, special, stats

from kl_plugins import Dense, MultivariateNormal, estimate_kl, kl, kl_bounds, mixture
from kl_plugins.extend import density_of, recognise
from kl_plugins.families.core.overlaps import overlap, ratio_mean

ROUNDING = 1e-13


def weights_of(rng, k):
    return rng.dirichlet(np.full(k, rng.choice([0.3, 1.0, 5.0])))


def normals(rng):
    """Weights, means and standard deviations of up to six components, near each other or far apart."""
    k = rng.integers(1, 7)
    spread, unlike = rng.choice([0.3, 3.0, 20.0]), rng.choice([0.0, 0.1, 1.0])
    return weights_of(rng, k), spread * rng.normal(size=k), np.exp(unlike * rng.normal(size=k))


def log_density(x, w, mean, sd):
    with np.errstate(divide="ignore"):
        return special.logsumexp(np.log(w) + stats.norm.logpdf(x[:, None], mean, sd), axis=1)


def divergence(p, q):
    """By the trapezoidal rule, which of analytic functions is exact, component by component."""
    z = np.linspace(-9.0, 9.0, 2001)
    total = 0.0
    for w, mean, sd in zip(*p, strict=True):
        x = mean + sd * z
        ratio = log_density(x, *p) - log_density(x, *q)
        total += w * np.sum(stats.norm.pdf(z) * ratio) * (z[1] - z[0])
    return total


def of_normals(w, mean, sd):
    return mixture(stats.norm(mean, sd), w)


def holds(bounds, value, error=0.0):
    lower, upper = bounds
    slack = error + ROUNDING * max(value, 1.0)
    assert 0.0 <= lower <= value + slack
    assert value <= upper + slack


@pytest.mark.parametrize("count", [20, pytest.param(400, marks=pytest.mark.slow)])
def test_normal_mixtures_against_quadrature(count):
    rng = np.random.default_rng(count)
    widths = []
    for _ in range(count):
        p, q = normals(rng), normals(rng)
        value = divergence(p, q)
        bounds = kl_bounds(of_normals(*p), of_normals(*q))
        holds(bounds, value, 1e-10 * value)
        widths.append((bounds.upper - bounds.lower) / value)
    assert np.median(widths) < 0.3


def test_mixtures_next_to_each_other():
    """The lower bound may be zero, the upper one is small with the divergence."""
    rng = np.random.default_rng(2)
    for step in np.repeat([1e-1, 1e-3, 1e-6, 1e-9], 5):
        w, mean, sd = normals(rng)
        shifted = rng.dirichlet(np.full(len(w), 2.0))
        other = (w + step * (shifted - w), mean + step * sd, sd * (1.0 + step * rng.normal(size=len(w))))
        found = kl_bounds(of_normals(w, mean, sd), of_normals(*other))
        if step > 1e-5:
            holds(found, divergence((w, mean, sd), other), 1e-13)
        assert 0.0 <= found.lower <= found.upper < 1e3 * step**2 + step * step * 1e5


def test_a_mixture_and_its_permutations_are_no_distance_apart():
    rng = np.random.default_rng(3)
    for _ in range(20):
        w, mean, sd = normals(rng)
        order = rng.permutation(len(w))
        p, q = of_normals(w, mean, sd), of_normals(w[order], mean[order], sd[order])
        assert kl_bounds(p, p) == (0.0, 0.0)
        assert kl_bounds(p, q) == pytest.approx((0.0, 0.0), abs=1e-14)


def test_what_has_no_weight_changes_nothing():
    rng = np.random.default_rng(12)
    for _ in range(10):
        p, q = normals(rng), normals(rng)
        more = (np.zeros(3), np.append(q[1][:1], [0.0, 1e4]), np.append(q[2][:1], [1e-3, 1.0]))
        beside = [tuple(map(np.concatenate, zip(more, side, strict=True))) for side in (p, q)]
        holds(kl_bounds(of_normals(*beside[0]), of_normals(*beside[1])), divergence(p, q), 1e-10)
    q = mixture(stats.norm([0.0, 100.0], 1.0), [0.0, 1.0])
    for p in (stats.norm(), mixture(stats.norm([0.0, 1.0, 100.0], 1.0), [1.0, 0.0, 0.0])):
        assert kl_bounds(p, q) == pytest.approx((5000.0, 5000.0), rel=1e-9)
    assert density_of(q).log_density(np.zeros(1)) == pytest.approx(stats.norm.logpdf(100.0), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1.0, 1e8, 1e150])
def test_units_do_not_matter(scale):
    p, q = (np.array([0.3, 0.7]), [-2.0, 3.0], [1.0, 0.5]), (np.array([0.5, 0.5]), [-1.0, 2.0], [1.0, 1.5])
    moved = [(w, scale * np.array(mean), scale * np.array(sd)) for w, mean, sd in (p, q)]
    found = kl_bounds(*(of_normals(*side) for side in moved))
    assert found == pytest.approx(kl_bounds(of_normals(*p), of_normals(*q)), rel=1e-11)


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-160, 1e200, 1e308])
def test_scales_that_are_far_apart_leave_the_weights(scale):
    p, q = (of_normals(w, [0.0, 0.0], [scale, 1.0]) for w in (np.array([0.3, 0.7]), np.array([0.5, 0.5])))
    truth = 0.3 * np.log(0.3 / 0.5) + 0.7 * np.log(0.7 / 0.5)  # components hardly overlap
    lower, upper = kl_bounds(p, q)
    assert 0.99 * truth <= lower <= upper <= truth * (1.0 + ROUNDING)


def test_places_and_scales_beyond_the_digits():
    """Nothing overflows on the way, and no end of a support is lost in rounding."""

    def weibull(unit):
        return mixture(stats.weibull_min(50.0, scale=unit * np.array([1.0, 1.2])))

    def gamma(unit):
        return mixture(stats.gamma([2.0, 3.0], scale=unit * np.array([1.0, 5.0])))

    for made in (weibull, gamma):
        near = kl_bounds(made(1.0), made(1.1))
        for unit in (1e-300, 1e300):
            assert kl_bounds(made(unit), made(1.1 * unit)) == pytest.approx(near, rel=1e-9)
    p, q = (mixture(stats.uniform([0.0, 1e17], widths)) for widths in (1.0, [2.0, 4.0]))
    assert kl_bounds(p, q) == pytest.approx((1.5 * np.log(2.0),) * 2, rel=1e-12)
    assert kl_bounds(mixture(stats.norm([0.0, 1e200])), stats.norm()) == (np.inf, np.inf)


def test_single_precision():
    means, q = np.array([0.1, 3.3], np.float32), stats.norm(np.float32(1.1), np.float32(1.7))
    single = kl_bounds(mixture(stats.norm(means, np.float32(0.7)), np.array([0.5, 0.5], np.float32)), q)
    assert single.lower.dtype == single.upper.dtype == np.float32
    wide = mixture(stats.norm(means.astype(float), float(np.float32(0.7))))
    double = kl_bounds(wide, stats.norm(*map(float, q.args)))
    assert double.lower - 1e-6 < single.lower <= double.lower
    assert double.upper <= single.upper < double.upper + 1e-6


def test_far_apart_the_interval_closes():
    p, q = (np.array([0.3, 0.7]), [-9.0, 9.0], [1.0, 0.5]), (np.array([0.6, 0.4]), [-8.0, 9.5], [1.0, 0.8])
    exact = np.dot(p[0], np.log(p[0] / q[0]) + kl(stats.norm(p[1], p[2]), stats.norm(q[1], q[2])))
    lower, upper = kl_bounds(of_normals(*p), of_normals(*q))
    assert lower == pytest.approx(exact, rel=1e-4)
    assert upper == pytest.approx(exact, rel=1e-9)
    far = kl_bounds(mixture(stats.norm([-1e5, 1e5], 1.0)), mixture(stats.norm([-1e5, 1e5], 2.0)))
    assert far == pytest.approx([kl(stats.norm(0, 1), stats.norm(0, 2))] * 2, rel=1e-9)


@pytest.mark.slow
def test_against_mpmath():
    rng = np.random.default_rng(4)
    for _ in range(3):
        p, q = normals(rng), normals(rng)
        with mp.workdps(30):

            def log_of(x, side):
                return mp.log(sum(w * mp.npdf(x, m, s) for w, m, s in zip(*map(list, side), strict=True)))

            def term(x, p, q):
                return mp.exp(log_of(x, p)) * (log_of(x, p) - log_of(x, q))

            steps = np.array([-12.0, -3.0, 0.0, 3.0, 12.0])[:, None]
            places = sorted({*np.ravel(np.array(p[1]) + steps * np.array(p[2]))})
            value = mp.quad(partial(term, p=p, q=q), places, maxdegree=7)
        assert float(value) == pytest.approx(divergence(p, q), rel=1e-8)
        holds(kl_bounds(of_normals(*p), of_normals(*q)), float(value), 1e-9)


COUNTS = {
    "Poisson": lambda rng, k: stats.poisson(np.exp(rng.normal(1.0, 1.0, k))),
    "binomial": lambda rng, k: stats.binom(12, rng.uniform(size=k)),
}


@pytest.mark.parametrize("family", COUNTS)
def test_counts_against_sums(family):
    rng, x = np.random.default_rng(5), np.arange(400)[:, None]
    for _ in range(25):
        sides = [COUNTS[family](rng, k) for k in rng.integers(1, 5, 2)]
        weights = [weights_of(rng, len(side.pmf(0))) for side in sides]
        log_p, log_q = (
            special.logsumexp(side.logpmf(x), axis=1, b=w) for side, w in zip(sides, weights, strict=True)
        )
        held = log_p > -np.inf
        value = np.sum(np.exp(log_p[held]) * (log_p[held] - log_q[held]))
        holds(kl_bounds(*map(mixture, sides, weights)), value, 1e-12)


CONTINUOUS = {
    "gamma": lambda rng, k: stats.gamma(np.exp(rng.normal(1, 1, k)), scale=np.exp(rng.normal(0, 1, k))),
    "beta": lambda rng, k: stats.beta(*np.exp(rng.normal(1.0, 0.7, (2, k)))),
    "uniform": lambda rng, k: stats.uniform(rng.uniform(-1, 0, k), rng.uniform(1.5, 3.0, k)),
    "exponential": lambda rng, k: stats.expon(scale=np.exp(rng.normal(0, 1, k))),
    "unlike": lambda rng, k: [
        (stats.norm if rng.integers(2) else stats.laplace)(rng.normal(0, 3), np.exp(rng.normal()))
        for _ in range(k)
    ],
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::kl_plugins.EstimateWarning")
@pytest.mark.parametrize("family", CONTINUOUS)
def test_other_families_against_quadrature(family):
    rng, seen = np.random.default_rng(6), 0
    for _ in range(30):
        p, q = (mixture(CONTINUOUS[family](rng, k), weights_of(rng, k)) for k in rng.integers(1, 5, 2))
        found = estimate_kl(p, q)
        if found.converged:
            holds(kl_bounds(p, q), found.value, found.error)
            seen += 1
    assert seen > 10


def planes(rng, dense):
    """Weights, means and covariances of up to four components in the plane."""
    k = rng.integers(1, 5)
    scales = np.exp(0.3 * rng.normal(size=(k, 2)))
    roots = rng.normal(size=(k, 2, 2)) if dense else scales[..., None] * np.eye(2)
    matrices = roots @ np.swapaxes(roots, 1, 2) + 0.3 * np.eye(2)
    return weights_of(rng, k), rng.choice([1.0, 4.0]) * rng.normal(size=(k, 2)), matrices


def of_planes(x, side):
    found = [stats.multivariate_normal(mean, matrix).logpdf(x) for _, mean, matrix in zip(*side, strict=True)]
    return special.logsumexp(found, axis=0, b=side[0][:, None])


def cubature(p, q):
    """By Gauss and Hermite in the coordinates of each component of p; and how far fewer nodes are off."""

    def value(nodes):
        z, weights = np.polynomial.hermite_e.hermegauss(nodes)
        grid = np.stack(np.meshgrid(z, z), axis=-1).reshape(-1, 2)
        each = np.outer(weights, weights).ravel() / (2.0 * np.pi)
        total = 0.0
        for w, mean, matrix in zip(*p, strict=True):
            x = mean + grid @ np.linalg.cholesky(matrix).T
            logs = [of_planes(x, side) for side in (p, q)]
            total += w * np.dot(each, logs[0] - logs[1])
        return total

    fine = value(60)
    return fine, abs(fine - value(40)) + 1e-9


@pytest.mark.parametrize(("dense", "count"), [(True, 5), (False, 5)])
def test_planes_against_cubature(dense, count):
    rng = np.random.default_rng(7)
    for _ in range(count):
        p, q = planes(rng, dense), planes(rng, dense)
        made = [mixture(MultivariateNormal(mean, Dense(matrix)), w) for w, mean, matrix in (p, q)]
        value, error = cubature(p, q)
        holds(kl_bounds(*made), value, 3.0 * error)


def test_moments_tell_how_far_a_kernel_density_is_from_a_normal():
    p = stats.gaussian_kde(np.random.default_rng(11).normal(3.0, 1.0, 100))
    value = estimate_kl(p, stats.norm()).value
    assert 0.95 * value < kl_bounds(p, stats.norm()).lower <= value


def test_kernel_densities():
    rng = np.random.default_rng(8)
    p, q = (stats.gaussian_kde(rng.normal(place, 1.0, 20)) for place in (0.0, 4.0))
    sides = [
        (side.weights, side.dataset[0], np.full(side.n, np.sqrt(side.covariance[0, 0]))) for side in (p, q)
    ]
    holds(kl_bounds(p, q), divergence(*sides))
    cloud = stats.gaussian_kde(rng.normal(size=(2, 8)))
    kernels = (cloud.weights, cloud.dataset.T, np.broadcast_to(cloud.covariance, (8, 2, 2)))
    plane = np.ones(1), np.zeros((1, 2)), 4.0 * np.eye(2)[None]
    holds(kl_bounds(cloud, stats.multivariate_normal([0, 0], 4.0)), *cubature(kernels, plane))


def test_many_components_are_taken_in_parts():
    """The same numbers but for the couplings that are left out."""
    from kl_plugins.mixtures import bounds

    rng = np.random.default_rng(9)
    p, q = (mixture(stats.norm(rng.normal(size=300), 0.3)) for _ in range(2))
    whole = kl_bounds(p, q)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_AT_ONCE", 20_000)
        parts = kl_bounds(p, q)
    assert parts == pytest.approx(whole, rel=1e-12)


OVERLAPS = {
    "normal": (stats.norm(0.0, 1.0), stats.norm(1.0, 1.7), (-40.0, 40.0)),
    "gamma": (stats.gamma(2.0, scale=1.5), stats.gamma(3.5, scale=0.7), (0.0, 200.0)),
    "Weibull": (stats.weibull_min(2.0, scale=1.5), stats.weibull_min(2.0, scale=0.7), (0.0, 40.0)),
    "beta": (stats.beta(2.0, 3.0), stats.beta(4.0, 1.5), (0.0, 1.0)),
    "uniform": (stats.uniform(0.0, 2.0), stats.uniform(1.0, 4.0), (1.0, 2.0)),
    "apart": (stats.uniform(0.0, 2.0), stats.uniform(2.0, 4.0), (2.0, 2.0)),
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_overlaps_against_quadrature(name):
    f, g, ends = OVERLAPS[name]
    p, q = recognise(f).to_arrays(), recognise(g).to_arrays()
    for s, t in ((0.75, 0.25), (0.5, 0.5), (1.0, 1.0), (0.25, 1.0)):
        found = overlap(p, q, np.array([s]), np.array([t]), s + t == 1.0)
        if found is None:
            assert s + t != 1.0
            continue
        value = integrate.quad(lambda x: f.pdf(x) ** s * g.pdf(x) ** t, *ends, limit=200)[0]  # noqa: B023
        with np.errstate(divide="ignore"):
            expected = np.log(value) + (s + t - 1.0) * f.entropy()
        assert found[0] == pytest.approx(expected, rel=1e-7)


def test_means_of_ratios_against_quadrature():
    f, g, h = stats.norm(0.2, 1.1), stats.norm(1.0, 0.9), stats.norm(-0.5, 1.2)
    for power in (0.25, 0.5, 1.0):
        value = integrate.quad(lambda x: f.pdf(x) * (g.pdf(x) / h.pdf(x)) ** power, -30, 30)[0]  # noqa: B023
        found = ratio_mean(*(recognise(side).to_arrays() for side in (f, g, h)), np.array([power]))
        assert found[0] == pytest.approx(np.log(value), rel=1e-8)
    wide = [recognise(side).to_arrays() for side in (stats.norm(0, 3), stats.norm(0, 2), stats.norm(0, 1))]
    assert ratio_mean(*wide, np.array([1.0]))[0] == np.inf
    assert ratio_mean(*wide, np.array([0.1]))[0] < np.inf
    rng = np.random.default_rng(10)
    matrix, own = np.array([[1.0, 0.4], [0.4, 2.0]]), np.array([[0.7, -0.2], [-0.2, 0.5]])
    means = rng.normal(size=(3, 2))
    dense = [MultivariateNormal(m, Dense(c)) for m, c in zip(means, (own, matrix, matrix), strict=True)]
    shared = Dense(matrix[None])
    f, g, h = dense[0], *(MultivariateNormal(m, shared) for m in means[1:])
    precision = np.linalg.inv(matrix)
    step, middle = precision @ (means[1] - means[2]), 0.5 * (means[1] + means[2])
    value = 0.5 * step @ (means[0] - middle) + 0.125 * step @ own @ step
    assert np.squeeze(ratio_mean(f, g, h, np.array([0.5]))) == pytest.approx(value, rel=1e-10)
