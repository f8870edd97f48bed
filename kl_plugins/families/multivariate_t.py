"""The multivariate t distribution."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.base import Covariance, divergence_rule, log_det_divergence
from kl_plugins.families.beta_prime import BetaPrime
from kl_plugins.families.core.by_nodes import QUADRATURE
from kl_plugins.families.core.closed_forms import no_closed_form
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.log_odds import by_log_odds
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.log_odds import LogOdds
from kl_plugins.formulas.multivariate_t import entropy_beyond_normal, excess_of_scale, negentropy
from kl_plugins.formulas.normal_to_t import COUNT, normal_to_t_divergence
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array, ArrayOperations, SymbolicOperations
from kl_plugins.parameters.certainty import equal_where
from kl_plugins.parameters.declarations import POSITIVE, parameter, part
from kl_plugins.parameters.shapes import Shape
from kl_plugins.rules import Rule


class MultivariateT(Distribution):
    """Multivariate t distributions: of loc + Z/√(χ²/df), Z normal and χ² with `df` degrees of freedom.

    Parameters
    ----------
    df : array_like or TensorVariable, shape (...)
        Degrees of freedom, positive.
    gaussian : MultivariateNormal
        The distribution of loc + Z, whose covariance is the scale matrix.

    Raises
    ------
    ValueError
        If the degrees of freedom are not positive and finite.

    Notes
    -----
    https://en.wikipedia.org/wiki/Multivariate_t-distribution.

    Examples
    --------
    >>> from kl_plugins import Isotropic, MultivariateNormal, kl
    >>> from kl_plugins.families.multivariate_t import MultivariateT
    >>> gaussian = MultivariateNormal([0.0, 0.0], Isotropic(1.0, 2))
    >>> round(float(kl(MultivariateT(4.0, gaussian), gaussian)), 6)
    0.5
    """

    df: Array = parameter(POSITIVE, meaning="degrees of freedom")
    gaussian: MultivariateNormal = part()
    find_backend = staticmethod(array_backend_of)

    @property
    def event_shape(self) -> Shape:
        return self.gaussian.event_shape

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return self.gaussian.runtime_event_shape()

    @property
    def dimension(self) -> Array:
        """The number d of variables, as a float."""
        return self.ops.asarray(self.gaussian.mean.shape[-1], "dimension")

    def log_prob(self, x: Array) -> Array:
        """The log density at `x`, shape (..., d)."""
        ops, df, d = self.ops, self.df, self.dimension
        of = self.gaussian
        squared = 2.0 * of.covariance.quadratic_form(x - of.mean)
        gammas = ops.gammaln(0.5 * (df + d)) - ops.gammaln(0.5 * df)
        normaliser = 0.5 * (d * (ops.log(df) + math.log(math.pi)) + of.covariance.log_det())
        return gammas - normaliser - 0.5 * (df + d) * ops.log1p(squared / df)

    def entropy(self) -> Array:
        """That of the Gaussian, and what the ratio adds."""
        return self.gaussian.entropy() + entropy_beyond_normal(self.df, self.dimension, self.ops)


def _by_covariance(p: MultivariateT, q: MultivariateNormal) -> tuple[Rule, Covariance, Covariance]:
    return divergence_rule(p.gaussian.covariance, q.covariance), p.gaussian.covariance, q.covariance


@kl_rules.register(MultivariateT, MultivariateNormal, cost=_by_covariance)
def multivariate_t_multivariate_normal(p: MultivariateT, q: MultivariateNormal) -> Array:
    """That of the Gaussian of p's mean and covariance cΣ, c = df/(df − 2), and p's from that.

    With D = ½ [tr(S⁻¹Σ) − d − ln|S⁻¹Σ|] the first is c D + ½ (c − 1) ln|S⁻¹Σ| + ½ d (c − 1 − ln c) and the
    part of the means. Infinite unless df > 2.
    """
    ops, d, own = p.ops, p.dimension, p.gaussian
    exists = ops.logical_not(p.df <= 2.0)
    df = ops.where(exists, p.df, 4.0)
    beyond = 2.0 / (df - 2.0)
    centred = log_det_divergence(own.covariance, q.covariance)
    ratio = own.covariance.log_det() - q.covariance.log_det()
    value = centred + beyond * (centred + 0.5 * ratio) + excess_of_scale(df, d, ops)
    value = ops.maximum(value, 0.0) + negentropy(df, d, ops) + q.covariance.quadratic_form(own.mean - q.mean)
    return ops.where(exists, value, math.inf)


def _by_distances(p: MultivariateNormal, q: MultivariateT) -> str:
    if p.ops.symbolic:
        _distances(p, q)
    return f"quadrature, {COUNT} nodes"


@kl_rules.register(MultivariateNormal, MultivariateT, cost=_by_distances)
def multivariate_normal_multivariate_t(p: MultivariateNormal, q: MultivariateT) -> Array:
    """An integral over fixed nodes: of the squared distance from q's location the Laplace transform is known.

    https://en.wikipedia.org/wiki/Generalized_chi-squared_distribution. Infinite where p is singular.
    """
    ops, own, of = p.ops, p.covariance, q.gaussian.covariance
    if own.is_singular:
        return math.inf + ops.zero_or_nan(q.df + ops.sum_last(p.mean - q.gaussian.mean))
    centred, log_ratio = log_det_divergence(own, of), own.log_det() - of.log_det()
    return normal_to_t_divergence(centred, log_ratio, *_distances(p, q), q.df, q.dimension, ops)


def _distances(p: MultivariateNormal, q: MultivariateT) -> tuple[Array, Array]:
    """λᵢ and λᵢaᵢ², with Σ λᵢ(zᵢ + aᵢ)² the squared distance; of numbers, or independent variables."""
    ops, own, of, step = p.ops, p.covariance, q.gaussian.covariance, p.mean - q.gaussian.mean
    if isinstance(own, AxisAligned) and isinstance(of, AxisAligned):
        scales = of.full_scales()
        return ops.square(own.full_scales() / scales), ops.square(step / scales)
    if ops.symbolic:
        raise no_closed_form(p, q, "in a graph there is one where the variables of both are independent")
    root = of.whiten_columns(own.factor)
    exists = np.isfinite(root).all((-2, -1), keepdims=True)
    left, sizes, _ = np.linalg.svd(np.where(exists, root, 0.0))
    turned = (left * of.whiten(step)[..., :, None]).sum(-2)
    return np.where(exists[..., 0], np.square(sizes), math.nan), np.square(turned)


def _cost(p: MultivariateT, q: MultivariateT) -> str:
    _open_conditions(p, q, ratio_of_scales(p.gaussian.covariance, q.gaussian.covariance)[1])
    return QUADRATURE


@kl_rules.register(MultivariateT, MultivariateT, cost=_cost)
def multivariate_t_multivariate_t(p: MultivariateT, q: MultivariateT) -> Array:
    """That of the squared distances from a common location, where the scale matrices are proportional.

    (x − μ)ᵀΣ⁻¹(x − μ) is df times a beta prime variable of d/2 and df/2: an integral over fixed nodes.
    """
    ops, means = p.ops, (p.gaussian.mean, q.gaussian.mean)
    log_scale, alike = ratio_of_scales(p.gaussian.covariance, q.gaussian.covariance)
    open_ones = _open_conditions(p, q, alike)
    if ops.symbolic and not open_ones and alike is True and ops.same(p.df, q.df):
        return ops.zero_or_nan(p.df) + ops.zero_or_nan(ops.sum_last(means[0]) + log_scale)
    step = log_ratio(p.df, q.df, ops) - log_scale
    step = step + ops.zeros_like(means[0][..., 0]) + ops.zeros_like(means[1][..., 0])
    radial_p, radial_q = _radial(p, p.df), _radial(q, q.df * ops.exp(log_scale))
    value = by_log_odds(radial_p, radial_q, _odds(radial_p), _odds(radial_q), step)
    return cast(SymbolicOperations, ops).guard(value, open_ones) if open_ones else value


def _open_conditions(p: MultivariateT, q: MultivariateT, alike: Array) -> list[tuple[Array, str]]:
    return open_conditions(p, q, _COMMON, alike, same_place(p.gaussian, q.gaussian))


def open_conditions(
    p: Distribution, q: Distribution, served: str, *conditions: Array
) -> list[tuple[Array, str]]:
    """What only a running graph tells of the pair; NoClosedFormError where it is certainly another."""
    found = []
    for holds in conditions:
        known = holds if type(holds) is bool else p.ops.known(holds)
        if known is None:
            found.append((holds, f"KL(p‖q) is known for {served}; kl_plugins.estimate_kl takes numbers"))
        elif not np.all(known):
            raise no_closed_form(p, q, f"there is one for {served}")
    return found


_COMMON = "a common location and proportional scale matrices"


def _radial(x: MultivariateT, scale: Array) -> BetaPrime:
    """The squared distance from the location."""
    ops, half = x.ops, 0.5 * x.df
    return BetaPrime.unchecked(ops, a=ops.zeros_like(half) + 0.5 * x.dimension, b=half, loc=0.0, scale=scale)


def _odds(x: BetaPrime) -> LogOdds:
    return LogOdds(x.a, x.b, 1.0)


def same_place(p: MultivariateNormal, q: MultivariateNormal) -> Array:
    """Whether the locations are the same, or NaN."""
    ops = p.ops
    if equal_where(p.mean, q.mean, ops) is True:
        return True
    step = p.mean - q.mean
    return ops.all_last(ops.logical_or(ops.equal(step, 0.0), ops.isnan(step)))


def ratio_of_scales(p: Covariance, q: Covariance) -> tuple[Array, Array]:
    """log s² where Σ_q is s² times Σ_p, and whether it is, up to rounding."""
    ops = p.ops
    if _certainly_same(p, q):
        return ops.zeros_like(p.log_det()), True
    if isinstance(p, AxisAligned) and isinstance(q, AxisAligned):
        logs = 2.0 * log_ratio(q.full_scales(), p.full_scales(), ops)
        mean = logs.mean(-1)
        apart = ops.absolute(logs - mean[..., None])
        return mean, ops.all_last(ops.logical_not(apart > rounding(mean, ops)[..., None]))
    mean = 2.0 * log_ratio(ops.diagonal(q.factor), ops.diagonal(p.factor), ops).mean(-1)
    first, second = p.matrix(), q.matrix()
    sizes = ops.sqrt(ops.diagonal(second))
    apart = ops.absolute(second - ops.exp(mean)[..., None, None] * first)
    bound = rounding(mean, ops)[..., None, None] * sizes[..., :, None] * sizes[..., None, :]
    return mean, ops.all_last_two(ops.logical_not(apart > bound))


def _certainly_same(p: Covariance, q: Covariance) -> bool:
    """Whether a graph has the same variables on both sides."""
    if not p.ops.symbolic or type(p) is not type(q):
        return False
    first, second = p.values(), q.values()
    return len(first) == len(second) and all(map(p.ops.same, first, second))


def rounding(log_scale: Array, ops: ArrayOperations) -> Array:
    """How far from proportional, relative to what they are, two matrices of that ratio may be."""
    return 64.0 * ops.epsilon(log_scale) * (1.0 + ops.absolute(log_scale))
