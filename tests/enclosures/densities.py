"""Log densities of continuous distributions, by their names in SciPy, in the terms of `terms.py`.

A function takes the shapes as floating-point numbers. Names that only PyMC has begin with ``pm.`` and take
PyMC's shapes, in the order of its signature. Sources are SciPy's documentation of each, and Wikipedia.
"""

from __future__ import annotations

from collections.abc import Callable

from flint import acb, arb, fmpq

from .coordinates import rational, real
from .integrals import Density
from .terms import (
    UNIT,
    ZERO,
    Cos,
    Exp,
    Linear,
    Log,
    Log1mPower,
    Log1pPower,
    Log1pSquare,
    LogCosh,
    LogitSquare,
    LogSquare,
    Power,
    Sided,
    Softplus,
    Square,
    Sum,
    Term,
)

DENSITIES: dict[str, Callable[..., Density]] = {}
"""By name."""

Terms = tuple[arb | float, Term]
LOG_2PI = (2 * arb.pi()).log()


def named(*names: str) -> Callable[[Callable[..., Density]], Callable[..., Density]]:
    def register(make: Callable[..., Density]) -> Callable[..., Density]:
        DENSITIES.update(dict.fromkeys(names, make))
        return make

    return register


def total(constant: arb | float, *terms: Terms) -> Sum:
    kept = tuple((arb(weight), term) for weight, term in terms if weight != 0)
    return Sum(arb(constant), kept)


def line(constant: arb | float, *terms: Terms) -> Density:
    return Density(total(constant, *terms), None, None)


def half_line(constant: arb | float, *terms: Terms) -> Density:
    return Density(total(constant, *terms), ZERO, None)


def between(low: fmpq | None, high: fmpq | None, constant: arb | float, *terms: Terms) -> Density:
    return Density(total(constant, *terms), low, high)


def log_beta(a: arb, b: arb) -> arb:
    return a.lgamma() + b.lgamma() - (a + b).lgamma()


# On the real line


@named("norm")
def norm() -> Density:
    return line(-LOG_2PI / 2, (-0.5, Square()))


@named("gumbel_r")
def gumbel_r() -> Density:
    return line(0, (-1, Linear()), (-1, Exp(fmpq(-1))))


@named("gumbel_l")
def gumbel_l() -> Density:
    return loggamma(1.0)


@named("loggamma")
def loggamma(c: float) -> Density:
    c = real(c)
    return line(-c.lgamma(), (c, Linear()), (-1, Exp(UNIT)))


@named("moyal")
def moyal() -> Density:
    return line(-LOG_2PI / 2, (-0.5, Linear()), (-0.5, Exp(fmpq(-1))))


@named("laplace")
def laplace() -> Density:
    return laplace_asymmetric(1.0)


@named("laplace_asymmetric")
def laplace_asymmetric(kappa: float) -> Density:
    kappa = real(kappa)
    sides = Sided(ZERO, total(0, (1 / kappa, Linear())), total(0, (-kappa, Linear())))
    return line(-(kappa + 1 / kappa).log(), (1, sides))


@named("logistic")
def logistic() -> Density:
    return genlogistic(1.0)


@named("genlogistic")
def genlogistic(c: float) -> Density:
    return line(real(c).log(), (-1, Linear()), (-1 - real(c), Softplus()))


@named("hypsecant")
def hypsecant() -> Density:
    return line(-arb.pi().log(), (-1, LogCosh()))


@named("cauchy")
def cauchy() -> Density:
    return t(1.0)


@named("t")
def t(df: float) -> Density:
    df = real(df)
    constant = ((df + 1) / 2).lgamma() - (df / 2).lgamma() - (df * arb.pi()).log() / 2
    return line(constant, (-(df + 1) / 2, Log1pSquare(df)))


@named("skewcauchy")
def skewcauchy(a: float) -> Density:
    below, above = (Sum(arb(0), ((arb(-1), Log1pSquare((1 + sign * real(a)) ** 2)),)) for sign in (-1, 1))
    return line(-arb.pi().log(), (1, Sided(ZERO, below, above)))


# Positive


@named("gengamma")
def gengamma(a: float, c: float) -> Density:
    return _gengamma(real(a), rational(c))


def _gengamma(a: arb, c: fmpq, rate: arb | float = 1) -> Density:
    """|c| rate^a z^(ca − 1) exp(−rate·z^c)/Γ(a)."""
    constant = real(abs(c)).log() + a * arb(rate).log() - a.lgamma()
    return half_line(constant, (real(c) * a - 1, Log()), (-rate, Power(c)))


