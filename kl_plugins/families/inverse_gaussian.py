"""The inverse Gaussian (Wald) distribution and its reciprocal."""

from __future__ import annotations

import math
from typing import ClassVar

from kl_plugins.families.core.affine import AffineMap, affine_map
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.maps import Raised, image_of, starts_at_zero
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Log, Power
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.exponential import exp_remainder, scaled_exp1
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_LOG_2PI = math.log(2.0 * math.pi)


class InverseGaussian(Continuous):
    """X = loc + scale·Y^power, power 1 or −1, where Y is inverse Gaussian with mean μ and shape λ.

    Y has density √(λ/(2πy³)) exp(−λ(y − μ)²/(2μ²y)):
    https://en.wikipedia.org/wiki/Inverse_Gaussian_distribution.
    """

    mean: Array = parameter(POSITIVE)
    shape: Array = parameter(POSITIVE, default=1.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    power: Array = parameter(REAL, typical=(-1.0,), default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, math.inf)

    @property
    def ratio(self) -> Array:
        """φ = λ/μ, which alone decides of the form of the distribution."""
        return self.shape / self.mean

    def log_density(self) -> LogDensity:
        ops, c, ratio = self.ops, self.power, self.ratio
        constant = 0.5 * (ops.log(self.shape) - _LOG_2PI) + ratio
        coefficients = (-0.5 * ratio / self.mean, Power(c)), (-0.5 * self.shape, Power(-c))
        return LogDensity(constant, ((-1.0 - 0.5 * c, Log()), *coefficients))

    def mean_log(self) -> Array:
        """That of Y is log μ − exp(2φ) E₁(2φ)."""
        return self.power * (self.ops.log(self.mean) - scaled_exp1(2.0 * self.ratio, self.ops))

    def standard_entropy(self) -> Array:
        ops = self.ops
        spread = 0.5 + 0.5 * (_LOG_2PI - ops.log(self.shape))
        return spread + (1.0 + 0.5 * self.power) * self.mean_log()

    def standard_variance(self) -> Array:
        """μ²/φ, and that of the reciprocal (1 + 2/φ)/(μλ)."""
        if self.power == 1.0:
            return self.mean * self.mean / self.ratio
        return (1.0 + 2.0 / self.ratio) / (self.mean * self.shape)

    def comes_near_normal(self) -> bool:
        return True

    def negentropy(self) -> Array:
        """3/2 E, and ½ log(1 + 2/φ) − ½ E of the reciprocal, with E = exp(2φ) E₁(2φ)."""
        tail = scaled_exp1(2.0 * self.ratio, self.ops)
        if self.power == 1.0:
            return 1.5 * tail
        return 0.5 * (self.ops.log1p(2.0 / self.ratio) - tail)

    def moment(self, order: Array) -> Array:
        """E[Y^(order·power)] for a whole order between −3 and 4; None for others."""
        if not is_literal(order):
            return None
        order = order * self.power
        x = 1.0 / self.ratio
        # E[(Y/μ)^(1−k)] = E[(Y/μ)^k]
        k = max(order, 1.0 - order)
        polynomials = {1.0: 1.0, 2.0: 1.0 + x, 3.0: 1.0 + 3.0 * x * (1.0 + x)}
        polynomials[4.0] = 1.0 + 3.0 * x * (2.0 + 5.0 * x * (1.0 + x))
        return None if k not in polynomials else polynomials[k] * self.mean**order


@closed_form(InverseGaussian, InverseGaussian)
def inverse_gaussian_inverse_gaussian(p: InverseGaussian, q: InverseGaussian) -> Array:
    """½ (ρ − 1 − log ρ) + ½ φ_q (2 sinh(m/2))², where both start at the same place; else by statistics.

    ρ = λ_q/λ_p, m = log(μ_p/μ_q): the last part is λ_q (μ_p − μ_q)² / (2 μ_q² μ_p).
    """
    if not (affine_map(p, q).fixes_zero and p.power == q.power):
        return by_statistics(p, q)
    ops = p.ops
    scale = p.power * log_ratio(p.scale, q.scale, ops)
    level = log_ratio(p.mean, q.mean, ops) + scale
    shapes = exp_remainder(log_ratio(q.shape, p.shape, ops) - scale, ops)
    sine = ops.select(
        level > 700.0,
        lambda level: ops.exp(0.5 * level),
        lambda level: ops.expm1(ops.minimum(level, 700.0)) * ops.exp(-0.5 * level),
        level,
    )
    return q.broadcast(p.broadcast(0.5 * (shapes + q.shape * (sine / q.mean) * sine)))


@expects(InverseGaussian, Exp)
def exp(p: InverseGaussian, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function exp(φ (1 − √(1 − w))), w = 2μ²t/λ; that of the reciprocal differs."""
    ops, t, plain = p.ops, statistic.rate * at.ratio, p.power == 1.0
    w = 2.0 * p.mean * t / p.ratio if plain else 2.0 * t / p.shape
    exists = w <= 1.0 if plain else w < 1.0
    root = ops.sqrt(1.0 - ops.where(exists, w, 0.0))
    mgf = ops.exp(statistic.rate * at.shift + p.ratio * w / (1.0 + root))
    return ops.where(exists, mgf if plain else mgf / root, math.inf)


from_scipy("invgauss")(lambda mu, loc, scale: InverseGaussian(mu, 1.0, scale, loc))
from_scipy("wald")(lambda loc, scale: InverseGaussian(1.0, 1.0, scale, loc))
from_scipy("recipinvgauss")(lambda mu, loc, scale: InverseGaussian(mu, 1.0, scale, loc, -1.0))
from_pymc("WaldRV")(lambda mean, shape, loc: InverseGaussian(mean, shape, 1.0, loc))


@image_of(InverseGaussian, Raised)
def reciprocal_of_inverse_gaussian(p: InverseGaussian, of: Raised) -> InverseGaussian | None:
    is_known = p.ops.literal(of.exponent) == -1.0 and starts_at_zero(p)
    return p.changed(power=-p.power, scale=1.0 / p.scale) if is_known else None
