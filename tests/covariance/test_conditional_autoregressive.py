"""Conditional autoregressions: against the oracle by their whole precision matrix, in numbers and graphs."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import sparse

import oracle
from graphs import OF_DIAGONALS, value
from kl_plugins import (
    ConditionalAutoregressive,
    Dense,
    Diagonal,
    Isotropic,
    LowRank,
    MultivariateNormal,
    Precision,
    entropy,
    explain,
    kl,
    pairwise_kl,
)
from kl_plugins.extend import Singular

PLACES = 6
RING = np.roll(np.eye(PLACES), 1, axis=0) + np.roll(np.eye(PLACES), -1, axis=0)
WEIGHTED = RING * (1.0 + np.add.outer(np.arange(PLACES), np.arange(PLACES)))
STAR = np.zeros((PLACES, PLACES))
STAR[0, 1:] = STAR[1:, 0] = 1.0
MAPS = {"ring": RING, "weighted": WEIGHTED, "star": STAR, "two islands": np.kron(np.eye(2), STAR[:3, :3])}
EIGENVALUES = "O(d) after the eigenvalues of the weights"


def precision(weights, alpha, tau):
    return tau * (np.diag(weights.sum(axis=1)) - alpha * weights)


def both(weights, alpha, tau, mean=0.0):
    """One of ours, and the oracle's by the precision; of doubles that are exact."""
    mean = np.full(len(weights), mean)
    made = MultivariateNormal(mean, ConditionalAutoregressive(weights, alpha, tau))
    return made, oracle.from_precision(mean, precision(weights, alpha, tau))


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(("alpha", "tau"), [(0.5, 2.0), (-0.75, 0.25), (1.0 - 2.0**-30, 1.0), (0.0, 4.0)])
def test_pair_of_the_same_weights_agrees_with_the_oracle(name, alpha, tau):
    (p, exact_p), (q, exact_q) = both(MAPS[name], alpha, tau), both(MAPS[name], 0.25, 1.0, 0.5)
    for pair, exact in (((p, q), (exact_p, exact_q)), ((q, p), (exact_q, exact_p))):
        assert explain(*pair).cost.startswith(EIGENVALUES)
        assert oracle.relative_error(kl(*pair), oracle.kl(*exact)) < 1e-13
    assert entropy(p) == pytest.approx(float(oracle.entropy(exact_p)), rel=1e-13)
    assert kl(p, p) == 0.0


@pytest.mark.parametrize("power", [4, 20, 40])
def test_nearly_equal_pair_keeps_its_digits(power):
    p, exact_p = both(RING, 0.5, 1.0)
    for q, exact_q in (both(RING, 0.5 + 2.0**-power, 1.0), both(RING, 0.5, 1.0 - 2.0**-power)):
        assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13


def test_independent_variables_keep_their_digits():
    """Near independence, too, where the determinant is nearly one."""
    for alpha in (0.5, 2.0**-20):
        q, exact_q = both(RING, alpha, 0.5)
        p = MultivariateNormal(np.zeros(PLACES), Isotropic(1.0, dim=PLACES))
        exact_p = oracle.from_scales(np.zeros(PLACES), np.ones(PLACES))
        assert explain(p, q).cost.startswith(EIGENVALUES)
        assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13
        assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-8


def others():
    rng = np.random.default_rng(4)
    full = np.cov(rng.normal(size=(PLACES, 20)))
    return {
        "other weights": ConditionalAutoregressive(sparse.csr_array(WEIGHTED), 0.5, 2.0),
        "Diagonal": Diagonal(rng.uniform(0.5, 2.0, PLACES)),
        "Dense": Dense(full),
        "Precision": Precision(full),
        "LowRank": LowRank(np.ones(PLACES), rng.normal(size=(PLACES, 1))),
    }


