"""Mixtures as distributions: what they are made of, what is refused, closed forms, and estimates."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import special, stats

from kl_plugins import (
    EstimateWarning,
    NoClosedFormError,
    entropy,
    estimate_kl,
    explain,
    independent,
    kl,
    kl_bounds,
    mixture,
    pairwise_kl,
)
from kl_plugins.extend import density_of, recognise

PRIOR = stats.norm(0.0, 2.0)
NORMAL, PLANE = stats.norm(), stats.multivariate_normal([0, 0])
TWO = stats.norm([0.0, 3.0], 1.0)
SAME = stats.Mixture([stats.Normal(), stats.Normal(mu=3.0)], weights=[0.3, 0.7])

MADE = {
    "batch": lambda: mixture(TWO, [0.3, 0.7]),
    "list": lambda: mixture([stats.norm(), stats.norm(3.0)], [0.3, 0.7]),
    "SciPy": lambda: SAME,
    "PyMC": lambda: pm.NormalMixture.dist([0.3, 0.7], [0.0, 3.0], [1.0, 1.0]),
    "PyMC's list": lambda: pm.Mixture.dist([0.3, 0.7], [pm.Normal.dist(0, 1), pm.Normal.dist(3, 1)]),
    "with nothing": lambda: mixture(stats.norm([0.0, 3.0, 9.0], 1.0), [0.3, 0.7, 0.0]),
}


@pytest.mark.parametrize("name", ["batch", "list", "SciPy", "with nothing"])
def test_ways_to_make_one(name):
    made = MADE[name]()
    value = estimate_kl(SAME, NORMAL).value
    assert estimate_kl(made, NORMAL).value == pytest.approx(value, rel=1e-10)
    lower, upper = kl_bounds(made, NORMAL)
    assert lower <= value <= upper
    assert (lower, upper) == pytest.approx(kl_bounds(SAME, NORMAL), rel=1e-10)


@pytest.mark.parametrize("name", ["PyMC", "PyMC's list"])
def test_ways_to_make_one_in_pymc(name):
    made, x = recognise(MADE[name]()), np.linspace(-3.0, 6.0, 5)
    assert made.describe() == "Mixture(Normal)"
    np.testing.assert_allclose(made.log_prob(x[:, None][:, 0]).eval(), SAME.logpdf(x), rtol=1e-12)


BAD = {
    "negative": (TWO, [1.5, -0.5], "weights must not be negative"),
    "sum": (TWO, [0.5, 0.6], "weights must sum to 1"),
    "all zero": (TWO, [0.0, 0.0], "weights must sum to 1"),
    "too few": (TWO, [1.0], "weights are those of 1 components, and there are 2"),
    "a number": (TWO, 1.0, "weights must be those of at least one component"),
    "text": (TWO, ["a", "b"], "weights must be real numbers"),
    "one": (NORMAL, [1.0], "a sequence of distributions or a batch of them, got a single Normal"),
    "none": ([], None, "components must be at least one distribution"),
    "kinds": ([NORMAL, stats.poisson(3)], None, "all continuous or all discrete, .* got Normal and Poisson"),
    "kinds of vectors": ([PLANE, stats.multinomial(3, [0.5, 0.5])], None, "all continuous or all discrete"),
    "simplex": ([PLANE, stats.dirichlet([1.0, 2.0])], None, "all on one simplex"),
    "dimensions": ([NORMAL, PLANE], None, "one event shape"),
    "lengths": ([PLANE, stats.multivariate_normal([0, 0, 0])], None, "one event shape"),
    "mixtures": ([SAME, NORMAL], None, "component 0 is a mixture itself: list its components"),
    "parameter": ([NORMAL, stats.norm(0, -1)], None, "component 1: scale .* must be positive"),
    "names": (
        [stats.norm(xr.DataArray([0.0, 1.0], dims="i"))],
        None,
        "component 0 has parameters with named",
    ),
    "batches": ([stats.norm([0.0, 1.0]), stats.norm([0.0, 1.0, 2.0])], None, "do not broadcast"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_mixtures(name):
    components, weights, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        mixture(components, weights)


def test_what_is_no_distribution():
    for components, message in (("ab", "components: str is not"), ([1.0, 2.0], "component 0: float is not")):
        with pytest.raises(TypeError, match=message):
            mixture(components)
    with pytest.raises(NoClosedFormError, match=r"p: .*gaussian_kde"):
        kl_bounds(type("Own", (stats.gaussian_kde,), {})([0.0, 1.0, 3.0]), NORMAL)
    with pytest.raises(TypeError, match="q: list is not a distribution, but several"):
        kl_bounds(SAME, [NORMAL])
    with pytest.raises(ValueError, match="different event shapes"):
        kl_bounds(SAME, PLANE)


def test_nan_goes_through():
    for made in (mixture(stats.norm([0.0, np.nan], 1.0)), mixture(TWO, [np.nan, 0.5])):
        assert np.isnan(kl_bounds(made, NORMAL)).all()
        assert np.isnan(kl_bounds(NORMAL, made)).all()
    made = mixture(stats.norm([0.0, np.nan], 1.0))
    with pytest.warns(EstimateWarning, match="mean of p is NaN"):
        assert np.isnan(estimate_kl(made, NORMAL).value)
    assert np.isnan([kl(made, made), *kl_bounds(made, made)]).all()


def test_singular_components():
    """Beside another subspace all is infinite; on one subspace the upper bound is known."""
    line = [stats.multivariate_normal(m, [[1, 1], [1, 1]], allow_singular=True) for m in ([0, 0], [4, 4])]
    assert kl_bounds(mixture(line), PLANE) == (np.inf, np.inf)
    lower, upper = kl_bounds(mixture(line), line[0])
    value = estimate_kl(mixture(stats.norm([0.0, 4.0], 1.0)), NORMAL).value
    assert lower <= value <= upper < np.inf


def test_infinite_ones():
    p, q = mixture(stats.uniform([0.0, 2.0], 1.0)), mixture(stats.uniform([0.0, 2.0, 5.0], 1.0))
    assert kl_bounds(SAME, stats.uniform()) == (np.inf, np.inf)
    assert kl_bounds(q, p) == (np.inf, np.inf)
    assert kl(q, p) == estimate_kl(q, p).value == np.inf
    assert kl_bounds(p, q) == pytest.approx((np.log(1.5), np.log(1.5)), rel=1e-12)


CORRELATED = stats.multivariate_normal([1, 0], [[2, 1], [1, 2]])
KERNELS = stats.gaussian_kde([0.0, 1.0, 5.0])
APART = mixture(stats.uniform([0.0, 2.0], 1.0), [0.3, 0.7])
EXACT = {
    "uniform against normal": (
        APART,
        NORMAL,
        0.3 * (np.log(0.3) + kl(stats.uniform(), NORMAL))
        + 0.7 * (np.log(0.7) + kl(stats.uniform(2, 1), NORMAL)),
    ),
    "steps": (APART, mixture(stats.uniform([0.0, 2.0], [2.0, 2.0]), [0.5, 0.5]),
              0.3 * np.log(0.3 / 0.25) + 0.7 * np.log(0.7 / 0.25)),
    "of two": (stats.uniform(2.2, 0.5), APART, np.log(2.0 / 0.7)),
    "one each": (mixture([NORMAL]), mixture([stats.norm(1)]), 0.5),
    "with nothing": (
        mixture(stats.uniform([0.0, 0.5], 1.0), [1.0, 0.0]), NORMAL, kl(stats.uniform(), NORMAL)
    ),
    "points": (mixture([stats.randint(0, 2), stats.randint(5, 7)]), stats.randint(0, 7), np.log(7 / 4)),
    "itself": (SAME, SAME, 0.0),
    "a kernel density itself": (KERNELS, KERNELS, 0.0),
    "vectors themselves": (mixture([PLANE, CORRELATED]), mixture([PLANE, CORRELATED]), 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_closed_forms_where_components_do_not_overlap(name):
    p, q, value = EXACT[name]
    assert kl(p, q) == pytest.approx(value, rel=1e-13, abs=0.0)
    assert explain(p, q).rule == "of_components_apart"
    assert kl_bounds(p, q) == pytest.approx((value, value), rel=1e-12, abs=1e-13)


def test_others_are_refused():
    for function in (kl, explain):
        for p, q in ((SAME, NORMAL), (NORMAL, SAME), (mixture(stats.uniform([0.0, 0.5], 1.0)), NORMAL)):
            with pytest.raises(NoClosedFormError, match=r"kl_bounds has bounds.*estimate_kl"):
                function(p, q)
    with pytest.raises(NoClosedFormError, match="entropy of Mixture"):
        entropy(SAME)
    with pytest.raises(NoClosedFormError, match=r"p: Mixture\(Laplace\) and q: scipy.stats.cauchy"):
        kl_bounds(mixture(stats.laplace([0.0, 1.0])), stats.cauchy())


def test_pairs_that_are_no_mixtures_have_their_value_twice():
    assert kl_bounds(NORMAL, stats.norm(1)) == (0.5, 0.5)
    with pytest.raises(NoClosedFormError):
        kl_bounds(stats.laplace(), stats.cauchy())


def test_batches():
    means, weights = (
        np.array([[0.0, 1.0], [0.0, 4.0], [2.0, 2.0]]),
        np.array([[0.4, 0.6], [0.1, 0.9], [0.5, 0.5]]),
    )
    batch = mixture(stats.norm(means, 1.0), weights)
    assert batch.batch_shape == (3,)
    members = [mixture(stats.norm(m, 1.0), w) for m, w in zip(means, weights, strict=True)]
    found = kl_bounds(batch, SAME)
    for i, member in enumerate(members):
        assert (found.lower[i], found.upper[i]) == pytest.approx(kl_bounds(member, SAME), rel=1e-12)
    assert kl_bounds(SAME, batch).upper[1] == pytest.approx(kl_bounds(SAME, members[1]).upper, rel=1e-12)
    shared = kl_bounds(mixture(stats.norm(means, 1.0), [0.4, 0.6]), NORMAL)
    assert shared.lower[1] == kl_bounds(mixture(stats.norm(means[1], 1.0), [0.4, 0.6]), NORMAL).lower
    values = estimate_kl(batch, NORMAL).value
    np.testing.assert_allclose(values, [estimate_kl(one, NORMAL).value for one in members], rtol=1e-9)
    table = pairwise_kl([SAME, NORMAL], [SAME, stats.norm(1)], estimate=True)
    assert table[0, 0] == 0.0
    assert table[1, 1] == 0.5
    assert table[1, 0] == pytest.approx(estimate_kl(NORMAL, SAME).value, rel=1e-12)


@pytest.mark.parametrize("weights", [[0.2, 0.8], [[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]])
@pytest.mark.parametrize("family", [stats.norm, stats.laplace])
@pytest.mark.parametrize("means", [0.0, [0.0, 1.0, 2.0]])
def test_batches_of_components_and_of_weights_broadcast(family, means, weights):
    made = mixture([stats.norm(means, 1.0), family(1.0, 1.0)], weights)
    shape = np.broadcast_shapes(np.shape(means), np.shape(weights)[:-1])
    assert made.batch_shape == shape
    values, lower, upper = map(np.asarray, (estimate_kl(made, PRIOR).value, *kl_bounds(made, PRIOR)))
    places, shares = np.broadcast_to(means, shape), np.broadcast_to(weights, (*shape, 2))
    for index in np.ndindex(shape):
        one = mixture([stats.norm(places[index], 1.0), family(1.0, 1.0)], shares[index])
        assert values[index] == pytest.approx(estimate_kl(one, PRIOR).value, rel=1e-9)
        assert lower[index] <= values[index] <= upper[index]
        assert upper[index] == pytest.approx(kl_bounds(one, PRIOR).upper, rel=1e-12)
    assert np.all(np.equal([kl(made, made), *kl_bounds(made, made)], 0.0))
    assert np.shape(kl_bounds(PRIOR, made).lower) == shape


def test_products_of_normals_as_components():
    p = mixture([independent(stats.norm([0.0, 1.0], 1.0)), PLANE], [0.5, 0.5])
    lower, upper = kl_bounds(p, stats.multivariate_normal([0, 3]))
    found = estimate_kl(p, stats.multivariate_normal([0, 3]), random_state=1)
    assert lower - 4 * found.error < found.value < upper + 4 * found.error


def test_densities_of_mixtures():
    rng = np.random.default_rng(1)
    for points in (rng.normal(size=(1, 100)), rng.normal(size=(3, 100))):
        kde = stats.gaussian_kde(points, weights=rng.uniform(size=100))
        x = rng.normal(size=(50, *points.shape[:-1])) if len(points) > 1 else rng.normal(size=50)
        found = density_of(recognise(kde))
        np.testing.assert_allclose(found.log_density(x), kde.logpdf(x.T), rtol=1e-10)
    means, matrices = rng.normal(size=(2, 2)), np.array([[[1.0, 0.5], [0.5, 1.0]], [[2.0, 0.0], [0.0, 0.5]]])
    components = [stats.multivariate_normal(m, c) for m, c in zip(means, matrices, strict=True)]
    found, x = density_of(mixture(components, [0.2, 0.8])), rng.normal(size=(20, 2))
    expected = special.logsumexp([one.logpdf(x) for one in components], axis=0, b=[[0.2], [0.8]])
    np.testing.assert_allclose(found.log_density(x), expected, rtol=1e-12)
    drawn = found.sample(5_000, rng)
    np.testing.assert_allclose(drawn.mean(axis=0), [0.2, 0.8] @ means, atol=0.05)


NARROW = [1 - 1e-6, 1e-6], [0.0, 1e4], [1.0, 1e-3]


def test_narrow_components_are_found():
    p, q = mixture(stats.norm(*NARROW[1:]), NARROW[0]), stats.norm(0.0, 3.0)
    found = estimate_kl(p, q)
    assert found.converged
    lower, upper = kl_bounds(p, q)
    assert lower - found.error <= found.value <= upper + found.error


@pytest.mark.slow
def test_narrow_components_of_pymc_are_found():
    q = stats.norm(0.0, 3.0)
    found, estimate = (
        estimate_kl(p, q)
        for p in (mixture(stats.norm(*NARROW[1:]), NARROW[0]), pm.NormalMixture.dist(*NARROW))
    )
    assert estimate.converged
    assert estimate.value == pytest.approx(found.value, rel=1e-8)


def test_bad_weights_and_nan_in_pymc():
    with pytest.raises(ValueError, match="p: weights must sum to 1"):
        estimate_kl(pm.NormalMixture.dist([0.3, 0.3], [0, 1], [1, 1]), NORMAL)
    unknown = pm.NormalMixture.dist([0.5, 0.5], [np.nan, 3], [1, 1])
    with pytest.warns(EstimateWarning, match="of p is NaN"):
        assert np.isnan(estimate_kl(unknown, NORMAL).value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::kl_plugins.EstimateWarning")
def test_standard_errors_cover():
    p = mixture([PLANE, stats.multivariate_normal([3, 0], [[2, 1], [1, 2]])], [0.4, 0.6])
    q = mixture([stats.multivariate_normal([0, 1]), stats.multivariate_normal([2, 0], 3.0)], [0.5, 0.5])
    exact = estimate_kl(p, q, random_state=0, draws=2_000_000, time_limit=60.0)
    found = [estimate_kl(p, q, random_state=seed, draws=500) for seed in range(1, 201)]
    assert np.mean([one.converged for one in found]) > 0.95
    off = [abs(one.value - exact.value) < 1.96 * np.hypot(one.error, exact.error) for one in found]
    assert np.mean(off) > 0.9
    lower, upper = kl_bounds(p, q)
    assert lower <= exact.value <= upper
