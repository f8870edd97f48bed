"""What explain says is what kl does, and it is said without computing it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from scipy import stats

from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    Kronecker,
    LowRank,
    MultivariateNormal,
    NoClosedFormError,
    Precision,
    explain,
    independent,
    kl,
)
from kl_plugins.covariance.eigendecomposition import Eigendecomposition
from kl_plugins.ops import floats
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.deferred import Deferred, deferred
from kl_plugins.recognition import recognise
from specimens import scipy_families

FAMILIES = scipy_families()

SPECIAL = {
    "exp",
    "expm1",
    "log1p",
    "gammaln",
    "digamma",
    "trigamma",
    "erf",
    "erfc",
}
SPECIAL |= {"power", "betainc", "gammainc", "gammaincc", "sin", "cos", "arctan"}
FORMULAS = {"log", "choose", "pick", "select", "elementwise", "sum_last", "in_pieces"} | SPECIAL

PLACES_ARE_COMPUTED = {"lognorm", "fisk", "loglaplace", "loguniform", "reciprocal"}
PLACES_ARE_COMPUTED |= {"burr", "burr12", "mielke", "powerlognorm", "truncpareto"}
"""Whether two logarithms start together, or where a support ends, takes a logarithm or an exponential."""


def outcome(function, p, q):
    try:
        function(p, q)
    except NoClosedFormError as error:
        return str(error)
    return "known"


def refuse(*args, **options):
    raise AssertionError("something was computed")


def variant(name, kind):
    frozen = FAMILIES[name]
    if kind == "plain":
        return recognise(frozen)
    shapes, loc, scale = frozen.dist._parse_args(*frozen.args, **frozen.kwds)
    discrete = isinstance(frozen.dist, stats.rv_discrete)
    further = {} if discrete or name == "vonmises" else {"scale": scale}
    moved = loc + (1.0 if discrete else 0.5)
    return recognise(
        frozen.dist(*shapes, loc=moved if kind == "moved" else np.array([loc, moved]), **further)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "kinds",
    [
        ("plain", "plain"),
        ("moved", "plain"),
        ("plain", "batch"),
        ("batch", "batch"),
    ],
)
def test_all_families_are_explained_without_a_formula(kinds, monkeypatch):
    firsts, seconds = ({name: variant(name, kind) for name in FAMILIES} for kind in kinds)
    pairs = list(product(FAMILIES, FAMILIES))
    expected = [outcome(kl, firsts[a], seconds[b]) for a, b in pairs]
    assert 1000 < expected.count("known") < len(pairs)
    for backend, name in product((floats, array_ops), FORMULAS):
        monkeypatch.setattr(backend, name, refuse, raising=False)
    judged = [not PLACES_ARE_COMPUTED & set(pair) for pair in pairs]
    found = [
        outcome(explain, firsts[a], seconds[b]) if judge else None
        for (a, b), judge in zip(pairs, judged, strict=True)
    ]
    monkeypatch.undo()
    for (a, b), known, said in zip(pairs, expected, found, strict=True):
        assert (outcome(explain, firsts[a], seconds[b]) if said is None else said) == known, (a, b)


def test_a_batch_of_which_some_have_a_closed_form():
    """Those that are shifted have none, unless they lie outside of q's support."""
    q = stats.gamma(2.0)
    for loc in ([0.0, -1.0], [0.0, 1.0]):
        p = stats.gamma([1.0, 2.0], loc=loc)
        assert outcome(explain, p, q) == outcome(kl, p, q)
    assert outcome(explain, stats.gamma([1.0, 2.0], loc=[0.0, -1.0]), q) == "known"
    assert outcome(explain, stats.gamma([1.0, 2.0], loc=[0.0, 1.0]), q) != "known"


def test_a_batch_that_is_outside_of_the_support_is_what_its_members_are():
    p, q = stats.truncnorm(-1.0, [1.0, 2.0]), stats.loguniform(1.0, [3.0, 4.0])
    assert outcome(explain, p, q) == "known"
    assert kl(p, q).tolist() == [np.inf, np.inf]


def test_the_far_end_of_the_floats_is_outside_of_the_support_too():
    p, q = stats.uniform(), stats.fisk(1.0, loc=1e300, scale=1e-300)
    assert outcome(explain, p, q) == "known"
    assert kl(p, q) == np.inf


def test_the_graph_of_a_pair_is_not_built(monkeypatch):
    x, y = pt.dvector("x"), pt.dscalar("y")
    sides = [
        recognise(made)
        for made in (
            pm.Normal.dist(x, y),
            pm.Gamma.dist(x, y),
            pm.StudentT.dist(x, sigma=y),
            pm.Beta.dist(x, y),
            pm.LogNormal.dist(x, y),
            pm.HalfCauchy.dist(y),
            pm.Logistic.dist(x, y),
            pm.Poisson.dist(y),
            pm.NegativeBinomial.dist(x, y),
        )
    ]
    expected = [outcome(kl, p, q) for p, q in product(sides, sides)]
    monkeypatch.setattr(Apply, "__init__", refuse)
    assert [outcome(explain, p, q) for p, q in product(sides, sides)] == expected
    assert 0 < expected.count("known") < len(expected)


MATRIX = np.array([[2.0, 0.5], [0.5, 1.0]])
STRUCTURES = {
    "Isotropic": Isotropic(2.0, dim=2),
    "Diagonal": Diagonal([1.0, 2.0]),
    "Dense": Dense(MATRIX),
    "Cholesky": Cholesky(np.linalg.cholesky(MATRIX)),
    "Precision": Precision(MATRIX),
    "BlockDiagonal": BlockDiagonal((Dense([[2.0]]), Isotropic(1.0, dim=1))),
    "Kronecker": Kronecker([Dense(MATRIX)]),
    "LowRank": LowRank([1.0, 2.0], [[1.0], [0.5]]),
    "Eigendecomposition": Eigendecomposition([1.0, 2.0], np.eye(2)),
}