@pytest.mark.parametrize("name", others())
def test_other_structures(name):
    """As the whole precision matrix does, which its factor and its quadratic forms are those of."""
    mean = np.linspace(0.0, 1.0, PLACES)
    p = MultivariateNormal(mean, ConditionalAutoregressive(STAR, 0.75, 2.0))
    whole = MultivariateNormal(mean, Precision(precision(STAR, 0.75, 2.0)))
    q = MultivariateNormal(np.zeros(PLACES), others()[name])
    np.testing.assert_allclose([kl(p, q), kl(q, p)], [kl(whole, q), kl(q, whole)], rtol=1e-13)
    np.testing.assert_allclose(p.log_prob(mean - 1.0), whole.log_prob(mean - 1.0), rtol=1e-13)
    np.testing.assert_allclose(p.covariance.whiten(mean), whole.covariance.whiten(mean), rtol=1e-13)
    marginals = (one.covariance.marginal([2, 0]).matrix() for one in (p, whole))
    np.testing.assert_allclose(*marginals, rtol=1e-13)


def test_single_precision_stays():
    p, q = (
        MultivariateNormal(
            np.zeros(PLACES, np.float32), ConditionalAutoregressive(RING, np.float32(alpha), np.float32(1.5))
        )
        for alpha in (0.5, 0.25)
    )
    axes = MultivariateNormal(np.zeros(PLACES, np.float32), Isotropic(np.float32(2.0), dim=PLACES))
    for pair in ((p, q), (axes, q), (q, axes)):
        assert kl(*pair).dtype == np.float32


def test_singular_gaussian_is_infinitely_far():
    p = MultivariateNormal(np.zeros(PLACES), ConditionalAutoregressive(RING, 0.5, 1.0))
    q = MultivariateNormal(np.zeros(PLACES), Singular(np.eye(PLACES)[:, :2], Isotropic(1.0, dim=2)))
    assert kl(p, q) == kl(q, p) == np.inf


def test_batches_and_tables_of_pairs():
    alpha, tau = np.array([0.0, 0.5, 0.9]), np.array([[1.0], [2.0]])
    whole = MultivariateNormal(np.zeros(PLACES), ConditionalAutoregressive(RING, alpha, tau))
    other = MultivariateNormal(np.zeros(PLACES), ConditionalAutoregressive(RING, 0.3, 1.0))
    axes = MultivariateNormal(np.zeros(PLACES), Isotropic(1.0, dim=PLACES))
    assert kl(whole, other).shape == entropy(whole).shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        one = MultivariateNormal(np.zeros(PLACES), ConditionalAutoregressive(RING, alpha[j], tau[i, 0]))
        for q in (other, axes):
            np.testing.assert_allclose(kl(whole, q)[i, j], kl(one, q), rtol=1e-13)
            np.testing.assert_allclose(kl(q, whole)[i, j], kl(q, one), rtol=1e-13)
    members = [
        MultivariateNormal(np.zeros(PLACES), ConditionalAutoregressive(weights, 0.5, 1.0))
        for weights in (RING, STAR)
    ]
    np.testing.assert_allclose(
        pairwise_kl(members), [[kl(p, q) for q in members] for p in members], rtol=1e-12, atol=1e-15
    )


def test_a_map_of_many_places():
    """On a ring of d places the eigenvalues are the cosines of the d-th roots of unity; no matrix is made."""
    d = 600
    pattern = sparse.diags_array([np.ones(d - 1), np.ones(1)], offsets=[1, d - 1])
    p, q = (
        MultivariateNormal(np.zeros(d), ConditionalAutoregressive(pattern + pattern.T, alpha, tau))
        for alpha, tau in ((0.5, 1.0), (0.9, 2.0))
    )
    cosines = np.cos(2.0 * np.pi * np.arange(d) / d)
    ratio = 2.0 * (1.0 - 0.9 * cosines) / (1.0 - 0.5 * cosines)
    assert kl(p, q) == pytest.approx(0.5 * (ratio - 1.0 - np.log(ratio)).sum(), rel=1e-13)
    assert "matrix" not in vars(p.covariance.weights)


