"""Divergences of PyMC's variational approximations, aligned by the names of their variables."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
import scipy.stats as st
from pymc.variational.approximations import FullRankGroup, MeanFieldGroup
from pymc.variational.opvi import Approximation

from graphs import value
from kl_plugins import entropy, explain, jeffreys, kl

pytestmark = pytest.mark.filterwarnings("error")

NAMES = ("a", "b_log__", "c")
SHAPES = {"a": (2,), "b": (), "c": (2, 2)}


def model_with(order, shapes=SHAPES):
    """A model that declares its variables in the given order."""
    with pm.Model() as model:
        for name in order:
            (pm.HalfNormal if name == "b" else pm.Normal)(name, shape=shapes[name])
    return model


def fitted(make, order="abc", seed=0, shapes=SHAPES):
    """An approximation of such a model, with parameters as a fit might have left them."""
    rng = np.random.default_rng(seed)
    with model_with(order, shapes) as model:
        made = make(model)
    for parameter in made.params:
        parameter.set_value(rng.normal(scale=0.7, size=parameter.get_value().shape))
    return made


def groups(*pairs):
    """An approximation of several groups, each of a kind and the names of its variables."""

    def make(model):
        return Approximation([kind([model[name] for name in names]) for kind, names in pairs], model=model)

    return make


def equal_in_scipy(approximation):
    """The same Gaussian with its variables in alphabetical order, from the parameters' values."""
    mean, blocks, places = [], [], {}
    for group in approximation.groups:
        numbers = {name: parameter.get_value() for name, parameter in group.params_dict.items()}
        start = len(mean)
        for name, part, *_ in group.ordering.values():
            places[name] = np.arange(start + part.start, start + part.stop)
        mean += list(numbers["mu"])
        if "rho" in numbers:
            factor = np.diag(np.logaddexp(0.0, numbers["rho"]))
        else:
            factor = np.zeros((group.ddim, group.ddim))
            factor[np.tril_indices(group.ddim)] = numbers["L_tril"]
            factor[np.diag_indices(group.ddim)] = np.logaddexp(0.0, np.diagonal(factor))
        blocks.append(factor @ factor.T)
    cov = np.zeros((len(mean), len(mean)))
    start = 0
    for block in blocks:
        cov[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    order = np.concatenate([places[name] for name in NAMES])
    return st.multivariate_normal(np.array(mean)[order], cov[np.ix_(order, order)])


APPROXIMATIONS = {
    "mean field": (lambda model: pm.MeanField(model=model), "abc"),
    "mean field, other order": (lambda model: pm.MeanField(model=model), "cba"),
    "full rank": (lambda model: pm.FullRank(model=model), "abc"),
    "full rank, other order": (lambda model: pm.FullRank(model=model), "bca"),
    "two groups": (groups((FullRankGroup, "ac"), (MeanFieldGroup, "b")), "abc"),
    "two groups, other order": (groups((MeanFieldGroup, "b"), (FullRankGroup, "ca")), "cab"),
    "two other groups": (groups((MeanFieldGroup, "c"), (FullRankGroup, "ba")), "abc"),
    "three groups": (groups((MeanFieldGroup, "c"), (FullRankGroup, "a"), (FullRankGroup, "b")), "bac"),
}


EVERY_DAY = ("mean field", "full rank, other order", "two groups")


@pytest.mark.parametrize(
    "p", [pytest.param(p, marks=[pytest.mark.slow] * (p not in EVERY_DAY)) for p in APPROXIMATIONS]
)
def test_pairs_of_approximations(p):
    left = fitted(*APPROXIMATIONS[p], seed=1)
    rights = [fitted(*APPROXIMATIONS[q], seed=2) for q in APPROXIMATIONS]
    got = value([kl(left, right) for right in rights])
    want = [kl(equal_in_scipy(left), equal_in_scipy(right)) for right in rights]
    np.testing.assert_allclose(got, want, rtol=1e-11)
    zero, spread = value([kl(left, left), entropy(left)])
    assert zero == 0.0
    np.testing.assert_allclose(spread, entropy(equal_in_scipy(left)), rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "q", "cost"),
    [
        ("mean field", "mean field, other order", "O(d)"),
        ("mean field", "full rank", "O(d³)"),
        ("full rank", "mean field, other order", "O(d²)"),
        ("full rank", "full rank", "O(d³)"),
        ("two groups", "two groups", "block by block"),
        ("two groups", "mean field, other order", "block by block"),
        ("two groups", "two groups, other order", "block by block"),
        ("mean field", "three groups", "block by block"),
    ],
)
def test_routes(p, q, cost):
    explained = explain(fitted(*APPROXIMATIONS[p]), fitted(*APPROXIMATIONS[q]))
    assert explained.cost.startswith(cost)


def test_symbolic_in_the_shared_parameters():
    left, right = (fitted(*APPROXIMATIONS[name], seed=3) for name in ("mean field", "full rank"))
    function = jeffreys(left, right)
    before = value(function)
    left.groups[0].params_dict["mu"].set_value(np.linspace(-1.0, 1.0, 7))
    after = value(function)
    assert after != before
    np.testing.assert_allclose(after, jeffreys(equal_in_scipy(left), equal_in_scipy(right)), rtol=1e-11)


def test_against_a_distribution_without_names():
    """Coordinates are then taken in the approximation's own order."""
    left = fitted(*APPROXIMATIONS["full rank"])
    right = st.multivariate_normal(np.zeros(7), np.eye(7))
    np.testing.assert_allclose(value(kl(left, right)), kl(equal_in_scipy(left), right), rtol=1e-11)


@pytest.mark.parametrize(
    ("order", "shapes", "message"),
    [
        ("ab", SHAPES, "'c' only in p"),
        ("abcd", SHAPES | {"d": (3,)}, "'d' only in q"),
        ("abd", SHAPES | {"d": (2, 2)}, "'c' only in p; 'd' only in q"),
        ("abc", SHAPES | {"c": (4,)}, r"'c' has shape \(2, 2\) in p and \(4,\) in q"),
        ("abc", SHAPES | {"a": (3,)}, r"'a' has shape \(2,\) in p and \(3,\) in q"),
    ],
)
def test_different_variables(order, shapes, message):
    def mean_field(model):
        return pm.MeanField(model=model)

    with pytest.raises(ValueError, match=f"different variables: {message}"):
        kl(fitted(mean_field), fitted(mean_field, order, shapes=shapes))


def test_approximations_that_are_not_gaussian():
    with model_with("abc") as model:
        particles, gaussian = pm.Empirical(size=10), pm.MeanField(model=model)
    with pytest.raises(TypeError, match="p: EmpiricalGroup is not a Gaussian group"):
        kl(particles, gaussian)
    with pytest.raises(TypeError, match="q: EmpiricalGroup is not a Gaussian group"):
        kl(gaussian, particles)
