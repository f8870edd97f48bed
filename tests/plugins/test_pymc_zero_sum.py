"""pm.ZeroSumNormal: its density is PyMC's, its divergence that of as many normals as it has dimensions."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import value
from kl_plugins import EstimateWarning, NoClosedFormError, entropy, estimate_kl, explain, kl
from kl_plugins.extend import recognise
from kl_plugins.variational import kl_terms

TWO = np.array(2.0)

ARRAYS = {
    "vector": lambda: pm.ZeroSumNormal.dist(TWO, shape=4),
    "vectors": lambda: pm.ZeroSumNormal.dist(np.array([[0.5], [1.5]]), shape=(3, 2, 4)),
    "by its scales": lambda: pm.ZeroSumNormal.dist(np.array([[0.5], [1.5]]), support_shape=[4]),
    "matrix": lambda: pm.ZeroSumNormal.dist(TWO, n_zerosum_axes=2, shape=(3, 4)),
    "matrices": lambda: pm.ZeroSumNormal.dist(
        np.array([0.5, 1.5]).reshape(2, 1, 1), n_zerosum_axes=2, shape=(2, 3, 4)
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_density_is_that_of_pymc(name):
    variable = ARRAYS[name]()
    made = recognise(variable)
    shape = tuple(variable.shape.eval(mode="FAST_COMPILE"))
    axes = tuple(range(-len(made.event_shape), 0))
    at = np.random.default_rng(1).normal(size=shape)
    for axis in axes:
        at -= at.mean(axis=axis, keepdims=True)
    assert made.event_shape == shape[axes[0] :]
    point = at.reshape((*shape[: axes[0]], -1))
    # PyMC writes √(2π) in doubles, and then takes its logarithm in single precision in some versions
    np.testing.assert_allclose(*value([made.log_prob(pt.constant(point)), pm.logp(variable, at)]), rtol=1e-7)


def test_divergence_in_a_model_and_its_gradient():
    """Of axes whose lengths the model may change."""
    with pm.Model(coords={"a": range(3), "b": range(5)}):
        sigma = pm.HalfNormal("sigma")
        p = pm.ZeroSumNormal("p", sigma, dims=("a", "b"), n_zerosum_axes=2)
        q = pm.ZeroSumNormal("q", 2.0, dims=("a", "b"), n_zerosum_axes=2)
        rows = pm.ZeroSumNormal("rows", sigma, dims=("a", "b"))
    graph = kl(p, q)
    found, slope, zeros = value([graph, pytensor.grad(graph, sigma), kl(rows, rows)], {sigma: 1.5})
    np.testing.assert_allclose(found, 8 * kl(stats.norm(0.0, 1.5), stats.norm(0.0, 2.0)), rtol=1e-13)
    np.testing.assert_allclose(slope, 8 * (1.5 / 4.0 - 1.0 / 1.5), rtol=1e-13)
    np.testing.assert_array_equal(zeros, np.zeros(3))


def test_regular_gaussians_are_infinitely_far():
    p, q = pm.ZeroSumNormal.dist(TWO, shape=3), pm.MvNormal.dist(np.zeros(3), np.eye(3))
    np.testing.assert_array_equal(value([kl(p, q), kl(q, p)]), [np.inf, np.inf])
    assert explain(p, q).cost == "O(1): p is singular and q is not"
    assert estimate_kl(p, q).value == estimate_kl(q, p).value == np.inf


def test_singular_gaussian_of_scipy():
    projection = np.eye(3) - 1.0 / 3.0
    p, q = pm.ZeroSumNormal.dist(TWO, shape=3), stats.multivariate_normal(cov=projection, allow_singular=True)
    want = 2 * kl(stats.norm(0.0, 2.0), stats.norm())
    np.testing.assert_allclose(value(kl(p, q)), want, rtol=1e-13)
    np.testing.assert_allclose(value(entropy(p)), q.entropy() + 2.0 * np.log(2.0), rtol=1e-13)


def test_estimate():
    p, q = pm.ZeroSumNormal.dist(TWO, shape=3), pm.ZeroSumNormal.dist(np.array(3.0), shape=3)
    found, want = estimate_kl(p, q, random_state=1), value(kl(p, q))
    assert abs(found.value - want) < 4.0 * found.error < 0.1


@pytest.mark.slow
def test_estimate_of_mixtures():
    """Which are on the subspace of their components, in coordinates of which they are ordinary mixtures."""

    def mixture(normals):
        return pm.Mixture.dist(w=[0.3, 0.7], comp_dists=normals)

    narrow, wide = (pm.ZeroSumNormal.dist(sigma, shape=3) for sigma in (1.0, 2.0))
    flat = [pm.MvNormal.dist(np.zeros(2), scale**2 * np.eye(2)) for scale in (1.0, 2.0)]
    want = estimate_kl(mixture(flat), flat[0], random_state=1, draws=100_000)
    both = pm.ZeroSumNormal.dist(np.array([[1.0], [2.0]]), shape=(2, 3))
    for p in (mixture([narrow, wide]), mixture(both)):
        found = estimate_kl(p, narrow, random_state=2)
        assert abs(found.value - want.value) < 4.0 * found.error < 0.1
        assert estimate_kl(p, p, random_state=1).value == 0.0


def test_error_names_the_parameter():
    sigma = pt.dscalar()
    graph = kl(pm.ZeroSumNormal.dist(sigma, shape=3), pm.ZeroSumNormal.dist(1.0, shape=3))
    with pytest.raises(ValueError, match=r"p: sigma .*must be positive"):
        value(graph, {sigma: -1.0})
    with pytest.raises(ValueError, match="different event shapes, a vector of 3 against a vector of 4"):
        kl(pm.ZeroSumNormal.dist(1.0, shape=3), pm.ZeroSumNormal.dist(1.0, shape=4))


def test_term_without_the_transform_is_infinite():
    with pm.Model() as model:
        pm.ZeroSumNormal("z", 2.0, shape=3, default_transform=None)
        approximation = pm.MeanField()
    with pytest.raises(ValueError, match=r"'z' is infinite.*transforms.ZeroSumTransform\(\[-1\]\)"):
        kl_terms(model, approximation)


Z, OTHER = (pm.ZeroSumNormal.dist(1.0, shape=4) for _ in range(2))
MULTIPLES = {
    "negative": (-Z, 1.0),
    "twice": (2.0 * Z, 2.0),
    "by an array of ones": (Z * np.ones(4), 1.0),
    "of a multiple": (2.0 * Z / -4.0, 0.5),
}


@pytest.mark.parametrize("name", MULTIPLES)
def test_multiples_are_of_that_scale(name):
    variable, scale = MULTIPLES[name]
    want = 3 * kl(stats.norm(0.0, scale), stats.norm())
    np.testing.assert_allclose(value(kl(variable, Z)), want, rtol=1e-13)
    found = estimate_kl(variable, Z, random_state=1, draws=2000)
    assert abs(found.value - want) <= 4.0 * found.error + 1e-12
    regular = pm.MvNormal.dist(np.zeros(4), np.eye(4))
    assert value(kl(variable, regular)) == estimate_kl(variable, regular).value == np.inf


def test_multiples_of_matrices_and_by_symbols():
    scales, factor = np.array([1.0, 2.0]), pt.dscalar()
    matrices = pm.ZeroSumNormal.dist(scales[:, None, None], n_zerosum_axes=2, shape=(2, 3, 4))
    found = value(kl(np.array([1.0, -2.0])[:, None, None] * matrices, matrices))
    np.testing.assert_allclose(found, [0.0, 6 * kl(stats.norm(0.0, 2.0), stats.norm())], rtol=1e-13)
    graph = kl(factor * Z, OTHER)
    want, below, above = (3 * kl(stats.norm(0.0, s), stats.norm()) for s in (1.5, 1.5 - 1e-5, 1.5 + 1e-5))
    found, slope = value([graph, pytensor.grad(graph, factor)], {factor: -1.5})
    np.testing.assert_allclose([found, -slope], [want, (above - below) / 2e-5], rtol=1e-8)
    with pytest.raises(ValueError, match="the factor of a random variable must not be 0"):
        value(graph, {factor: 0.0})


@pytest.mark.parametrize(
    "variable", [Z + 1.0, 1.0 - Z, Z * np.arange(1.0, 5.0), pt.exp(Z), Z**2, abs(Z), pt.dvector() * Z]
)
def test_other_functions_have_no_density(variable):
    """They were infinitely far from everything, whose points are not theirs."""
    with pytest.raises(NoClosedFormError, match=r"^p: .* only multiples by one number are understood"):
        kl(variable, Z)


def test_estimates_refuse_other_functions():
    for function in (lambda z: z + 1.0, pt.exp, lambda z: z * np.arange(1.0, 5.0)):
        with pytest.raises(TypeError, match=r"^q: .* only multiples by one number are understood"):
            estimate_kl(Z, function(Z))
    assert value(kl(pt.exp(2.0 * Z), pt.exp(2.0 * OTHER))) == 0.0


def test_estimate_of_a_multiple_in_a_model():
    """Of an axis whose length the model may change."""
    with pm.Model(coords={"a": range(4)}):
        z = pm.ZeroSumNormal("z", 1.0, dims="a")
    want = 3 * kl(stats.norm(0.0, 2.0), stats.norm())
    with pytest.warns(EstimateWarning, match="parameters depend on shared variables"):
        found = estimate_kl(2.0 * z, z, random_state=1, draws=2000)
    assert abs(found.value - want) < 4.0 * found.error < 1.0
