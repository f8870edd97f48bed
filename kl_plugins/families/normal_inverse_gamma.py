"""The normal-inverse-gamma distribution of a mean and a variance."""

from __future__ import annotations

import math

from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.multivariate import Multivariate
from kl_plugins.families.core.names import from_scipy
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.gamma import log_gamma_divergence
from kl_plugins.formulas.shared import variance_divergence
from kl_plugins.ops.gamma_residues import digamma_residue, log_gamma_residue
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter
from kl_plugins.parameters.shapes import Shape

_LOG_2PI = math.log(2.0 * math.pi)


class NormalInverseGamma(Multivariate):
    """Distributions of (x, s²): s² is inverse gamma, and x given it normal with variance s²/count.

    Parameters
    ----------
    mean : array_like or TensorVariable, shape (...)
        Of x.
    count : array_like or TensorVariable, shape (...)
        Positive: the observations that the mean is worth.
    concentration, scale : array_like or TensorVariable, shape (...)
        Positive, of the inverse gamma distribution: 1/s² has the mean concentration/scale.

    Raises
    ------
    ValueError
        If a mean is not finite, or another parameter not positive and finite.

    Notes
    -----
    https://en.wikipedia.org/wiki/Normal-inverse-gamma_distribution.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.normal_inverse_gamma import NormalInverseGamma
    >>> p, q = NormalInverseGamma(0.0, 1.0, 2.0, 1.0), NormalInverseGamma(1.0, 1.0, 2.0, 1.0)
    >>> round(float(kl(p, q)), 6)
    1.0
    """

    mean: Array = parameter(REAL, meaning="mu")
    count: Array = parameter(POSITIVE, meaning="lmbda")
    concentration: Array = parameter(POSITIVE, meaning="a")
    scale: Array = parameter(POSITIVE, meaning="b")

    @property
    def event_shape(self) -> Shape:
        return (2,)

    def log_prob(self, x: Array) -> Array:
        """The log density at (x, s²), shape (..., 2)."""
        ops, a, b = self.ops, self.concentration, self.scale
        variance, step = x[..., 1], x[..., 0] - self.mean
        log = ops.log(variance)
        value = a * ops.log(b) - ops.gammaln(a) + 0.5 * (ops.log(self.count) - _LOG_2PI)
        return value - (a + 1.5) * log - (b + 0.5 * self.count * step * step) / variance

    def entropy(self) -> Array:
        """a + ln Γ(a) − (a + 3/2) ψ(a) + 3/2 ln b + ½ [1 + ln 2π − ln λ], of large a without large parts."""
        ops, a = self.ops, self.concentration
        of_shape = log_gamma_residue(a, ops) - (a + 1.5) * digamma_residue(a, ops) - 1.5 * ops.log(a)
        return of_shape + 1.5 * ops.log(self.scale) + 0.5 * (1.0 + _LOG_2PI - ops.log(self.count))


@kl_rules.register(NormalInverseGamma, NormalInverseGamma, cost="O(1)")
def normal_inverse_gamma_normal_inverse_gamma(p: NormalInverseGamma, q: NormalInverseGamma) -> Array:
    """That of the variances, and the mean over these of that of the normal variables given one.

    With E[1/s²] = a/b it is ½ [ρ − 1 − ln ρ + λ_q (μ_p − μ_q)² a/b], ρ = λ_q/λ_p.
    """
    ops, step = p.ops, p.mean - q.mean
    shift = log_ratio(q.scale, p.scale, ops)
    of_variance = log_gamma_divergence(p.concentration, q.concentration, shift, 1.0, ops)
    w = step * (ops.sqrt(q.count) * ops.sqrt(p.concentration / p.scale))
    return of_variance + variance_divergence(q.count, p.count, ops) + (0.5 * w) * w


from_scipy("normal_inverse_gamma")(NormalInverseGamma)
