"""The von Mises distribution, on the circle and on a line of its length."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from kl_plugins.families.core.affine import AffineMap, affine_map
from kl_plugins.families.core.closed_forms import closed_form, no_closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Statistic
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.formulas.bessel import bessel_divergence, log_normaliser, shortfall, slope
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import certainly_equal
from kl_plugins.parameters.declarations import NON_NEGATIVE, POSITIVE, REAL, parameter

_LOG_2PI = math.log(2.0 * math.pi)


class VonMises(Univariate):
    """Von Mises distributions of angles, with density exp(κ cos(x − loc)) / (2π I₀(κ)); κ ≥ 0.

    They live on the circle: angles that differ by 2π are the same.
    """

    concentration: Array = parameter(NON_NEGATIVE, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)

    def entropy(self) -> Array:
        """log(2π I₀(κ)) − κ A(κ), without the large part κ of both."""
        return self.broadcast(_entropy(self))


def _entropy(p: VonMises | VonMisesLine) -> Array:
    kappa = p.concentration
    return _LOG_2PI + log_normaliser(kappa, 0.0, p.ops) + kappa * shortfall(kappa, 0.0, p.ops)


@closed_form(VonMises, VonMises)
def von_mises_von_mises(p: VonMises, q: VonMises) -> Array:
    """That of a common mean, a Bregman divergence of log I₀, and κ_q A(κ_p)(1 − cos) of the means' angle.

    https://arxiv.org/abs/2202.05192 (Kitagawa and Rowley, 2022).
    """
    half = p.ops.sin(0.5 * (p.loc - q.loc))
    turned = q.concentration * slope(p.concentration, 0.0, p.ops) * (2.0 * half * half)
    return bessel_divergence(p.concentration, q.concentration, 0.0, p.ops) + turned


@closed_form(VonMises, Univariate)
@closed_form(Univariate, VonMises)
def circle_and_line(p: Univariate, q: Univariate) -> Array:
    """None is known: where the circle is cut decides."""
    raise no_closed_form(p, q, "one is on a circle, the other on a line")


class Cosine(Statistic):
    text = "cos z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.cos(z)


class VonMisesLine(Continuous):
    """X = loc + scale·Z, Z on (−π, π) with density ∝ exp(κ cos z); κ ≥ 0."""

    concentration: Array = parameter(NON_NEGATIVE, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    symmetric: ClassVar[bool] = True
    ends: ClassVar[tuple[float, float]] = (-math.pi, math.pi)

    def log_density(self) -> LogDensity:
        kappa = self.concentration
        return LogDensity(-_LOG_2PI - log_normaliser(kappa, 0.0, self.ops) - kappa, ((kappa, Cosine()),))

    def standard_mean(self) -> Array:
        return 0.0

    def standard_entropy(self) -> Array:
        return _entropy(self)


@closed_form(VonMisesLine, VonMisesLine)
def von_mises_line_von_mises_line(p: VonMisesLine, q: VonMisesLine) -> Array:
    """That on the circle, where both are on the same line; else by statistics."""
    if not (affine_map(p, q).fixes_zero and certainly_equal(p.scale, q.scale, p.ops)):
        return by_statistics(p, q)
    return q.broadcast(p.broadcast(bessel_divergence(p.concentration, q.concentration, 0.0, p.ops)))


@expects(VonMisesLine, Cosine)
def cosine(p: VonMisesLine, statistic: Cosine, at: AffineMap) -> Array:
    """A(κ), times the cosine of the shift."""
    if not certainly_equal(abs(at.ratio), 1.0, p.ops):
        return None
    return slope(p.concentration, 0.0, p.ops) * p.ops.cos(at.shift)


def _of_scipy(kappa: Array, loc: Array, scale: Array) -> Distribution:
    """SciPy gives its density all over the line, with the period 2π·scale."""
    if np.any(np.not_equal(scale, 1.0)):
        raise ValueError(
            "scale must be 1, as the circle has a length of 2π; scipy.stats.vonmises_line has others"
        )
    return VonMises(kappa, loc)


from_scipy("vonmises")(_of_scipy)
from_scipy("vonmises_line")(VonMisesLine)
from_pymc("VonMisesRV")(lambda loc, kappa: VonMises(kappa, loc))
