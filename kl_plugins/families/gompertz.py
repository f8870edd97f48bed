"""The Gompertz distribution."""

from __future__ import annotations

import math
from typing import ClassVar

from kl_plugins.families.core.affine import AffineMap, same_location
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Identity
from kl_plugins.formulas.exponential import scaled_exp1
from kl_plugins.formulas.shared import variance_divergence
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class Gompertz(Continuous):
    """X = loc + scale·Z, Z with density c exp(z) exp(−c (exp(z) − 1)) above 0, c the concentration.

    https://en.wikipedia.org/wiki/Gompertz_distribution
    """

    concentration: Array = parameter(POSITIVE, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0)
    ends: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def log_density(self) -> LogDensity:
        c = self.concentration
        return LogDensity(self.ops.log(c) + c, ((1.0, Identity()), (-c, Exp(1.0))))

    def standard_mean(self) -> Array:
        """exp(c) E₁(c)."""
        return scaled_exp1(self.concentration, self.ops)

    def standard_entropy(self) -> Array:
        return 1.0 - self.ops.log(self.concentration) - self.standard_mean()


@closed_form(Gompertz, Gompertz)
def gompertz_gompertz(p: Gompertz, q: Gompertz) -> Array:
    """Of the same loc and scale: exp(Z) − 1 is exponential with rate c; else by statistics."""
    if not (same_location(p, q) and certainly_equal(p.scale, q.scale, p.ops)):
        return by_statistics(p, q)
    return q.broadcast(p.broadcast(2.0 * variance_divergence(q.concentration, p.concentration, p.ops)))


@expects(Gompertz, Exp)
def exp(p: Gompertz, statistic: Exp, at: AffineMap) -> Array:
    """exp(Z) is 1 more than an exponential variable, whose first two moments are known."""
    rate = p.ops.literal(statistic.rate * at.ratio) if not p.ops.symbolic else None
    if rate not in (1.0, 2.0):
        return None
    mean = 1.0 / p.concentration
    moment = 1.0 + mean if rate == 1.0 else 1.0 + 2.0 * mean + 2.0 * mean * mean
    return p.ops.exp(statistic.rate * at.shift) * moment


from_scipy("gompertz")(lambda c, loc, scale: Gompertz(c, loc, scale))
