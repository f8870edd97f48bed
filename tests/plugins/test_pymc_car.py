"""pm.CAR: its density is PyMC's but for a constant, its weights are constants or else a whole matrix."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import sparse

from graphs import value
from kl_plugins import Diagonal, MultivariateNormal, Precision, estimate_kl, explain, kl
from kl_plugins.extend import ConditionalAutoregressive, recognise
from kl_plugins.variational import kl_terms

CHAIN = np.diag(np.ones(4), 1) + np.diag(np.ones(4), -1)
MEAN = np.linspace(0.0, 1.0, 5)
ALPHA, TAU = np.array(0.75), np.array(2.0)


def by_matrix(mean, alpha, tau):
    return MultivariateNormal(mean, Precision(tau * (np.diag(CHAIN.sum(axis=1)) - alpha * CHAIN)))


KINDS = {"dense": CHAIN, "of integers": CHAIN.astype(int), "sparse": sparse.csr_matrix(CHAIN)}


@pytest.mark.filterwarnings("ignore:Method .* is not implemented for sparse variables")  # by PyMC, in a batch
@pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning")
@pytest.mark.parametrize("name", KINDS)
def test_density_and_divergence(name):
    variable, rows = (pm.CAR.dist(np.tile(MEAN, n), KINDS[name], ALPHA, TAU) for n in (1, (3, 1)))
    made = recognise(variable)
    assert isinstance(made.covariance, ConditionalAutoregressive)
    at = np.random.default_rng(1).normal(size=(2, 5))
    ours = value(made.log_prob(pt.constant(at)))
    theirs = [pm.logp(variable, point).sum().eval(mode="FAST_COMPILE") for point in at]
    np.testing.assert_allclose(ours[1] - ours[0], theirs[1] - theirs[0], rtol=1e-12)
    q = pm.CAR.dist(MEAN, KINDS[name], 0.25 * ALPHA, TAU)
    want = kl(by_matrix(MEAN, 0.75, 2.0), by_matrix(MEAN, 0.1875, 2.0))
    for p, shape in ((variable, ()), (rows, (3,))):
        np.testing.assert_allclose(value(kl(p, q)), np.full(shape, want), rtol=1e-12)
        assert "eigenvalues" in explain(p, q).cost


def test_weights_of_a_graph_are_a_matrix():
    weights, alpha = pt.dmatrix(), pt.dscalar()
    p = pm.CAR.dist(MEAN, weights, alpha, TAU)
    q = pm.CAR.dist(np.zeros(5), CHAIN, ALPHA, TAU)
    assert explain(p, q).p == "MultivariateNormal(Precision)"
    found = value(kl(p, q), {weights: CHAIN, alpha: 0.3})
    np.testing.assert_allclose(found, kl(by_matrix(MEAN, 0.3, 2.0), by_matrix(np.zeros(5), 0.75, 2.0)))


def test_mean_field_from_a_field_of_random_dependence():
    """In a model, with gradients by alpha and tau."""
    with pm.Model() as model:
        alpha, tau = pm.Uniform("alpha"), pm.Gamma("tau", 2.0, 2.0)
        pm.CAR("field", MEAN, CHAIN, alpha, tau)
        pm.MeanField()
    axes = MultivariateNormal(np.zeros(5), Diagonal(np.arange(1.0, 6.0)))
    inputs, at = [pt.dscalar(), pt.dscalar()], np.array([0.5, 1.5])
    given = pm.do(model, {"alpha": inputs[0], "tau": inputs[1]})
    (term,) = kl_terms(given, {"field": axes}).values()
    found, *slopes = value([term, *pytensor.grad(term, inputs)], dict(zip(inputs, at, strict=True)))
    np.testing.assert_allclose(found, kl(axes, by_matrix(MEAN, *at)), rtol=1e-6)
    steps = 1e-4 * np.eye(2)
    ends = [kl(axes, by_matrix(MEAN, *(at + h))) - kl(axes, by_matrix(MEAN, *(at - h))) for h in steps]
    np.testing.assert_allclose(slopes, np.array(ends) / 2e-4, rtol=1e-5)


BAD = [
    ({"alpha": 1.5}, "p: alpha must be greater than -1 and less than 1"),
    ({"tau": -1.0}, "p: tau must be positive"),
]


@pytest.mark.parametrize(("changed", "message"), BAD)
def test_error_names_the_parameter(changed, message):
    symbols = {"alpha": pt.dscalar(), "tau": pt.dscalar()}
    p = pm.CAR.dist(MEAN, CHAIN, symbols["alpha"], symbols["tau"])
    graph = kl(p, pm.CAR.dist(MEAN, CHAIN, ALPHA, TAU))
    at = {"alpha": 0.5, "tau": 1.0} | changed
    with pytest.raises(ValueError, match=message):
        value(graph, {symbols[name]: number for name, number in at.items()})


ISLANDS = np.pad(CHAIN[:3, :3], (0, 2))
BAD_WEIGHTS = [
    (ISLANDS, "W must give each place a neighbour: rows 3 and 4 hold zeros alone", "a row holds"),
    (CHAIN + np.eye(5, k=1), "W must be symmetric", None),
    (np.where(CHAIN > 0.0, np.nan, 0.0), "W must be finite", None),
]


@pytest.mark.parametrize(("weights", "message", "symbolic"), BAD_WEIGHTS)
def test_error_names_the_weights(weights, message, symbolic):
    good = pm.CAR.dist(MEAN, CHAIN, ALPHA, TAU)
    bad, symbol = pm.CAR.dist(MEAN, weights, ALPHA, TAU), pt.dmatrix()
    for compare in (kl, estimate_kl):
        with pytest.raises(ValueError, match=f"^q: {message}"):
            compare(good, bad)
    graph = kl(pm.CAR.dist(MEAN, symbol, ALPHA, TAU), good)
    with pytest.raises(ValueError, match=f"^p: W must .*{symbolic or ''}"):
        value(graph, {symbol: weights})