LOOP, NEGATIVE, ALONE = RING + np.eye(PLACES), RING - 2.0 * STAR, RING.copy()
ALONE[0] = ALONE[:, 0] = 0.0
BAD = [
    (lambda: ConditionalAutoregressive(RING, 1.0, 1.0), "alpha must be greater than -1 and less than 1"),
    (lambda: ConditionalAutoregressive(RING, np.nan, 1.0), "alpha must be greater than -1"),
    (lambda: ConditionalAutoregressive(RING, 0.5, 0.0), "tau must be positive"),
    (lambda: ConditionalAutoregressive(RING[:3], 0.5, 1.0), r"one square matrix .*got shape \(3, 6\)"),
    (lambda: ConditionalAutoregressive(RING[0], 0.5, 1.0), r"one square matrix .*got shape \(6,\)"),
    (lambda: ConditionalAutoregressive(np.triu(RING), 0.5, 1.0), "weights must be symmetric"),
    (lambda: ConditionalAutoregressive(LOOP, 0.5, 1.0), "no place is its own neighbour"),
    (lambda: ConditionalAutoregressive(NEGATIVE, 0.5, 1.0), "weights must be finite and not negative"),
    (lambda: ConditionalAutoregressive(ALONE, 0.5, 1.0), "give each place a neighbour"),
    (lambda: ConditionalAutoregressive(RING, [0.5, 0.6], [1.0] * 3), "do not broadcast"),
    (lambda: ConditionalAutoregressive(pt.dmatrix(), 0.5, 1.0), "weights must be numbers"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def _pairs(alpha, tau, scale):
    """Of the same weights, of independent variables, and by the whole matrix."""
    zeros = np.zeros(PLACES)
    p = MultivariateNormal(zeros, ConditionalAutoregressive(RING, alpha, tau))
    mean = 0.1 * scale * np.arange(PLACES)
    same = MultivariateNormal(mean, ConditionalAutoregressive(RING, 0.2 * scale, scale))
    axes = MultivariateNormal(mean, Isotropic(scale, dim=PLACES))
    return [kl(p, same), kl(same, p), kl(axes, p), kl(p, axes)]


def test_graphs_and_their_gradients():
    inputs, at = [pt.dscalar() for _ in range(3)], np.array([0.7, 1.4, 0.8])
    graphs, weights = _pairs(*inputs), np.array([1.0, 3.0, -2.0, 0.5])
    slopes = pytensor.grad(sum(w * graph for w, graph in zip(weights, graphs, strict=True)), inputs)
    *found, a, b, c = value([*graphs, *slopes], dict(zip(inputs, at, strict=True)))
    np.testing.assert_allclose(found, _pairs(*at), rtol=1e-12)
    steps = 1e-5 * np.eye(3)
    ends = [weights @ _pairs(*(at + step)) - weights @ _pairs(*(at - step)) for step in steps]
    np.testing.assert_allclose([a, b, c], np.array(ends) / 2e-5, rtol=1e-7)


def test_curvature_at_equality():
    """Second derivatives by alpha: ½ Σ λ² of independent places, whose first derivative is zero."""
    alpha = pt.dscalar()
    q = MultivariateNormal(np.zeros(PLACES), ConditionalAutoregressive(RING, alpha, 1.0))
    p = MultivariateNormal(np.zeros(PLACES), ConditionalAutoregressive(RING, 0.0, 1.0))
    want = 0.5 * np.trace(np.linalg.matrix_power(RING / 2.0, 2))
    for pair in ((p, q), (q, p)):
        slope = pytensor.grad(kl(*pair), alpha)
        np.testing.assert_allclose(
            value([slope, pytensor.grad(slope, alpha)], {alpha: 0.0}), [0.0, want], atol=1e-14
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning")
@pytest.mark.parametrize("mode", OF_DIAGONALS)
def test_compilers_agree(mode):
    inputs, at = [pt.dscalar() for _ in range(3)], [0.7, 1.4, 0.8]
    graphs = _pairs(*inputs)
    graphs += pytensor.grad(sum(graphs), inputs)
    got = pytensor.function(inputs, graphs, mode=mode)(*at)
    np.testing.assert_allclose(got, value(graphs, dict(zip(inputs, at, strict=True))), rtol=1e-9)
