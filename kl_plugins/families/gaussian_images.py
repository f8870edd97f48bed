"""Affine images of multivariate normal distributions, variable by variable."""

from __future__ import annotations

from kl_plugins.covariance.scaling import scaled
from kl_plugins.families.core.maps import Affine, image_of
from kl_plugins.families.multivariate_normal import MultivariateNormal


@image_of(MultivariateNormal, Affine)
def moved_normal(p: MultivariateNormal, of: Affine) -> MultivariateNormal | None:
    """Of numbers for each variable, or for all; series and matrices have other shapes than their means."""
    if type(p) is not MultivariateNormal:
        return None
    return MultivariateNormal(of.loc + of.scale * p.mean, scaled(p.covariance, of.scale))
