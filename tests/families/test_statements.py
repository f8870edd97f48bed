"""Families of strangers: what cancels in log p − log q needs no expectation; equal sides are exactly 0."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import mpmath as mp
import numpy as np
import pytensor.tensor as pt
import pytest

from derivatives import gradient_error
from graphs import value
from kl_plugins import explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Identity, Log1p, Statistic
from kl_plugins.parameters.declarations import POSITIVE, REAL, Domain, parameter
from specimens import scipy_families

FAMILIES = scipy_families()


class Lindley(Continuous):
    """Z with density θ²/(1 + θ) (1 + z) exp(−θ z) above 0 (D. Lindley, 1958)."""

    theta: Any = parameter(POSITIVE)
    ends: ClassVar = (0.0, math.inf)

    def log_density(self):
        t, log = self.theta, self.ops.log
        return LogDensity(2.0 * log(t) - log(1.0 + t), ((1.0, Log1p()), (-t, Identity())))

    def standard_mean(self):
        return (self.theta + 2.0) / (self.theta * (self.theta + 1.0))

    def standard_variance(self):
        t = self.theta
        return 2.0 * (t + 3.0) / (t * t * (t + 1.0)) - self.standard_mean() ** 2


class PowerLindley(Continuous):
    """X = loc + scale·Z, Z with density ∝ (1 + z)^α exp(−θ z) above 0."""

    alpha: Any = parameter(POSITIVE)
    theta: Any = parameter(POSITIVE)
    scale: Any = parameter(POSITIVE, default=1.0)
    loc: Any = parameter(REAL, default=0.0, static=True)
    ends: ClassVar = (0.0, math.inf)

    def log_density(self):
        a, t, ops = self.alpha + 1.0, self.theta, self.ops
        norm = t - a * ops.log(t) + ops.gammaln(a) + ops.log(ops.gammaincc(a, t))
        return LogDensity(-norm, ((self.alpha * 1.0, Log1p()), (-t, Identity())))

    def standard_mean(self):
        a, t, ops = self.alpha + 1.0, self.theta, self.ops
        edge = ops.exp((a - 1.0) * ops.log(t) - t - ops.gammaln(a))
        return a / t - 1.0 + edge / ops.gammaincc(a, t)


def lindley(p, q):
    """The divergence by quadrature in 40 digits."""
    with mp.workdps(40):
        p, q = mp.mpf(p), mp.mpf(q)
        change = mp.log(p * p / (1 + p)) - mp.log(q * q / (1 + q))

        def weighted(z):
            return p * p / (1 + p) * (1 + z) * mp.exp(-p * z) * (change - (p - q) * z)

        return float(mp.quad(weighted, [0, 1 / p, 5 / p, 20 / p, 100 / p]))


PAIRS = [(2.0, 3.0), (3.0, 2.0), (0.01, 5.0), (40.0, 1.0), (2.0, 2.001)]


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_what_cancels_needs_no_expectation(p, q):
    assert kl(Lindley(p), Lindley(q)) == pytest.approx(lindley(p, q), rel=1e-12, abs=1e-15)
    assert kl(PowerLindley(1.0, p), PowerLindley(1.0, q)) == pytest.approx(
        lindley(p, q), rel=1e-11, abs=1e-15
    )


def test_vectors_and_their_equal_members():
    p, q = np.array(PAIRS).T
    found = kl(Lindley(p), Lindley(q))
    np.testing.assert_allclose(found, [lindley(*pair) for pair in PAIRS], rtol=1e-12, atol=1e-15)
    table = kl(Lindley(p[:, None]), Lindley(p))
    assert table.shape == (5, 5)
    assert (np.diag(table) == 0.0).all()
    assert (np.delete(table[0], [0, 4]) > 0.0).all()
    assert kl(Lindley(p), Lindley(p.copy())).tolist() == [0.0] * 5
    assert kl(Lindley(np.float32([2.0, 3.0])), Lindley(np.float32([3.0, 3.0]))).dtype == np.float32


def test_numbers_that_are_none():
    assert np.isnan(kl(Lindley(np.nan), Lindley(2.0)))
    assert np.isnan(kl(Lindley([np.nan, 2.0]), Lindley([np.nan, 3.0]))).tolist() == [True, False]


def test_graphs_and_their_gradients():
    assert gradient_error(Lindley, [[2.0, 0.5]], [[3.0, 0.7]]) < 1e-7
    p, q, alpha = pt.dscalars("p", "q", "alpha")
    found = kl(PowerLindley(alpha, p), PowerLindley(alpha, q))
    assert value(found, {p: 2.0, q: 3.0, alpha: 1.0}) == pytest.approx(lindley(2.0, 3.0), rel=1e-11)
    assert value(found, {p: 2.0, q: 2.0, alpha: 1.0}) == 0.0
    assert gradient_error(partial(PowerLindley, 1.5), [2.0], [3.0]) < 1e-6
    assert value(kl(Lindley(p), Lindley(p)), {p: 2.0}) == 0.0


def test_a_common_scale_cancels_and_others_do_not():
    p, q = PowerLindley(1.0, 2.0, 3.0, 0.5), PowerLindley(1.0, 3.0, 3.0, 0.5)
    assert kl(p, q) == pytest.approx(lindley(2.0, 3.0), rel=1e-11)
    assert kl(PowerLindley(1.0, 2.0, [3.0, 4.0]), PowerLindley(1.0, 2.0, [3.0, 4.0])).tolist() == [0.0, 0.0]
    assert kl(PowerLindley(1.0, 2.0), PowerLindley(1.0, 2.0, loc=1.0)) == math.inf
    scale, alpha = pt.dscalars("scale", "alpha")
    for other in (
        lambda: kl(p, PowerLindley(1.0, 2.0, 4.0, 0.5)),
        lambda: kl(p, PowerLindley(2.0, 2.0, 3.0, 0.5)),
        lambda: kl(PowerLindley(1.0, 2.0), PowerLindley(1.0, 2.0, scale)),
        lambda: kl(PowerLindley(1.0, 2.0), PowerLindley(alpha, 2.0)),
        lambda: kl(PowerLindley([1.0, 1.0], 2.0), PowerLindley([1.0, 2.0], 3.0)),
    ):
        with pytest.raises(NoClosedFormError, match=r"expectation under p of log\(1 \+ z\)"):
            other()


@dataclass(frozen=True, eq=False)
class Bend(Statistic):
    """|z|^power."""

    power: Any
    text = "|z|^power"

    def __call__(self, z, ops):
        return abs(z) ** self.power


class Bent(Continuous):
    """Z with density exp(−z − c zᵏ) / N above 0, k and c not its parameters, whose N nobody needs."""

    rate: Any = parameter(REAL)
    power: Any = parameter(REAL, default=3.0)
    ends: ClassVar = (0.0, math.inf)

    def log_density(self):
        return LogDensity(0.0, ((self.rate, Bend(self.power)), (-1.0, Constant())))


class Constant(Statistic):
    text = "1"

    def __call__(self, z, ops):
        return 1.0


@expects(Bent, Constant)
def constant(p, statistic, at):
    return 1.0


def test_statistics_are_the_same_where_their_parameters_are():
    power = pt.dscalar()
    assert kl(Bent(2.0), Bent(2.0)) == 0.0
    assert kl(Bent([2.0, 3.0], [1.0, 2.0]), Bent([2.0, 3.0], [1.0, 2.0])).tolist() == [0.0, 0.0]
    assert value(kl(Bent(2.0, power), Bent(2.0, power)), {power: 3.0}) == 0.0
    for other in (lambda: kl(Bent(2.0), Bent(2.0, 4.0)), lambda: kl(Bent(2.0), Bent(2.0, power))):
        with pytest.raises(NoClosedFormError, match=r"\|z\|\^power"):
            other()


class Zipf(Discrete):
    """P(Z = k) ∝ k⁻ᵃ for k = 1, 2, …"""

    a: Any = parameter(Domain(1.0))
    loc: Any = parameter(REAL, default=0.0, static=True)
    ends: ClassVar = (1.0, math.inf)

    def log_pmf(self, k):
        return -self.a * self.ops.log(k)  # up to what nobody needs


def test_discrete_families_without_a_sum():
    a = pt.dscalar()
    assert kl(Zipf(2.0), Zipf(2.0)) == 0.0
    assert kl(Zipf([2.0, 3.0]), Zipf([2.0, 3.0])).tolist() == [0.0, 0.0]
    assert value(kl(Zipf(a), Zipf(a)), {a: 2.0}) == 0.0
    assert np.isnan(kl(Zipf(np.nan), Zipf(np.nan)))
    assert kl(Zipf([2.0, 3.0]), Zipf([2.0, 4.0], [0.0, 2.0])).tolist() == [0.0, math.inf]
    for other in (lambda: kl(Zipf(2.0), Zipf(3.0)), lambda: kl(Zipf([2.0, 3.0]), Zipf(2.0))):
        with pytest.raises(NoClosedFormError, match="infinitely many outcomes"):
            other()


@pytest.mark.parametrize("name", FAMILIES)
def test_equal_numbers_are_nothing_apart(name):
    frozen = FAMILIES[name]
    shapes, loc, scale = frozen.dist._parse_args(*frozen.args, **frozen.kwds)
    places = {"loc": loc} if not hasattr(frozen, "pdf") else {"loc": loc, "scale": scale}
    assert kl(frozen, frozen.dist(*shapes, **places)) == 0.0

    def vector():
        return frozen.dist(*[np.repeat(x, 3) for x in shapes], **places | {"loc": np.repeat(loc, 3)})

    assert kl(vector(), vector()).tolist() == [0.0] * 3


def test_the_rule_is_stated():
    assert str(explain(Lindley(2.0), Lindley(3.0))) == "KL(Lindley ‖ Lindley) by statistics, O(1)"
