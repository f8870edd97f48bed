"""Names of SciPy that are images of other families: equal to what they are images of, and to quadrature."""

import numpy as np
import pytest
from scipy import stats

from family_oracle import divergence, expected, statement_error
from kl_plugins import entropy, kl
from kl_plugins.errors import NoClosedFormError

PAIRS = {
    "halfgennorm": (
        (stats.halfgennorm(1.5, 0.3, 2.0), stats.halfgennorm(2.5, 0.3, 1.0)),
        (stats.gengamma(1 / 1.5, 1.5, scale=2.0), stats.gengamma(1 / 2.5, 2.5)),
    ),
    "f": (
        (stats.f(5.0, 10.0, 0.3, 2.0), stats.f(6.0, 3.0, 0.3, 8.0)),
        (stats.betaprime(2.5, 5.0), stats.betaprime(3.0, 1.5)),
    ),
    "genpareto, c > 0": (
        (stats.genpareto(0.25, 0.3, 2.0), stats.genpareto(0.5, 0.3, 4.0)),
        (stats.lomax(4.0), stats.lomax(2.0)),
    ),
    "genpareto, c = 0": (
        (stats.genpareto(0.0, 0.3, 2.0), stats.genpareto(0.0, 0.3, 4.0)),
        (stats.expon(scale=2.0), stats.expon(scale=4.0)),
    ),
    "genpareto, c < 0": (
        (stats.genpareto(-0.25, 0.3, 2.0), stats.genpareto(-0.5, 0.3, 4.0)),
        (stats.beta(1.0, 4.0), stats.beta(1.0, 2.0)),
    ),
    "genpareto, of two signs": (
        (stats.genpareto(0.25, 0.3, 2.0), stats.genpareto(0.0, 0.3, 4.0)),
        (stats.lomax(4.0, scale=8.0), stats.expon(scale=4.0)),
    ),
    "rdist and semicircular": (
        (stats.rdist(2.2, 0.3, 2.0), stats.semicircular(0.3, 2.0)),
        (stats.beta(1.1, 1.1), stats.beta(1.5, 1.5)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    """Judged by the divergence of what they are images of, and by quadrature of SciPy's densities."""
    (p, q), bases = PAIRS[name]
    assert max(statement_error(p), statement_error(q)) < 1e-11
    assert kl(p, q) == pytest.approx(kl(*bases), rel=1e-12)
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-8)
    assert kl(p, p) == 0.0


@pytest.mark.parametrize("name", PAIRS)
def test_entropies(name):
    (p, _), _ = PAIRS[name]
    assert entropy(p) == pytest.approx(expected(p, lambda x: -p.logpdf(x)), rel=1e-8)


def test_what_is_refused():
    for make, message in {
        lambda: stats.f(-1.0, 2.0): r"^p: dfn must be positive, in scipy\.stats\.f\(dfn=-1",
        lambda: stats.f(1.0, np.inf): "^p: dfd must be finite",
        lambda: stats.rdist(-1.0): "^p: c must be positive",
        lambda: stats.genpareto(np.inf): "^p: c must be finite",
        lambda: stats.halfgennorm(-1.0): "^p: beta must be positive",
    }.items():
        with pytest.raises(ValueError, match=message):
            kl(make(), stats.norm())
    with pytest.raises(NoClosedFormError, match="different signs; take them apart"):
        kl(stats.genpareto([1.0, -1.0]), stats.norm())
    with pytest.raises(NoClosedFormError, match="this close to 0"):
        kl(stats.genpareto(1e-9), stats.expon())


def test_batches():
    found = kl(stats.genpareto([0.25, 0.5]), stats.norm(0.0, 2.0))
    assert found[0] == kl(stats.genpareto(0.25), stats.norm(0.0, 2.0))
    assert found[1] == np.inf
    assert np.isnan(kl(stats.genpareto([np.nan, 0.25]), stats.expon())).tolist() == [True, False]
