"""Log probabilities of discrete distributions, by their names in SciPy (or in PyMC, after ``pm.``).

As in `densities.py`; functions take the shapes, and None is the logarithm of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    n, p = real(n), real(p)

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


@named("zipf")
def zipf(a: float) -> Mass:
    power = real(a)
    constant = power.zeta().log()
    return Mass(lambda k: -power * arb(k).log() - constant, 1, None, power=power)