MATRIX_FORMULAS = {
    "matmul",
    "cholesky",
    "cholesky_of_root",
    "solve_lower",
    "solve_lower_transposed",
    "inverse_lower",
}
MATRIX_FORMULAS |= {"sum_of_squares", "sum_of_squares_last", "column_norms_below"}
MATRIX_FORMULAS |= {"triangular_ratio_squares", "sum_over_rows", "is_symmetric", "of_factors", "sqrt"}


def test_all_structures_are_explained_without_a_formula(monkeypatch):
    sides = [MultivariateNormal([0.0, 1.0], held) for held in STRUCTURES.values()]
    for name in FORMULAS | MATRIX_FORMULAS:
        assert hasattr(array_ops, name) or name in SPECIAL
        monkeypatch.setattr(array_ops, name, refuse, raising=False)
    for p, q in product(sides, sides):
        assert explain(p, q).cost


def test_products_are_refused_in_the_words_of_the_pair():
    pairs = [
        (independent(stats.laplace([3.0, 4.0])), independent(stats.logistic([1.0, 2.0]))),
        (stats.multivariate_normal([0.0, 0.0], MATRIX), independent(stats.t([3.0, 4.0]))),
        (stats.multivariate_normal([0.0, 0.0]), independent(stats.gamma([3.0, 4.0], loc=-1.0))),
        (independent(stats.gamma([3.0, 4.0])), independent(stats.norm([1.0, 2.0]))),
    ]
    found = [outcome(explain, p, q) for p, q in pairs]
    assert found == [outcome(kl, p, q) for p, q in pairs]
    assert [said == "known" for said in found] == [False, False, True, True]


def test_what_only_arithmetic_would_raise_is_not_raised():
    """SciPy refuses none of these; the shapes are where a float would overflow."""
    huge = stats.lognorm(1e200)
    assert explain(huge, stats.norm(0.0, 1.0)).cost == "O(1)"
    assert explain(stats.pareto(1e-320), stats.expon()).cost == "O(1)"


def test_log_uniforms_on_one_side_of_a_peak():
    """Arrays have the closed form that numbers have."""
    q, (a, b) = stats.laplace(0.0, 2.0), (1.0, 3.0)
    exact = np.log(2.0 * 2.0) + (b - a) / np.log(b / a) / 2.0 - stats.loguniform(a, b).entropy()
    found = kl(stats.loguniform([a, a], [b, b]), q)
    assert found == pytest.approx([exact, exact], rel=1e-12)
    assert kl(stats.loguniform(a, b), q) == pytest.approx(exact, rel=1e-12)


def test_nothing_is_computed_where_nothing_depends_on_the_numbers(monkeypatch):
    x, y = np.array([1.0, 2.0]), np.array([3.0, 2.5])
    firsts = [
        stats.norm(x, y),
        stats.logistic(x, y),
        stats.laplace(x, y),
        stats.gumbel_l(x, y),
        stats.uniform(x, y),
    ]
    firsts += [stats.cauchy(x, y), stats.truncnorm(-y, y, x)]
    seconds = [stats.norm(y, x), stats.laplace(y, x), stats.gumbel_l(y, x), stats.cauchy(y, x)]
    pairs = [pair for pair in product(firsts, seconds) if outcome(kl, *pair) == "known"]
    pairs += [(stats.uniform(x, y), stats.uniform(y, x)), (stats.truncnorm(-y, y), stats.truncnorm(-x, y))]
    pairs = [pair for pair in pairs if explain(*pair).cost == "O(1)"]  # the ranges of quadratures do depend
    assert len(pairs) > 20
    computed = Deferred.now

    def now(self):
        """What is computed may be the parameters of the sides only."""
        assert self.is_given(), self._call
        return computed(self)

    monkeypatch.setattr(Deferred, "now", now)
    for p, q in pairs:
        assert explain(p, q).cost == "O(1)"


def test_deferred_numbers_are_computed_when_asked_for_and_once():
    calls = []

    def noted(value):
        calls.append(value)
        return np.array(value)

    number = Deferred(noted, 2.0)
    total = -(((1.0 + number * np.float64(3.0)) / 2.0) ** 2.0)
    is_less, both = total < 0.0, np.logical_and(number > 0.0, True)
    assert calls == []
    assert is_less
    assert np.all(both)
    assert float(total) == -12.25
    assert [number.shape, number.dtype] == [(), np.float64]
    assert calls == [2.0]


def test_deferred_sides_share_what_the_sides_share():
    shared = np.array([1.0, 2.0])
    first, second = recognise(stats.gamma([1.0, 1.0])), recognise(stats.gamma([1.0, 1.0]))
    for side in (first, second):
        side.__dict__["scale"] = shared
    p, q = deferred(first, second)
    assert p.scale is q.scale
    assert p.concentration is not q.concentration
    assert p.ops is q.ops
    assert type(p.loc) is float


def test_a_sum_that_asks_whether_a_logarithm_is_known():
    """The points of q that p has not are looked for, which takes p's probabilities."""
    points = stats.rv_discrete(values=([0, 1, 2], [0.2, 0.3, 0.5]))
    assert explain(stats.binom(2, 0.3), points).rule == "by_points"
