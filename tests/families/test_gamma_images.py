"""Lévy, extreme value, Pearson's and folded normal variables, which are gamma variables, bent or shifted."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from family_oracle import divergence, expected, statement_error
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError

ALL = {
    "levy": stats.levy(0.3, 1.3),
    "levy_l": stats.levy_l(0.3, 1.3),
    "genextreme, c > 0": stats.genextreme(0.3, 0.2, 1.1),
    "genextreme, c = 0": stats.genextreme(0.0, 0.2, 1.1),
    "genextreme, c < 0": stats.genextreme(-0.3, 0.2, 1.1),
    "pearson3, right": stats.pearson3(0.7, 0.3, 1.2),
    "pearson3, left": stats.pearson3(-0.7, 0.3, 1.2),
    "pearson3, normal": stats.pearson3(0.0, 0.3, 1.2),
    "pearson3, nearly": stats.pearson3(1e-5, 0.3, 1.2),
    "foldnorm, c = 0": stats.foldnorm(0.0, 0.3, 1.2),
}


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-11
    if "levy" in frozen.dist.name:  # https://en.wikipedia.org/wiki/L%C3%A9vy_distribution
        exact = 0.5 * (1 + 3 * np.euler_gamma + np.log(16 * np.pi * 1.3**2))
    else:
        exact = expected(frozen, lambda x: -frozen.logpdf(x))
    assert entropy(frozen) == pytest.approx(exact, rel=1e-8)
    assert kl(frozen, frozen) == 0.0


@pytest.mark.parametrize("name", [name for name in ALL if "lev" not in name])
def test_against_the_normal_distribution(name):
    q = stats.norm(0.5, 2.0)
    assert kl(ALL[name], q) == pytest.approx(divergence(ALL[name], q), rel=1e-9)


def test_pairs_that_share_an_end():
    for make in (stats.levy, stats.levy_l):
        exact = 0.5 * (0.6 / 1.3 - 1 - np.log(0.6 / 1.3))  # of gamma variables of shape ½
        assert kl(make(0.3, 1.3), make(0.3, 0.6)) == pytest.approx(exact, rel=1e-13)
    for c in (0.5, -0.5):  # the end is at loc + scale/c
        p, q = stats.genextreme(c, 0.0, 1.0), stats.genextreme(c, -1.0 / c, 2.0)
        assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-8)
    p, q = stats.pearson3(0.5, 0.0, 1.0), stats.pearson3(0.25, 4.0, 1.0)  # and here at loc − 2 scale/skew
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-8)
    assert kl(stats.foldnorm(0.0, 0.3, 1.2), stats.halfnorm(0.3, 1.2)) == 0.0
    assert kl(stats.genextreme(0.0), stats.gumbel_r()) == 0.0


@pytest.mark.parametrize("c", [1e-3, -1e-3, 0.01])
def test_small_shapes(c):
    with mp.workdps(40):
        first, second = mp.gamma(1 + mp.mpf(c)), mp.gamma(1 + 2 * mp.mpf(c))
        mean, variance = (1 - first) / c, (second - first**2) / mp.mpf(c) ** 2
        exact = mp.log(8 * mp.pi) / 2 + (mean**2 + variance) / 8 - (1 + mp.euler * (1 - mp.mpf(c)))
    assert kl(stats.genextreme(c), stats.norm(0.0, 2.0)) == pytest.approx(float(exact), rel=1e-8)


def test_ends_that_differ():
    assert kl(stats.genextreme(0.5), stats.genextreme(0.5, 0.0, 0.9)) == np.inf
    assert kl(stats.levy(), stats.levy_l()) == np.inf
    assert kl(stats.levy(), stats.norm()) == np.inf
    assert kl(stats.pearson3(0.5), stats.pearson3(-0.5)) == np.inf


def test_what_is_refused():
    with pytest.raises(NoClosedFormError, match=r"foldnorm with c other than 0.*estimate_kl"):
        kl(stats.foldnorm(0.5), stats.norm())
    with pytest.raises(NoClosedFormError, match="different signs"):
        kl(stats.genextreme(np.array([0.5, -0.5])), stats.norm())
    with pytest.raises(NoClosedFormError, match="different signs"):
        explain(stats.pearson3(np.array([0.5, 0.0])), stats.norm())
    for near in (stats.genextreme(1e-8), stats.genextreme(np.array([0.3, 1e-4])), stats.pearson3(1e-4)):
        with pytest.raises(NoClosedFormError, match="this close to 0"):  # the digits are lost
            kl(near, stats.norm(0.0, 2.0))


def test_batches():
    found = kl(stats.genextreme(np.array([0.2, 0.3, np.nan])), stats.norm())
    assert found[1] == pytest.approx(kl(stats.genextreme(0.3), stats.norm()), rel=1e-12)
    assert np.isnan(found[2])
    assert kl(stats.pearson3(np.zeros(2), 0.0, [1.0, 2.0]), stats.norm()).shape == (2,)
    assert np.isnan(kl(stats.pearson3(np.nan), stats.norm()))
