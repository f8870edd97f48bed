"""Logits of beta variables and their exponentials: Burr's, Dagum's, Mielke's, Singh and Maddala's."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from kl_plugins.families.beta import Beta
from kl_plugins.families.beta_prime import BetaPrime
from kl_plugins.families.core.affine import AffineMap, affine_map
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.images import unless_common
from kl_plugins.families.core.maps import Exponential, Logarithm, Sigmoid, image_of, is_unit, starts_at_zero
from kl_plugins.families.core.names import from_scipy, if_positive
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Identity, Softplus
from kl_plugins.families.log_transformed import LogTransformed
from kl_plugins.families.logistic import LogCosh, Logistic
from kl_plugins.formulas.beta import (
    beta_divergence,
    beta_negentropy,
    digamma_difference,
    log1p_ratio,
    log_beta,
)
from kl_plugins.ops.gamma_residues import scaled_trigamma
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_LOG_2 = 0.6931471805599453


class GeneralizedLogistic(Continuous):
    """X = loc + scale·log(B/(1 − B)), where B is a beta variable with parameters a and b.

    https://en.wikipedia.org/wiki/Generalized_logistic_distribution, of which this is type IV.
    """

    a: Array = parameter(POSITIVE, static=True)
    b: Array = parameter(POSITIVE, static=True)
    loc: Array = parameter(REAL, default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    common: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def mirrored(self) -> Self:
        return self.changed(a=self.b, b=self.a, loc=-self.loc)

    def log_density(self) -> LogDensity:
        a, b = self.a, self.b
        return LogDensity(-log_beta(a, b, self.ops), ((-b, Identity()), (-a - b, Softplus())))

    def of_both_sides(self) -> tuple[Array, Array]:
        """E log B and E log(1 − B)."""
        return digamma_difference(self.a, self.b, self.ops), digamma_difference(self.b, self.a, self.ops)

    def standard_mean(self) -> Array:
        above, below = self.of_both_sides()
        return above - below

    def standard_variance(self) -> Array:
        return self.ops.trigamma(self.a) + self.ops.trigamma(self.b)

    def standard_entropy(self) -> Array:
        above, below = self.of_both_sides()
        return log_beta(self.a, self.b, self.ops) - self.a * above - self.b * below

    def comes_near_normal(self) -> bool:
        return True

    def negentropy(self) -> Array:
        """That of B, half the logarithm of how much wider its logit is, and E log B + E log(1 − B).

        What the last two have in common, log(a b/(a + b)²), is left out of both.
        """
        a, b, ops = self.a, self.b, self.ops
        total = a + b
        bends = (b / total) * (scaled_trigamma(a, ops) / a) + (a / total) * (scaled_trigamma(b, ops) / b)
        above, below = self.of_both_sides()
        means = (above + log1p_ratio(b, a, ops)) + (below + log1p_ratio(a, b, ops))
        wider = 0.5 * (log1p_ratio(1.0, total, ops) + ops.log1p(bends))
        return ops.maximum(beta_negentropy(a, b, ops) + wider + means, 0.0)


@closed_form(GeneralizedLogistic, GeneralizedLogistic)
@closed_form(GeneralizedLogistic, Logistic)
@closed_form(Logistic, GeneralizedLogistic)
def generalized_logistic_generalized_logistic(p: Continuous, q: Continuous) -> Array:
    """That of the beta variables, where loc and scale are common; else by statistics."""
    at = affine_map(p, q)
    if not (at.fixes_zero and certainly_equal(at.ratio, 1.0, p.ops)):
        return unless_common(p, q)
    return q.broadcast(p.broadcast(beta_divergence(*_shapes(p), *_shapes(q), p.ops)))


def _shapes(x: Any) -> tuple[Array, Array]:
    """Those of the beta variable, which of a logistic one is uniform."""
    return (x.a, x.b) if isinstance(x, GeneralizedLogistic) else (1.0, 1.0)


@expects(GeneralizedLogistic, Softplus)
def softplus(p: GeneralizedLogistic, statistic: Softplus, at: AffineMap) -> Array:
    """−E log B, or −E log(1 − B) where q points the other way."""
    if not (at.fixes_zero and certainly_equal(abs(at.ratio), 1.0, p.ops)):
        return None
    above, below = p.of_both_sides()
    return -p.ops.where(at.ratio > 0.0, above, below)


@expects(GeneralizedLogistic, LogCosh)
def log_cosh(p: GeneralizedLogistic, statistic: LogCosh, at: AffineMap) -> Array:
    """−½ (E log B + E log(1 − B)) − log 2, of half the logit."""
    if not (at.fixes_zero and certainly_equal(abs(at.ratio), 0.5, p.ops)):
        return None
    above, below = p.of_both_sides()
    return -0.5 * (above + below) - _LOG_2


@expects(GeneralizedLogistic, Exp)
def exp(p: GeneralizedLogistic, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function B(a + t, b − t)/B(a, b)."""
    a, b, ops, t = p.a, p.b, p.ops, statistic.rate * at.ratio
    exists = ops.logical_and(t < b, t > -a)
    t = ops.where(exists, t, 0.0 * (a + b))  # in the precision of these, in a graph too
    log_mgf = statistic.rate * at.shift + log_beta(a + t, b - t, ops) - log_beta(a, b, ops)
    return ops.where(exists, ops.exp(log_mgf), float("inf"))


class GeneralizedBetaPrime(LogTransformed):
    """X = loc + scale·exp(B), B a generalised logistic variable: a power of a beta prime variable.

    https://en.wikipedia.org/wiki/Generalized_beta_distribution, of the second kind.
    """

    common: ClassVar[tuple[str, ...]] = ("loc", "scale", "power")


def _power(a: Array, b: Array, power: Array, loc: Array, scale: Array) -> GeneralizedBetaPrime:
    """The odds of a beta variable to the power of 1/power."""
    return GeneralizedBetaPrime(GeneralizedLogistic(a, b, 0.0, 1.0 / power), scale, loc)


from_scipy("genlogistic")(if_positive("c", lambda c, loc, scale: GeneralizedLogistic(c, 1.0, loc, scale)))
from_scipy("burr")(if_positive("c d", lambda c, d, loc, scale: _power(d, 1.0, c, loc, scale)))
from_scipy("burr12")(if_positive("c d", lambda c, d, loc, scale: _power(1.0, d, c, loc, scale)))
from_scipy("mielke")(if_positive("k s", lambda k, s, loc, scale: _power(k / s, 1.0, s, loc, scale)))


@image_of(BetaPrime, Logarithm)
def log_of_beta_prime(p: BetaPrime, of: Logarithm) -> Continuous | None:
    """The logit of a beta variable; of a uniform one it is logistic."""
    if not starts_at_zero(p):
        return None
    place, ops = p.ops.log(p.scale), p.ops
    if certainly_equal(p.a, 1.0, ops) and certainly_equal(p.b, 1.0, ops):
        return Logistic(place, 1.0)
    return GeneralizedLogistic(p.a, p.b, place)


@image_of(GeneralizedLogistic, Exponential)
def exponential_of_logit(p: GeneralizedLogistic, of: Exponential) -> BetaPrime | GeneralizedBetaPrime:
    is_known = certainly_equal(p.scale, 1.0, p.ops)
    return BetaPrime(p.a, p.b, 0.0, p.ops.exp(p.loc)) if is_known else GeneralizedBetaPrime(p)


@image_of(GeneralizedLogistic, Sigmoid)
def sigmoid_of_logit(p: GeneralizedLogistic, of: Sigmoid) -> Beta | None:
    return Beta(p.a, p.b) if is_unit(p) else None
