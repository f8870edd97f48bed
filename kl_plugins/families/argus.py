"""The ARGUS distribution."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kl_plugins.families.core.affine import AffineMap, affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.by_nodes import between, cost_of_nodes, within
from kl_plugins.families.core.closed_forms import closed_form, infinite, no_closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.statements import LogDensity
from kl_plugins.families.core.statistics import Log, Log1m, Log1p, Square
from kl_plugins.formulas.argus import (
    COUNT,
    argus_divergence,
    entropy_on_unit,
    log_mass,
    mean_on_unit,
    variance_on_unit,
)
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_LARGEST = 1e15
"""The squares of larger ones would leave single precision."""


class Argus(Continuous):
    """X = loc + scale·Z, Z on (0, 1) with density ∝ z √(1 − z²) exp(−χ²(1 − z²)/2).

    https://en.wikipedia.org/wiki/ARGUS_distribution
    """

    chi: Array = parameter(POSITIVE, typical=(0.8, 2.5, 12.0), static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def log_density(self) -> LogDensity:
        kappa = 0.5 * self.chi * self.chi
        constant = _LOG_2 - log_mass(self.chi, self.ops) - kappa
        return LogDensity(constant, ((1.0, Log()), (0.5, Log1m()), (0.5, Log1p()), (kappa, Square())))

    def standard_entropy(self) -> Array:
        return entropy_on_unit(self.chi, self.ops)

    def standard_mean(self) -> Array:
        return mean_on_unit(self.chi, self.ops)

    def standard_variance(self) -> Array:
        return variance_on_unit(self.chi, self.ops)


@closed_form(Argus, Argus, cost_of_nodes(COUNT))
def argus_argus(p: Argus, q: Argus) -> Array:
    """That of one interval; of others +∞, or none."""
    ops, at = p.ops, affine_map(p, q)
    beyond = outside(p, q, at)
    if beyond is True:
        return infinite(p, q)
    if not (at.fixes_zero and at.fixes_one) and not _where_they_matter_alike(at, beyond):
        raise no_closed_form(p, q, "there is one for the same loc and the same scale on both sides")
    value = in_shape_of_pair(p, q, argus_divergence(p.chi, q.chi, ops), beyond)
    return within(p, q, value, between(1e-300, _LARGEST, "values of chi", [p.chi, q.chi], ops))


def _where_they_matter_alike(at: AffineMap, beyond: Array) -> bool:
    """Whether each pair of numbers has one interval, or is infinitely far apart, or is NaN."""
    if at.ops.symbolic:
        return False
    moved = np.logical_or(abs(at.shift) > 0.0, abs(at.upper) > 0.0)
    return not np.any(np.logical_and(moved, np.logical_not(beyond)))


_LOG_2 = 0.6931471805599453

from_scipy("argus")(Argus)
