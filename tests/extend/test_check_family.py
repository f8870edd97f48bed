"""The ready-made test passes every univariate family of ours, and says what is wrong with those that are."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

from kl_plugins import NoClosedFormError, entropy, extend, kl
from kl_plugins.extend import (
    COUNT,
    POSITIVE,
    PROBABILITY,
    REAL,
    Continuous,
    Discrete,
    Exp,
    Identity,
    Log,
    LogDensity,
    Power,
    check_family,
    closed_form,
    expects,
    parameter,
)
from univariate import NAMES

SOME = [pytest.param(name, marks=[pytest.mark.slow] * (i % 8 > 0)) for i, name in enumerate(NAMES)]
"""Every family, of which one in eight is enough for every day."""


@pytest.mark.parametrize("name", SOME)
def test_our_families(name):
    check_family(getattr(extend, name))


@pytest.mark.slow
def test_our_families_of_other_families():
    normal, laplace, poisson = extend.Normal, extend.Laplace, extend.Poisson
    check_family(extend.LogNormal, [extend.LogNormal(normal(m, s)) for m, s in ((0.2, 0.5), (-0.3, 0.8))])
    check_family(extend.LogLaplace, [extend.LogLaplace(laplace(0.0, s), 2.0, 1.0) for s in (0.2, 0.3)])
    check_family(extend.ZeroInflated, [extend.ZeroInflated(w, poisson(3.0)) for w in (0.4, 0.7)])
    check_family(extend.Categorical, [extend.Categorical(p) for p in ([0.2, 0.8], [0.5, 0.5])])
    with pytest.raises(TypeError, match=r"LogNormal has parts \(base\): give members"):
        check_family(extend.LogNormal)


@pytest.mark.parametrize("kind", [extend.Dirichlet, int, "Normal", extend.VonMises])
def test_other_kinds(kind):
    with pytest.raises(TypeError, match="judges classes under Continuous or Discrete"):
        check_family(kind)


class Right(Continuous):
    """loc + scale·Z, Z with density exp(−z) above 0, as everything below should be."""

    scale: Any = parameter(POSITIVE)
    loc: Any = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    ends = (0.0, math.inf)

    def log_density(self):
        return LogDensity(0.0, ((-1.0, Identity()),))

    def standard_mean(self):
        return 1.0

    def standard_variance(self):
        return 1.0


class Heads(Discrete):
    """The number of heads in n throws of a coin."""

    n: Any = parameter(COUNT, typical=(4.0,), static=True)
    p: Any = parameter(PROBABILITY)

    def standard_ends(self):
        return 0.0, self.n

    def log_pmf(self, k):
        ops, n = self.ops, self.n
        ways = ops.gammaln(n + 1.0) - ops.gammaln(k + 1.0) - ops.gammaln(n - k + 1.0)
        return ways + k * ops.log(self.p) + (n - k) * ops.log1p(-self.p)


def test_right_ones():
    check_family(Right)
    check_family(Heads)
    check_family(Right, [Right(1.0)])


def wrong(base=Right, **body):
    return type("Wrong", (base,), {"__module__": __name__, **body})


def density(constant, *terms):
    return lambda self: LogDensity(constant, terms)


def of_half_line(scale, low):
    """A domain that says too much: the density has no value there."""
    return {"__annotations__": {"scale": Any}, "scale": parameter(REAL, typical=(scale, low))}


WRONG = {
    "normaliser": ({"log_density": density(0.1, (-1.0, Identity()))}, "the density integrates to 1.105"),
    "shape": ({"log_density": density(0.0, (-2.0, Identity()))}, "the density integrates to 0.5, not to 1"),
    "support": ({"ends": (0.5, math.inf)}, "the density integrates to 0.606"),
    "domain": (of_half_line(1.0, -1.0), "Wrong(scale=-1.0, loc=0.5): the density integrates to 0, not to 1"),
    "mean": ({"standard_mean": lambda self: 2.0}, "the mean is 2 as stated, but 1 by quadrature"),
    "variance": ({"standard_variance": lambda self: 2.0}, "the variance is 2 as stated, but 1 by"),
    "no variance": ({"standard_variance": lambda self: math.inf}, "the variance is inf as stated, but 1"),
    "entropy": ({"standard_entropy": lambda self: 1.5}, "the entropy is 1.27685645 as stated, but 0.7768"),
    "coefficient": ({"log_density": density(0.0, (-1.0, Log()))}, "the density integrates to nan"),
}


@pytest.mark.parametrize(("body", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(body, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_family(wrong(**body))


NO_STATEMENTS = {
    "number": (-1.0, "Wrong.log_density returned -1.0: return LogDensity(constant, ((coefficient, "),
    "nothing": (None, "Wrong.log_density returned None: return LogDensity("),
    "lone term": (LogDensity(0.0, (-1.0, Identity())), "log_density: -1.0 is no pair of a coefficient and a"),
    "class": (LogDensity(0.0, ((-1.0, Identity),)), "Identity'>) is no pair of a coefficient and a stat"),
    "order": (LogDensity(0.0, ((Identity(), -1.0),)), ", -1.0) is no pair of a coefficient and a statistic"),
}


@pytest.mark.parametrize(("returned", "message"), NO_STATEMENTS.values(), ids=NO_STATEMENTS)
def test_what_is_no_log_density(returned, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        check_family(wrong(log_density=lambda self: returned))


def test_mathematics_of_plain_numbers_alone():
    class Rate(Continuous):
        rate: Any = parameter(POSITIVE)
        ends = (0.0, math.inf)

        def log_density(self):
            return LogDensity(math.log(self.rate), ((-self.rate, Identity()),))

        def standard_mean(self):
            return 1.0 / self.rate

    with pytest.raises(TypeError, match=r"Rate fails on arrays of parameters \(.*self\.ops"):
        check_family(Rate)

    class OfArrays(Rate):
        def log_density(self):
            rate = self.rate if type(self.rate) is float else self.rate.astype(np.float64)
            return LogDensity(self.ops.log(np.asarray(rate, np.float64)), ((-self.rate, Identity()),))

    with pytest.raises(TypeError, match=r"OfArrays fails in graphs \(.*self\.ops"):
        check_family(OfArrays)


def test_wrong_expectations():
    kind = wrong()
    expects(kind, Exp)(lambda p, statistic, at: 1.0 / (1.0 - statistic.rate * at.ratio))  # without the shift
    with pytest.raises(AssertionError, match=r"E\[exp\(rate · z\)\] at z = 0.3 \+ 1.6·Z is"):
        check_family(kind)


def test_expectations_that_do_not_exist():
    class Tail(Right):
        """Z with density 1/z² above 1."""

        ends = (1.0, math.inf)
        log_density = density(0.0, (-2.0, Log()))
        standard_mean = standard_variance = lambda self: math.inf

    check_family(Tail)
    expects(Tail, Power)(lambda p, statistic, at: at.ratio**statistic.exponent)
    with pytest.raises(AssertionError, match=r"E\[a power of z\] .* is 1 as stated, but inf by quadrature"):
        check_family(Tail)


PAIRS = {
    "itself": (lambda p, q: 1e-12 + 0.0 * p.scale, "the divergence from itself is 1e-12, not 0.0"),
    "value": (lambda p, q: (p.scale - q.scale) ** 2, "the divergence is 0.49 as stated, but 0.1619"),
    "batch": (
        lambda p, q: divergence(p, q) * (2.0 if np.ndim(p.scale) else 1.0),
        "in a batch, but 0.16",
    ),
    "graph": (
        lambda p, q: divergence(p, q) + (1.0 if p.ops.symbolic else 0.0),
        "is 1.16194199 in a graph, but 0.161941993 as a number",
    ),
    "gradient": (
        lambda p, q: divergence(p, q) + (p.scale - 0.8 if p.ops.symbolic else 0.0),
        "the gradient by scale of p is",
    ),
}


def divergence(p, q):
    ratio = p.scale / q.scale
    return ratio - 1.0 - p.ops.log(ratio)


@pytest.mark.parametrize(("rule", "message"), PAIRS.values(), ids=PAIRS)
def test_wrong_pairs(rule, message):
    kind = wrong()
    closed_form(kind, kind)(rule)
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_family(kind, [kind(0.8), kind(1.5)])


def test_wrong_discrete_families():
    for body, message in (
        (
            {"log_pmf": lambda self, k: 0.0 * k},
            r"Wrong\(n=4.0, p=0.3\): the probabilities sum to 5, not to 1",
        ),
        ({"entropy": lambda self: 1.0}, r"the entropy is 1 as stated, but 1\.2"),
        ({"standard_ends": lambda self: (1.0, self.n)}, "the probabilities sum to 0.7599"),
    ):
        with pytest.raises(AssertionError, match=message):
            check_family(wrong(Heads, **body))


def test_ends_where_the_density_is_not():
    class Root(Continuous):
        """Z with density exp(−√z)/2 above 0, which does not say so."""

        log_density = density(-math.log(2.0), (-1.0, Power(0.5)))

    class Slash(Continuous):
        """Z with density z·exp(−z)."""

        scale: Any = parameter(POSITIVE)
        log_density = density(0.0, (1.0, Log()), (-1.0, Identity()))

    for kind in (Root, Slash):
        message = r"log_prob is NaN at -0.*, inside its ends \(-inf, inf\): set ends .* ends = \(0.0, inf\)"
        with pytest.raises(AssertionError, match=message):
            check_family(kind)
        check_family(wrong(kind, ends=(0.0, math.inf)))


class Spread(Continuous):
    """Uniform from low to high."""

    low: Any = parameter(REAL)
    high: Any = parameter(REAL)

    def further_conditions(self):
        yield self.low < self.high, "low must be below high"

    def standard_ends(self):
        return self.low, self.high

    def log_density(self):
        return LogDensity(-self.ops.log(self.high - self.low), ())


def test_typical_members():
    check_family(Spread)
    stated = {"__annotations__": {"high": Any}, "high": parameter(REAL, typical=(0.2,))}
    with pytest.raises(ValueError, match=r"Wrong, of typical values: low must be below high; state typical"):
        check_family(wrong(Spread, **stated))
    with pytest.raises(TypeError, match=r"Wrong\.scale has no typical values: state them, or give members"):
        check_family(wrong(__annotations__={"scale": Any}, scale=parameter()))


@pytest.mark.parametrize("name", ["standard_mean", "standard_variance", "standard_entropy", "moment"])
def test_what_no_discrete_family_is_asked_for(name):
    with pytest.raises(TypeError, match=f"Wrong.{name}: a discrete family is not asked for it"):
        check_family(wrong(Heads, **{name: lambda self: 1.0}))


def test_what_is_not_stated_is_named():
    class Borel(Discrete):
        rate: Any = parameter(PROBABILITY)
        ends = (1.0, 4.0)

    class Blank(Continuous):
        rate: Any = parameter(POSITIVE)

    class Shapeless(extend.Covariance):
        rate: Any = parameter(POSITIVE)

    for ask in (check_family, lambda kind: entropy(kind(0.5)), lambda kind: kl(kind(0.5), kind(0.6))):
        with pytest.raises(NotImplementedError, match="Borel states no log_pmf: the logarithm of P"):
            ask(Borel)
    with pytest.raises(TypeError, match="Blank states no log_density: the log density of Z"):
        check_family(Blank)
    with pytest.raises(NoClosedFormError, match="Blank states no log_density"):
        kl(Blank(1.0), Blank(2.0))
    with pytest.raises(NotImplementedError, match="Shapeless states no factor: the lower Cholesky"):
        _ = Shapeless(1.0).factor
    with pytest.raises(NotImplementedError, match="Shapeless states no marginal"):
        Shapeless(1.0).marginal(0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Right", "GeneralizedGamma", "LogNormal", "Weibull"])
def test_other_distributions(name):
    kind = Right if name == "Right" else getattr(extend, name)
    members = [extend.LogNormal(extend.Normal(0.2, 0.5))] if name == "LogNormal" else None
    others = [
        stats.norm(0.3, 2.0),
        stats.expon(0.0, 2.0),
        stats.gamma(2.0),
        stats.lognorm(0.7),
        stats.laplace(),
    ]
    check_family(kind, members, [*others, stats.uniform(-1.0, 9.0), stats.poisson(2.0)])


@pytest.mark.slow
@pytest.mark.parametrize("forward", [True, False])
def test_wrong_closed_forms_with_other_distributions(forward):
    kind, normal = wrong(), extend.Normal
    check_family(kind, against=[stats.norm()])
    pair = (kind, normal) if forward else (normal, kind)
    closed_form(*pair)(lambda p, q: 0.25 + 0.0 * p.scale * q.scale)
    check_family(kind)
    message = r"KL\(Wrong\(.*Normal\(" if forward else r"KL\(Normal\(.*Wrong\("
    with pytest.raises(AssertionError, match=rf"{message}.*: the divergence is 0.25 as stated, but "):
        check_family(kind, against=[stats.norm()])


def test_other_distributions_of_other_kinds():
    check_family(Heads, against=[stats.binom(4, 0.2), stats.poisson(2.0), stats.randint(0, 9)])
    with pytest.raises(TypeError, match="against distributions of one variable, not MultivariateNormal"):
        check_family(Right, against=[stats.multivariate_normal([0.0, 1.0])])
