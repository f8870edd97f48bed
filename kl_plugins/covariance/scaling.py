"""Covariances of variables that are each multiplied by a number, with the structure that is left."""

from __future__ import annotations

from functools import singledispatch

from kl_plugins.covariance.axis_aligned import AxisAligned, DiagonalScales, Isotropic
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Cholesky, Dense
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import is_literal


@singledispatch
def scaled(covariance: Covariance, scale: Array) -> Covariance:
    """That of scale·x; `scale` is one number for all variables, or one for each, and not 0."""
    factors = _of_each(covariance, scale)
    return Dense(factors[..., :, None] * covariance.matrix() * factors[..., None, :])


def _of_each(covariance: Covariance, scale: Array) -> Array:
    ops = covariance.ops
    return ops.asarray(scale, "scale") + ops.zeros_like(ops.diagonal(covariance.matrix()))


@scaled.register
def _(covariance: AxisAligned, scale: Array) -> Covariance:
    return DiagonalScales(abs(scale) * covariance.full_scales())


@scaled.register
def _(covariance: Isotropic, scale: Array) -> Covariance:
    if is_literal(scale):
        return Isotropic(scale * scale * covariance.variance, covariance.dim)
    return DiagonalScales(abs(scale) * covariance.full_scales())


@scaled.register
def _(covariance: Cholesky, scale: Array) -> Covariance:
    return Cholesky(_of_each(covariance, scale)[..., :, None] * covariance.factor)


@scaled.register
def _(covariance: LowRank, scale: Array) -> Covariance:
    factors = scale + covariance.ops.zeros_like(covariance.diagonal)
    return LowRank(factors * factors * covariance.diagonal, factors[..., :, None] * covariance.loadings)
