"""Normal arrays that sum to zero: a multivariate normal over the entries of an array, row by row."""

from __future__ import annotations

from typing import NoReturn

from kl_plugins.covariance.zero_sum import ZeroSum
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.maps import Affine, Map, image_of
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import is_literal, known_zero
from kl_plugins.parameters.declarations import part
from kl_plugins.parameters.shapes import Shape


class ZeroSumNormal(MultivariateNormal):
    """Normal distributions of arrays that sum to zero along each of their axes.

    Parameters
    ----------
    mean : array_like or TensorVariable, shape (..., d)
        The mean array, row by row, which sums to zero, too.
    covariance : ZeroSum
        With the lengths of the axes, whose product is d.
    """

    covariance: ZeroSum = part()

    @property
    def event_shape(self) -> Shape:
        return self.covariance.lengths

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return self.covariance.sizes


@image_of(ZeroSumNormal, Affine)
def multiple(p: ZeroSumNormal, of: Affine) -> ZeroSumNormal:
    """One number times an array that sums to zero sums to zero as well."""
    scale = _of_whole_arrays(of, p)
    if scale is None or not known_zero(of.loc, p.ops):
        return no_other_image(p, of)
    spread = ZeroSum(abs(scale) * p.covariance.scale, p.covariance.sizes)
    mean = scale * p.mean if is_literal(scale) else scale[..., None] * p.mean
    return ZeroSumNormal(mean, spread)


@image_of(ZeroSumNormal, Map)
def no_other_image(p: ZeroSumNormal, of: Map) -> NoReturn:
    """Estimates cannot go on from here either, whose points have to be where the density is."""
    raise NoClosedFormError(
        "of an array that sums to zero, such as pm.ZeroSumNormal's, only multiples by one number are "
        "understood, as its density is one on a subspace; where the same function of another one is on the "
        "other side, as in kl(exp(x), exp(y)), kl takes it off"
    )


def _of_whole_arrays(of: Affine, p: ZeroSumNormal) -> Array:
    """The factor of each array of the batch; None where its entries have different ones, or may have."""
    if is_literal(of.scale):
        return of.scale
    shape, axes = p.ops.shape(of.scale), len(p.covariance.sizes)
    if any(length != 1 for length in shape[len(shape) - axes :]):
        return None
    return of.scale[(..., *[0] * min(axes, len(shape)))]
