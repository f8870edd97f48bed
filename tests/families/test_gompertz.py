"""Gompertz variables."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from family_oracle import divergence, expectation_of, statement_error
from kl_plugins import entropy, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.statistics import Exp, Identity

P = stats.gompertz(0.7, 0.3, 1.5)


def test_the_statement_and_what_follows():
    assert statement_error(P) < 1e-13
    assert entropy(P) == pytest.approx(float(P.entropy()), rel=1e-9)
    for statistic, ratio in ((Identity(), 1.3), (Exp(1.0), 1.0), (Exp(2.0), 1.0)):
        stated, exact = expectation_of(P, statistic, shift=0.2, ratio=ratio)
        assert stated == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (P, stats.gompertz(1.9, 0.3, 1.5)),
        (P, stats.gompertz(1.9, -0.3, 1.5)),
        (P, stats.expon(0.1, 2.0)),
        (P, stats.gumbel_l(0.1, 1.5)),
        (stats.gamma(2.0, scale=0.4), stats.gompertz(1.2)),
        (stats.uniform(0.5, 1.0), stats.gompertz(1.2)),
    ],
)
def test_pairs_against_quadrature(p, q):
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-9)


@pytest.mark.parametrize("c", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("step", [1e-8, 1e-4, 0.5, 30.0])
def test_exactness_with_one_scale(c, step):
    b = c * (1.0 + step)
    value = kl(stats.gompertz(c, 2.0, 1e-50), stats.gompertz(b, 2.0, 1e-50))
    with mp.workdps(60):
        ratio = mp.mpf(b) / mp.mpf(c)
        exact = ratio - 1 - mp.log(ratio)
    assert value == pytest.approx(float(exact), rel=1e-13, abs=0.0)


def test_equality_supports_and_what_is_not_known():
    assert kl(P, P) == 0.0
    assert kl(stats.gompertz(1.0), stats.gompertz(1.0, 0.1)) == np.inf
    assert kl(stats.expon(scale=2.0), stats.gompertz(1.0)) == np.inf
    with pytest.raises(NoClosedFormError, match=r"gompertz\(1.0, scale=0.7\)"):
        kl(stats.gompertz(1.0), stats.gompertz(1.0, scale=0.7))