@named("gamma", "erlang")
def gamma(a: float) -> Density:
    return gengamma(a, 1.0)


@named("expon")
def expon() -> Density:
    return gengamma(1.0, 1.0)


@named("chi2")
def chi2(df: float) -> Density:
    return _gengamma(real(df) / 2, UNIT, 0.5)


@named("chi")
def chi(df: float) -> Density:
    return _gengamma(real(df) / 2, fmpq(2), 0.5)


@named("halfnorm")
def halfnorm() -> Density:
    return chi(1.0)


@named("foldnorm")
def foldnorm(c: float) -> Density:
    assert c == 0.0
    return chi(1.0)


@named("rayleigh")
def rayleigh() -> Density:
    return chi(2.0)


@named("maxwell")
def maxwell() -> Density:
    return chi(3.0)


@named("nakagami")
def nakagami(nu: float) -> Density:
    return _gengamma(real(nu), fmpq(2), real(nu))


@named("weibull_min")
def weibull_min(c: float) -> Density:
    return gengamma(1.0, c)


@named("invweibull")
def invweibull(c: float) -> Density:
    return gengamma(1.0, -c)


@named("invgamma")
def invgamma(a: float) -> Density:
    return gengamma(a, -1.0)


@named("levy")
def levy() -> Density:
    return _gengamma(arb(0.5), fmpq(-1), 0.5)


@named("gompertz")
def gompertz(c: float) -> Density:
    c = real(c)
    return half_line(c.log() + c, (1, Linear()), (-c, Exp(UNIT)))


@named("lognorm")
def lognorm(s: float) -> Density:
    s = real(s)
    return half_line(-s.log() - LOG_2PI / 2, (-1, Log()), (-1 / (2 * s**2), LogSquare()))


@named("gibrat")
def gibrat() -> Density:
    return lognorm(1.0)


@named("fisk")
def fisk(c: float) -> Density:
    return half_line(real(c).log(), (real(c) - 1, Log()), (-2, Log1pPower(rational(c))))


@named("loglaplace")
def loglaplace(c: float) -> Density:
    c = real(c)
    sides = Sided(UNIT, total(0, (c, Log())), total(0, (-c, Log())))
    return half_line((c / 2).log(), (-1, Log()), (1, sides))


@named("invgauss")
def invgauss(mu: float) -> Density:
    mu = real(mu)
    return half_line(
        1 / mu - LOG_2PI / 2, (-1.5, Log()), (-1 / (2 * mu**2), Power(UNIT)), (-0.5, Power(fmpq(-1)))
    )


@named("wald")
def wald() -> Density:
    return invgauss(1.0)


@named("recipinvgauss")
def recipinvgauss(mu: float) -> Density:
    mu = real(mu)
    return half_line(
        1 / mu - LOG_2PI / 2, (-0.5, Log()), (-0.5, Power(UNIT)), (-1 / (2 * mu**2), Power(fmpq(-1)))
    )


@named("betaprime")
def betaprime(a: float, b: float) -> Density:
    a, b = real(a), real(b)
    return half_line(-log_beta(a, b), (a - 1, Log()), (-a - b, Log1pPower(UNIT)))


@named("lomax")
def lomax(c: float) -> Density:
    return betaprime(1.0, c)


@named("halfcauchy")
def halfcauchy() -> Density:
    return half_line((2 / arb.pi()).log(), (-1, Log1pSquare(arb(1))))


@named("pm.HalfStudentT")
def half_student_t(nu: float) -> Density:
    whole = t(nu).log
    return half_line(whole.constant + arb.const_log2(), *whole.terms)


@named("f")
def f(dfn: float, dfd: float) -> Density:
    a, b, ratio = real(dfn) / 2, real(dfd) / 2, real(dfn) / real(dfd)
    return half_line(a * ratio.log() - log_beta(a, b), (a - 1, Log()), (-a - b, Log1pPower(UNIT, ratio)))


@named("burr")
def burr(c: float, d: float) -> Density:
    constant = real(c).log() + real(d).log()
    return half_line(constant, (real(c) * real(d) - 1, Log()), (-real(d) - 1, Log1pPower(rational(c))))


@named("burr12")
def burr12(c: float, d: float) -> Density:
    constant = real(c).log() + real(d).log()
    return half_line(constant, (real(c) - 1, Log()), (-real(d) - 1, Log1pPower(rational(c))))


