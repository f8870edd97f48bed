"""Log probabilities of discrete distributions, by their names in SciPy (or in PyMC, after ``pm.``).

As in `densities.py`; functions take the shapes, and None is the logarithm of 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from flint import arb

from .coordinates import real
from .integrals import OutsideError
from .sums import Mass

MASSES: dict[str, Callable[..., Mass]] = {}
"""By name."""


def named(*names: str) -> Callable[[Callable[..., Mass]], Callable[..., Mass]]:
    def register(make: Callable[..., Mass]) -> Callable[..., Mass]:
        MASSES.update(dict.fromkeys(names, make))
        return make

    return register


def log_factorial(k: int | arb) -> arb:
    return (arb(k) + 1).lgamma()


def log_choose(n: int | arb, k: int) -> arb:
    return log_factorial(n) - log_factorial(k) - log_factorial(arb(n) - k)


def table(values: Sequence[float], probabilities: Sequence[arb]) -> Mass:
    """Finitely many outcomes, one by one."""
    if not all(float(value).is_integer() for value in values):
        raise OutsideError
    logs = {
        int(value): one.log() for value, one in zip(values, probabilities, strict=True) if not one.is_zero()
    }
    return Mass(logs.get, min(logs), max(logs))


# Finitely many outcomes


@named("bernoulli")
def bernoulli(p: float) -> Mass:
    return table([0, 1], [1 - real(p), real(p)])


@named("binom")
def binom(n: float, p: float) -> Mass:
    return zero_inflated_binomial(1.0, n, p)


@named("pm.ZeroInflatedBinomial")
def zero_inflated_binomial(psi: float, n: float, p: float) -> Mass:
    counts = range(int(n) + 1)
    plain = [log_choose(int(n), k).exp() * real(p) ** k * (1 - real(p)) ** (int(n) - k) for k in counts]
    return table(
        list(counts), [real(psi) * one + (1 - real(psi) if k == 0 else 0) for k, one in enumerate(plain)]
    )


@named("betabinom")
def betabinom(n: float, a: float, b: float) -> Mass:
    n, a, b = int(n), real(a), real(b)
    whole = a.lgamma() + b.lgamma() - (a + b).lgamma()

    def log(k: int) -> arb:
        return log_choose(n, k) + (a + k).lgamma() + (b + n - k).lgamma() - (a + b + n).lgamma() - whole

    return Mass(log, 0, n)


@named("hypergeom")
def hypergeom(total: float, good: float, draws: float) -> Mass:
    total, good, draws = int(total), int(good), int(draws)

    def log(k: int) -> arb:
        return log_choose(good, k) + log_choose(total - good, draws - k) - log_choose(total, draws)

    return Mass(log, max(0, draws - total + good), min(good, draws))


@named("nhypergeom")
def nhypergeom(total: float, good: float, failures: float) -> Mass:
    total, good, failures = int(total), int(good), int(failures)

    def log(k: int) -> arb:
        before = log_choose(k + failures - 1, k)
        return before + log_choose(total - failures - k, good - k) - log_choose(total, good)

    return Mass(log, 0, good)


@named("nchypergeom_fisher")
def nchypergeom_fisher(total: float, good: float, draws: float, odds: float) -> Mass:
    plain = hypergeom(total, good, draws)
    counts = list(range(plain.low, plain.high + 1))
    weights = [plain.log(k).exp() * real(odds) ** k for k in counts]
    return table(counts, [one / sum(weights) for one in weights])


@named("nchypergeom_wallenius")
def nchypergeom_wallenius(total: float, good: float, draws: float, odds: float) -> Mass:
    """Draw by draw."""
    good, bad, draws, odds = int(good), int(total) - int(good), int(draws), real(odds)
    found = {0: arb(1)}
    for drawn in range(draws):
        following: dict[int, arb] = {}
        for k, one in found.items():
            weights = {k + 1: odds * (good - k), k: arb(bad - drawn + k)}
            for number, weight in weights.items():
                if not weight.is_zero():
                    chance = one * weight / sum(weights.values())
                    following[number] = following.get(number, arb(0)) + chance
        found = following
    return table(list(found), list(found.values()))


@named("poisson_binom")
def poisson_binom(*p: float) -> Mass:
    """Trial by trial."""
    found = [arb(1)]
    for one in map(real, p):
        found = [a * (1 - one) + b * one for a, b in zip([*found, arb(0)], [arb(0), *found], strict=True)]
    return table(list(range(len(found))), found)


@named("zipfian")
def zipfian(a: float, n: float) -> Mass:
    weights = [arb(k) ** -real(a) for k in range(1, int(n) + 1)]
    return table(list(range(1, int(n) + 1)), [one / sum(weights) for one in weights])


@named("randint")
def randint(low: float, high: float) -> Mass:
    return Mass(lambda k: -arb(int(high) - int(low)).log(), int(low), int(high) - 1)


@named("boltzmann")
def boltzmann(rate: float, count: float) -> Mass:
    rate = real(rate)
    constant = (-(-rate).expm1()).log() - (-(-rate * int(count)).expm1()).log()
    return Mass(lambda k: constant - rate * k, 0, int(count) - 1)


@named("pm.Categorical")
def categorical(p: Sequence[float]) -> Mass:
    return table(list(range(len(p))), [real(one) for one in p])


@named("rv_discrete")
def rv_discrete(values: Sequence[float], probabilities: Sequence[float]) -> Mass:
    return table(values, [real(one) for one in probabilities])


@named("pm.DiracDelta")
def dirac_delta(c: float) -> Mass:
    return table([c], [arb(1)])


# Endlessly many outcomes


@named("poisson")
def poisson(mu: float) -> Mass:
    mu = real(mu)
    return Mass(lambda k: k * mu.log() - mu - log_factorial(k), 0, None, lambda k: mu / (k + 1), arb(0))


@named("nbinom")
def nbinom(n: float, p: float) -> Mass:
    return negative_binomial(real(n), real(p))


def negative_binomial(n: arb, p: arb) -> Mass:
    def log(k: int) -> arb:
        return (n + k).lgamma() - n.lgamma() - log_factorial(k) + n * p.log() + k * (1 - p).log()

    return Mass(log, 0, None, lambda k: (1 - p) * (k + n) / (k + 1), 1 - p)


@named("geom")
def geom(p: float) -> Mass:
    p = real(p)
    return Mass(lambda k: (k - 1) * (1 - p).log() + p.log(), 1, None, lambda k: 1 - p, 1 - p)


@named("planck")
def planck(rate: float) -> Mass:
    ratio = (-real(rate)).exp()
    return Mass(lambda k: -k * real(rate) + (1 - ratio).log(), 0, None, lambda k: ratio, ratio)


def _log_at(base: Mass, k: int) -> arb:
    here = base.log(k)
    assert here is not None
    return here


def zero_inflated(psi: float, base: Mass) -> Mass:
    """One that starts at 0; from 1 on the ratios are those of the base."""

    def log(k: int) -> arb:
        return (real(psi) * _log_at(base, k).exp() + (0 if k else 1 - real(psi))).log()

    return Mass(log, 0, None, base.ratio, base.limit)


def hurdle(psi: float, base: Mass) -> Mass:
    """As `zero_inflated`, of a base without its zero."""
    whole = 1 - _log_at(base, 0).exp()

    def log(k: int) -> arb:
        return (real(psi) * _log_at(base, k).exp() / whole if k else 1 - real(psi)).log()

    return Mass(log, 0, None, base.ratio, base.limit)


def with_zero(make: Callable[[float, Mass], Mass], name: str) -> None:
    """What PyMC calls so, of Poisson and of negative binomial variables."""
    named(f"pm.{name}Poisson")(lambda psi, mu: make(psi, poisson(mu)))
    named(f"pm.{name}NegativeBinomial")(
        lambda psi, mu, alpha: make(
            psi, negative_binomial(real(alpha), real(alpha) / (real(mu) + real(alpha)))
        )
    )


with_zero(zero_inflated, "ZeroInflated")
with_zero(hurdle, "Hurdle")


@named("pm.DiscreteWeibull")
def discrete_weibull(q: float, beta: float) -> Mass:
    """Log-concave for β > 1, as the Weibull distribution is: ratios fall.

    By an increasing hazard −log ratio(k) ≤ r [(k + 1)^β − k^β] with r = −log q, for β ≤ 2 at most
    r β 2^(β−1) k.
    """
    rate, beta = -real(q).log(), real(beta)
    assert 1 < beta <= 2
    assert rate * beta * arb(2) ** (beta - 1) <= 1

    def log(k: int) -> arb:
        first, second = arb(k) ** beta, arb(k + 1) ** beta
        return (-(-rate * (second - first)).expm1()).log() - rate * first

    return Mass(log, 0, None, lambda k: (log(k + 1) - log(k)).exp(), arb(0))


@named("betanbinom")
def betanbinom(n: float, a: float, b: float) -> Mass:
    """1 less the ratio of neighbours is (A k + B)/((k + 1)(k + s)), which falls beyond its largest point."""
    start, rise, s = int(n) * b, 1.0 + a, a + b + n
    offset = abs(s - start)
    settled = 1 + math.ceil(
        2.0 + (offset + math.sqrt(offset**2 + rise * (rise * s + offset * (1.0 + s)))) / rise
    )
    n, a, b = real(n), real(a), real(b)
    constant = (a + b).lgamma() - a.lgamma() - b.lgamma() - n.lgamma() + (a + n).lgamma()

    def log(k: int) -> arb:
        return constant + (n + k).lgamma() - log_factorial(k) + (b + k).lgamma() - (a + n + b + k).lgamma()

    return Mass(log, 0, None, lambda k: (n + k) * (b + k) / ((k + 1) * (a + b + n + k)), arb(1), settled)


@named("yulesimon")
def yulesimon(alpha: float) -> Mass:
    alpha = real(alpha)

    def log(k: int) -> arb:
        return alpha.log() + arb(k).lgamma() + (alpha + 1).lgamma() - (alpha + 1 + k).lgamma()

    return Mass(log, 1, None, lambda k: k / (k + alpha + 1), arb(1))


@named("logser")
def logser(p: float) -> Mass:
    p = real(p)
    constant = -(-((1 - p).log())).log()
    return Mass(lambda k: k * p.log() - arb(k).log() + constant, 1, None, lambda k: p * k / (k + 1), p)


@named("dlaplace")
def dlaplace(a: float) -> Mass:
    a = real(a)
    ratio = (-a).exp()
    return Mass(lambda k: (a / 2).tanh().log() - a * abs(k), None, None, lambda k: ratio, ratio)


@named("skellam")
def skellam(mu1: float, mu2: float) -> Mass:
    """By I_|k|(x). It is log-concave, as Poisson distributions are, whose convolution it is: ratios fall.

    With r_k = I_{k+1}/I_k they are √(m/n) r_k for k ≥ 0, and r_k = x/(2 (k + 1) + x r_{k+1}) with falling r
    (https://dlmf.nist.gov/10.29.E1): (k + 1) r_k does not fall.
    """
    return replace(_skellam(real(mu1), real(mu2)), turned=_skellam(real(mu2), real(mu1)))


def _skellam(m: arb, n: arb) -> Mass:
    x, half = 2 * (m * n).sqrt(), (m / n).log() / 2

    def log(k: int) -> arb:
        return k * half - m - n + x.bessel_i(abs(k)).log()

    return Mass(log, None, None, lambda k: (log(k + 1) - log(k)).exp(), arb(0))


@named("zipf")
def zipf(a: float) -> Mass:
    power = real(a)
    constant = power.zeta().log()
    ratio = lambda k: (arb(k) / (k + 1)) ** power  # noqa: E731
    return Mass(lambda k: -power * arb(k).log() - constant, 1, None, ratio, arb(1), power=power)
