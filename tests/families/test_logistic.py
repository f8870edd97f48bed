"""Logistic and hyperbolic secant variables."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from family_graphs import errors_of_graph
from family_oracle import divergence, diverges, expectation_of, statement_error
from graphs import value
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.by_nodes import QUADRATURE
from kl_plugins.families.core.statistics import Absolute, Exp, Identity, Softplus, Square

ALL = {"logistic": stats.logistic(0.1, 0.8), "hypsecant": stats.hypsecant(0.2, 0.7)}
OTHERS = {
    "another logistic": stats.logistic(1.1, 0.8),
    "norm": stats.norm(0.5, 2.0),
    "laplace": stats.laplace(-0.4, 1.3),
    "gumbel_l": stats.gumbel_l(0.2, 2.5),
    "gumbel_r": stats.gumbel_r(-0.4, 1.5),
}


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-12
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-10)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
@pytest.mark.parametrize("statistic", [Identity(), Square(), Exp(0.3), Exp(-0.7)])
def test_expectations(frozen, statistic):
    stated, exact = expectation_of(frozen, statistic, shift=0.3, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize(("shift", "ratio"), [(0.3, 0.8), (-2.0, 0.8), (0.4, -0.6), (0.0, 1.0)])
def test_absolute_values(shift, ratio):
    stated, exact = expectation_of(ALL["logistic"], Absolute(), shift, ratio)
    assert stated == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("frozen", [ALL["logistic"], OTHERS["gumbel_l"]], ids=["logistic", "gumbel"])
@pytest.mark.parametrize("shift", [0.0, 1e-9, 0.3, -2.0, 30.0])
@pytest.mark.parametrize("ratio", [1.0, -1.0])
def test_softplus(frozen, shift, ratio):
    stated, exact = expectation_of(frozen, Softplus(), shift, ratio)
    assert stated == pytest.approx(exact, rel=1e-8)


PAIRS = [("logistic", q) for q in OTHERS] + [("hypsecant", q) for q in ("norm", "gumbel_l", "gumbel_r")]


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_pairs_against_quadrature(p, q):
    p, q = ALL[p], OTHERS[q]
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-8)


def test_gumbel_variables_of_the_same_scale():
    for p in (stats.gumbel_l(0.3, 1.7), stats.gumbel_r(-2.3, 1.7)):
        q = stats.logistic(-0.4, 1.7)
        assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-9)


def test_moments_that_diverge():
    assert kl(stats.logistic(), stats.gumbel_r()) == np.inf
    assert diverges(stats.logistic(), stats.gumbel_r())
    assert kl(stats.hypsecant(), stats.gumbel_l(0.0, 0.8)) == np.inf


@given(st.floats(-9, 2.8).map(lambda x: 10**x), st.floats(-150, 150).map(lambda x: 10**x))
def test_the_shift_at_extreme_parameters(step, scale):
    p, q = stats.logistic(0.0, scale), stats.logistic(step * scale, scale)
    with mp.workdps(60):
        delta = (mp.mpf(step * scale) / mp.mpf(scale)) / 2
        exact = float(2 * delta * mp.coth(delta) - 2)
    assert kl(p, q) == pytest.approx(exact, rel=2e-13)
    assert kl(q, p) == kl(p, q)
    assert kl(p, p) == 0.0
    assert kl(stats.hypsecant(0.0, scale), stats.hypsecant(0.0, scale)) == 0.0


def test_others_have_no_closed_form():
    with pytest.raises(NoClosedFormError, match=r"p: scipy.stats.laplace\(\) and q: .*estimate_kl"):
        kl(stats.laplace(), stats.t(3.0))
    with pytest.raises(NoClosedFormError, match=r"log\(1 \+ exp"):
        explain(pm.Laplace.dist(0.0, 1.0), pm.Logistic.dist(0.0, pt.dscalar()))
    with pytest.raises(NoClosedFormError, match="cosh"):
        kl(stats.laplace(), stats.hypsecant(0.0, 2.0))


def test_batches():
    value = kl(stats.logistic([[0.0], [np.nan]], 1.5), stats.logistic([0.0, 3.0], 1.5))
    assert value.shape == (2, 2)
    assert value[0, 0] == 0.0
    assert value[0, 1] == pytest.approx(2 / np.tanh(1.0) - 2)
    assert np.isnan(value[1]).all()
    assert kl(stats.logistic(0.0, [1.0, 2.0]), stats.logistic(0.0, [1.0, 2.0])).tolist() == [0.0, 0.0]


def test_a_scale_that_a_batch_shares():
    place, scale = pt.dvector("place"), pt.dscalar("scale")
    graph = kl(pm.Logistic.dist(place, scale), pm.Logistic.dist(0.0, scale))
    found = value(graph, {place: [0.0, 3.0], scale: 1.5})
    assert found == pytest.approx([0.0, 2 / np.tanh(1.0) - 2])
    columns = pm.Logistic.dist(0.0, place[:, None]), pm.Logistic.dist(0.0, place[None, :])
    assert explain(*columns).cost == QUADRATURE


@pytest.mark.slow
def test_graphs_and_their_gradients():
    for step in (0.1, 2.0):
        errors = errors_of_graph(
            lambda a, b: (pm.Logistic.dist(a, 1.3), pm.Logistic.dist(b, 1.3)),
            lambda a, b: (stats.logistic(a, 1.3), stats.logistic(b, 1.3)),
            (0.4 + step, 0.4),
        )
        assert errors.max() < 1e-6
    errors = errors_of_graph(
        lambda a, s, b: (pm.Logistic.dist(a, s), pm.Logistic.dist(b, s)),
        lambda a, s, b: (stats.logistic(a, s), stats.logistic(b, s)),
        (0.4, 1.3, -0.6),
    )
    assert errors.max() < 1e-6
    for q in (
        (pm.Gumbel.dist, stats.gumbel_r),
        (pm.Laplace.dist, stats.laplace),
        (pm.Normal.dist, stats.norm),
    ):
        errors = errors_of_graph(
            lambda *x, q=q: (pm.Logistic.dist(*x[:2]), q[0](*x[2:])),
            lambda *x, q=q: (stats.logistic(*x[:2]), q[1](*x[2:])),
            (0.4, 0.7, -0.6, 1.4),
        )
        assert errors.max() < 1e-6
