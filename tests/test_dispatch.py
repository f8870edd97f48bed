"""Recognise, match, compute: the routes that explain shows, and the closed forms that users register."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from kl_plugins import (
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    Kronecker,
    MultivariateNormal,
    NoClosedFormError,
    Precision,
    cross_entropy,
    entropy,
    explain,
    independent,
    jeffreys,
    kl,
    matching,
    register_kl,
)
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.normal import Normal
from kl_plugins.recognition import recognise

MATRIX = np.array([[2.0, 0.5], [0.5, 1.0]])
HELD = {
    "Isotropic": Isotropic(2.0, dim=2),
    "Diagonal": Diagonal([1.0, 2.0]),
    "Dense": Dense(MATRIX),
    "Cholesky": Cholesky(np.linalg.cholesky(MATRIX)),
    "Precision": Precision(MATRIX),
    "BlockDiagonal": BlockDiagonal((Dense([[2.0]]), Isotropic(1.0, dim=1))),
    "Kronecker": Kronecker([Dense(MATRIX)]),
}

FROM_AXES_TO_FULL = "axis_aligned_full", "O(d) after q's Cholesky factor and its inverse"
FROM_FULL_TO_AXES = "full_axis_aligned", "O(d²) after the Cholesky factor of p"
FROM_ANY_TO_BLOCKS = (
    "any_block_diagonal",
    "O(d² b) for blocks of b variables, after the Cholesky factor of p",
)
FROM_BLOCKS = "O(d² b) for blocks of b variables, after q's Cholesky factor and its inverse"
FULL = "full_full", "O(d³): a triangular solve between Cholesky factors"
BLOCKS = (
    "by_blocks",
    "block by block: O(d²) after the Cholesky factor of p; O(1) in the covariances, O(d) in the means",
)
ROUTES = [
    ("Isotropic", "Isotropic", "isotropic_isotropic", "O(1) in the covariances, O(d) in the means"),
    ("Isotropic", "Diagonal", "diagonal_diagonal", "O(d)"),
    ("Isotropic", "Dense", *FROM_AXES_TO_FULL),
    ("Diagonal", "Isotropic", "diagonal_diagonal", "O(d)"),
    ("Diagonal", "Diagonal", "diagonal_diagonal", "O(d)"),
    ("Diagonal", "Dense", *FROM_AXES_TO_FULL),
    ("Dense", "Isotropic", *FROM_FULL_TO_AXES),
    ("Dense", "Diagonal", *FROM_FULL_TO_AXES),
    ("Dense", "Dense", "dense_dense", FULL[1]),
    ("Cholesky", "Dense", *FULL),
    ("Cholesky", "Diagonal", *FROM_FULL_TO_AXES),
    ("Diagonal", "Cholesky", *FROM_AXES_TO_FULL),
    ("Precision", "Precision", "precision_precision", FULL[1]),
    (
        "Precision",
        "Diagonal",
        "precision_axis_aligned",
        "O(d) after the Cholesky factor of p's precision and its inverse",
    ),
    ("Diagonal", "Precision", "axis_aligned_precision", "O(d²) after the Cholesky factor of q's precision"),
    ("Dense", "Precision", "full_precision", "O(d³): a product of triangular factors"),
    (
        "Precision",
        "Dense",
        "precision_full",
        "O(d³): the inverse of a triangular factor and a triangular solve",
    ),
    ("BlockDiagonal", "Isotropic", *BLOCKS),
    ("Dense", "BlockDiagonal", *FROM_ANY_TO_BLOCKS),
    ("Precision", "BlockDiagonal", *FROM_ANY_TO_BLOCKS),
    ("BlockDiagonal", "Dense", "block_diagonal_full", FROM_BLOCKS),
    ("BlockDiagonal", "Precision", "block_diagonal_full", FROM_BLOCKS),
    ("Kronecker", "Dense", "full_full", "O(d³): no path of its own, both through Cholesky factors"),
]


@pytest.fixture(autouse=True)
def _flag_as_it_was(monkeypatch):
    """What is registered here is for classes of this file only; other tests see no foreign rules."""
    monkeypatch.setattr(matching, "_foreign", set())


@pytest.mark.parametrize(("p", "q", "route", "cost"), ROUTES)
def test_route_of_every_pair_of_structures(p, q, route, cost):
    explained = explain(MultivariateNormal([0.0, 1.0], HELD[p]), MultivariateNormal([0.0, 0.0], HELD[q]))
    assert explained.p == f"MultivariateNormal({p})"
    assert explained.q == f"MultivariateNormal({q})"
    assert explained.rule == f"multivariate_normal_multivariate_normal → {route}"
    assert explained.cost == cost
    assert str(explained) == f"KL({explained.p} ‖ {explained.q}) by {explained.rule}, {cost}"


SCIPY = {"Isotropic": 2.0, "Diagonal": [1.0, 2.0], "Dense": MATRIX}


@pytest.mark.parametrize(("p", "q", "route", "cost"), ROUTES[:9])
def test_routes_of_scipys_gaussians_are_those_of_our_own(p, q, route, cost):
    p, q = (stats.multivariate_normal([0.0, 1.0], SCIPY[name]) for name in (p, q))
    explained = explain(p, q)
    assert (explained.rule, explained.cost) == (f"multivariate_normal_multivariate_normal → {route}", cost)


@pytest.mark.parametrize("p", ["Isotropic", "Diagonal"])
@pytest.mark.parametrize("q", ["Isotropic", "Diagonal"])
def test_route_of_axis_aligned_pairs_makes_no_matrix(p, q):
    """A matrix of this dimension would have 10¹² entries."""
    dimension = 10**6
    held = {"Isotropic": Isotropic(2.0, dim=dimension), "Diagonal": Diagonal(np.full(dimension, 3.0))}
    p, q = (MultivariateNormal(np.zeros(dimension), held[name]) for name in (p, q))
    assert kl(p, q) >= 0.0
    assert entropy(p) > 0.0


def test_explanation_of_univariate_normals():
    explained = explain(stats.norm(), stats.norm(1.0, 2.0))
    assert str(explained) == "KL(Normal ‖ Normal) by normal_normal, O(1)"


def test_explain_does_not_compute(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("something was computed")

    p = MultivariateNormal([0.0, 1.0], HELD["Dense"])
    monkeypatch.setattr(p.ops, "solve_lower", refuse)
    assert explain(p, p).cost == FULL[1]


class Coin:
    """A foreign distribution, which no plugin understands."""

    def __init__(self, heads):
        self.heads = heads


class Die:
    """Another one."""


class WeightedDie(Die):
    """A subclass, which the rules of its base serve."""


def bernoulli(p, q):
    pairs = ((p.heads, q.heads), (1.0 - p.heads, 1.0 - q.heads))
    return sum(a * np.log(a / b) for a, b in pairs)


def test_registered_closed_form_of_foreign_classes():
    assert register_kl(Coin, Coin, cost="O(1)")(bernoulli) is bernoulli
    p, q = Coin(0.25), Coin(0.5)
    assert kl(p, q) == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5))
    assert jeffreys(p, q) == kl(p, q) + kl(q, p)
    assert str(explain(p, q)) == "KL(Coin ‖ Coin) by bernoulli, O(1)"


def test_registered_rule_serves_subclasses_and_a_later_one_replaces_it():
    register_kl(Die, Die)(lambda p, q: 1.0)
    assert kl(WeightedDie(), Die()) == 1.0
    assert explain(Die(), Die()).cost == "not stated"
    register_kl(WeightedDie, Die)(lambda p, q: 2.0)
    assert kl(WeightedDie(), Die()) == 2.0
    assert kl(Die(), Die()) == 1.0
    register_kl(Die, Die)(lambda p, q: 3.0)
    assert kl(Die(), Die()) == 3.0


@pytest.mark.parametrize("foreign_is_p", [True, False])
def test_registered_closed_form_of_a_foreign_class_and_one_of_ours(foreign_is_p):
    received = []

    def rule(p, q):
        received.extend([p, q])
        return 7.0

    coin, normal = Coin(0.5), stats.norm(1.0, 2.0)
    register_kl(*((Coin, Normal) if foreign_is_p else (Normal, Coin)))(rule)
    assert kl(*((coin, normal) if foreign_is_p else (normal, coin))) == 7.0
    ours = received[1] if foreign_is_p else received[0]
    assert coin in received
    assert isinstance(ours, Normal)
    assert (ours.mean, ours.scale) == (1.0, 2.0)


def test_registered_rule_does_not_change_other_pairs():
    register_kl(Coin, Coin)(bernoulli)
    assert kl(stats.norm(0, 1), stats.norm(1, 1)) == 0.5


def test_registered_closed_form_of_our_own_families():
    register_kl(Normal, MultivariateNormal)(lambda p, q: 11.0)
    with pytest.raises(ValueError, match="different event shapes"):
        kl(stats.norm(), stats.multivariate_normal([0.0, 0.0]))


@pytest.mark.parametrize(
    "pair", [(Coin(0.5), Coin), (Coin, "Coin"), (3, Coin)], ids=["instance", "name", "int"]
)
def test_register_kl_takes_classes(pair):
    with pytest.raises(TypeError, match=r"register_kl: [pq]_type must be a class, got"):
        register_kl(*pair)


@dataclass(frozen=True, eq=False)
class Unheard(Distribution):
    """A family without any closed form."""

    batch_shape = event_shape = ()


@pytest.mark.parametrize(
    ("p", "q", "names"),
    [
        (Unheard(), stats.norm(), ("p: Unheard", "q: scipy.stats.norm()")),
        (stats.norm(), Unheard(), ("p: scipy.stats.norm()", "q: Unheard")),
        (Unheard(), Unheard(), ("p: Unheard", "q: Unheard")),
    ],
)
@pytest.mark.parametrize("function", [kl, explain, jeffreys])
def test_pair_without_closed_form(function, p, q, names):
    with pytest.raises(NoClosedFormError, match="no closed form") as caught:
        function(p, q)
    assert isinstance(caught.value, NotImplementedError)
    assert all(name in str(caught.value) for name in names)
    assert "register_kl" in str(caught.value)


def test_entropy_that_is_not_known():
    with pytest.raises(NotImplementedError, match="no closed form of the entropy of Unheard is known"):
        entropy(Unheard())


def test_cross_entropy_is_the_expected_log_density():
    p, q = stats.norm(1.0, 2.0), stats.norm(-0.5, 3.0)
    assert cross_entropy(p, q) == pytest.approx(-p.expect(q.logpdf), rel=1e-12)


@pytest.mark.parametrize(
    ("p", "name"),
    [
        (independent(stats.norm([0.0, 1.0], 2.0)), "MultivariateNormal(Diagonal)"),
        (
            independent(stats.norm(np.zeros((2, 3)), 2.0), ndims=2),
            "Independent(MultivariateNormal(Diagonal))",
        ),
        (independent(stats.norm([0.0, 1.0], 2.0), ndims=0), "Normal"),
    ],
)
def test_what_independent_makes(p, name):
    explained = explain(p, p)
    assert explained.p == name
    assert kl(p, p).sum() == 0.0


@pytest.mark.parametrize(
    ("p", "ndims", "message"),
    [
        (stats.norm(), 1, r"batch dimensions, here 0 \(batch shape \(\)\), got 1"),
        (stats.norm([0.0, 1.0]), 2, r"batch dimensions, here 1 \(batch shape \(2,\)\), got 2"),
        (stats.norm([0.0, 1.0]), -1, "got -1"),
        (stats.multivariate_normal([0.0, 1.0]), 1, "here 0"),
    ],
)
def test_independent_of_too_many_dimensions(p, ndims, message):
    with pytest.raises(ValueError, match=message):
        independent(p, ndims=ndims)


def test_independent_parts_without_closed_form():
    class UnheardBatch(Unheard):
        batch_shape = (2,)

    p = independent(UnheardBatch())
    with pytest.raises(NoClosedFormError, match="UnheardBatch"):
        kl(p, p)


def test_a_generator_of_scipy_stands_for_its_frozen_distributions():
    @register_kl(type(stats.anglit), type(stats.anglit))
    def anglit_anglit(p, q):
        return np.log(q.kwds["scale"] / p.kwds["scale"])

    assert kl(stats.anglit(scale=1.0), stats.anglit(scale=np.e)) == 1.0
    assert explain(stats.anglit(scale=1.0), stats.anglit(scale=2.0)).p == "anglit"
    assert kl(stats.norm(0, 1), stats.norm(1, 1)) == 0.5
    with pytest.raises(NoClosedFormError, match=r"registered for anglit, but none .* anglit and q: Normal"):
        kl(stats.anglit(), Normal(0.0, 1.0))


def test_the_class_that_all_frozen_distributions_share_is_refused():
    with pytest.raises(TypeError, match=r"class of many distributions.*type\(scipy.stats.t\)"):
        register_kl(type(stats.t(3)), type(stats.t(3)))


def test_a_recogniser_has_to_return_a_family():
    class Wrapped:
        pass

    @recognise.register(Wrapped)
    def _(obj):
        return stats.norm(0, 1)

    with pytest.raises(TypeError, match=r"q: .*Wrapped was recognised as rv_continuous_frozen, which"):
        kl(stats.norm(), Wrapped())


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize("made", [Normal(0.0, 2.0), *(MultivariateNormal([0, 1], c) for c in HELD.values())])
def test_distributions_are_copied_and_pickled(made, copied):
    other = copied(made)
    assert kl(made, other) == kl(other, made) == 0.0
    assert other.describe() == made.describe()


def test_somebody_elses_rule_leaves_pairs_of_families_alone():
    """A family beside a graph is brought to the graph's backend, whatever else is registered."""

    class Other:
        pass

    register_kl(Other, Other)(lambda p, q: 0.0)
    p = MultivariateNormal(np.zeros(2), Diagonal([1.0, 2.0]))
    q, same = pm.MvNormal.dist(np.zeros(2), cov=MATRIX), MultivariateNormal(np.zeros(2), Dense(MATRIX))
    assert kl(p, q).eval() == pytest.approx(kl(p, same))
    assert kl(q, p).eval() == pytest.approx(kl(same, p))
