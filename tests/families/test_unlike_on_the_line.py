"""Sums over nodes of densities of two families; the values were enclosed with Arb, to 20 digits."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from family_graphs import errors_of_graph
from family_oracle import divergence
from kl_plugins import NoClosedFormError, explain, kl
from kl_plugins.families.core.by_nodes import QUADRATURE
from kl_plugins.formulas import fixed_nodes

PAIRS = {
    "normal and t": (stats.norm(0.3, 2.0), stats.t(3.0)),
    "normal and Cauchy": (stats.norm(0.3, 2.0), stats.cauchy(1.0, 0.5)),
    "half-normal and half-Cauchy": (stats.halfnorm(0.5, 2.0), stats.halfcauchy(0.5, 1.5)),
    "normal and logistic": (stats.norm(3.0, 0.1), stats.logistic()),
    "normal and secant": (stats.norm(1.0, 3.0), stats.hypsecant(0.0, 0.5)),
    "t and logistic": (stats.t(12.0, 1.0), stats.logistic(0.0, 0.5)),
    "t and secant": (stats.t(9.0), stats.hypsecant(1.0, 2.0)),
    "logistic and t": (stats.logistic(1.0, 2.0), stats.t(3.0)),
    "secant and Cauchy": (stats.hypsecant(1.0, 2.0), stats.cauchy(0.0, 0.3)),
    "logistic and heavy t": (stats.logistic(1.0, 2.0), stats.t(0.3)),
    "Gumbel and t": (stats.gumbel_r(1.0, 2.0), stats.t(3.0)),
    "Gumbel and logistic": (stats.gumbel_l(1.0, 2.0), stats.logistic(0.0, 0.5)),
    "Moyal and Cauchy": (stats.moyal(1.0, 2.0), stats.cauchy()),
    "log-gamma and secant": (stats.loggamma(30.0, 0.5, 3.0), stats.hypsecant(10.0)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    p, q = PAIRS[name]
    assert explain(p, q).cost == QUADRATURE
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-9)


def test_enclosed_values():
    for p, q, exact in (
        (stats.t(3.0, 1.0), stats.logistic(0.0, 0.5), 0.74489101648327355),
        (stats.t(1.25), stats.hypsecant(1.0, 0.5), 4.7418536912196614),
        (stats.gumbel_r(), stats.t(0.3, 1.0), 0.83948973962606719),
        (stats.norm(), stats.t(1e6), 1.7499893334147076e-12),
    ):
        assert kl(p, q) == pytest.approx(exact, rel=2e-15)


@pytest.mark.parametrize("q", [stats.laplace(-1.0, 0.5), stats.laplace_asymmetric(2.0, 3.0, 0.5)])
def test_t_and_laplace_have_a_closed_form(q):
    p = stats.t(3.0, 1.0, 2.0)
    assert explain(p, q).cost == "O(1)"
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-10)


def test_exponentials():
    """The divergence of the logarithms."""
    found = kl(stats.lognorm(2.0, scale=np.exp(0.3)), stats.fisk(0.5, scale=np.e))
    assert found == pytest.approx(kl(stats.norm(0.3, 2.0), stats.logistic(1.0, 2.0)), rel=1e-14)
    found = kl(stats.weibull_min(0.5), stats.fisk(4.0))
    assert found == pytest.approx(kl(stats.gumbel_l(0.0, 2.0), stats.logistic(0.0, 0.25)), rel=1e-14)


def test_a_t_variable_comes_near_a_normal_one():
    """About 7/(4 df²): the leading term of an expansion in 1/df."""
    for df in (1e4, 1e6, 1e8):
        assert kl(stats.norm(), stats.t(df)) == pytest.approx(1.75 / df**2, rel=20.0 / df + 1e-12)


def test_what_is_infinite_or_refused():
    assert kl(stats.t([0.5, 1.0]), stats.logistic()).tolist() == [np.inf, np.inf]
    assert kl(stats.cauchy(), stats.hypsecant()) == np.inf
    with pytest.raises(NoClosedFormError, match=r"for 1\.1 degrees of freedom and more"):
        kl(stats.t(1.05), stats.logistic())
    with pytest.raises(NoClosedFormError, match=r"from 0\.01 to 1e\+08"):
        kl(stats.norm(), stats.t(0.005))
    with pytest.raises(NoClosedFormError, match="smaller scale apart"):
        kl(stats.norm(1e17), stats.logistic())
    assert np.isnan(kl(stats.norm([np.nan, 0.0]), stats.logistic())).tolist() == [True, False]


GRAPHS = {
    "normal and t": (
        lambda a, b, c, d: (pm.Normal.dist(a, b), pm.StudentT.dist(c, mu=d, sigma=2.0)),
        lambda a, b, c, d: (stats.norm(a, b), stats.t(c, d, 2.0)),
        [0.3, 2.0, 3.0, 1.0],
    ),
    "t and logistic": (
        lambda a, b, c, d: (pm.StudentT.dist(a, mu=b, sigma=2.0), pm.Logistic.dist(c, d)),
        lambda a, b, c, d: (stats.t(a, b, 2.0), stats.logistic(c, d)),
        [3.0, 1.0, 0.3, 2.0],
    ),
    "logistic and t": (
        lambda a, b, c, d: (pm.Logistic.dist(a, b), pm.StudentT.dist(c, mu=0.3, sigma=d)),
        lambda a, b, c, d: (stats.logistic(a, b), stats.t(c, 0.3, d)),
        [0.3, 2.0, 3.0, 1.0],
    ),
    "Gumbel and Cauchy": (
        lambda a, b, c, d: (pm.Gumbel.dist(a, b), pm.Cauchy.dist(c, d)),
        lambda a, b, c, d: (stats.gumbel_r(a, b), stats.cauchy(c, d)),
        [0.3, 2.0, 1.0, 0.7],
    ),
    "t and Laplace": (
        lambda a, b, c, d: (pm.StudentT.dist(a, mu=b, sigma=2.0), pm.Laplace.dist(c, d)),
        lambda a, b, c, d: (stats.t(a, b, 2.0), stats.laplace(c, d)),
        [3.0, 1.0, 0.3, 2.0],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_and_their_gradients(name, monkeypatch):
    """By a rule of fewer digits, as Python takes node by node."""
    monkeypatch.setattr(fixed_nodes, "_PLACES", (2.0 * np.arange(192) - 191.0) / 192)
    monkeypatch.setattr(fixed_nodes, "_STEP", 2.0 / 192)
    assert np.max(errors_of_graph(*GRAPHS[name])) < 1e-7
