"""Linear combinations of one Gaussian vector in graphs, judged by SciPy's distributions of them."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import value
from kl_plugins import NoClosedFormError, estimate_kl, explain, kl
from kl_plugins.recognition import recognise

MEAN = np.array([1.0, 2.0, -1.0])
COVARIANCE = np.array([[2.0, 0.5, 0.3], [0.5, 1.0, -0.2], [0.3, -0.2, 3.0]])
X = pm.MvNormal.dist(MEAN, COVARIANCE, name="x")
A, C = np.array([[1.0, -2.0, 0.5], [0.3, 1.0, 1.0]]), np.array([1.0, -2.0, 0.5])

COMBINATIONS = {
    "product": (A @ X, A, 0.0),
    "dot": (1.0 - pt.dot(A, X) / 2.0, -A / 2.0, 1.0),
    "product from the right": (X @ A.T, A, 0.0),
    "inner product": (C @ X, C, 0.0),
    "multiple": (1.0 + 2.0 * X, 2.0 * np.eye(3), 1.0),
    "multiples": (C - C * X, -np.diag(C), C),
    "standardised": ((X - MEAN) / np.sqrt(2.0), np.eye(3) / np.sqrt(2.0), -MEAN / np.sqrt(2.0)),
    "element": (X[0], np.eye(3)[0], 0.0),
    "last element": (3.0 - X[-1], -np.eye(3)[2], 3.0),
    "slice": (X[:2], np.eye(3)[:2], 0.0),
    "list": (X[[2, 0]], np.eye(3)[[2, 0]], 0.0),
    "mask": (X[np.array([True, False, True])], np.eye(3)[[0, 2]], 0.0),
    "reversed": (X[::-1], np.eye(3)[::-1], 0.0),
    "sum": (X.sum(), np.ones(3), 0.0),
    "mean": (X.mean(), np.ones(3) / 3.0, 0.0),
    "sum of elements": (X[0] + 2.0 * X[1] - 1.0, np.array([1.0, 2.0, 0.0]), -1.0),
    "differences": (pt.diff(X), np.diff(np.eye(3), axis=0), 0.0),
    "running sums": (pt.cumsum(X), np.tri(3), 0.0),
}
"""A combination, its weights, and what is added."""


@pytest.mark.parametrize("name", COMBINATIONS)
def test_combinations(name):
    variable, weights, added = COMBINATIONS[name]
    mean, covariance = weights @ MEAN + added, weights @ COVARIANCE @ weights.T
    made = recognise(variable)
    if weights.ndim == 1:
        found = value([made.mean, made.scale**2])
    else:
        found = value([made.mean, made.covariance.matrix()])
    for one, exact in zip(found, (mean, covariance), strict=True):
        np.testing.assert_allclose(one, exact, rtol=1e-13, atol=1e-14)


def test_divergences_with_gradients():
    weights = pt.matrix("weights", shape=(2, 3))
    divergence = kl(weights @ X, stats.multivariate_normal([0.0, 0.0]))

    def exact(a):
        return kl(
            stats.multivariate_normal(a @ MEAN, a @ COVARIANCE @ a.T), stats.multivariate_normal([0.0, 0.0])
        )

    found, slope = value([divergence, pytensor.grad(divergence, weights)], {weights: A})
    assert found == pytest.approx(exact(A), rel=1e-12)
    step = np.zeros((2, 3))
    step[0, 1] = 1e-5
    assert slope[0, 1] == pytest.approx((exact(A + step) - exact(A - step)) / 2e-5, rel=1e-7)


def test_structure_is_kept():
    """Of multiples, slices and elements."""
    independent = pm.MvNormal.dist(np.zeros(3), np.diag([1.0, 2.0, 3.0]))
    for one in (2.0 * independent + 1.0, independent[1:], pm.MvNormal.dist(np.zeros(3), np.eye(3)) * C):
        assert explain(one, one).cost == "O(d)"
    batch = 2.0 * pm.MvNormal.dist(MEAN, COVARIANCE, size=2)
    exact = kl(
        stats.multivariate_normal(2.0 * MEAN, 4.0 * COVARIANCE), stats.multivariate_normal(np.zeros(3))
    )
    np.testing.assert_allclose(
        value(kl(batch, stats.multivariate_normal(np.zeros(3)))), [exact, exact], rtol=1e-13
    )


def test_functions_of_combinations():
    exact = stats.lognorm(np.sqrt(2.0), scale=np.e)
    assert value(kl(pt.exp(X[0]), exact)) == pytest.approx(0.0, abs=1e-14)
    both = stats.lognorm(2.0, scale=np.exp(3.0))  # of variance 2 + 1 + 2 · 0.5
    assert value(kl(pt.exp(X[0] + X[1]), both)) == pytest.approx(0.0, abs=1e-14)


def test_estimates():
    found = estimate_kl(X[0] + X[1], stats.norm(3.0, 2.0))
    assert found.value == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(TypeError, match=r"it is not a random variable but a part of pm\.Normal"):
        estimate_kl(pm.Normal.dist(0.0, 1.0, shape=3)[0], stats.norm())


def test_failures():
    heads, other = pm.Bernoulli.dist(0.3), stats.bernoulli(0.6)
    assert value(kl(1 - heads, other)) == pytest.approx(kl(stats.bernoulli(0.7), other), rel=1e-13)
    count = 7 - pm.Binomial.dist(5, 0.3)
    assert value(kl(count, stats.binom(5, 0.6, 2))) == pytest.approx(
        5 * kl(stats.bernoulli(0.7), other), rel=1e-13
    )


def test_what_is_no_combination():
    plane, weights, factor = stats.multivariate_normal([0.0, 0.0]), pt.matrix("weights"), pt.scalar("factor")
    for variable, message in (
        (X[0] * X[1], "a function of x in which it occurs more than once"),
        (X[0] + pm.Normal.dist(), r"a function of several random variables \(x, pm.Normal\)"),
        (pm.MvNormal.dist(MEAN, COVARIANCE, size=2)[0], "a part of pm.MvNormal"),
        (X.prod(), "a product over x"),
    ):
        with pytest.raises(TypeError, match=message):
            kl(variable, stats.norm())
    with pytest.raises(
        ValueError, match="must be linearly independent, but 4 combinations of 3 variables never are"
    ):
        kl(np.ones((4, 3)) @ X, plane)
    for given in (np.ones((2, 3)), np.ones((4, 3))):
        with pytest.raises(ValueError, match="must be linearly independent"):
            value(kl(weights @ X, weights @ X), {weights: given})
    with pytest.raises(ValueError, match="the factor of a random variable must not be 0"):
        kl(np.array([1.0, 0.0, 1.0]) * X, X)
    with pytest.raises(ValueError, match="the factor of a random variable must not be 0"):
        value(kl(factor * X, X), {factor: 0.0})
    with pytest.raises(
        NoClosedFormError, match=r"exp\(pm.MvNormal\), whose distribution is none of the families"
    ):
        kl(pt.exp(X), X)


VARIANCE = pt.dscalar("variance")
OF_STRUCTURES = {
    "pm.MvNormal": X,
    "diagonal": pm.MvNormal.dist(MEAN, np.diag([1.0, 4.0, 9.0])),
    "of one variance": pm.MvNormal.dist(MEAN, VARIANCE * pt.eye(3)),
    "pm.GaussianRandomWalk": pm.GaussianRandomWalk.dist(0.0, 1.0, init_dist=pm.Normal.dist(), steps=2),
}


@pytest.mark.parametrize("structure", OF_STRUCTURES)
@pytest.mark.parametrize(("index", "twice"), [([0, 0], 0), ([1, 2, 1], 1), ([2, -1], 2)])
def test_an_element_taken_twice_is_refused(structure, index, twice):
    """Two variables that are one live on a line, where nothing else has a density."""
    variable, other = OF_STRUCTURES[structure][index], stats.multivariate_normal(np.zeros(len(index)))
    for side, pair in {"p": (variable, other), "q": (other, 2.0 * variable + 1.0)}.items():
        with pytest.raises(ValueError, match=rf"^{side}: .* element {twice} taken more than once"):
            kl(*pair)
    with pytest.raises(ValueError, match=r"^p: .*: take each element once"):
        kl(variable[::-1], other)


def test_estimates_refuse_an_element_taken_twice():
    plane = stats.multivariate_normal([0.0, 0.0])
    with pytest.raises(ValueError, match=r"^p: x has its element 0 taken more than once"):
        estimate_kl(X[[0, 0]], plane)
    with pytest.raises(ValueError, match=r"^q: .* of these 2 only 1 are; leave out"):
        estimate_kl(plane, np.array([[0.1, 0.2, 0.3], [0.3, 0.6, 0.9]]) @ X)


def test_units_make_nothing_dependent():
    """Weights that are far apart because variables, or combinations, are."""
    scales = np.array([1e-12, 1.0, 1e12])
    apart = pm.MvNormal.dist(MEAN / scales, COVARIANCE / np.outer(scales, scales))
    for weights, of in ((A * scales, apart), (A * np.array([[1e-12], [1e12]]), X)):
        variable = weights @ of
        assert value(kl(variable, variable)) == 0.0