@named("mielke")
def mielke(k: float, s: float) -> Density:
    return half_line(real(k).log(), (real(k) - 1, Log()), (-1 - real(k) / real(s), Log1pPower(rational(s))))


@named("halfgennorm")
def halfgennorm(beta: float) -> Density:
    return _gengamma(1 / real(beta), rational(beta))


@named("alpha")
def alpha(a: float) -> Density:
    """1/X is a normal variable of mean a and variance 1, given that it is positive."""
    a = real(a)
    probability = (-a / arb(2).sqrt()).erfc() / 2
    terms = (-2, Log()), (a, Power(fmpq(-1))), (-0.5, Power(fmpq(-2)))
    return half_line(-probability.log() - LOG_2PI / 2 - a**2 / 2, *terms)


@named("fatiguelife")
def fatiguelife(c: float) -> Density:
    rate = 1 / (2 * real(c) ** 2)
    terms = (1, Log1pPower(UNIT)), (-1.5, Log()), (-rate, Power(UNIT)), (-rate, Power(fmpq(-1)))
    return half_line(2 * rate - real(c).log() - arb.const_log2() - LOG_2PI / 2, *terms)


# From or up to a bound


@named("genpareto")
def genpareto(c: float) -> Density:
    if c == 0.0:
        return expon()
    high = -1 / rational(c) if c < 0 else None
    log = Log1pPower(UNIT, real(c)) if c > 0 else Log(high, -1)
    exponent = -1 - 1 / real(c)
    return between(ZERO, high, 0 if c > 0 else exponent * (-real(c)).log(), (exponent, log))


@named("pareto")
def pareto(b: float) -> Density:
    b = real(b)
    return between(UNIT, None, b.log(), (-b - 1, Log()))


@named("weibull_max")
def weibull_max(c: float) -> Density:
    terms = (real(c) - 1, Log(ZERO, -1)), (-1, Power(rational(c), ZERO, -1))
    return between(None, ZERO, real(c).log(), *terms)


@named("levy_l")
def levy_l() -> Density:
    return between(None, ZERO, -LOG_2PI / 2, (-1.5, Log(ZERO, -1)), (-0.5, Power(fmpq(-1), ZERO, -1)))


@named("pearson3")
def pearson3(skew: float) -> Density:
    """A gamma variable of shape (2/skew)², of mean 0 and variance 1."""
    if skew == 0.0:
        return norm()
    rate, sign = abs(2 / real(skew)), 1 if skew > 0 else -1
    end = -2 / rational(skew)
    constant = rate**2 * rate.log() - (rate**2).lgamma()
    terms = (rate**2 - 1, Log(end, sign)), (-rate, Power(UNIT, end, sign))
    return between(end if skew > 0 else None, end if skew < 0 else None, constant, *terms)


@named("genextreme")
def genextreme(c: float) -> Density:
    """With u = 1 − cz it is u^(1/c − 1) exp(−u^(1/c))."""
    if c == 0.0:
        return gumbel_r()
    end, sign = 1 / rational(c), -1 if c > 0 else 1
    k, log = real(end), abs(real(c)).log()
    terms = (k - 1, Log(end, sign)), (-((k * log).exp()), Power(end, end, sign))
    return between(end if c < 0 else None, end if c > 0 else None, (k - 1) * log, *terms)


# On an interval


@named("uniform")
def uniform() -> Density:
    return beta(1.0, 1.0)


@named("beta")
def beta(a: float, b: float) -> Density:
    a, b = real(a), real(b)
    return between(ZERO, UNIT, -log_beta(a, b), (a - 1, Log()), (b - 1, Log(UNIT, -1)))


@named("powerlaw")
def powerlaw(a: float) -> Density:
    return beta(a, 1.0)


@named("arcsine")
def arcsine() -> Density:
    return beta(0.5, 0.5)


@named("truncexpon")
def truncexpon(b: float) -> Density:
    return between(ZERO, rational(b), -(-(-real(b)).expm1()).log(), (-1, Linear()))


@named("bradford")
def bradford(c: float) -> Density:
    constant = real(c).log() - real(c).log1p().log()
    return between(ZERO, UNIT, constant, (-1, Log1pPower(UNIT, real(c))))


