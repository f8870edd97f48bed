"""Stick-breaking distributions of weights."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

from derivatives import gradient_error
from graphs import value
from kl_plugins import NoClosedFormError, entropy, explain, kl
from kl_plugins.families.dirichlet import Dirichlet
from kl_plugins.families.stick_breaking import StickBreaking
from kl_plugins.recognition import recognise


def beta_divergence(p, q):
    """Of beta distributions with these parameters, by the textbook."""
    (a, b), (c, d) = p, q
    digammas = (a - c) * mp.psi(0, a) + (b - d) * mp.psi(0, b) + (c + d - a - b) * mp.psi(0, a + b)
    return mp.log(mp.beta(c, d)) - mp.log(mp.beta(a, b)) + digammas


def shares(of, count):
    """The parameters of the beta variables of what is left: of an alpha, or of Dirichlet concentrations."""
    if np.ndim(of) == 0:
        return [(mp.mpf(1), mp.mpf(of))] * count
    return [(mp.mpf(of[k]), mp.fsum(map(mp.mpf, of[k + 1 :]))) for k in range(count)]


def made(of, count):
    return StickBreaking(of, count) if np.ndim(of) == 0 else Dirichlet(of)


PAIRS = [
    (1.7, 0.6, 3),
    (1e-3, 1e4, 2),
    (2.0, 2.0 + 1e-7, 30),
    (1.7, [0.5, 2.0, 1.0, 3.0], 3),
    ([0.5, 2.0, 1.0, 3.0], 1.7, 3),
    ([1.0, 1.0, 1e-6], 1.0, 2),
    (1e5, [1.0, 2.0, 1e5], 2),
]


@pytest.mark.parametrize(("p", "q", "count"), PAIRS)
def test_against_the_shares_of_what_is_left(p, q, count):
    with mp.workdps(60):
        pairs = zip(shares(p, count), shares(q, count), strict=True)
        exact = float(mp.fsum(beta_divergence(*pair) for pair in pairs))
    assert kl(made(p, count), made(q, count)) == pytest.approx(exact, rel=1e-12)


def test_two_breaks_against_quadrature():
    """In the weights themselves, by a density that PyMC has as well."""
    p, q = StickBreaking(2.5, 2), StickBreaking(1.2, 2)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    first, share = np.meshgrid(0.5 + 0.5 * nodes, 0.5 + 0.5 * nodes, indexing="ij")
    x = np.stack([first, (1.0 - first) * share, (1.0 - first) * (1.0 - share)], axis=-1)
    terms = np.exp(p.log_prob(x)) * (p.log_prob(x) - q.log_prob(x)) * (1.0 - first)
    assert kl(p, q) == pytest.approx(np.einsum("i,j,ij", weights, weights, terms) / 4.0, rel=1e-4)


def test_the_statement_is_the_density():
    x = np.array([0.2, 0.5, 0.1, 0.2])
    variable = pm.StickBreakingWeights.dist(1.7, K=3)
    assert recognise(variable).log_prob(x).eval() == pytest.approx(pm.logp(variable, x).eval(), rel=1e-12)


def test_entropy():
    """That of the shares and of the change of variables: (1 − v)ᵏ for each that k others follow."""
    alpha, count = 1.7, 4
    exact = count * stats.beta(1, alpha).entropy() - sum(range(count)) / alpha
    assert entropy(StickBreaking(alpha, count)) == pytest.approx(exact, rel=1e-12)
    assert entropy(StickBreaking(1.0, 1)) == 0.0


def test_equal_ones_and_batches():
    assert kl(StickBreaking(1.3, 5), StickBreaking(1.3, 5)) == 0.0
    assert kl(StickBreaking(0.7, 1), Dirichlet([1.0, 0.7])) == 0.0
    found = kl(
        StickBreaking([[1.0], [2.0]], 2), Dirichlet([[1.0, 2.0, 3.0], [0.5, 0.5, 0.5], [4.0, 4.0, 4.0]])
    )
    assert found.shape == (2, 3)
    assert found[1, 2] == kl(StickBreaking(2.0, 2), Dirichlet([4.0, 4.0, 4.0]))
    assert np.isnan(kl(StickBreaking(np.nan, 2), StickBreaking(1.0, 2)))


@pytest.mark.slow
def test_gradients():
    assert gradient_error(lambda alpha: StickBreaking(alpha, 3), [1.3], [2.9]) < 1e-8
    weights, alpha = pt.vector("weights", shape=(3,)), pt.scalar("alpha")
    for pair in [
        (StickBreaking(alpha, 2), Dirichlet(weights)),
        (Dirichlet(weights), StickBreaking(alpha, 2)),
    ]:
        slopes = pt.grad(kl(*pair), [alpha, weights])
        found = value(slopes, {alpha: 1.3, weights: [0.5, 2.0, 1.2]})
        for index, step in enumerate(np.eye(4) * 1e-5):
            ends = []
            for sign in (1.0, -1.0):
                a, *c = np.array([1.3, 0.5, 2.0, 1.2]) + sign * step
                sides = [StickBreaking(a, 2) if isinstance(x, StickBreaking) else Dirichlet(c) for x in pair]
                ends.append(kl(*sides))
            slope = np.append(found[0], found[1])[index]
            assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-8)


def test_random_variables():
    p, q = pm.StickBreakingWeights.dist(1.7, K=3), pm.StickBreakingWeights.dist([0.6, 2.0], K=3)
    assert value(kl(p, q)) == pytest.approx(
        kl(StickBreaking(1.7, 3), StickBreaking([0.6, 2.0], 3)), rel=1e-12
    )
    with pm.Model():
        weights = pm.StickBreakingWeights("weights", 1.7, K=3, shape=(2, 4))
        flat = pm.Dirichlet("flat", np.ones(4))
    exact = kl(StickBreaking(1.7, 3), Dirichlet(np.ones(4)))
    np.testing.assert_allclose(value(kl(weights, flat)), [exact, exact], rtol=1e-12)
    assert explain(p, q).cost == "O(1)"


def test_bad_parameters():
    p = pm.StickBreakingWeights.dist(1.7, K=3)
    with pytest.raises(ValueError, match=r"concentration \(alpha\) must be positive"):
        StickBreaking(0.0, 3)
    with pytest.raises(ValueError, match=r"q: K \(the breaks\) must be a positive integer, got 0"):
        kl(p, pm.StickBreakingWeights.dist(1.7, K=0))
    with pytest.raises(ValueError, match="a vector of 4 against a vector of 5"):
        kl(p, pm.StickBreakingWeights.dist(1.7, K=4))
    with pytest.raises(
        NoClosedFormError, match="p: StickBreakingWeights is understood where K is a constant"
    ):
        kl(pm.StickBreakingWeights.dist(1.7, K=pt.iscalar("k")), p)
