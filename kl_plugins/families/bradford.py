"""The Bradford distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kl_plugins.families.core.affine import AffineMap, affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.by_nodes import between, cost_of_nodes, within
from kl_plugins.families.core.closed_forms import closed_form, infinite
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.statements import LogDensity, expectation, expects
from kl_plugins.families.core.statistics import Log1p, Statistic
from kl_plugins.families.uniform import Uniform
from kl_plugins.formulas.bradford import (
    COUNT,
    bradford_divergence,
    log_height,
    mass_inside,
    mass_outside,
    mean_on_unit,
    variance_on_unit,
)
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_COST = cost_of_nodes(COUNT)
_LARGEST = 1e10
"""Beyond it the nodes do not resolve the density."""


@dataclass(frozen=True, eq=False)
class Log1pOfMultiple(Statistic):
    """log(1 + c z)."""

    c: Array
    text = "log(1 + c z)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(self.c * z)


class Bradford(Continuous):
    """X = loc + scale·Z, Z on (0, 1) with density ∝ 1/(1 + c z).

    https://en.wikipedia.org/wiki/Bradford%27s_law is where it comes from.
    """

    c: Array = parameter(POSITIVE, typical=(0.8, 2.0, 40.0), static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def log_density(self) -> LogDensity:
        return LogDensity(log_height(self.c, self.ops), ((-1.0, Log1pOfMultiple(self.c)),))

    def standard_entropy(self) -> Array:
        """log(L/c) + ½ L, as log(1 + c Z) is uniform between 0 and L."""
        return 0.5 * self.ops.log1p(self.c) - log_height(self.c, self.ops)

    def standard_mean(self) -> Array:
        return mean_on_unit(self.c, self.ops)

    def standard_variance(self) -> Array:
        return variance_on_unit(self.c, self.ops)


@closed_form(Bradford, Bradford, _COST)
@closed_form(Bradford, Uniform, _COST)
@closed_form(Uniform, Bradford, _COST)
def bradford_bradford(p: Any, q: Any) -> Array:
    """That from q between p's ends, which has such a density, and minus the logarithm of q's mass there."""
    ops, at = p.ops, affine_map(p, q)
    beyond = outside(p, q, at)
    if beyond is True:
        return infinite(p, q)
    first, second = _c(p, q), _c(q, p)
    low, rest = (ops.minimum(ops.maximum(end, 0.0), 1.0) for end in (at.shift, at.upper))
    inner = second * at.ratio / (1.0 + second * low)
    value = bradford_divergence(first, inner, ops)
    if not (at.fixes_zero and at.fixes_one):
        value = value + _log_mass_lost(p, q, low, rest, at.ratio)
    sizes = [x.c for x in (p, q) if isinstance(x, Bradford)]
    conditions = between(1e-300, _LARGEST, "values of c", sizes, ops)
    return within(p, q, in_shape_of_pair(p, q, value, beyond), conditions)


def _c(x: Any, other: Any) -> Array:
    """Of a uniform distribution 0, in the precision of the other side's."""
    return x.c if isinstance(x, Bradford) else 0.0 * other.c


def _log_mass_lost(p: Any, q: Any, low: Array, rest: Array, width: Array) -> Array:
    """−log of q's mass between the ends."""
    ops = q.ops
    if isinstance(q, Uniform):
        return ops.maximum(log_ratio(q.scale, p.scale, ops), 0.0)
    tails = mass_outside(q.c, low, rest, ops)
    inside = ops.log(mass_inside(q.c, low, width, ops))
    return -ops.where(tails < 0.5, ops.log1p(-ops.minimum(tails, 0.5)), inside)


@expects(Continuous, Log1pOfMultiple)
def log1p_of_multiple(p: Continuous, statistic: Log1pOfMultiple, at: AffineMap) -> Array:
    """That of log(1 + z) at a multiple of z."""
    c = statistic.c
    return expectation(p, Log1p(), AffineMap(p.ops, c * at.shift, c * at.ratio))


from_scipy("bradford")(Bradford)
