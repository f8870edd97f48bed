"""NaN where NaN went in, for every name in the table of pairs; and what is refused before any arithmetic."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from kl_plugins import entropy, independent, kl
from specimens import scipy_families

FAMILIES = scipy_families()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_location_that_is_not_a_number(name):
    frozen = FAMILIES[name]
    shapes, _, scale = frozen.dist._parse_args(*frozen.args, **frozen.kwds)
    further = {} if name in ("poisson", "geom", "nbinom") or not hasattr(frozen, "pdf") else {"scale": scale}
    if isinstance(frozen.dist, stats.rv_discrete):
        further = {}
    broken = frozen.dist(*shapes, loc=np.nan, **further)
    assert np.isnan(kl(broken, frozen))
    assert np.isnan(kl(frozen, broken))
    both = kl(frozen.dist(*shapes, loc=np.array([0.0, np.nan]), **further), broken)
    assert np.isnan(both).tolist() == [True, True]


def test_entropies_and_infinities_of_nan():
    assert np.isnan(entropy(stats.expon(np.nan)))
    assert np.isnan(kl(stats.norm(np.nan), stats.expon()))
    assert np.isnan(kl(stats.cauchy(np.nan), stats.norm()))
    assert np.isnan(kl(stats.expon(np.nan), stats.poisson(1)))
    assert np.isnan(kl(stats.expon([0.0, np.nan]), stats.expon())).tolist() == [False, True]


@pytest.mark.parametrize("k", [1e9, 1e12])
def test_never_negative_where_rounding_is_all(k):
    alike = [
        stats.gamma(k, scale=1 / k),
        stats.invgamma(k, scale=k),
        stats.gengamma(4 * k, 0.5, scale=(4 * k) ** -2.0),
        stats.nakagami(k / 4),
    ]
    assert min(kl(p, q) for p in [*alike, stats.betaprime(2 * k, 2 * k)] for q in alike) >= 0.0
    assert min(kl(p, stats.norm(1.0, k**-0.5)) for p in alike) >= 0.0


def test_large_shapes_across_families():
    assert kl(stats.betaprime(1e5, 1e5), stats.gamma(5e4, scale=2e-5)) == pytest.approx(4.1667e-6, rel=1e-3)


def test_logits_keep_their_digits():
    p, half = pm.Bernoulli.dist(logit_p=40.0), stats.bernoulli(0.5)
    assert kl(half, p).eval(mode="FAST_COMPILE") == pytest.approx(20.0 - np.log(2.0), rel=1e-12)
    below = kl(p, pm.Bernoulli.dist(logit_p=39.0)).eval(mode="FAST_COMPILE")
    assert below == pytest.approx(np.exp(-39.0) - 2 * np.exp(-40.0), rel=1e-9, abs=0.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: stats.gengamma(2, 0), ValueError, "^p: c must not be 0"),
        (lambda: stats.loguniform(-1, 1), ValueError, "^p: a must be positive"),
        (lambda: stats.norm(10**400), ValueError, "^p: 1000.* is too large"),
        (
            lambda: stats.gamma([1, 2, 3], scale=[1, 2]),
            ValueError,
            r"concentration \(3,\) and scale \(2,",
        ),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        kl(make(), stats.norm())


def test_independent_takes_one_distribution():
    with pytest.raises(TypeError, match=r"ndims must be a whole number, .*got rv_continuous_frozen"):
        independent(stats.norm([0, 1]), stats.norm(0))
