"""The skewed Cauchy distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from kl_plugins.families.core.affine import AffineMap, same_location
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.images import unless_common
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Absolute, Exp, Softplus, Statistic
from kl_plugins.families.student_t import Cauchy
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.cauchy import cauchy_divergence_of_ratio
from kl_plugins.formulas.exponential import logit_step_divergence
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.declarations import POSITIVE, REAL, Domain, parameter


@dataclass(frozen=True, eq=False)
class SkewedLog1pSquare(Statistic):
    """log(1 + z²), of z in units of 1 + a above zero and of 1 − a below."""

    skewness: Array
    text = "log(1 + (z/(1 ± a))²)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        unit = z / (1.0 + self.skewness * ops.sign(z))
        return ops.log1p(unit * unit)


class SkewCauchy(Continuous):
    """X = loc + scale·Z, Z a Cauchy variable stretched by 1 + a above zero and by 1 − a below.

    It is above zero with probability (1 + a)/2, a the `skewness`:
    https://en.wikipedia.org/wiki/Skewed_generalized_t_distribution.
    """

    skewness: Array = parameter(Domain(-1.0, 1.0), called="a", meaning="the skewness", static=True)
    loc: Array = parameter(REAL, default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    common: ClassVar[tuple[str, ...]] = ("loc",)

    def log_density(self) -> LogDensity:
        return LogDensity(-math.log(math.pi), ((-1.0, SkewedLog1pSquare(self.skewness)),))

    def standard_entropy(self) -> Array:
        """That of a Cauchy variable: what one side is wider, it is more probable."""
        return math.log(4.0 * math.pi)

    def standard_mean(self) -> Array:
        """There is none, but E|z| is infinite, and that decides."""
        return 0.0

    def standard_variance(self) -> Array:
        return math.inf


@closed_form(SkewCauchy, SkewCauchy)
@closed_form(SkewCauchy, Cauchy)
@closed_form(Cauchy, SkewCauchy)
def skew_cauchy_skew_cauchy(p: Any, q: Any) -> Array:
    """By sides, of one centre: a coin that chooses the side and a half-Cauchy distribution on each."""
    if not same_location(p, q):
        return unless_common(p, q)
    ops, a, b = p.ops, *(x.skewness if isinstance(x, SkewCauchy) else 0.0 for x in (p, q))
    up, down, level = 0.5 * (1.0 + a), 0.5 * (1.0 - a), log_ratio(q.scale, p.scale, ops)
    above, below = ops.log1p((b - a) / (1.0 + a)), ops.log1p((a - b) / (1.0 - a))
    sides = up * cauchy_divergence_of_ratio(level + above, ops)
    sides = sides + down * cauchy_divergence_of_ratio(level + below, ops)
    return q.broadcast(p.broadcast(logit_step_divergence(up, down, above - below, ops) + sides))


@expects(SkewCauchy, Absolute)
@expects(SkewCauchy, Exp)
@expects(SkewCauchy, Softplus)
def diverges(p: SkewCauchy, statistic: Statistic, at: AffineMap) -> Array:
    return math.inf


from_scipy("skewcauchy")(SkewCauchy)