@named("argus")
def argus(chi: float) -> Density:
    """With κ = χ²/2 the mass ∫₀¹ √y exp(−κ y) dy is exp(−κ) ₁F₁(1; 5/2; κ)/(3/2)."""
    kappa = real(chi) ** 2 / 2
    mass = kappa.hypgeom_1f1(arb(1), arb(2.5)) / arb(1.5)
    terms = (1, Log()), (0.5, Log(UNIT, -1)), (0.5, Log(-UNIT, 1)), (kappa, Square())
    return between(ZERO, UNIT, arb.const_log2() - mass.log(), *terms)


@named("truncpareto")
def truncpareto(b: float, c: float) -> Density:
    constant = real(b).log() - (1 - real(c) ** -real(b)).log()
    return between(UNIT, rational(c), constant, (-real(b) - 1, Log()))


@named("truncweibull_min")
def truncweibull_min(c: float, a: float, b: float) -> Density:
    probability = (-(real(a) ** real(c))).exp() - (-(real(b) ** real(c))).exp()
    terms = (real(c) - 1, Log()), (-1, Power(rational(c)))
    return between(rational(a), rational(b), real(c).log() - probability.log(), *terms)


@named("rdist")
def rdist(c: float) -> Density:
    half = real(c) / 2
    terms = (half - 1, Log(-UNIT, 1)), (half - 1, Log(UNIT, -1))
    return between(-UNIT, UNIT, -log_beta(arb(0.5), half), *terms)


@named("semicircular")
def semicircular() -> Density:
    return rdist(3.0)


@named("pm.Kumaraswamy")
def kumaraswamy(a: float, b: float) -> Density:
    constant = real(a).log() + real(b).log()
    return between(ZERO, UNIT, constant, (real(a) - 1, Log()), (real(b) - 1, Log1mPower(rational(a))))


@named("triang")
def triang(c: float) -> Density:
    rising = total(arb.const_log2() - real(c).log(), (1, Log())) if c > 0 else total(0)
    falling = total(arb.const_log2() - (1 - real(c)).log(), (1, Log(UNIT, -1))) if c < 1 else total(0)
    return between(ZERO, UNIT, 0, (1, Sided(rational(c), rising, falling)))


@named("trapezoid")
def trapezoid(c: float, d: float) -> Density:
    rising = total(-real(c).log(), (1, Log())) if c > 0 else total(0)
    falling = total(-(1 - real(d)).log(), (1, Log(UNIT, -1))) if d < 1 else total(0)
    sides = Sided(rational(c), rising, total(0)), Sided(rational(d), total(0), falling)
    return between(
        ZERO, UNIT, arb.const_log2() - (1 + real(d) - real(c)).log(), *((1, side) for side in sides)
    )


@named("truncnorm")
def truncnorm(a: float, b: float) -> Density:
    """The probability between a and b is a difference of what is beyond each, where that is small."""
    sign = 1 if a > 0 else -1

    def beyond(x: float) -> arb:
        if abs(x) == float("inf"):
            return arb(0 if sign * x > 0 else 2)
        return (sign * real(x) / arb(2).sqrt()).erfc()

    probability = sign * (beyond(a) - beyond(b)) / 2
    low, high = (None if abs(x) == float("inf") else rational(x) for x in (a, b))
    return between(low, high, -LOG_2PI / 2 - probability.log(), (-0.5, Square()))


@named("pm.LogitNormal")
def logit_normal(mu: float, sigma: float) -> Density:
    return _logit_normal(real(mu), real(sigma))


def _logit_normal(mu: arb, sigma: arb) -> Density:
    terms = (-1, Log()), (-1, Log(UNIT, -1)), (-1 / (2 * sigma**2), LogitSquare(mu))
    return between(ZERO, UNIT, -sigma.log() - LOG_2PI / 2, *terms)


@named("johnsonsb")
def johnsonsb(a: float, b: float) -> Density:
    mean, sigma = -real(a) / real(b), 1 / real(b)
    return _logit_normal(mean, sigma)


@named("loguniform", "reciprocal")
def loguniform(a: float, b: float) -> Density:
    return between(rational(a), rational(b), -(real(b) / real(a)).log().log(), (-1, Log()))


# On the circle


@named("vonmises", "vonmises_line")
def vonmises(kappa: float) -> Density:
    kappa = real(kappa)
    constant = -(2 * arb.pi() * acb(kappa).bessel_i(0).real).log()
    return Density(total(constant, (kappa, Cos())), None, None, turn=(-arb.pi(), arb.pi()))
